"""What does the page of an agent's memory show: what it holds, and what a sweep would take?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from agents import memory as rules
from agents.memory import Entry, Verdict
from agents.operations.sweeping import is_held
from agents.queries import memory as memories
from agents.queries.memory import Review
from agents.showing.addresses import listed_at
from agents.showing.words import cut, pretty
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from snapshots import queries as snapshots
from snapshots.showing.values import exact

PAGE_SIZE = 100
_VALUE_AT_MOST = 120
_SOURCES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One entry: what it says, where it comes from, when it was used, and what a sweep says."""

    entry: Entry
    value: str
    whole: str
    confidence: str
    run_id: UUID | None
    sources: tuple[str, ...]
    more_sources: int
    used_at: datetime | None
    verdict: Verdict | None


def memory(
    workspace: Workspace, actor: Actor, state_id: UUID, *, asked: tuple[str, str], now: datetime
) -> dict[str, Any]:
    """Return what `agents/_memory.html` shows; `asked` is the tab, and the entry to go on behind.

    Raises: NotFound (404), Corrupt (500).
    """
    tab, after = asked
    seen = memories.review(memories.head(workspace.id, state_id), now=now)
    chosen = [each for each in reversed(seen.entries) if tab != "going" or each.id in seen.verdicts]
    start = _behind(chosen, after)
    shown = chosen[start : start + PAGE_SIZE]
    at = listed_at("agents:memory", workspace.slug, state_id, tab=tab)
    has_more = len(chosen) > start + PAGE_SIZE
    return {
        "head": seen.head,
        "agent": seen.agent,
        "record": snapshots.find(workspace.id, seen.record_key),
        "rows": [_row(each, seen) for each in shown],
        "count": len(seen.entries),
        "going": len(seen.verdicts),
        "told": rules.told(seen.verdicts),
        "is_held": is_held(workspace.id, state_id),
        "can_sweep": allows(actor.roles, "operate"),
        "tabs": _tabs(workspace, state_id, tab, seen),
        "next_url": at(after=shown[-1].id) if has_more else "",
        "first_url": at() if start else "",
    }


def _behind(chosen: Sequence[Entry], after: str) -> int:
    """Return where the list goes on; from its beginning where that entry was swept meanwhile."""
    places = {each.id: place for place, each in enumerate(chosen, start=1)}
    return places.get(after, 0)


def _tabs(workspace: Workspace, state_id: UUID, tab: str, seen: Review) -> list[dict[str, Any]]:
    at = listed_at("agents:memory", workspace.slug, state_id)
    counts = {"": ("All", len(seen.entries)), "going": ("Would be swept", len(seen.verdicts))}
    return [
        {"label": label, "count": count, "url": at(tab=name), "current": tab == name}
        for name, (label, count) in counts.items()
    ]


def _row(entry: Entry, seen: Review) -> Row:
    line = exact(entry.value)
    is_long = len(line) > _VALUE_AT_MOST
    sources = tuple(entry.seen)
    return Row(
        entry=entry,
        value=cut(line, _VALUE_AT_MOST),
        whole=pretty(entry.value) if is_long else "",
        confidence=f"{entry.confidence * 100:.3g} %",
        run_id=_uuid(entry.origin.run),
        sources=sources[:_SOURCES_SHOWN],
        more_sources=max(0, len(sources) - _SOURCES_SHOWN),
        used_at=seen.used.get(entry.id),
        verdict=seen.verdicts.get(entry.id),
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        # An entry that was brought in by hand need not come from a run.
        return None
