"""What is a workflow? A function that a context guides, and that can be started again anywhere.

The function is replayed from the run's journal after every wait and every crash, so it must ask
the context for everything that could differ the next time: tools, models, time, the State.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from agents.memory import Entry
from console.canonical import Json
from snapshots.diff import Change

ANY_OBJECT = {"type": "object", "additionalProperties": True}


class ToolFailed(Exception):
    """A tool answered with an error; the workflow may go on without it."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a model is asked: who asks, with which instructions, about what."""

    instructions: str
    content: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered, and what it used to do so."""

    text: str
    data: Json = None
    tokens: int = 0


class Provider(Protocol):
    """Where model answers come from: a script, a recording, a server."""

    @property
    def name(self) -> str:
        """Return what the trace calls it."""

    def complete(self, message: Message) -> Reply:
        """Return the answer to one message."""


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

    def handoff(self, *, from_agent: str, to_agent: str, content: str) -> None:
        """Pass the work from one agent to another."""

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

    def propose(
        self,
        *,
        agent: str,
        action_type: str,
        params: dict[str, Any],
        stated: Sequence[Change] = (),
        evidence: Sequence[Exhibit] = (),
        rationale: str = "",
        converses: bool = False,
    ) -> Outcome:
        """Put an action before people and return what became of it, however long that takes.

        A workflow that converses is told of questions, and may word its proposal anew. For one
        that does not, questions are left to people, and requested changes withdraw it.
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
    """

    name: str
    label: str
    function: Callable[[Context], Json]
    input_schema: dict[str, Any] = field(default_factory=lambda: {**ANY_OBJECT})
    asked: Callable[[dict[str, Any]], Json] = lambda job_input: job_input


_workflows: dict[str, Workflow] = {}


def register_workflow(workflow: Workflow) -> None:
    """Make a workflow known by its name; a pack does this when it is loaded."""
    _workflows[workflow.name] = workflow


def find(name: str) -> Workflow | None:
    """Return the workflow with this name, if a pack carries it."""
    return _workflows.get(name)


def names() -> list[str]:
    """Return the names of all workflows, sorted."""
    return sorted(_workflows)
