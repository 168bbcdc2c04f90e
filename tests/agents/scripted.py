"""A workflow that does what its job says, act by act, so that a test can write a run down."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.models import Pause, Run, Step
from agents.operations.running import work
from agents.workflows import (
    Context,
    ContractBroken,
    Message,
    Reply,
    ToolFailed,
    Workflow,
    register_workflow,
)
from approvals.second_opinion import Second
from console.canonical import Json
from snapshots.diff import Change
from tests.agents.stage import Stage

Act = dict[str, Any]


def look(n: int = 0, answer: Json = "seen", **more: Any) -> Act:
    return {"do": "tool", "name": "look", "args": {"n": n}, "answer": answer, **more}


def fail(n: int = 0, **more: Any) -> Act:
    return look(n, fails="it does not answer", **more)


def think(tokens: int = 0, cost: str = "", agent: str = "scout", about: str = "What now?") -> Act:
    return {"do": "model", "tokens": tokens, "cost": cost, "agent": agent, "about": about}


def hand(giver: str, taker: str, value: Json = None) -> Act:
    return {"do": "handoff", "from": giver, "to": taker, "value": value}


def give(agent: str, value: Json) -> Act:
    return {"do": "give", "agent": agent, "value": value}


def put(n: int, kind: str = "set", **more: Any) -> Act:
    return {"do": "propose", "kind": kind, "n": n, **more}


OUTSIDE: Act = {"do": "outside"}


@dataclass
class Heard:
    """What the model was told, by the instance of the provider."""

    messages: list[Message] = field(default_factory=list)
    tokens: int = 0
    cost: str = ""

    @property
    def name(self) -> str:
        return "heard"

    def complete(self, message: Message) -> Reply:
        self.messages.append(message)
        said = f"answer {len(self.messages)}"
        return Reply(said, None, self.tokens, cost=self.cost)


HEARD = Heard()
CALLED: list[str] = []


def play(context: Context) -> Json:
    """Do one act after the other; return what came of each."""
    return {"ends": [_DOING[act["do"]](context, act) for act in context.job_input["acts"]]}


def _tool(context: Context, act: Act) -> Json:
    def answer() -> Json:
        CALLED.append(act["name"])
        if "fails" in act:
            raise ToolFailed(act["fails"])
        found: Json = act["answer"]
        return found

    try:
        return context.tool(
            agent=act.get("agent", "scout"), name=act["name"], args=act["args"], function=answer
        )
    except ToolFailed as failed:
        return f"failed: {failed}"


def _model(context: Context, act: Act) -> Json:
    HEARD.tokens, HEARD.cost = act["tokens"], act["cost"]
    message = Message("Be careful.", act["about"])
    return context.model(agent=act["agent"], message=message, provider=HEARD).text


def _handoff(context: Context, act: Act) -> Json:
    try:
        context.handoff(
            from_agent=act["from"], to_agent=act["to"], content="Please look", value=act["value"]
        )
    except ContractBroken as broken:
        return f"broken: {broken}"
    return None


def _give(context: Context, act: Act) -> Json:
    try:
        return context.give(agent=act["agent"], value=act["value"])
    except ContractBroken as broken:
        return f"broken: {broken}"


def _propose(context: Context, act: Act) -> Json:
    outcome = context.propose(
        agent="scout",
        action_type=act["kind"],
        params={"n": act["n"]},
        stated=[_logged(act["n"])],
        rationale=act.get("rationale", ""),
        second=Second("critic", "set", {}, (_logged(act["other"]),), "So I read it.")
        if "other" in act
        else None,
    )
    return outcome.status


def _logged(number: int) -> Change:
    return Change("add", "/log/0", value=number)


def _outside(context: Context, _act: Act) -> Json:
    context.observe(name="tick", args={}, changes=[])
    return None


def _remember(context: Context, act: Act) -> Json:
    try:
        context.remember(agent="scout", subject=act["subject"], value=act["value"])
    except ToolFailed as failed:
        return f"failed: {failed}"
    return "kept"


_DOING: dict[str, Callable[[Context, Act], Json]] = {
    "tool": _tool,
    "model": _model,
    "handoff": _handoff,
    "give": _give,
    "propose": _propose,
    "outside": _outside,
    "remember": _remember,
    "time": lambda context, act: context.has_time_for(act["agent"]),
    "nudges": lambda context, act: list(context.nudges(agent=act["agent"])),
}


def register(guards: Mapping[str, Mapping[str, Any]] | None = None, **declared: Any) -> None:
    """Make the workflow known, with these settings and declarations."""
    register_workflow(Workflow("script", "Script", play, guards=guards or {}, **declared))


def ran(stage: Stage, *acts: Act, key: str = "one") -> Run:
    """Submit a run of these acts, and let a worker lead it."""
    run = stage.submit("script", key=key, acts=[*acts])
    work()
    return stage.run(run.id)


def ends(run: Run) -> list[Any]:
    """Return what came of each act."""
    assert run.result is not None
    found: list[Any] = run.result["ends"]
    return found


def said(run: Run) -> list[tuple[str, str]]:
    """Return the verdicts of a run, each with its rule and its strength."""
    rows = Step.objects.filter(run=run.id, kind="guard").exclude(name="answer").order_by("index")
    return [(step.name, step.input["strength"]) for step in rows]


def kinds(run: Run) -> list[str]:
    """Return the steps of a run, by name."""
    rows = Step.objects.filter(run=run.id).order_by("index")
    return [f"{step.kind} {step.name}" for step in rows]


def pauses(run: Run) -> list[Pause]:
    return list(Pause.objects.filter(run=run.id).order_by("step"))


def looks(numbers: Sequence[int]) -> list[Act]:
    """Look at different things, each with an answer of its own."""
    return [look(n, answer=f"seen {n}") for n in numbers]
