"""Which restorations are there, and what does each do to its States?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from agents import restoring
from agents.models import Restoration
from agents.restoring import Fit, Newer, Wanted
from console.canonical import Json, sha256
from console.errors import NotFound
from snapshots import content as contents
from snapshots import queries as snapshots
from snapshots.diff import Change, diff
from snapshots.queries import Head
from snapshots.queries.stretches import changes_between

UNDER_WAY = ("confirmed", "restored")
# So many of the newest are asked whether they could be kept.
NEWER_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A State of a restoration: where it stands, and to which snapshot it goes; null is clean."""

    head: Head
    kind: str
    to: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a restoration does to one State: its content before and after, and the difference.

    `by_reference` says that what comes back is the older content itself, to the byte; `is_mixed`
    that some of it is how the State stands now.
    """

    place: Place
    before: Json
    after: Json
    changes: list[Change]
    newer: list[Newer]
    fits: Mapping[int, Fit]
    by_reference: bool
    is_mixed: bool
    digest: str
    size: int


def detail(workspace_id: UUID, restoration_id: UUID) -> Restoration:
    """Return one restoration. Raises: NotFound (404)."""
    row = listed(workspace_id).filter(id=restoration_id).first()
    if row is None:
        raise NotFound
    return row


def listed(workspace_id: UUID) -> QuerySet[Restoration]:
    """Return a workspace's restorations; plans that were only looked at are among them."""
    return Restoration.objects.filter(workspace=workspace_id).select_related("state")


def of_state(workspace_id: UUID, state_id: UUID) -> QuerySet[Restoration]:
    """Return the restorations whose plan touches a State."""
    of_it = Q(state=state_id) | Q(plan__states__contains=[{"state_id": str(state_id)}])
    return listed(workspace_id).filter(of_it)


def unfinished(*, confirmed_before: datetime, at_most: int = 100) -> list[UUID]:
    """Return what was confirmed a while ago and is not finished; its worker may be gone."""
    rows = Restoration.objects.filter(status__in=UNDER_WAY, confirmed_at__lt=confirmed_before)
    return list(rows.order_by("confirmed_at").values_list("id", flat=True)[:at_most])


def written_anew(restoration: Restoration) -> dict[str, Json]:
    """Return the contents that a plan makes which no snapshot has, by the id of their State.

    Raises: NotFound (404), Gone (410), Corrupt (500), CannotRestore.
    """
    wanted, workspace_id = Wanted.from_json(restoration.wanted), restoration.workspace_id
    anew: dict[str, Json] = {}
    for nth, line in enumerate(restoration.plan["states"]):
        if not nth and _is_mixed(wanted):
            place = planned(workspace_id, line)
            anew[line["state_id"]] = outcome_at(place, wanted, is_anchor=True).after
        elif not line["by_reference"]:
            anew[line["state_id"]] = restoring.clean_memory()
    return anew


def planned(workspace_id: UUID, written: Mapping[str, Any]) -> Place:
    """Return a State as a plan has written it down, which is how it stood then."""
    now = snapshots.head(workspace_id, UUID(written["state_id"]))
    then = Head(
        state_id=now.state_id,
        workspace_id=workspace_id,
        key=now.key,
        number=written["from"],
        digest=written["digest"],
        epoch=written["epoch"],
        list_keys=now.list_keys,
        changed_at=now.changed_at,
    )
    return Place(then, written["kind"], written["to"])


def outcome_at(
    place: Place, wanted: Wanted, *, is_anchor: bool, asks_newer: bool = False
) -> Outcome:
    """Work out what a restoration does to one State; at its anchor alone one keeps and chooses.

    Which of the newer snapshots could be kept takes long to find out, and is found out where it
    is asked, or where some of them are kept.
    Raises: NotFound (404), Gone (410), Corrupt (500), CannotRestore.
    """
    head = place.head
    before = snapshots.content(head.state_id, head.number)
    after = _target(place)
    newer: list[Newer] = []
    fits: dict[int, Fit] = {}
    if is_anchor and wanted.kind == "rollback":
        newer = _newer(place) if asks_newer or wanted.keep else []
        after, fits = restoring.with_kept(after, newer, wanted.keep)
        if wanted.paths:
            after = restoring.with_chosen(before, after, wanted.paths, head.list_keys)
    is_mixed = is_anchor and _is_mixed(wanted)
    plain = contents.content_bytes(after)
    return Outcome(
        place=place,
        before=before,
        after=after,
        changes=diff(before, after, keys=head.list_keys),
        newer=newer,
        fits=fits,
        by_reference=place.to is not None and not is_mixed,
        is_mixed=is_mixed,
        digest=sha256(plain),
        size=len(plain),
    )


def _is_mixed(wanted: Wanted) -> bool:
    return bool(wanted.keep or wanted.paths)


def _target(place: Place) -> Json:
    if place.to is None:
        return restoring.clean_memory()
    return snapshots.content(place.head.state_id, place.to)


def _newer(place: Place) -> list[Newer]:
    head = place.head
    after = max(place.to or 0, head.number - NEWER_AT_MOST)
    told = changes_between(head.state_id, after=after, last=head.number)
    return [Newer(row.number, row.cause, changes) for row, changes in told]
