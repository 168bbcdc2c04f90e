"""Announce the connectors that the sender holds the settings of: everything but their secrets."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from approvals import lifecycle
from approvals.connectors.protocol import Connector as Reachable
from approvals.connectors.protocol import Public
from approvals.models import Connector, Proposal
from approvals.operations.alarming import tell_gone
from console.access.models import Workspace
from console.actors import system
from console.canonical import Json
from console.doorbell.operations.ringing import ring_task
from console.ledger.operations.appending import append
from console.live import ring

UNSEEN_AFTER = timedelta(minutes=5)


def announce_connectors(connectors: Mapping[str, Reachable], *, now: datetime) -> int:
    """Write what everybody may know of these connectors, and that all others are gone.

    A change of where effects go is told in the ledger, and what waits for people is worded anew.
    Returns how many rows were written. Locks: the rows of one workspace after another.
    """
    slugs = dict(Workspace.objects.order_by("id").values_list("slug", "id"))
    return sum(
        _announce(workspace_id, _of(connectors.values(), slug), now)
        for slug, workspace_id in slugs.items()
    )


def tell_unseen(*, now: datetime) -> int:
    """Tell people of each connector that no sender has announced for a while, once; say how many.

    What goes out through it waits meanwhile.
    """
    rows = Connector.objects.filter(is_offered=True, seen_at__lt=now - UNSEEN_AFTER)
    unseen = list(rows.select_related("workspace").order_by("id"))
    for row in unseen:
        with transaction.atomic():
            tell_gone(row, now=now)
    return len(unseen)


def _of(connectors: Iterable[Reachable], slug: str) -> dict[str, Public]:
    """Return what a workspace may use; a connector that names no workspace is for all."""
    known = (each.public for each in connectors)
    return {each.name: each for each in known if not each.workspaces or slug in each.workspaces}


def _announce(workspace_id: UUID, offered: Mapping[str, Public], now: datetime) -> int:
    with transaction.atomic():
        rows = Connector.objects.select_for_update(no_key=True).filter(workspace=workspace_id)
        known = {row.name: row for row in rows.order_by("id")}
        changed = [
            row
            for name, public in sorted(offered.items())
            if (row := _write(workspace_id, known.get(name), public, now))
        ]
        gone = [row for name, row in known.items() if row.is_offered and name not in offered]
        Connector.objects.filter(id__in=[row.id for row in gone]).update(is_offered=False)
        _tell(changed, gone, workspace_id)
    return len(offered) + len(gone)


def _write(
    workspace_id: UUID, known: Connector | None, public: Public, now: datetime
) -> Connector | None:
    """Write a row and return it if it says something else than before."""
    values = _values(public)
    if known and all(getattr(known, name) == value for name, value in values.items()):
        Connector.objects.filter(id=known.id).update(seen_at=now)
        return None
    row, _ = Connector.objects.update_or_create(
        workspace_id=workspace_id, name=public.name, defaults={**values, "seen_at": now}
    )
    return row


def _values(public: Public) -> dict[str, Any]:
    return {
        "kind": public.kind,
        "retry_class": public.retry_class,
        "address": public.address,
        "digest": public.digest,
        "actions": list(public.actions),
        "deadline_seconds": public.deadline_seconds,
        "settle_seconds": public.settle_seconds,
        "retention_seconds": public.retention_seconds,
        "can_ask": public.can_ask,
        "can_list": public.can_list,
        "is_offered": True,
    }


def _tell(changed: list[Connector], gone: list[Connector], workspace_id: UUID) -> None:
    if not changed and not gone:
        return
    for state_id in _waiting_for([row.name for row in changed], workspace_id):
        ring_task("approvals.rebase", str(state_id))
    actor = system("sender", workspace_id)
    for row in changed:
        body: dict[str, Json] = {
            "name": row.name,
            "kind": row.kind,
            "retry_class": row.retry_class,
            "address": row.address,
            "digest": row.digest,
        }
        append(actor, "connector.announced", f"connector:{row.id}", body)
    for row in gone:
        append(actor, "connector.withdrawn", f"connector:{row.id}", {"name": row.name})
    ring("outside", workspace_id)


def _waiting_for(names: list[str], workspace_id: UUID) -> list[UUID]:
    """Return the States on which something waits for people that would go out this way."""
    rows = Proposal.objects.filter(workspace=workspace_id, status__in=lifecycle.OPEN)
    rows = rows.filter(action_type__connector__in=names)
    return list(rows.order_by().values_list("state", flat=True).distinct())
