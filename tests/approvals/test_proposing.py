"""Proposing puts an action before people: validated, previewed, under terms, and once."""

import math
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from approvals.models import Evidence, Proposal, Revision
from approvals.operations.framing import ELIGIBILITY
from approvals.operations.previewing import EffectImpossible
from approvals.operations.proposing import (
    AlreadyRejected,
    Exhibit,
    ParamsInvalid,
    UnknownActionType,
    propose,
)
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.operations.withdrawing import withdraw
from console.canonical import Json, sha256
from console.errors import KeyReused, Refused
from snapshots.diff import ABSENT, Change
from snapshots.operations.committing import HeadMoved
from snapshots.queries import UnknownState
from tests.story import ANYTHING, QUICKFIX, TRUSTED, Cast, now

pytestmark = pytest.mark.django_db
INVOICE = Exhibit("Invoice 41", "mail/41", "Please pay 70 to Northwind", ("/balance",))


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


class TestShowing:
    """What reviewers see is the effect, not the request."""

    def test_shows_the_effect_on_the_newest_snapshot(self, cast: Cast) -> None:
        cast.move_world(Change("replace", "/balance", 1000, 900))
        seen = cast.look(cast.ask(amount=70))
        assert seen.changes == [
            Change("replace", "/balance", 900, 830),
            Change("add", "/payments/0", value={"vendor": "V7", "amount": 70}),
        ]
        assert (seen.revision.base_number, seen.proposal.base_number) == (2, 2)
        assert (seen.revision.number, seen.revision.why) == (1, "proposed")

    def test_changes_nothing_yet(self, cast: Cast) -> None:
        before = cast.head()
        cast.ask()
        assert cast.head() == before

    def test_words_the_title_from_parameters_and_the_record(self, cast: Cast) -> None:
        assert cast.look(cast.ask(amount=43)).proposal.title == "Pay 43 to Northwind"

    def test_tells_which_checks_hold(self, cast: Cast) -> None:
        passed = [cast.look(cast.ask(1, vendor)).revision.checks for vendor in ("V7", QUICKFIX)]
        assert [[(c["name"], c["passed"]) for c in checks] for checks in passed] == [
            [(TRUSTED, True)],
            [(TRUSTED, False)],
        ]

    def test_seals_what_decisions_are_bound_to(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        revision = Revision.objects.get(proposal=proposal_id)
        assert revision.digest == sha256(bytes(revision.sealed))
        other = Revision.objects.get(proposal=cast.ask(71))
        assert other.digest != revision.digest

    def test_keeps_evidence_numbered_with_its_digest(self, cast: Cast) -> None:
        proposal_id = cast.ask(evidence=(INVOICE, replace(INVOICE, label="Order")))
        rows = cast.look(proposal_id).evidence
        assert [(row.number, row.label) for row in rows] == [(1, "Invoice 41"), (2, "Order")]
        assert rows[0].digest == sha256(b"Please pay 70 to Northwind")
        assert rows[0].paths == ["/balance"]

    def test_keeps_what_was_shown_for_ever(self, cast: Cast) -> None:
        cast.ask(evidence=(INVOICE,))
        for act in (
            "UPDATE approvals_revision SET number = 9",
            "DELETE FROM approvals_revision",
            "UPDATE approvals_evidence SET number = 9",
            "DELETE FROM approvals_evidence",
        ):
            with (
                pytest.raises(DatabaseError, match="append-only"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(act)
        assert (Revision.objects.count(), Evidence.objects.count()) == (1, 1)

    def test_writes_who_proposed_what_under_which_policy(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        assert cast.said(f"proposal:{proposal_id}") == ["proposal.made"]
        row = cast.look(proposal_id).proposal
        assert (row.proposer["id"], row.lineage) == ("scout", ["agent:scout", cast.eve.ref])


class TestTerms:
    """The policy of that moment goes into the proposal and stays."""

    def test_are_copied_and_do_not_follow_a_later_policy(self, cast: Cast) -> None:
        cast.policy(approvals=2, expires_seconds=7_200)
        at = now()
        proposal_id = cast.ask(at=at)
        cast.policy(approvals=1)
        seen = cast.look(proposal_id)
        assert (seen.terms.needed, seen.terms.number) == (2, 2)
        assert seen.proposal.due_at == at + timedelta(hours=2)

    def test_ask_two_people_where_no_policy_matches(self, cast: Cast) -> None:
        cast.policy(["refund_*"])
        assert cast.look(cast.ask()).terms.needed == 2

    @pytest.mark.parametrize(("needed", "warned"), [(2, False), (3, False), (4, True)])
    def test_warn_at_once_when_too_few_people_may_decide(
        self, cast: Cast, needed: int, warned: bool
    ) -> None:
        # Ana, Ben and Ada may; Eve engineers, Cleo audits, and Zoe is somewhere else.
        cast.policy(approvals=needed)
        checks = cast.look(cast.ask()).revision.checks
        assert any(check["name"] == ELIGIBILITY for check in checks) is warned

    def test_do_not_count_those_who_took_part(self, cast: Cast) -> None:
        cast.policy(approvals=3)
        checks = cast.look(cast.ask(lineage=(cast.ben.ref,))).revision.checks
        warning = "3 must agree, but only 2 in this workspace may."
        assert [check["sentence"] for check in checks if not check["passed"]] == [warning]

    @pytest.mark.parametrize(
        ("declared", "vendor", "path", "risk"),
        [(1, "V7", None, 1), (1, "V9", None, 2), (3, "V9", None, 3), (1, "V7", "/hidden", 2)],
    )
    def test_rank_by_declared_risk_failed_checks_and_undescribed_changes(
        self, cast: Cast, declared: int, vendor: str, path: str | None, risk: int
    ) -> None:
        spec = ActionTypeSpec(
            "pay", "Pay", "Pay", ANYTHING, "tests.pay", cast.pay_fields(), risk=declared
        )
        declare(cast.setup, spec)
        if path:
            cast.release_pay(lambda document, _params: {**document, "balance": 1, "hidden": 1})
        assert cast.look(cast.ask(1, vendor)).proposal.risk == risk


class TestRefusing:
    """What could not be carried out never reaches a person."""

    def refused(self, cast: Cast, error: type[Refused], **wrong: object) -> Refused:
        with pytest.raises(error) as found:
            cast.ask(**wrong)  # type: ignore[arg-type]
        assert not Proposal.objects.exists()
        return found.value

    def test_names_an_unknown_action_type(self, cast: Cast) -> None:
        refused = self.refused(cast, UnknownActionType, action_type="steal")
        assert refused.details == {"field": "action_type"}
        assert "'steal'" in refused.sentence

    @pytest.mark.parametrize("key", ["ledger/nobody", "", "LEDGER/ACME", "ledger/acme "])
    def test_names_an_unknown_state(self, cast: Cast, key: str) -> None:
        assert self.refused(cast, UnknownState, state_key=key).details == {"field": "state"}

    @pytest.mark.parametrize(
        ("params", "field"),
        [
            ({"vendor": "V7"}, "params.amount"),
            ({"vendor": "V7", "amount": "70"}, "params.amount"),
            ({"vendor": "V7", "amount": 0}, "params.amount"),
            ({"vendor": "V7", "amount": 7.5}, "params.amount"),
            ({"vendor": "V7", "amount": 70, "iban": "x"}, "params.iban"),
        ],
    )
    def test_names_the_parameter_that_does_not_fit(
        self, cast: Cast, params: dict[str, object], field: str
    ) -> None:
        refused = self.refused(cast, ParamsInvalid, params=params)
        assert [each["field"] for each in refused.details["errors"]] == [field]  # type: ignore[union-attr, index, call-overload]

    @pytest.mark.parametrize(
        ("amount", "vendor", "why"),
        [(1001, "V7", "does not cover"), (70, "V1", "There is no vendor V1.")],
    )
    def test_says_why_an_effect_is_impossible(
        self, cast: Cast, amount: int, vendor: str, why: str
    ) -> None:
        refused = self.refused(cast, EffectImpossible, amount=amount, vendor=vendor)
        assert why in refused.sentence

    def test_says_when_an_effect_is_not_installed(self, cast: Cast) -> None:
        cast.lose_pay()
        assert "not installed" in self.refused(cast, EffectImpossible).sentence

    @pytest.mark.parametrize(
        "change",
        [
            Change("replace", "/balance", 999, 1),
            Change("replace", "/balance", 1000.0, 1),
            Change("remove", "/nothing", 1),
            Change("add", "/balance", value=1),
            Change("add", "/payments/1", value=1),
            Change("add", "/nothing/there", value=1),
            Change("replace", "/vendors/V7", {"name": "Northwind", "trusted": False}, {}),
            Change("remove", "", {}),
        ],
        ids=str,
    )
    def test_says_where_a_stated_change_does_not_fit(self, cast: Cast, change: Change) -> None:
        with pytest.raises(EffectImpossible):
            cast.state_change(change)
        assert not Proposal.objects.exists()

    @pytest.mark.parametrize("value", [1e16, -1e22, 2**53, math.inf, math.nan, "\ud800", "a\x00"])
    def test_refuses_a_value_that_would_not_be_read_back_the_same(
        self, cast: Cast, value: Json
    ) -> None:
        with pytest.raises(ParamsInvalid):
            cast.state_change(Change("replace", "/balance", 1000, value))
        self.refused(cast, ParamsInvalid, params={"vendor": "V7", "amount": 1, "memo": [value]})
        if isinstance(value, str):
            self.refused(cast, ParamsInvalid, rationale=value)
            self.refused(cast, ParamsInvalid, evidence=(replace(INVOICE, content=value),))

    def test_refuses_content_too_deep_to_be_kept(self, cast: Cast) -> None:
        deep: Json = 1
        for _ in range(300):
            deep = [deep]
        with pytest.raises(EffectImpossible):
            cast.state_change(Change("replace", "/balance", 1000, deep))

    def test_refuses_another_world_than_the_proposer_saw(self, cast: Cast) -> None:
        cast.ask(base_number=1)
        cast.move_world(Change("replace", "/balance", 1000, 900))
        with pytest.raises(HeadMoved) as refused:
            cast.ask(base_number=1)
        assert (refused.value.status, refused.value.code) == (412, "world_changed")
        assert refused.value.details == {"expected": 1, "found": 2}

    def test_keeps_evidence_to_what_a_person_can_read(self, cast: Cast) -> None:
        self.refused(cast, ParamsInvalid, evidence=(INVOICE,) * 21)


class TestOnce:
    """One place proposes once, and a no is a no."""

    def test_answers_a_repeated_step_with_the_same_proposal(self, cast: Cast) -> None:
        first = cast.ask(origin_step="4")
        assert cast.ask(origin_step="4") == first
        assert Proposal.objects.count() == 1
        assert cast.said(f"proposal:{first}") == ["proposal.made"]

    def test_answers_it_also_after_it_was_settled(self, cast: Cast) -> None:
        first = cast.ask(origin_step="4")
        cast.decide(cast.ben, first, "reject")
        assert cast.ask(origin_step="4") == first

    def test_refuses_another_action_under_the_same_step(self, cast: Cast) -> None:
        first = cast.ask(amount=70, origin_step="4")
        with pytest.raises(KeyReused) as refused:
            cast.ask(amount=71, origin_step="4")
        assert refused.value.details == {"proposal": str(first)}

    def test_takes_the_same_step_of_other_origins_and_workspaces(self, cast: Cast) -> None:
        made = {cast.ask(origin=f"run:{n}", origin_step="4") for n in range(3)}
        elsewhere = replace(cast.scout, workspace_id=cast.other.id)
        request = cast.request(origin="run:1", origin_step="4")
        assert len({*made, propose(actor=elsewhere, request=request, now=now())}) == 4

    def test_refuses_what_people_rejected_in_the_same_run(self, cast: Cast) -> None:
        cast.decide(cast.ben, cast.ask(), "reject")
        with pytest.raises(AlreadyRejected) as refused:
            cast.ask()
        assert (refused.value.status, refused.value.code) == (409, "already_rejected")
        assert isinstance(cast.ask(amount=69), UUID)
        cast.move_world(Change("add", "/memo", value="elsewhere"))
        with pytest.raises(AlreadyRejected):
            cast.ask()
        assert isinstance(cast.ask(origin="run:2"), UUID)

    @pytest.mark.parametrize(
        "params", [{"amount": 70, "vendor": "V7"}, {"vendor": "V7", "amount": 70}]
    )
    def test_refuses_it_in_whatever_order_it_is_written(
        self, cast: Cast, params: dict[str, object]
    ) -> None:
        cast.decide(cast.ben, cast.ask(), "reject")
        with pytest.raises(AlreadyRejected):
            cast.ask(params=params)

    def test_allows_again_what_nobody_rejected(self, cast: Cast) -> None:
        first = cast.ask()
        withdraw(actor=cast.scout, proposal_id=first, reason="", now=now())
        second = cast.ask()
        cast.decide(cast.ana, second)
        assert len({first, second, cast.ask()}) == 3

    def test_a_change_of_nothing_is_a_proposal_like_any_other(self, cast: Cast) -> None:
        same = cast.state_change(Change("replace", "/balance", 1000, 1000))
        assert cast.look(same).changes == []
        added = cast.state_change(Change("add", "/memo", ABSENT, None))
        assert cast.look(added).changes == [Change("add", "/memo", value=None)]
