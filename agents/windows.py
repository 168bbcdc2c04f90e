"""What fills the window of a model, and what of it need not be there?

Sizes are bytes of text as a prompt would hold it. A result that was there before is said once and
referred to; a call that failed is left out as soon as the same tool has answered after it, for
then nobody has to act on it any more. The trace keeps both.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from agents.guards import Settings
from agents.trail import Event, size_of
from agents.verdicts import Verdict
from agents.workflows import ToolCall, Turn
from snapshots.content import content_bytes

Kind = Literal["instructions", "job", "memory", "result", "failed", "repeat", "words", "notice"]
KINDS: Final[Mapping[Kind, str]] = {
    "instructions": "Instructions",
    "job": "Job",
    "memory": "Memory",
    "result": "Results",
    "failed": "Failed results",
    "repeat": "Repeats",
    "words": "Words",
    "notice": "Notices",
}
# What a token is in text, roughly; who knows the real count does not need it.
BYTES_A_TOKEN: Final = 4
_OF_TOOLS: Final[tuple[Kind, ...]] = ("result", "failed", "repeat")
_SAME: Final = "The same as an earlier result."


@dataclass(frozen=True, slots=True)
class Filled:
    """How many bytes of each kind a window holds."""

    by_kind: Mapping[Kind, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Return all bytes."""
        return sum(self.by_kind.values())

    def share(self, *kinds: Kind, of: Sequence[Kind] | None = None) -> float:
        """Return the share of some kinds, of all or of others; 0 where there is nothing."""
        whole = self.total if of is None else sum(self.by_kind.get(kind, 0) for kind in of)
        return sum(self.by_kind.get(kind, 0) for kind in kinds) / whole if whole else 0.0

    @property
    def repeats(self) -> float:
        """Return which share of the tools' output was there before."""
        return self.share("repeat", of=_OF_TOOLS)


@dataclass(frozen=True, slots=True)
class Pruned:
    """The turns that are left, and how many bytes there were before and are now."""

    turns: tuple[Turn, ...]
    before: int
    after: int


def fill(
    turns: Sequence[Turn] | Sequence[Event], *, instructions: str = "", content: str = ""
) -> Filled:
    """Return what fills a window that holds these instructions, turns, and newest words."""
    by_kind: defaultdict[Kind, int] = defaultdict(int)
    by_kind["instructions"] = size_of(instructions)
    by_kind["words"] = size_of(content)
    for turn in turns_of(turns):
        for kind, size in _sizes(turn):
            by_kind[kind] += size
    return Filled({kind: by_kind[kind] for kind in KINDS if by_kind[kind]})


def of_message(asked: Mapping[str, Any]) -> Filled:
    """Return what fills the window of a model step, by what the journal keeps of its message."""
    turns = asked.get("turns")
    found = [_kept(turn) for turn in turns if isinstance(turn, dict)] if turns else []
    return fill(found, instructions=asked.get("instructions", ""), content=asked.get("content", ""))


def pruned(turns: Sequence[Turn]) -> Pruned:
    """Return the turns without what need not be there.

    The order stays, and every result that stays still follows its call.
    """
    kept = [*_said_once(_without_answered_failures(turns))]
    return Pruned(tuple(kept), _total(turns), _total(kept))


def noted(
    filled: Filled,
    settings: Settings,
    *,
    step: int,
    agent: str = "",
    window_tokens: int | None = None,
) -> list[Verdict]:
    """Return what is to be said of a window that is nearly full, or full of repeats."""
    found = [("repeats", filled.repeats, "of the tools' output was there before")]
    if window_tokens:
        share = filled.total / (window_tokens * BYTES_A_TOKEN)
        found.append(("window", share, f"of a window of {window_tokens:,} tokens is filled"))
    return [
        _verdict(rule, share, said, settings, step, agent)
        for rule, share, said in found
        if (limit := settings[rule].limit) is not None and share > limit
    ]


