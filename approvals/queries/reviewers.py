"""Who decides, with which roles, in whose place, and with how much authority?"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import cast
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from approvals.effects import Measure
from approvals.models import AuthorityLimit, Decision, Delegation, Proposal, Revision
from approvals.policy import (
    Authority,
    Choice,
    Question,
    Reviewer,
    Stake,
    Terms,
    Threshold,
    Vote,
    fits,
)
from console.access.queries import Member, members_of, people_with_role
from console.actors import Actor

NOBODY = Member("", frozenset())


def reviewer(actor: Actor, stands_for: UUID | None = None) -> Reviewer:
    """Return an actor as a reviewer, with the authority and the roles they hold now."""
    if actor.kind != "person":
        return Reviewer(actor.kind, actor.ref, actor.roles)
    person = UUID(actor.id)
    return reviewers(actor.workspace_id, [(person, stands_for)])[person]


def reviewers(
    workspace_id: UUID, people: Iterable[tuple[UUID, UUID | None]]
) -> dict[UUID, Reviewer]:
    """Return people as reviewers, each with whom they stand in for; those who left hold nothing."""
    pairs = list(dict(people).items())
    found = as_reviewers(workspace_id, pairs)
    return {person: reviewer for (person, _), reviewer in zip(pairs, found, strict=True)}


def as_reviewers(workspace_id: UUID, pairs: Sequence[tuple[UUID, UUID | None]]) -> list[Reviewer]:
    """Return each person, with whom they stand in for, as a reviewer, in the order given."""
    everybody = {person for pair in pairs for person in pair if person}
    members = members_of(workspace_id, everybody)
    held = authority(workspace_id, list(everybody))
    makers = _makers(workspace_id, pairs)
    return [
        Reviewer(
            kind="person",
            ref=f"person:{person}",
            roles=members.get(person, NOBODY).roles,
            email=members.get(person, NOBODY).email,
            stands_for=f"person:{other}" if other else "",
            lent=members.get(other, NOBODY).roles if other else frozenset(),
            authority=tuple(held.get(person, ())),
            lent_authority=tuple(held.get(other, ())) if other else (),
            named_by=makers.get((person, other), frozenset()),
        )
        for person, other in pairs
    ]


def _makers(
    workspace_id: UUID, pairs: Sequence[tuple[UUID, UUID | None]]
) -> dict[tuple[UUID, UUID | None], frozenset[str]]:
    """Return who named whom to stand in for whom; asks nothing where nobody stands in."""
    away = {other for _, other in pairs if other}
    if not away:
        return {}
    rows = Delegation.objects.filter(workspace=workspace_id, revoked_at=None, person__in=away)
    found: dict[tuple[UUID, UUID | None], frozenset[str]] = {}
    for delegate, person, maker in rows.values_list("delegate_id", "person_id", "made_by"):
        named = found.get((delegate, person), frozenset())
        found[delegate, person] = named | {f"{maker['kind']}:{maker['id']}"}
    return found


def authority(workspace_id: UUID, people: list[UUID]) -> dict[UUID, list[Authority]]:
    """Return what people may approve at most, by person; those without a limit are not in it."""
    rows = AuthorityLimit.objects.filter(
        workspace=workspace_id, person__in=people, revoked_at=None
    ).order_by("created_at")
    held: dict[UUID, list[Authority]] = {}
    for row in rows:
        found = Authority(tuple(row.action_types), row.amount, row.currency, row.expires_at)
        held.setdefault(row.person_id, []).append(found)
    return held


def terms_of(proposal: Proposal, revision: Revision) -> Terms:
    """Return the terms that a wording stands under now."""
    return Terms.from_json(revision.terms, escalated=proposal.escalated_at is not None)


def question(proposal: Proposal, revision: Revision, now: datetime) -> Question:
    """Return what has to be agreed on, by whom not, and what is at stake."""
    return Question(
        terms=terms_of(proposal, revision),
        lineage=tuple(revision.lineage),
        stake=stake_of(proposal.action_type.name, revision),
        now=now,
    )


def stake_of(action_type: str, revision: Revision) -> Stake:
    """Return how much of what a wording is about."""
    amount = revision.measure.get("amount")
    return Stake(
        action_type=action_type,
        amount=None if amount is None else Decimal(amount),
        currency=revision.measure.get("currency", Measure().currency),
    )


def votes(proposal: Proposal, revision: int) -> list[Vote]:
    """Return the choices made on one revision, in order, with what their makers hold now.

    Whoever stood in for somebody brings that person's roles only as long as nobody ended that.
    """
    rows = Decision.objects.filter(proposal=proposal, revision=revision)
    rows = rows.annotate(is_lent=Exists(_lending())).order_by("decided_at", "id")
    made = list(rows.values_list("choice", "person_id", "stands_for_id", "is_lent"))
    known = as_reviewers(proposal.workspace_id, [(person, other) for _, person, other, _ in made])
    return [
        Vote(cast("Choice", choice), reviewer if is_lent else replace(reviewer, lent=frozenset()))
        for (choice, _, _, is_lent), reviewer in zip(made, known, strict=True)
    ]


def _lending() -> QuerySet[Delegation]:
    """Return the delegations by which a decision was made for somebody else, if it still holds."""
    return Delegation.objects.filter(
        workspace=OuterRef("workspace"),
        person=OuterRef("stands_for"),
        delegate=OuterRef("person"),
        begins_at__lte=OuterRef("decided_at"),
        ends_at__gt=OuterRef("decided_at"),
        revoked_at=None,
    )


def most_who_may(
    workspace_id: UUID, thresholds: Sequence[Threshold]
) -> list[tuple[int, Threshold]]:
    """Return each alternative with how many people of a workspace it would count."""
    roles = sorted({role for item in thresholds for role in item.roles})
    people = [person.id for person, _ in people_with_role(workspace_id, roles)]
    known = reviewers(workspace_id, [(person, None) for person in people]).values()
    return [(sum(fits(each, item) for each in known), item) for item in thresholds]
