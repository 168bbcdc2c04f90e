"""Which limits of authority are in force, and whose are they?"""

from uuid import UUID

from django.db.models import Count, QuerySet

from approvals.models import AuthorityLimit


def limits_in_force(workspace_id: UUID) -> QuerySet[AuthorityLimit]:
    """Return the limits that nobody took back; one that is over still binds its person."""
    rows = AuthorityLimit.objects.filter(workspace=workspace_id, revoked_at=None)
    return rows.select_related("person").defer("person__password")


def limits_by_person(workspace_id: UUID) -> dict[UUID, int]:
    """Return how many limits each person has; those without any are not in it."""
    rows = AuthorityLimit.objects.filter(workspace=workspace_id, revoked_at=None)
    counted = rows.order_by().values_list("person").annotate(n=Count("*"))
    return dict(counted.values_list("person", "n"))
