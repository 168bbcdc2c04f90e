"""What is a workflow? A function that a context guides, and that can be started again anywhere.

The function is replayed from the run's journal after every wait and every crash, so it must ask
the context for everything that could differ the next time: tools, models, time, the State.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Protocol

from agents import declared
from agents.declarations import ANY_OBJECT, Expectation, Role, Team, Tool
from agents.memory import Entry
from approvals.second_opinion import Second
from console.canonical import Json
from snapshots.diff import Change


class ToolFailed(Exception):
    """A tool answered with an error; the workflow may go on without it."""


class ContractBroken(ToolFailed):
    """What was handed over does not keep the contract; the sentence says what is wrong."""


class ModelFailed(ToolFailed):
    """A model could not be asked, or its answer was cut off."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model wants to be called; `id` is its own name for the call."""

    id: str
    tool: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it."""

    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One part of a conversation before the newest words.

    A `tool` turn answers the call of that `call_id`. `filled_by` says what it takes room for:
    the job, memory, a tool's result, a failed one, a repeated one, or the model's own words.
    `step` is where in the run it came up.
    """

    role: Literal["user", "assistant", "tool"]
    content: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    tool: str = ""
    filled_by: Literal["job", "memory", "result", "failed", "repeat", "words", "notice"] = "words"
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What a model is asked: with which instructions, after which turns, about what.

    Tool output stands in turns of its own, never in the instructions.
    """

    instructions: str
    content: str
    turns: tuple[Turn, ...] = ()
    tools: tuple[ToolSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered, and what it used to do so.

    `cost` is a decimal string in USD, empty where nobody knows it; `model` is the name that the
    provider answered with; `retries` is how often it was asked again before that.
    """

    text: str
    data: Json = None
    tokens: int = 0
    calls: tuple[ToolCall, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    cost: str = ""
    model: str = ""
    retries: int = 0


class Provider(Protocol):
    """Where model answers come from: a script, a recording, a server.

    One that can speak while it thinks also has `stream(message, said)`, which calls `said` with
    the text so far and returns the same reply.
    """

    @property
    def name(self) -> str:
        """Return what the trace calls it."""

    def complete(self, message: Message) -> Reply:
        """Return the answer to one message. Raises: ModelFailed."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """Evidence for a proposal: its name, where it stands, what it says, and for which paths."""

    label: str
    source: str
    content: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a proposal, as the workflow learns it; never an error to try again after.

    `status` is approved, rejected, denied, expired, stale, withdrawn, invalidated, or `refused`
    when the proposal or its new wording could not be made; `reason` is the person's or the rule's
    sentence. Two are no end: `changes_requested` (`reason` says which) and, for a workflow that
    converses, `question` (`reason` is the question, `number` its number on this proposal).
    """

    status: str
    reason: str = ""
    by: str = ""
    proposal: str = ""
    number: int = 0

    @property
    def is_open(self) -> bool:
        """Say whether the people wait for the workflow now, and not the other way round."""
        return bool(self.proposal) and self.status in {"changes_requested", "question", "refused"}


class Context(Protocol):
    """What a workflow may ask for. Every answer is journaled and given again on replay."""

    job_input: dict[str, Any]

    def read(self, *, agent: str) -> Any:
        """Return the State's document as it is now."""

    def tool(
        self, *, agent: str, name: str, args: dict[str, Any], function: Callable[[], Json]
    ) -> Json:
        """Call a reading tool. Raises: ToolFailed."""

    def model(self, *, agent: str, message: Message, provider: Provider) -> Reply:
        """Ask a model."""

    def handoff(self, *, from_agent: str, to_agent: str, content: str, value: Json = None) -> None:
        """Pass the work from one agent to another, with a value that it is about.

        Raises: ContractBroken, when the value is not what the receiver takes.
        """

    def give(self, *, agent: str, value: Json) -> Json:
        """Hand back what an agent was asked for, and return it.

        Raises: ContractBroken, when it is not what the agent's role gives.
        """

    def nudges(self, *, agent: str) -> list[str]:
        """Return what guards tell an agent and it has not heard; a message to it has them too."""

    def has_time_for(self, agent: str) -> bool:
        """Say whether what an agent takes as a rule fits into the time that the job has left."""

    def observe(self, *, name: str, args: dict[str, Any], changes: Sequence[Change]) -> None:
        """Take in a change of the State that happened outside."""

    def recall(self, *, agent: str, subject: str = "", why: str = "") -> list[Entry]:
        """Return what the agent keeps in mind about subjects that begin so, newest first.

        What is older than the job is given only for a reason, which stands in the trace.
        """

    def remember(
        self,
        *,
        agent: str,
        subject: str,
        value: Json,
        confidence: float = 1.0,
        expires_in: timedelta | None = None,
        derived_from: Sequence[str] = (),
    ) -> str:
        """Keep something in the agent's mind and return the entry's id.

        `derived_from` are places of the record as it was read last; once the record says
        something else there, the entry is swept. Raises: ToolFailed, with what objects to it.
        """

    def forget(self, *, agent: str, entry: str) -> None:
        """Take an entry out of the agent's mind. Raises: ToolFailed."""

    def propose(  # noqa: PLR0913  (each says one thing about one proposal)
        self,
        *,
        agent: str,
        action_type: str,
        params: dict[str, Any],
        stated: Sequence[Change] = (),
        evidence: Sequence[Exhibit] = (),
        rationale: str = "",
        converses: bool = False,
        second: Second | None = None,
    ) -> Outcome:
        """Put an action before people and return what became of it, however long that takes.

        A workflow that converses is told of questions, and may word its proposal anew. For one
        that does not, questions are left to people, and requested changes withdraw it. `second`
        is what another agent would do that looked at the same snapshot by itself.
        """

    def revise(
        self,
        outcome: Outcome,
        *,
        agent: str,
        params: dict[str, Any],
        stated: Sequence[Change] = (),
        evidence: Sequence[Exhibit] = (),
        rationale: str = "",
        why: str = "",
    ) -> Outcome:
        """Word an open proposal anew and return what became of it then."""

    def answer(self, outcome: Outcome, *, agent: str, text: str) -> Outcome:
        """Answer a question, unless others did, and return what became of the proposal then."""

    def withdraw(self, outcome: Outcome, *, agent: str, reason: str) -> Outcome:
        """Take an open proposal back and return how it ended."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A named program that connects agents.

    `input_schema` is JSON Schema of the job's input; members it does not name are refused unless
    it allows them. `asked` returns what of the input is the request itself: what stands there
    was asked for, what stands only in a tool's result was not.
    `roles` are its agents; where there are none, nothing is outside a role. `team` says who of
    them leads, doubts and works alone. `tools` and `proposes` are what it brings at all, so that
    a tool or an action type that no role may use is found. `guards` is how the rules of
    `agents/guards.py` are set for it: `{rule: {"limit"?, "strength"?}}`. `expects` says what a
    finished job should have proposed and did not. `seconds` is the time that a job of it has when
    it brings none of its own, None for no end. `at_once` is how many runs of it work at the same
    time in a workspace.
    """

    name: str
    label: str
    function: Callable[[Context], Json]
    input_schema: dict[str, Any] = field(default_factory=lambda: {**ANY_OBJECT})
    asked: Callable[[dict[str, Any]], Json] = lambda job_input: job_input
    roles: tuple[Role, ...] = ()
    guards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    expects: Expectation | None = None
    seconds: float | None = None
    at_once: int | None = None
    team: Team | None = None
    tools: tuple[Tool, ...] = ()
    proposes: tuple[str, ...] = ()

    def role(self, name: str) -> Role | None:
        """Return the role of an agent, if the workflow declares it."""
        return next((role for role in self.roles if role.name == name), None)


class WorkflowUnusable(ValueError):
    """A workflow cannot be what it declares; the message names it and the member."""


_workflows: dict[str, Workflow] = {}


def register_workflow(workflow: Workflow) -> None:
    """Make a workflow known by its name; a pack does this when it is loaded.

    Raises: WorkflowUnusable.
    """
    found = [
        *declared.in_general(
            workflow.name, workflow.input_schema, workflow.seconds, workflow.at_once
        ),
        *declared.in_guards(workflow.guards),
        *declared.in_roles(workflow.roles),
        *declared.in_tools("tools", workflow.tools),
    ]
    if found:
        listed = "; ".join(f"{member}: {sentence}" for member, sentence in found)
        raise WorkflowUnusable(f"Workflow {workflow.name!r}, {listed}")
    _workflows[workflow.name] = workflow


def find(name: str) -> Workflow | None:
    """Return the workflow with this name, if a pack carries it."""
    return _workflows.get(name)


def names() -> list[str]:
    """Return the names of all workflows, sorted."""
    return sorted(_workflows)


def known() -> dict[str, Workflow]:
    """Return all workflows by name, as they are now."""
    return dict(_workflows)
