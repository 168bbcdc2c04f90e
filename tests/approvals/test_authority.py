"""Authority: how much somebody may approve, and whether anybody is left who may."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from approvals import queries
from approvals.models import AuthorityLimit
from approvals.operations.authorising import AuthorityInvalid, allow_up_to, take_back
from approvals.operations.deciding import AuthorityExceeded
from approvals.operations.delegating import delegate
from approvals.operations.executing import carry_out_due
from approvals.operations.framing import ELIGIBILITY
from console.actors import Actor
from console.errors import Forbidden, NotFound
from tests.story import Cast, now
from tests.transfers import Bank

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def bank() -> Bank:
    return Bank.build()


def allow(cast: Cast, who: Actor, by: Actor | None = None, **more: Any) -> UUID:
    """Let somebody approve transfers of up to 5,000 euros."""
    values: dict[str, Any] = {
        "action_types": ["transfer"],
        "amount": Decimal(5_000),
        "currency": "EUR",
        "expires_at": None,
        "note": "",
        "now": now(),
    }
    return allow_up_to(actor=by or cast.ada, person_id=UUID(who.id), **{**values, **more})


class TestHowMuch:
    """Without a limit a role is enough; with one, only what a limit covers."""

    def test_refuses_beyond_it(self, bank: Bank) -> None:
        allow(bank.cast, bank.cast.ana)
        for amount in ("5000.01", "-5000.01"):
            with pytest.raises(AuthorityExceeded) as refused:
                bank.cast.decide(bank.cast.ana, bank.send(amount))
            assert (refused.value.status, refused.value.code) == (403, "authority_exceeded")
        assert bank.cast.decide(bank.cast.ana, bank.send("5000.00")) == "approved"

    def test_refuses_another_currency_and_another_kind(self, bank: Bank) -> None:
        allow(bank.cast, bank.cast.ana)
        with pytest.raises(AuthorityExceeded):
            bank.cast.decide(bank.cast.ana, bank.send("1.00", currency="USD"))
        with pytest.raises(AuthorityExceeded):
            bank.cast.decide(bank.cast.ana, bank.cast.ask())

    def test_a_pattern_names_many_kinds_and_no_amount_is_any(self, bank: Bank) -> None:
        allow(bank.cast, bank.cast.ana, action_types=["tr*"], amount=None, currency="")
        assert bank.cast.decide(bank.cast.ana, bank.send("900000.00")) == "approved"

    def test_one_of_several_limits_is_enough(self, bank: Bank) -> None:
        allow(bank.cast, bank.cast.ana)
        allow(bank.cast, bank.cast.ana, amount=Decimal(20_000))
        assert bank.cast.decide(bank.cast.ana, bank.send("20000.00")) == "approved"

    def test_ends_with_a_licence(self, bank: Bank) -> None:
        at = now()
        allow(bank.cast, bank.cast.ana, expires_at=at + HOUR / 2, now=at)
        proposal_id = bank.send("1.00", at=at)
        with pytest.raises(AuthorityExceeded):
            bank.cast.decide(bank.cast.ana, proposal_id, at=at + HOUR / 2)
        assert bank.cast.decide(bank.cast.ana, proposal_id, at=at + HOUR / 3) == "approved"

    def test_is_counted_again_when_it_is_carried_out(self, bank: Bank) -> None:
        bank.policy(hold_seconds=60)
        at = now()
        held = bank.send("10000.00", at=at)
        bank.cast.decide(bank.cast.ana, held, at=at)
        allow(bank.cast, bank.cast.ana)
        carry_out_due(now=at + HOUR / 30)
        assert "Too few of those who approved" in bank.cast.answer(held).reason

    def test_taken_back_the_role_is_enough_again(self, bank: Bank) -> None:
        made = allow(bank.cast, bank.cast.ana)
        for _ in range(2):
            take_back(actor=bank.cast.ada, limit_id=made, now=now())
        assert bank.cast.said(f"authority:{made}") == ["authority.set", "authority.taken_back"]
        assert bank.cast.decide(bank.cast.ana, bank.send()) == "approved"


class TestSetting:
    """An admin sets it, never their own."""

    @pytest.mark.parametrize("by", ["ana", "ben", "cleo", "eve", "scout", "setup"])
    def test_nobody_else_does(self, bank: Bank, by: str) -> None:
        with pytest.raises(Forbidden):
            allow(bank.cast, bank.cast.ben, by=getattr(bank.cast, by))

    def test_nobody_sets_or_ends_their_own(self, bank: Bank) -> None:
        with pytest.raises(Forbidden, match="Somebody else"):
            allow(bank.cast, bank.cast.ada)
        other = bank.cast.enlist("Otto", "admin")
        made = allow(bank.cast, bank.cast.ada, by=other)
        with pytest.raises(Forbidden):
            take_back(actor=bank.cast.ada, limit_id=made, now=now())
        with pytest.raises(NotFound):
            take_back(actor=bank.cast.zoe, limit_id=made, now=now())

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"action_types": []}, "action_types"),
            ({"action_types": ["x" * 81]}, "action_types"),
            ({"action_types": ["a\x00"]}, "action_types"),
            ({"amount": Decimal(-1)}, "amount"),
            ({"amount": Decimal("Infinity")}, "amount"),
            ({"amount": Decimal("0.0000001")}, "amount"),
            ({"currency": ""}, "currency"),
            ({"currency": "eur"}, "currency"),
            ({"amount": None}, "currency"),
            ({"note": "x" * 201}, "note"),
            ({"expires_at": now()}, "expires_at"),
            ({"expires_at": datetime.fromisoformat("9999-12-31T23:59-14:00")}, "expires_at"),
        ],
    )
    def test_refuses_what_is_no_limit(self, bank: Bank, more: dict[str, Any], field: str) -> None:
        with pytest.raises(AuthorityInvalid) as refused:
            allow(bank.cast, bank.cast.ana, **more)
        assert refused.value.details["field"] == field
        assert not AuthorityLimit.objects.exists()

    def test_refuses_strangers(self, bank: Bank) -> None:
        with pytest.raises(AuthorityInvalid, match="no such person"):
            allow(bank.cast, bank.cast.zoe)


class TestNobodyLeft:
    """That too few may decide is said when a proposal is made, not when it expires."""

    def failed(self, bank: Bank, proposal_id: UUID) -> bool:
        checks = bank.cast.look(proposal_id).revision.checks
        return any(check["name"] == ELIGIBILITY and not check["passed"] for check in checks)

    def names(self, bank: Bank, proposal_id: UUID) -> list[str]:
        seen = bank.cast.look(proposal_id)
        question = queries.question(seen.proposal, seen.revision, now())
        return [one.name for one in queries.eligible(bank.cast.workspace.id, question)]

    def test_counts_who_has_the_authority(self, bank: Bank) -> None:
        for who in (bank.cast.ana, bank.cast.ben):
            allow(bank.cast, who)
        fine = bank.send("6000.00")
        assert (self.failed(bank, fine), self.names(bank, fine)) == (False, ["Ada"])
        bank.policy(approvals=2)
        stuck = bank.send("6000.00")
        assert self.failed(bank, stuck)
        assert "proposal.nobody_may_decide" in bank.cast.said(f"proposal:{stuck}")
        assert not self.failed(bank, bank.send("5000.00"))

    def test_counts_who_fits_the_filter(self, bank: Bank) -> None:
        bank.policy(filter='reviewer.email.startsWith("ana@")')
        assert self.names(bank, bank.send()) == ["Ana"]
        bank.policy(filter='reviewer.email.startsWith("nobody@")')
        assert self.failed(bank, bank.send())

    def test_leaves_out_the_lineage(self, bank: Bank) -> None:
        bank.policy(roles=("admin",))
        assert not self.failed(bank, bank.send())
        assert self.failed(bank, bank.send(lineage=(bank.cast.ada.ref,)))

    def test_counts_who_stands_in_and_a_pair_once(self, bank: Bank) -> None:
        bank.policy(approvals=3)
        at = now()
        delegate(
            actor=bank.cast.ada,
            person_id=UUID(bank.cast.ana.id),
            delegate_id=UUID(bank.cast.cleo.id),
            begins_at=at,
            ends_at=at + HOUR,
            reason="",
            now=at,
        )
        assert self.names(bank, bank.send()) == ["Ada", "Ana", "Ben", "Cleo"]
        bank.policy(approvals=4)
        assert self.failed(bank, bank.send())
        # Beyond Ana's authority Cleo, who has no limits, does not reach either: Ana lends no more.
        bank.policy(approvals=2)
        allow(bank.cast, bank.cast.ana)
        assert self.names(bank, bank.send("5000.00")) == ["Ada", "Ana", "Ben", "Cleo"]
        assert self.names(bank, bank.send("6000.00")) == ["Ada", "Ben"]

    def test_one_alternative_that_can_be_met_is_enough(self, bank: Bank) -> None:
        bank.policy(approvals=1)
        assert self.names(bank, bank.send()) == ["Ada", "Ana", "Ben"]
