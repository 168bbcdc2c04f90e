"""Who reads a proposal, may they decide on it, and what of the others' decisions may they see?

Nothing of them, where the terms ask for a reviewer who is blind to the first and this one has
not decided yet. What is taken out here is gone from everything that a page says, because a page
is made from what is left.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from approvals import lifecycle
from approvals.policy import SIGNED, Objection
from approvals.queries import Detail, detail
from approvals.queries.around import signed_while_open
from approvals.queries.eligible import may_stand_for
from approvals.showing.agreeing import objection, own_decision
from console.access.rights import allows
from console.actors import Actor


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody in whose place the reader may decide."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody before a proposal, and the proposal as they may see it.

    `barred` says why they may not decide as themselves, `places` in whose place they may;
    `own` is what they chose on this revision.
    """

    actor: Actor
    found: Detail
    barred: Objection | None
    places: tuple[Place, ...]
    own: str
    is_blind: bool

    @property
    def has_a_say(self) -> bool:
        """Say whether this person may decide, as themselves or for somebody."""
        return self.barred is None or bool(self.places)

    @property
    def may_decide(self) -> bool:
        """Say whether this person may decide, and has not."""
        return self.has_a_say and not self.own


def reader(found: Detail, actor: Actor) -> Reader:
    """Return a person before a proposal."""
    now = datetime.now(UTC)
    people = may_stand_for(actor, now)
    own = own_decision(found, actor)
    is_blind = (
        found.terms.level >= SIGNED
        and lifecycle.is_open(found.proposal.status)
        and not own
        and actor.ref not in found.revision.lineage
        and (allows(actor.roles, "decide") or bool(people))
    )
    return Reader(
        actor=actor,
        found=_without_others(found, actor) if is_blind else found,
        barred=objection(actor, found, now),
        places=tuple(
            Place(person.id, person.name)
            for person in people
            if objection(actor, found, now, person.id) is None
        ),
        own=own,
        is_blind=is_blind,
    )


def as_read_by(actor: Actor, found: Detail) -> Detail:
    """Return a proposal as a person or a program may see it.

    While signed decisions are made a program learns of none: it might tell a reviewer.
    """
    return _without_others(found, actor) if is_blind(actor, found) else found


def is_blind(actor: Actor, found: Detail) -> bool:
    """Say whether a person or a program may not know what others have decided so far."""
    if actor.kind == "person":
        return reader(found, actor).is_blind
    return found.terms.level >= SIGNED and lifecycle.is_open(found.proposal.status)


def kept_from(actor: Actor, subjects: Iterable[str]) -> frozenset[str]:
    """Return of which subjects of the ledger this reader may not know yet what others did."""
    ids = [_id_of(text) for text in subjects if text.startswith("proposal:")]
    if not (named := [one for one in ids if one]):
        return frozenset()
    found = signed_while_open(actor.workspace_id, named)
    return frozenset(
        f"proposal:{one}" for one in found if is_blind(actor, detail(actor.workspace_id, one))
    )


def _id_of(subject: str) -> UUID | None:
    try:
        return UUID(subject.removeprefix("proposal:"))
    except ValueError:
        return None


def _without_others(found: Detail, actor: Actor) -> Detail:
    mine = [said for said in found.decisions if str(said.person_id) == actor.id]
    return replace(found, decisions=mine)
