"""Delegating lets somebody decide in another's place: their roles, one vote, the own authority."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from approvals import queries
from approvals.models import Decision, Delegation, Execution
from approvals.operations.authorising import allow_up_to
from approvals.operations.deciding import (
    AlreadyDecided,
    AuthorityExceeded,
    InLineage,
    NotEligible,
)
from approvals.operations.delegating import DelegationInvalid, delegate, end_delegation
from approvals.operations.executing import carry_out_due
from approvals.showing.reading import reader
from console.access.operations.granting import revoke_role
from console.actors import Actor
from console.errors import Forbidden, NotFound
from tests.story import Cast, now

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


def lend(cast: Cast, who: Actor, to: Actor, by: Actor | None = None, **more: Any) -> UUID:
    """Let somebody stand in for somebody else from an hour ago until in an hour."""
    at = now()
    values: dict[str, Any] = {"begins_at": at - HOUR, "ends_at": at + HOUR, "reason": "away"}
    return delegate(
        actor=by or who,
        person_id=UUID(who.id),
        delegate_id=UUID(to.id),
        now=at,
        **{**values, **more},
    )


def for_(who: Actor) -> dict[str, Any]:
    return {"stands_for": UUID(who.id)}


class TestInForce:
    """A delegate decides with lent roles, and only as long as it lasts."""

    def test_lends_the_role_that_is_missing(self, cast: Cast) -> None:
        lend(cast, cast.ana, cast.cleo)
        proposal_id = cast.ask()
        with pytest.raises(NotEligible):
            cast.decide(cast.cleo, proposal_id)
        assert cast.decide(cast.cleo, proposal_id, **for_(cast.ana)) == "approved"
        kept = Decision.objects.get()
        assert (str(kept.person_id), str(kept.stands_for_id)) == (cast.cleo.id, cast.ana.id)

    @pytest.mark.parametrize(("begins", "ends"), [(HOUR, 2 * HOUR), (-2 * HOUR, HOUR / 60)])
    def test_refuses_before_it_begins_and_after_it_ended(
        self, cast: Cast, begins: timedelta, ends: timedelta
    ) -> None:
        at = now()
        lend(cast, cast.ana, cast.cleo, begins_at=at + begins, ends_at=at + ends)
        proposal_id = cast.ask(at=at)
        later = at + HOUR / 2
        with pytest.raises(NotEligible, match="do not stand in"):
            cast.decide(cast.cleo, proposal_id, at=later, **for_(cast.ana))

    def test_refuses_who_was_never_named(self, cast: Cast) -> None:
        lend(cast, cast.ana, cast.cleo)
        proposal_id = cast.ask()
        for who, other in ((cast.cleo, cast.ben), (cast.ben, cast.ana), (cast.ana, cast.cleo)):
            with pytest.raises(NotEligible, match="do not stand in"):
                cast.decide(who, proposal_id, **for_(other))
        with pytest.raises(NotEligible):
            cast.decide(cast.cleo, proposal_id, stands_for=uuid4())

    def test_ends_at_once_and_twice_is_once(self, cast: Cast) -> None:
        made = lend(cast, cast.ana, cast.cleo)
        for _ in range(2):
            end_delegation(actor=cast.ana, delegation_id=made, now=now())
        assert cast.said(f"delegation:{made}") == ["delegation.made", "delegation.ended"]
        with pytest.raises(NotEligible, match="do not stand in"):
            cast.decide(cast.cleo, cast.ask(), **for_(cast.ana))

    def test_lends_nothing_that_is_no_longer_held(self, cast: Cast) -> None:
        lend(cast, cast.ana, cast.cleo)
        proposal_id = cast.ask()
        revoke_role(cast.ada, cast.workspace.id, cast.user(cast.ana), "reviewer")
        with pytest.raises(NotEligible, match="needs the role"):
            cast.decide(cast.cleo, proposal_id, **for_(cast.ana))


class TestLineage:
    """Standing in for somebody opens no second door."""

    def test_refuses_who_stands_in_for_an_author(self, cast: Cast) -> None:
        lend(cast, cast.ana, cast.ben)
        proposal_id = cast.ask(lineage=(cast.ana.ref,))
        with pytest.raises(InLineage, match="Whom you stand in for"):
            cast.decide(cast.ben, proposal_id, **for_(cast.ana))
        assert cast.decide(cast.ben, proposal_id) == "approved"

    def test_refuses_whom_an_author_named_to_stand_in(self, cast: Cast) -> None:
        made = lend(cast, cast.ana, cast.ben, by=cast.ada)
        proposal_id = cast.ask(lineage=(cast.ada.ref,))
        with pytest.raises(InLineage, match="Whoever named you"):
            cast.decide(cast.ben, proposal_id, **for_(cast.ana))
        lend(cast, cast.ana, cast.ben)
        end_delegation(actor=cast.ada, delegation_id=made, now=now())
        assert cast.decide(cast.ben, proposal_id, **for_(cast.ana)) == "approved"

    def test_counts_and_offers_no_place_that_the_decision_refuses(self, cast: Cast) -> None:
        lend(cast, cast.ana, cast.cleo, by=cast.ada)
        seen = cast.look(cast.ask(lineage=(cast.ada.ref,)))
        question = queries.question(seen.proposal, seen.revision, now())
        names = [one.name for one in queries.eligible(cast.workspace.id, question)]
        assert names == ["Ana", "Ben"]
        assert not reader(seen, cast.cleo).has_a_say
        lend(cast, cast.ana, cast.cleo)
        names = [one.name for one in queries.eligible(cast.workspace.id, question)]
        assert names == ["Ana", "Ben", "Cleo"]
        assert reader(seen, cast.cleo).has_a_say

    def test_refuses_an_author_who_stands_in_for_somebody(self, cast: Cast) -> None:
        lend(cast, cast.ana, cast.eve)
        with pytest.raises(InLineage):
            cast.decide(cast.eve, cast.ask(), **for_(cast.ana))


class TestOneVote:
    """Somebody and whoever stands in for them have one vote together."""

    @pytest.fixture
    def proposal_id(self, cast: Cast) -> UUID:
        cast.policy(approvals=2)
        lend(cast, cast.ana, cast.cleo)
        lend(cast, cast.ana, cast.ben)
        return cast.ask()

    def test_who_decided_blocks_the_delegate(self, cast: Cast, proposal_id: UUID) -> None:
        cast.decide(cast.ana, proposal_id)
        with pytest.raises(AlreadyDecided, match="Ana has decided in the same name"):
            cast.decide(cast.cleo, proposal_id, **for_(cast.ana))

    def test_the_delegate_blocks_who_is_stood_in_for(self, cast: Cast, proposal_id: UUID) -> None:
        cast.decide(cast.cleo, proposal_id, **for_(cast.ana))
        with pytest.raises(AlreadyDecided, match="Cleo has decided"):
            cast.decide(cast.ana, proposal_id)

    def test_one_delegate_blocks_the_other(self, cast: Cast, proposal_id: UUID) -> None:
        cast.decide(cast.cleo, proposal_id, **for_(cast.ana))
        with pytest.raises(AlreadyDecided):
            cast.decide(cast.ben, proposal_id, **for_(cast.ana))
        assert cast.decide(cast.ben, proposal_id) == "approved"

    def test_a_delegate_has_no_second_vote_of_their_own(
        self, cast: Cast, proposal_id: UUID
    ) -> None:
        assert cast.decide(cast.ben, proposal_id) == "pending"
        assert cast.decide(cast.ben, proposal_id, **for_(cast.ana)) == "pending"
        assert Decision.objects.count() == 1


class TestLater:
    """What was decided for somebody else counts as long as nobody ended that."""

    @pytest.fixture
    def at(self) -> datetime:
        return now()

    def held(self, cast: Cast, at: datetime) -> tuple[UUID, UUID]:
        cast.policy(hold_seconds=60)
        made = lend(cast, cast.ana, cast.cleo)
        proposal_id = cast.ask(at=at)
        cast.decide(cast.cleo, proposal_id, at=at, **for_(cast.ana))
        return made, proposal_id

    def test_is_carried_out(self, cast: Cast, at: datetime) -> None:
        self.held(cast, at)
        carry_out_due(now=at + HOUR / 30)
        assert Execution.objects.get().status == "succeeded"

    def test_is_not_when_it_was_ended_meanwhile(self, cast: Cast, at: datetime) -> None:
        made, proposal_id = self.held(cast, at)
        end_delegation(actor=cast.ana, delegation_id=made, now=now())
        carry_out_due(now=at + HOUR / 30)
        assert "Too few of those who approved" in cast.answer(proposal_id).reason


def test_the_authority_is_the_delegates_own(cast: Cast) -> None:
    lend(cast, cast.ana, cast.ben)
    allow_up_to(
        actor=cast.ada,
        person_id=UUID(cast.ben.id),
        action_types=["refund"],
        amount=Decimal(10),
        currency="EUR",
        expires_at=None,
        note="",
        now=now(),
    )
    proposal_id = cast.ask()
    with pytest.raises(AuthorityExceeded):
        cast.decide(cast.ben, proposal_id, **for_(cast.ana))
    assert cast.decide(cast.ana, proposal_id) == "approved"


class TestMaking:
    """By the person themselves or an admin, never by the delegate."""

    def test_an_admin_names_it_for_others(self, cast: Cast) -> None:
        lend(cast, cast.ana, cast.cleo, by=cast.ada)
        assert [person.name for person in queries.may_stand_for(cast.cleo, now())] == ["Ana"]

    @pytest.mark.parametrize("by", ["ben", "cleo", "eve", "scout", "setup"])
    def test_nobody_else_does(self, cast: Cast, by: str) -> None:
        with pytest.raises(Forbidden):
            lend(cast, cast.ana, cast.cleo, by=getattr(cast, by))
        assert not Delegation.objects.exists()

    def test_an_admin_is_not_their_own_delegate(self, cast: Cast) -> None:
        with pytest.raises(Forbidden, match="Nobody makes themselves"):
            lend(cast, cast.ana, cast.ada, by=cast.ada)

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"ends_at": datetime.fromisoformat("2020-01-01T00:00:00Z")}, "ends_at"),
            ({"begins_at": now() + 2 * HOUR}, "ends_at"),
            ({"ends_at": now() + timedelta(days=400)}, "ends_at"),
            (
                {
                    "begins_at": datetime.fromisoformat("9999-12-31T00:00:00-14:00"),
                    "ends_at": datetime.fromisoformat("9999-12-31T23:59:00-14:00"),
                },
                "ends_at",
            ),
            ({"reason": "x" * 301}, "reason"),
            ({"reason": "a\x00b"}, "reason"),
        ],
    )
    def test_refuses_what_makes_no_sense(
        self, cast: Cast, more: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(DelegationInvalid) as refused:
            lend(cast, cast.ana, cast.cleo, **more)
        assert refused.value.details["field"] == field

    def test_refuses_strangers_and_oneself(self, cast: Cast) -> None:
        for other in (cast.zoe, cast.ana):
            with pytest.raises((DelegationInvalid, Forbidden)):
                lend(cast, cast.ana, other)
        with pytest.raises(DelegationInvalid, match="themselves"):
            lend(cast, cast.ana, cast.ana, by=cast.ada)

    def test_is_ended_by_the_two_and_by_admins(self, cast: Cast) -> None:
        for who in (cast.ana, cast.cleo, cast.ada):
            made = lend(cast, cast.ana, cast.cleo)
            with pytest.raises(Forbidden):
                end_delegation(actor=cast.ben, delegation_id=made, now=now())
            with pytest.raises(NotFound):
                end_delegation(actor=cast.zoe, delegation_id=made, now=now())
            end_delegation(actor=who, delegation_id=made, now=now())
        assert not Delegation.objects.filter(revoked_at=None).exists()
