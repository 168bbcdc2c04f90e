"""What do the pages of drift show: every State's newest figures, and one State's series?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agents import drifting
from agents.memory import parents_of
from agents.queries import drift
from agents.showing.addresses import listed_at
from agents.showing.charts import Chart, Series, chart
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.paging import page
from snapshots import queries as snapshots
from snapshots.queries.walking import kind_of
from snapshots.showing.values import size

if TYPE_CHECKING:
    from agents.models import Drift
    from snapshots.models import State

PAGE_SIZE = 50
SPARKS = 30
CHARTED = 200
SERIES_SIZE = 50
OVER = "over"


_MEASURES = {
    "memory": ("stale_share", "contradicting_share", "growth"),
    "record": ("differing", "growth"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value with its limit, in words."""

    name: str
    value: str
    limit: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One State with its newest measurement, if there is one."""

    state: "State"
    above: str
    name: str
    agent: str
    row: "Drift | None"
    figures: Mapping[str, Figure]
    size: str
    says: tuple[str, ...]
    spark: Chart | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement of a series, in words."""

    row: "Drift"
    figures: Mapping[str, Figure]
    size: str
    says: tuple[str, ...]


def board(workspace: Workspace, actor: Actor, *, tab: str = "", after: str = "") -> dict[str, Any]:
    """Return what `agents/_drift.html` shows: States in the order of their keys."""
    after = after.replace("\x00", "")
    found = drift.states_by_key(
        workspace.id, after=after, at_most=PAGE_SIZE + 1, only_over=tab == OVER
    )
    states, more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
    series = drift.recent(workspace.id, [state.id for state in states], at_most=SPARKS)
    at = listed_at("agents:drift", workspace.slug, tab=tab)
    return {
        "rows": [_line(state, series.get(state.id, [])) for state in states],
        "tab": tab,
        "after": after,
        "tabs": _tabs(workspace, tab),
        "can_measure": allows(actor.roles, "operate"),
        "next_url": at(after=states[-1].key) if more else "",
        "first_url": at() if after else "",
    }


def of_state(
    workspace: Workspace, actor: Actor, state_id: UUID, *, cursor: str = ""
) -> dict[str, Any]:
    """Return what `agents/_drift_series.html` shows. Raises: NotFound (404), BadCursor (400)."""
    head = snapshots.head(workspace.id, state_id)
    is_memory = kind_of(workspace.id, state_id) == "memory"
    rows = drift.series(workspace.id, state_id)
    found = page(rows, by="measured_at", cursor=cursor, size=SERIES_SIZE)
    newest = drift.recent(workspace.id, [state_id], at_most=CHARTED).get(state_id, [])
    limits = drift.limits(workspace.id, state_id)
    at = listed_at("agents:drift_state", workspace.slug, state_id)
    return {
        "head": head,
        "is_memory": is_memory,
        "agent": parents_of(head.key)[1] if is_memory else "",
        "newest": _measured(newest[0], limits) if newest else None,
        "charts": _charts(newest[::-1], limits),
        "rows": [_measured(row, limits) for row in found.rows],
        "own": drift.own_limits(workspace.id, state_id),
        "limits": [
            (drifting.NAMES[measure], _limit(measure, limits))
            for measure in _MEASURES["memory" if is_memory else "record"]
        ],
        "can_measure": allows(actor.roles, "operate"),
        "can_limit": allows(actor.roles, "administer"),
        "next_url": at(cursor=found.next_cursor) if found.next_cursor else "",
        "first_url": at() if cursor else "",
    }


def _tabs(workspace: Workspace, tab: str) -> list[dict[str, Any]]:
    at = listed_at("agents:drift", workspace.slug)
    names = {"": "All", OVER: "Over a limit"}
    return [
        {"label": label, "url": at(tab=name), "current": name == tab}
        for name, label in names.items()
    ]


def _line(state: "State", series: Sequence["Drift"]) -> Line:
    above, slash, name = state.key.rpartition("/")
    row = series[0] if series else None
    return Line(
        state=state,
        above=f"{above}{slash}",
        name=name,
        agent=row.agent if row else "",
        row=row,
        figures=_figures(row) if row else {},
        size=size(row.document_bytes) if row else "",
        says=_says(row) if row else (),
        spark=_spark(state.kind, series[::-1]),
    )


def _measured(row: "Drift", limits: drifting.Limits) -> Measured:
    return Measured(row, _figures(row, limits), size(row.document_bytes), _says(row))


def _says(row: "Drift") -> tuple[str, ...]:
    return tuple(str(each["says"]) for each in row.over)


def _figures(row: "Drift", limits: drifting.Limits | None = None) -> dict[str, Figure]:
    passed = {str(each["measure"]) for each in row.over}
    return {
        measure: Figure(
            name=drifting.NAMES[measure],
            value=drifting.shown(measure, getattr(row, measure)),
            limit=_limit(measure, limits) if limits else "",
            is_over=measure in passed,
        )
        for measure in _MEASURES["memory" if row.agent else "record"]
    }


def _limit(measure: str, limits: drifting.Limits) -> str:
    most: float | None = getattr(limits, measure)
    return "no limit" if most is None else drifting.shown(measure, most)


def _spark(kind: str, rows: Sequence["Drift"]) -> Chart | None:
    """Draw what tells most of a State: a memory's bad entries, a record's distance or its size."""
    if kind == "memory":
        told = "Stale and contradicted entries"
        values = [(row.stale_share + row.contradicting_share) for row in rows]
        return chart(Series(told, _times(rows), values, _percent, most=1.0))
    if any(row.differing is not None for row in rows):
        values = [float(row.differing or 0) for row in rows]
        return chart(Series("Fields that differ outside", _times(rows), values, _whole))
    values = [float(row.document_bytes) for row in rows]
    return chart(Series("Size", _times(rows), values, _bytes))


def _charts(rows: Sequence["Drift"], limits: drifting.Limits) -> list[Chart]:
    """Draw each measure that was ever measured, with its limit."""
    drawn = []
    for measure in _MEASURES["memory" if rows and rows[-1].agent else "record"]:
        known = [row for row in rows if getattr(row, measure) is not None]
        values = [float(getattr(row, measure)) for row in known]
        name, limit = drifting.NAMES[measure], getattr(limits, measure)
        said = _percent if measure.endswith("_share") else _SAID[measure]
        drawn.append(chart(Series(name, _times(known), values, said, limit=limit)))
    values = [float(row.document_bytes) for row in rows]
    drawn.append(chart(Series("Size", _times(rows), values, _bytes)))
    return [each for each in drawn if each]


def _times(rows: Sequence["Drift"]) -> list[float]:
    return [row.measured_at.timestamp() for row in rows]


def _percent(value: float) -> str:
    return drifting.shown("stale_share", value)


def _whole(value: float) -> str:
    return drifting.shown("differing", value)


def _bytes(value: float) -> str:
    return drifting.shown("growth", value)


_SAID = {"differing": _whole, "growth": _bytes}
