"""What is a run, seen from behind: one event after the other, wherever it was recorded?

A journal of ours, a recorded run of somebody else's agent and a trace of spans become the same
events, so that the rules that look back (loops, suspects, context) are written once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from console.canonical import Json, sha256
from snapshots.content import content_bytes

# Stands in a content of which only the beginning was recorded, before the digest of the whole.
CUT_OFF: Final = "… (cut off; SHA-1 "
Kind = Literal["message", "call", "result", "handoff", "outside"]


@dataclass(frozen=True)
class Event:
    """One event. `index` is the step it stands in, `actor` who acted.

    A `call` has a `tool` and `args`, and `answers` nothing; a `result` has `content` and answers
    the call of that `call_id`. A `message` has `content`; one of a model says so by its actor.
    A `handoff` has the giving agent as its actor and the receiving one as its tool. `writes`
    marks a call that would change something (a proposal), `error` a result that failed.
    """

    index: int
    kind: Kind
    actor: str = ""
    tool: str = ""
    args: Json = None
    content: Json = None
    call_id: str = ""
    error: bool = False
    writes: bool = False

    @cached_property
    def key(self) -> str:
        """Return what makes two calls the same: the tool and its canonical arguments."""
        return f"{self.tool} {digest_of(self.args)}"

    @cached_property
    def content_digest(self) -> str:
        """Return what makes two results the same."""
        return digest_of(self.content)

    @cached_property
    def size(self) -> int:
        """Return how many bytes the content is, as a prompt would hold it."""
        return size_of(self.content)


def digest_of(value: Json) -> str:
    """Return the digest of a value's canonical JSON."""
    return sha256(content_bytes(value))


def size_of(content: Json) -> int:
    """Return how many bytes a content is: a text as it is, anything else as JSON."""
    if content is None:
        return 0
    return len(content.encode() if isinstance(content, str) else content_bytes(content))


def pairs(events: Sequence[Event]) -> Iterator[tuple[Event, Event | None]]:
    """Yield each call with its result, or None where it was never answered."""
    answers = {event.call_id: event for event in events if event.kind == "result"}
    for event in events:
        if event.kind == "call":
            yield event, answers.get(event.call_id)
