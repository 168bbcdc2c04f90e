"""Drift over HTTP: the newest measurement of every State, and one State's series."""

import base64
import binascii
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from ninja import Query, Router, Schema

from agents.memory import parents_of
from agents.queries import drift as queries
from console.access.bearer import Bearer, ClientRequest
from console.endpoints import PROBLEMS
from console.paging import CURSOR_AT_MOST, BadCursor, page
from snapshots import queries as snapshots

if TYPE_CHECKING:
    from agents.models import Drift
    from snapshots.models import State

router = Router()
of_state = Router()


class OverOut(Schema):
    """A limit that was passed, with both numbers and the sentence."""

    measure: str
    value: float
    limit: float
    says: str


class MeasurementOut(Schema):
    """What was found at one moment: shares are 0 to 1, growth is bytes in a thousand jobs."""

    snapshot: int
    measured_at: datetime
    entries: int
    stale: int
    contradicting: int
    stale_share: float
    contradicting_share: float
    differing: int | None
    document_bytes: int
    jobs: int
    growth: float | None
    over: list[OverOut]


class StateDriftOut(Schema):
    """A State with its newest measurement, null before the first; an agent's memory names it."""

    state: UUID
    key: str
    kind: str
    agent: str
    measurement: MeasurementOut | None


class DriftPage(Schema):
    """Some States in the order of their keys; `next_cursor` continues, empty at the end."""

    items: list[StateDriftOut]
    next_cursor: str


class SeriesPage(Schema):
    """Some measurements of a State, newest first; `next_cursor` continues, empty at the end."""

    items: list[MeasurementOut]
    next_cursor: str


@router.get("", auth=Bearer("states:read"), response={200: DriftPage, **PROBLEMS})
def list_drift(
    request: ClientRequest,
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    *,
    over: bool = False,
) -> DriftPage:
    """List every State's newest measurement; with `over`, only those over a limit."""
    workspace_id = request.actor.workspace_id
    found = queries.states_by_key(
        workspace_id, after=_read(cursor), at_most=limit + 1, only_over=over
    )
    states, has_more = found[:limit], len(found) > limit
    newest = queries.recent(workspace_id, [state.id for state in states], at_most=1)
    return DriftPage(
        items=[_shown(state, newest.get(state.id, [])) for state in states],
        next_cursor=_written(states[-1].key) if has_more else "",
    )


@of_state.get(
    "/{uuid:state_id}/drift", auth=Bearer("states:read"), response={200: SeriesPage, **PROBLEMS}
)
def list_drift_of_state(
    request: ClientRequest,
    state_id: UUID,
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> SeriesPage:
    """List a State's measurements, newest first."""
    head = snapshots.head(request.actor.workspace_id, state_id)
    rows = queries.series(head.workspace_id, head.state_id)
    found = page(rows, by="measured_at", cursor=cursor, size=limit)
    return SeriesPage(items=[_measured(row) for row in found.rows], next_cursor=found.next_cursor)


def _shown(state: "State", newest: "list[Drift]") -> StateDriftOut:
    return StateDriftOut(
        state=state.id,
        key=state.key,
        kind=state.kind,
        agent=parents_of(state.key)[1] if state.kind == "memory" else "",
        measurement=_measured(newest[0]) if newest else None,
    )


def _measured(row: "Drift") -> MeasurementOut:
    names = set(MeasurementOut.model_fields) - {"snapshot", "over"}
    return MeasurementOut(
        snapshot=row.number,
        over=[OverOut(**each) for each in row.over],
        **{name: getattr(row, name) for name in names},
    )


def _written(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _read(cursor: str) -> str:
    """Return the key behind which the list goes on. Raises: BadCursor (400)."""
    # A key has up to 200 characters, of up to four bytes each.
    if len(cursor) > 8 * CURSOR_AT_MOST:
        raise BadCursor
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    if "\x00" in key:
        raise BadCursor
    return key