def turns_of(events: Sequence[Turn] | Sequence[Event]) -> list[Turn]:
    """Return events as the turns that a prompt would hold of them; turns stay as they are."""
    seen: set[str] = set()
    found = []
    for event in events:
        turn = event if isinstance(event, Turn) else _turn_of(event, seen)
        if turn is not None:
            found.append(turn)
    return found


def _kept(turn: Mapping[str, Any]) -> Turn:
    return Turn(
        role=turn.get("role", "user"),
        content=str(turn.get("content") or ""),
        calls=tuple(
            ToolCall(call["id"], call["tool"], call["args"]) for call in turn.get("calls", ())
        ),
        filled_by=turn.get("filled_by", "words"),
    )


def _verdict(
    rule: str, share: float, said: str, settings: Settings, step: int, agent: str
) -> Verdict:
    setting = settings[rule]
    return Verdict(
        rule=rule,
        strength=setting.strength,
        sentence=f"{share:.0%} {said}; {setting.limit:.0%} is noted.",
        began_at=step,
        steps=(step,),
        agent=agent,
        numbers={"counted": round(share, 3), "limit": setting.limit},
    )


def _turn_of(event: Event, seen: set[str]) -> Turn | None:
    text = event.content if isinstance(event.content, str) else _json(event)
    if event.kind == "call":
        args = dict(event.args) if isinstance(event.args, dict) else {}
        call = ToolCall(event.call_id, event.tool, args)
        return Turn("assistant", "", (call,), tool=event.tool, step=event.index)
    if event.kind == "result":
        filled_by: Literal["result", "failed", "repeat"] = "failed" if event.error else "result"
        if not event.error and event.content_digest in seen:
            filled_by = "repeat"
        seen.add(event.content_digest)
        return Turn(
            "tool",
            text,
            call_id=event.call_id,
            tool=event.tool,
            filled_by=filled_by,
            step=event.index,
        )
    if event.kind in {"message", "handoff"}:
        return Turn("user" if event.actor == "user" else "assistant", text, step=event.index)
    return None


def _json(event: Event) -> str:
    if event.content is None:
        return ""
    return content_bytes(event.content).decode()


def _sizes(turn: Turn) -> Iterator[tuple[Kind, int]]:
    yield turn.filled_by, size_of(turn.content)
    asked = sum(len(call.tool) + size_of(dict(call.args)) for call in turn.calls)
    if asked:
        yield "words", asked


def _total(turns: Sequence[Turn]) -> int:
    return sum(size for turn in turns for _, size in _sizes(turn))


def _without_answered_failures(turns: Sequence[Turn]) -> Iterator[Turn]:
    """Yield turns without the failures of tools that have answered since, and their calls."""
    answered_at = {
        turn.tool: place
        for place, turn in enumerate(turns)
        if turn.role == "tool" and turn.filled_by in {"result", "repeat"}
    }
    gone = {
        turn.call_id
        for place, turn in enumerate(turns)
        if turn.role == "tool"
        and turn.filled_by == "failed"
        and answered_at.get(turn.tool, -1) > place
    }
    for turn in turns:
        if turn.role == "tool" and turn.call_id in gone:
            continue
        calls = tuple(call for call in turn.calls if call.id not in gone)
        if turn.calls and not calls and not turn.content:
            continue
        yield turn if len(calls) == len(turn.calls) else replace(turn, calls=calls)


def _said_once(turns: Iterator[Turn]) -> Iterator[Turn]:
    first: dict[str, Turn] = {}
    for turn in turns:
        if turn.role != "tool" or turn.filled_by == "failed":
            yield turn
            continue
        known = first.setdefault(turn.content, turn)
        notice = f"The same as in step {known.step}." if known.step is not None else _SAME
        is_shorter = len(notice) < len(turn.content)
        if known is turn or not is_shorter:
            yield turn
        else:
            yield replace(turn, content=notice, filled_by="repeat")
