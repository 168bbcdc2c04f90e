"""Where did a value come from: the request, the result of a tool, or nowhere that is known?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from approvals.formats import Segment
from approvals.showing.texts import told
from snapshots import pointer


@dataclass(frozen=True, slots=True)
class Source:
    """What a reader is told of one value's origin.

    `is_odd` when it says where something goes and was read out of a text, or made up.
    """

    says: str
    quote: tuple[Segment, ...]
    is_odd: bool


def source(kept: Mapping[str, Any]) -> Source:
    """Say where a value came from."""
    is_odd = bool(kept.get("drives"))
    match kept["from"]:
        case "request":
            return Source("From the request", (), is_odd)
        case "tool":
            says = f"From {_place(kept)}: not from the request"
            return Source(says, told(kept.get("quote") or ""), is_odd)
        case _:
            return Source("Neither in the request nor in what a tool returned", (), is_odd)


def _place(kept: Mapping[str, Any]) -> str:
    step = f"step {kept['step']}" if kept.get("step") is not None else ""
    return ", ".join(filter(None, (kept.get("label"), kept.get("field"), step)))


def sources(kept: Iterable[Mapping[str, Any]], path: str) -> list[Source]:
    """Return what is known of the value at a path."""
    return [source(item) for item in kept if speaks_for(item["path"], path)]


def speaks_for(path: str, changed: str) -> bool:
    """Tell whether what is said of one path is said of the other: the same, above or below."""
    try:
        one, other = pointer.parse(path), pointer.parse(changed)
    except pointer.BadPointer:
        return False
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
