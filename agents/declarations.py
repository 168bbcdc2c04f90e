"""What does a workflow declare about its agents: roles, tools, contracts, memory, the team?

A role says what an agent is for, what it may call and propose, and what goes in and comes out.
Tools only read: they are given the record as the run sees it, and return what stands there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from console.canonical import Json

ANY_OBJECT: Final[dict[str, Any]] = {"type": "object", "additionalProperties": True}


@dataclass(frozen=True, slots=True)
class Tool:
    """A typed function that reads: `function(record, **args)` returns JSON or raises ToolFailed.

    `schema` is JSON Schema of the arguments. A tool that `rereads` may answer otherwise although
    nothing was written (a rate, a clock), so a repeated call is not answered from the journal.
    `max_calls` is its own limit per run.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    function: Callable[..., Json]
    rereads: bool = False
    max_calls: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A named semantic check: given the value and the record it says what is wrong, or None."""

    name: str
    objection: Callable[[Any, Any], str | None]


@dataclass(frozen=True, slots=True)
class Contract:
    """What a value must be: its JSON Schema first, then the named checks. Nothing is no success."""

    schema: Mapping[str, Any] = field(default_factory=lambda: {**ANY_OBJECT})
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Memo:
    """A type of memory entry: the beginning of its subject, what its value must be, how long."""

    prefix: str
    schema: Mapping[str, Any]
    expires_in: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """What one agent is for and may do.

    `takes` and `gives` are the contracts of what is handed to it and what it hands back. `writes`
    are path patterns (`/vendors/*/bank`) that its action types may change. `model` names a
    provider (`openai:…`, `local:…`, a registered one); empty is the installation's. A role that
    is `optional` is left out first when time runs short; `window_tokens` is what a prompt holds.
    """

    name: str
    purpose: str
    instructions: str
    tools: tuple[Tool, ...] = ()
    action_types: tuple[str, ...] = ()
    takes: Contract | None = None
    gives: Contract | None = None
    memory: tuple[Memo, ...] = ()
    writes: tuple[str, ...] = ()
    model: str = ""
    optional: bool = False
    window_tokens: int = 128_000

    def may_call(self, tool: str) -> bool:
        """Say whether a tool is among its own; the record may be read by everybody."""
        return tool == "read_state" or any(each.name == tool for each in self.tools)


@dataclass(frozen=True, slots=True)
class Team:
    """A coordinator, its specialists, an independent critic, and who works alone in a hurry."""

    coordinator: Role
    specialists: tuple[Role, ...]
    critic: Role | None = None
    alone: Role | None = None

    @property
    def roles(self) -> tuple[Role, ...]:
        """Return everybody, the coordinator first."""
        others = (self.critic, self.alone)
        return (self.coordinator, *self.specialists, *(each for each in others if each))


@dataclass(frozen=True, slots=True)
class Put:
    """A proposal of a run, as what was expected is compared with it."""

    action_type: str
    params: Mapping[str, Any]
    status: str


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run leaves when it ends well: what was asked, what it proposed, what it returned."""

    job_input: Mapping[str, Any]
    record: Any
    proposals: Sequence[Put]
    result: Json


# Says what a finished job should have proposed or explained and did not, a sentence each.
Expectation = Callable[[Finished], Sequence[str]]
