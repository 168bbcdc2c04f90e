"""Who is left that may decide on something: in their own name, or in somebody else's?"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from approvals.models import AuthorityLimit, Delegation
from approvals.policy import Question, Reviewer, fits, objection_to
from approvals.queries.reviewers import as_reviewers
from console.access.models import User
from console.access.queries import people_with_role
from console.access.rights import ROLES
from console.actors import Actor


@dataclass(frozen=True, slots=True)
class Eligible:
    """A person who may decide, and whom they would stand in for, if it takes that."""

    person: UUID
    name: str
    email: str
    roles: frozenset[str]
    stands_for: UUID | None = None
    stands_for_name: str = ""


def eligible(workspace_id: UUID, question: Question) -> list[Eligible]:
    """Return who may decide, by name; each person once, in their own name where they can."""
    found: dict[UUID, Eligible] = {}
    for one, _ in _candidates(workspace_id, question):
        found.setdefault(one.person, one)
    return sorted(found.values(), key=lambda one: one.name)


def left_to_agree(workspace_id: UUID, question: Question) -> list[int]:
    """Return how many people each alternative of the terms can still count."""
    candidates = _candidates(workspace_id, question)
    return [
        _votes([each for each in candidates if fits(each[1], item)])
        for item in question.terms.asked
    ]


def in_force(workspace_id: UUID, now: datetime) -> QuerySet[Delegation]:
    """Return the delegations by which somebody stands in for somebody else at a moment."""
    return Delegation.objects.filter(
        workspace=workspace_id, revoked_at=None, begins_at__lte=now, ends_at__gt=now
    )


def may_stand_for(actor: Actor, now: datetime) -> list[User]:
    """Return the people in whose place somebody may decide now, by name."""
    if actor.kind != "person":
        return []
    rows = in_force(actor.workspace_id, now).filter(delegate=UUID(actor.id))
    known = rows.select_related("person").defer("person__password")
    return sorted({row.person for row in known}, key=lambda one: one.name)


def delegations(workspace_id: UUID) -> QuerySet[Delegation]:
    """Return who stands in for whom, now, later and before."""
    rows = Delegation.objects.filter(workspace=workspace_id)
    known = rows.select_related("person", "delegate")
    return known.defer("person__password", "delegate__password")


def authority_limits(workspace_id: UUID) -> QuerySet[AuthorityLimit]:
    """Return who may approve how much, and who might once."""
    rows = AuthorityLimit.objects.filter(workspace=workspace_id)
    return rows.select_related("person").defer("person__password")


def _candidates(workspace_id: UUID, question: Question) -> list[tuple[Eligible, Reviewer]]:
    """Return everybody who may decide, in their own name first, with what they hold."""
    people = {
        person.id: (person, roles) for person, roles in people_with_role(workspace_id, [*ROLES])
    }
    asked: list[tuple[UUID, UUID | None]] = [(person, None) for person in people]
    standing = in_force(workspace_id, question.now).values_list("delegate_id", "person_id")
    asked += [(delegate, person) for delegate, person in standing if delegate in people]
    known = as_reviewers(workspace_id, asked)
    return [
        (_named(people[person], people.get(other) if other else None), reviewer)
        for (person, other), reviewer in zip(asked, known, strict=True)
        if objection_to(reviewer, question) is None
    ]


def _named(who: tuple[User, frozenset[str]], other: tuple[User, frozenset[str]] | None) -> Eligible:
    person, roles = who
    return Eligible(
        person=person.id,
        name=person.name,
        email=person.email,
        roles=roles,
        stands_for=other[0].id if other else None,
        stands_for_name=other[0].name if other else "",
    )


def _votes(candidates: Iterable[tuple[Eligible, Reviewer]]) -> int:
    """Count votes that do not share a person: whoever decides in their own name comes first."""
    heard: set[str] = set()
    count = 0
    for _, reviewer in candidates:
        if not heard & reviewer.refs:
            count += 1
            heard |= reviewer.refs
    return count
