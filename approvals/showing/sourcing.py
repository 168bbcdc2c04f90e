"""Where did a value come from: the request, the result of a tool, or nowhere that is known?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from approvals.formats import Segment
from approvals.showing.texts import told
from console.canonical import Json
from console.words import as_json
from snapshots import pointer

_ROWS_AT_MOST = 200
_PARTS_AT_MOST = 50


@dataclass(frozen=True, slots=True)
class Source:
    """What a reader is told of one value's origin.

    `is_odd` when it says where something goes and was read out of a text, or made up. `run` and
    `step` are where it can be read in the run's journal.
    """

    says: str
    quote: tuple[Segment, ...]
    is_odd: bool
    run: str = ""
    step: int | None = None


# What stands beside a value that nobody traced: the agent neither copied it nor made it up.
BY_THE_ACTION: Final = Source("Set by the action itself", (), is_odd=False)
CHOSEN: Final = Source("One of the words that the action allows", (), is_odd=False)
TOO_SMALL: Final = Source("Not traced: yes, no, 0 and 1 stand everywhere", (), is_odd=False)


def source(kept: Mapping[str, Any], run: str = "") -> Source:
    """Say where a value came from; `run` is the run that was told it, if it was one."""
    is_odd = bool(kept.get("drives"))
    match kept["from"]:
        case "request":
            return Source("From the request", (), is_odd)
        case "tool":
            says = f"From {_place(kept)}: not from the request"
            # What stands in the record was not brought by a step.
            step = kept.get("step") if run else None
            in_run = "" if step is None else run
            return Source(says, told(kept.get("quote") or ""), is_odd, in_run, step)
        case _:
            says = "Not seen anywhere: neither in the request nor in what a tool returned"
            return Source(says, (), is_odd)


def _place(kept: Mapping[str, Any]) -> str:
    step = f"step {kept['step']}" if kept.get("step") is not None else ""
    return ", ".join(filter(None, (kept.get("label"), kept.get("field"), step)))


def sources(kept: Iterable[Mapping[str, Any]], path: str, run: str = "") -> list[Source]:
    """Return what is known of the value at a path."""
    return [source(item, run) for item in kept if speaks_for(item["path"], path)]


def run_of(origin: str) -> str:
    """Return the id of the run that a proposal came from, or nothing."""
    kind, _, name = origin.partition(":")
    return name if kind == "run" else ""


def parameters(
    params: Mapping[str, Any], kept: Sequence[Mapping[str, Any]], run: str
) -> list[dict[str, Any]]:
    """Return every parameter that somebody gave, with where it came from.

    Shape: `path`, `value` in parts, `source`. Empty where nothing was traced.
    """
    known = {item["path"]: source(item, run) for item in kept if "param" not in item}
    if not known:
        return []
    return [
        {
            "path": path.lstrip("/"),
            "value": told(value if isinstance(value, str) else as_json(value))[:_PARTS_AT_MOST],
            "source": known.get(f"params{path}", _untraced(value)),
        }
        for path, value in _leaves(params, "")
    ][:_ROWS_AT_MOST]


def _untraced(value: Json) -> Source:
    return CHOSEN if isinstance(value, str) else TOO_SMALL


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name in value:
            yield from _leaves(value[name], path + pointer.build([str(name)]))
    elif isinstance(value, list) and value:
        for number, part in enumerate(value):
            yield from _leaves(part, f"{path}/{number}")
    else:
        yield path, value


def speaks_for(path: str, changed: str) -> bool:
    """Tell whether what is said of one path is said of the other: the same, above or below."""
    try:
        one, other = pointer.parse(path), pointer.parse(changed)
    except pointer.BadPointer:
        return False
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
