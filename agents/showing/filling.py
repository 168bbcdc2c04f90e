"""What filled the window of a model step, as a bar and in words?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents import windows
from agents.windows import KINDS, Filled
from agents.workflows import ToolCall, Turn
from console.canonical import Json

if TYPE_CHECKING:
    from agents.models import Step

WIDTH = 1000.0
_ROLES = {"user", "assistant", "tool"}
_FILLED_BY = frozenset(KINDS)


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of what filled it: where it stands in the bar, and how much it is."""

    kind: str
    label: str
    bytes: int
    percent: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Window:
    """The window of one model step."""

    parts: list[Part]
    bytes: int

    @property
    def said(self) -> str:
        """Return the whole bar in words."""
        return ", ".join(f"{part.label} {part.percent}" for part in self.parts)


def window(step: "Step") -> Window | None:
    """Return what filled the window of a step, if it asked a model anything."""
    if step.kind != "model_call" or not isinstance(step.input, dict):
        return None
    filled = _recorded(step.output) or _computed(step.input)
    return Window([*_parts(filled)], filled.total) if filled.total else None


def _recorded(output: Json) -> Filled | None:
    """Return what the engine has written down of it."""
    kept = output.get("window") if isinstance(output, dict) else None
    if not isinstance(kept, dict):
        return None
    sizes = {kind: kept[kind] for kind in KINDS if _is_size(kept.get(kind))}
    return Filled(sizes) if sizes else None  # type: ignore[arg-type]


def _computed(asked: dict[str, Any]) -> Filled:
    turns = asked.get("turns")
    found = (
        [_turn(each) for each in turns if isinstance(each, dict)] if isinstance(turns, list) else []
    )
    return windows.fill(
        found, instructions=asked.get("instructions", ""), content=asked.get("content", "")
    )


def _turn(kept: dict[str, Any]) -> Turn:
    role, filled_by = kept.get("role"), kept.get("filled_by", "words")
    calls = kept.get("calls")
    return Turn(
        role=role if role in _ROLES else "user",
        content=str(kept.get("content") or ""),
        calls=tuple(_calls(calls)) if isinstance(calls, list) else (),
        filled_by=filled_by if filled_by in _FILLED_BY else "words",
    )


def _calls(calls: list[Any]) -> Iterator[ToolCall]:
    for each in calls:
        if isinstance(each, dict) and isinstance(each.get("args"), dict):
            yield ToolCall("", str(each.get("tool", "")), each["args"])


def _parts(filled: Filled) -> Iterator[Part]:
    x = 0.0
    for kind, label in KINDS.items():
        size = filled.by_kind.get(kind, 0)
        if not size:
            continue
        share = filled.share(kind)
        width = round(share * WIDTH, 1)
        percent = f"{share:.0%}" if share >= 0.01 else "<1%"  # noqa: PLR2004
        yield Part(kind, label, size, percent, round(x, 1), width)
        x += width


def _is_size(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
