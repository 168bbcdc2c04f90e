"""Tell people what happened to effects outside, by the ways that they chose."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.urls import reverse

from approvals.models import Compensation, Connector, Execution, SendSwitch
from approvals.queries.involving import involved_in
from console.access.queries import people_with_role
from console.access.rights import ROLES, Right
from console.canonical import Json
from console.notices.operations.noticing import notify


def tell_in_doubt(execution: Execution, *, now: datetime) -> None:
    """Tell whoever may say what became of it, once for every time it is in doubt."""
    since = execution.doubted_at or now
    occasion = f"in doubt since {since.isoformat()}"
    people = resolvers(execution)
    _tell_about(execution, "execution.in_doubt", people, now=now, occasion=occasion)


def tell_overdue(execution: Execution, *, now: datetime) -> None:
    """Tell its owner, admins and whoever may resolve it that its doubt lasts too long, once."""
    people = [*resolvers(execution), *_with("administer", execution.workspace_id)]
    people += [execution.owner_id] if execution.owner_id else []
    occasion = overdue_since(execution)
    _tell_about(execution, "doubt.overdue", people, now=now, occasion=occasion)


def overdue_since(execution: Execution) -> str:
    """Return the occasion on which people are told of one doubt that lasts too long."""
    return f"doubt due {execution.doubt_due_at.isoformat()}" if execution.doubt_due_at else ""


def tell_quarantined(execution: Execution, *, now: datetime) -> None:
    """Tell admins that something was begun too often and set aside."""
    people = _with("administer", execution.workspace_id)
    occasion = f"set aside {execution.fence}"
    _tell_about(execution, "execution.quarantined", people, now=now, occasion=occasion)


def tell_not_undone(owed: Compensation, *, now: datetime) -> None:
    """Tell admins and whoever restores that an effect outside was not undone."""
    execution = owed.execution
    people = [
        *_with("administer", owed.workspace_id),
        *_with("restore", owed.workspace_id),
    ]
    occasion = f"not undone by {owed.proposal_id}"
    _tell_about(execution, "compensation.failed", people, now=now, occasion=occasion)


def tell_differs(connector: Connector, *, count: int, now: datetime) -> None:
    """Tell whoever looks after connectors how many differences were found."""
    data: dict[str, Json] = {"missing": count}
    _tell_of(connector, "discrepancy.found", "reconciliation", now=now, data=data)


def tell_gone(connector: Connector, *, now: datetime) -> None:
    """Tell whoever looks after connectors that the sender has not announced one for long, once."""
    occasion = f"seen {connector.seen_at.isoformat()}"
    _tell_of(connector, "connector.gone", "connectors", now=now, data={}, occasion=occasion)


def tell_stopped(switch: SendSwitch, *, now: datetime) -> None:
    """Tell whoever may turn the switch that nothing leaves the house any more."""
    notify(
        workspace_id=switch.workspace_id,
        event="sending.stopped",
        subject_ref=f"workspace:{switch.workspace_id}",
        title="Sending was stopped",
        path=reverse("approvals:outside", args=[switch.workspace.slug]),
        people=_with("connect", switch.workspace_id),
        now=now,
        data={},
    )


def resolvers(execution: Execution) -> list[UUID]:
    """Return the people who may say what became of an execution."""
    involved = involved_in(execution)
    barred = {*involved.lineage, *involved.deciders}
    people = _with("resolve", execution.workspace_id)
    return [person for person in people if f"person:{person}" not in barred]


def _tell_about(
    execution: Execution, event: str, people: Iterable[UUID], *, now: datetime, occasion: str
) -> None:
    """Write who is told of an execution, once for an occasion; before the ledger is appended to."""
    proposal = execution.proposal
    name, place = ("proposal_detail", proposal.id)
    if execution.connector:
        name, place = ("outside_detail", execution.id)
    notify(
        workspace_id=execution.workspace_id,
        event=event,
        subject_ref=f"proposal:{proposal.id}",
        title=proposal.title,
        path=reverse(f"approvals:{name}", args=[proposal.workspace.slug, place]),
        people=sorted(set(people)),
        now=now,
        data={"level": proposal.level, "revision": execution.revision, "status": execution.status},
        occasion=occasion,
    )


def _with(right: Right, workspace_id: UUID) -> list[UUID]:
    roles = [role for role, rights in ROLES.items() if right in rights]
    return [person.id for person, _ in people_with_role(workspace_id, roles)]


def _tell_of(
    connector: Connector,
    event: str,
    page: str,
    *,
    now: datetime,
    data: dict[str, Json],
    occasion: str = "",
) -> None:
    notify(
        workspace_id=connector.workspace_id,
        event=event,
        subject_ref=f"connector:{connector.id}",
        title=connector.name,
        path=reverse(f"approvals:{page}", args=[connector.workspace.slug]),
        people=_with("connect", connector.workspace_id),
        now=now,
        data=data,
        occasion=occasion,
    )
