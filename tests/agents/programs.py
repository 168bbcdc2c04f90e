"""Workflows that tests run, also in processes of their own."""

from functools import partial
from typing import Any

from agents.workflows import Context, ToolFailed, Workflow, register_workflow
from console.canonical import Json
from snapshots.diff import Change

CALLS: list[str] = []


def register() -> None:
    """Make the programs known in this process."""
    register_workflow(Workflow("count", "Count", count))
    register_workflow(Workflow("steps", "Steps", steps))
    register_workflow(Workflow("moody", "Moody", moody))
    register_workflow(Workflow("broken", "Broken", broken))
    register_workflow(Workflow("stumble", "Stumble", stumble))
    register_workflow(Workflow("careful", "Careful", careful))
    register_workflow(Workflow("talk", "Talk", talk))
    register_workflow(Workflow("silent", "Silent", silent))
    register_workflow(Workflow("circle", "Circle", circle))


def count(context: Context) -> Json:
    """Read, propose to raise n, take in an event, propose again; two decisions in all."""
    ends: list[Json] = []
    for turn in range(2):
        seen: Any = context.read(agent="scout")
        outcome = context.propose(
            agent="scout",
            action_type="set",
            params={"turn": turn},
            stated=[Change("replace", "/n", seen["n"], seen["n"] + 1)],
        )
        ends.append(outcome.status)
        context.observe(name="tick", args={}, changes=[Change("add", f"/log/{turn}", value=turn)])
    return {"ends": ends}


def steps(context: Context) -> Json:
    """Call a tool as often as the job says."""
    for number in range(context.job_input["steps"]):
        context.tool(
            agent="scout", name="look", args={"n": number}, function=partial(_look, number)
        )
    return {"steps": context.job_input["steps"]}


def moody(context: Context) -> Json:
    """Ask for something else each time, which a workflow must not do."""
    CALLS.append("moody")
    context.tool(agent="scout", name=f"look-{len(CALLS)}", args={}, function=lambda: None)
    outcome = context.propose(agent="scout", action_type="set", params={}, stated=[])
    return outcome.status


def broken(context: Context) -> Json:
    """Propose, and fail before anybody could answer."""
    raise ZeroDivisionError(f"no {context.job_input}")


def stumble(context: Context) -> Json:
    """Go on after a tool that fails."""
    try:
        context.tool(agent="scout", name="reach", args={}, function=_fail)
    except ToolFailed as failed:
        return {"told": str(failed)}
    return None


def careful(context: Context) -> Json:
    """Build on the order of what a tool answered, which a database would not keep."""
    seen: Any = context.tool(
        agent="scout", name="look", args={}, function=lambda: {"ccc": 1, "a": 2, "bb": 3}
    )
    context.propose(agent="scout", action_type="set", params={"order": list(seen)})
    return list(seen)


def talk(context: Context) -> Json:
    """Propose, answer every question, word it anew when asked to, three times."""
    context.tool(agent="scout", name="look", args={}, function=lambda: {"memo": "RV-2026-11"})
    outcome = context.propose(
        agent="scout", action_type="set", params={"n": 1}, stated=[_set(1)], converses=True
    )
    told: list[Json] = [[outcome.status, outcome.reason]]
    for turn in range(2, 5):
        if outcome.status == "question":
            outcome = context.answer(outcome, agent="scout", text=f"It says RV-2026-11 ({turn}).")
        elif outcome.is_open:
            outcome = context.revise(
                outcome,
                agent="scout",
                params={"n": turn, "memo": "RV-2026-11"},
                stated=[_set(turn)],
                why=f"As asked: {outcome.reason}",
            )
        else:
            break
        told.append([outcome.status, outcome.reason])
    if outcome.is_open:
        outcome = context.withdraw(outcome, agent="scout", reason="It was asked too often.")
        told.append([outcome.status, outcome.reason])
    return {"told": told}


def silent(context: Context) -> Json:
    """Propose without knowing that people may have something to say about it."""
    outcome = context.propose(agent="scout", action_type="set", params={"n": 1}, stated=[_set(1)])
    return {"told": [outcome.status, outcome.reason]}


def circle(context: Context) -> Json:
    """Look at the same thing three times, which gets nobody anywhere."""
    for _ in range(3):
        context.tool(agent="scout", name="look", args={}, function=partial(_look, 0))
    return {"looked": 3}


def _set(number: int) -> Change:
    return Change("replace", "/n", 0, number)


def _look(number: int) -> Json:
    CALLS.append(f"look {number}")
    return {"seen": number}


def _fail() -> Json:
    raise ToolFailed("the vendor's server does not answer")
