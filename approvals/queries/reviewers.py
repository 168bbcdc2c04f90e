"""Who decides, with which roles, in whose place, and with how much authority?"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import cast
from uuid import UUID

from approvals.effects import Measure
from approvals.models import AuthorityLimit, Decision, Proposal, Revision
from approvals.policy import Authority, Choice, Question, Reviewer, Stake, Terms, Vote
from console.access.queries import roles_of
from console.actors import Actor


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
    pairs = dict(people)
    everybody = {*pairs, *(other for other in pairs.values() if other)}
    roles = roles_of(workspace_id, sorted(everybody))
    held = authority(workspace_id, list(pairs))
    return {
        person: Reviewer(
            kind="person",
            ref=f"person:{person}",
            roles=roles.get(person, frozenset()),
            stands_for=f"person:{other}" if other else "",
            lent=roles.get(other, frozenset()) if other else frozenset(),
            authority=tuple(held.get(person, ())),
        )
        for person, other in pairs.items()
    }


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
    """Return the choices made on one revision, in order, with what their makers hold now."""
    rows = Decision.objects.filter(proposal=proposal, revision=revision).order_by("decided_at")
    made = list(rows.values_list("choice", "person_id", "stands_for_id"))
    known = reviewers(proposal.workspace_id, [(person, other) for _, person, other in made])
    return [Vote(cast("Choice", choice), known[person]) for choice, person, _ in made]
