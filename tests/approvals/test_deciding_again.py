"""What is approved is checked again when people decide, and once more when it is carried out."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection

from approvals.models import Decision, Execution
from approvals.operations.executing import carry_out_due
from approvals.operations.previewing import Precondition, PreconditionFailed
from approvals.operations.rebasing import rebase
from approvals.operations.verifying import PolicyChanged, WorldChanged
from approvals.policy import Threshold
from approvals.retrying import LATE_AT_MOST
from approvals.rulebook import Rule
from console.access.operations.granting import revoke_role
from console.errors import Refused
from snapshots.diff import Change
from snapshots.operations.committing import lock
from tests.story import Cast, now
from tests.terms import asking, matching, set_rules

pytestmark = pytest.mark.django_db
HOLD = timedelta(seconds=90)
Blow = Callable[[Cast, UUID], None]
RICH = Precondition("/balance", 1000)


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


def behind_our_backs(table: str, sql: str, *values: str | UUID) -> None:
    """Change what the database itself protects, as its owner could."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal",
            [table],
        )
        names = [name for (name,) in cursor.fetchall()]
        for name in names:
            cursor.execute(f'ALTER TABLE {table} DISABLE TRIGGER "{name}"')
        cursor.execute(sql, values)
        for name in names:
            cursor.execute(f'ALTER TABLE {table} ENABLE ALWAYS TRIGGER "{name}"')
        cursor.execute("SET LOCAL session_replication_role = origin")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def move_the_world(cast: Cast, _: UUID) -> None:
    cast.move_world(Change("replace", "/balance", 1000, 999))


def turn_the_digest(cast: Cast, _: UUID) -> None:
    """Let the same number of the State mean something else."""
    behind_our_backs(
        "snapshots_state",
        "UPDATE snapshots_state SET digest = %s WHERE id = %s",
        "0" * 64,
        cast.book.state_id,
    )


def turn_the_epoch(cast: Cast, _: UUID) -> None:
    behind_our_backs(
        "snapshots_state",
        "UPDATE snapshots_state SET epoch = epoch + 1 WHERE id = %s",
        cast.book.state_id,
    )


def turn_the_bytes(cast: Cast, proposal_id: UUID) -> None:
    behind_our_backs(
        "approvals_revision",
        "UPDATE approvals_revision SET sealed = sealed || '\\x20' WHERE proposal_id = %s",
        proposal_id,
    )


def release_another_effect(cast: Cast, _: UUID) -> None:
    cast.release_pay(lambda document, params: {**document, "balance": 0})


def ask_for_more(cast: Cast, _: UUID) -> None:
    cast.policy(approvals=3, hold_seconds=90)


BLOWS: list[tuple[Blow, str, str]] = [
    (move_the_world, "world_changed", "The record changed"),
    (turn_the_digest, "world_changed", "The record changed"),
    (turn_the_epoch, "world_changed", "was brought back"),
    (turn_the_bytes, "bytes_altered", "not the bytes"),
    (release_another_effect, "world_changed", "would not do what was approved"),
    (ask_for_more, "policy_changed", "policies ask for something else"),
]


class TestAtTheFirstVote:
    """Each is refused although nothing would be carried out by this vote."""

    @pytest.mark.parametrize(("blow", "code", "why"), BLOWS)
    @pytest.mark.breaks_invariants
    def test_refuses_what_no_longer_stands(
        self, cast: Cast, blow: Blow, code: str, why: str
    ) -> None:
        cast.policy(approvals=2)
        proposal_id = cast.ask()
        seen = cast.look(proposal_id)
        blow(cast, proposal_id)
        with pytest.raises(Refused, match=why) as refused:
            cast.decide(cast.ana, proposal_id, seen=seen)
        assert refused.value.code == code
        assert not Decision.objects.exists()
        assert cast.answer(proposal_id).status == "pending"

    @pytest.mark.parametrize("blow", [blow for blow, _, _ in BLOWS])
    @pytest.mark.breaks_invariants
    def test_a_no_needs_none_of_it(self, cast: Cast, blow: Blow) -> None:
        proposal_id = cast.ask()
        seen = cast.look(proposal_id)
        blow(cast, proposal_id)
        assert cast.decide(cast.ana, proposal_id, "reject", seen=seen) == "rejected"


class TestWhenItIsCarriedOut:
    """The same again, ninety seconds later, by the sender."""

    @pytest.fixture
    def at(self) -> datetime:
        return now()

    @pytest.fixture
    def held(self, cast: Cast, at: datetime) -> UUID:
        cast.policy(hold_seconds=90)
        proposal_id = cast.ask(at=at)
        assert cast.decide(cast.ana, proposal_id, at=at) == "approved"
        return proposal_id

    @pytest.mark.parametrize(("blow", "why"), [(blow, why) for blow, _, why in BLOWS[:-1]])
    @pytest.mark.breaks_invariants
    def test_drops_what_no_longer_stands(
        self, cast: Cast, held: UUID, at: datetime, blow: Blow, why: str
    ) -> None:
        blow(cast, held)
        before = cast.head().number
        carry_out_due(now=at + HOLD)
        assert (cast.answer(held).status, cast.head().number) == ("stale", before)
        assert why in cast.answer(held).reason
        assert Execution.objects.get().status == "failed"

    def test_gives_back_to_people_what_other_policies_ask_more_for(
        self, cast: Cast, held: UUID, at: datetime
    ) -> None:
        ask_for_more(cast, held)
        carry_out_due(now=at + HOLD)
        seen = cast.look(held)
        assert (seen.proposal.status, seen.revision.number, seen.terms.needed) == ("pending", 2, 3)
        assert seen.revision.why.startswith("Not carried out: The policies ask")
        assert (Execution.objects.get().status, cast.content()["balance"]) == ("recalled", 1000)
        assert cast.said(f"proposal:{held}")[-1] == "execution.given_back"
        assert cast.decide(cast.ana, held) == "pending"

    def test_carries_out_what_other_policies_ask_the_same_for(
        self, cast: Cast, held: UUID, at: datetime
    ) -> None:
        other = Rule(matching("refund"), asking("Refunds", approvals=2))
        set_rules(cast.setup, other, Rule("true", asking(hold_seconds=90)))
        carry_out_due(now=at + HOLD)
        assert cast.content()["balance"] == 930

    def test_drops_what_policies_deny_by_now(self, cast: Cast, held: UUID, at: datetime) -> None:
        set_rules(cast.setup, Rule("params.unheard_of > 1", asking()))
        carry_out_due(now=at + HOLD)
        assert (cast.answer(held).status, cast.content()["balance"]) == ("stale", 1000)

    def test_drops_what_too_few_may_still_approve(
        self, cast: Cast, held: UUID, at: datetime
    ) -> None:
        revoke_role(cast.ada, cast.workspace.id, cast.user(cast.ana), "reviewer")
        carry_out_due(now=at + HOLD)
        assert "Too few of those who approved" in cast.answer(held).reason

    def test_does_not_run_hours_after_its_deadline(
        self, cast: Cast, held: UUID, at: datetime
    ) -> None:
        carry_out_due(now=at + timedelta(hours=1, minutes=1))
        assert "could not be carried out before its deadline" in cast.answer(held).reason
        assert cast.content()["balance"] == 1000

    def test_may_outlast_its_deadline_by_its_hold(self, cast: Cast, at: datetime) -> None:
        cast.policy(hold_seconds=7_200)
        held = cast.ask(at=at)
        cast.decide(cast.ana, held, at=at)
        assert timedelta(minutes=1) < LATE_AT_MOST
        carry_out_due(now=at + timedelta(hours=2, minutes=1))
        assert cast.answer(held).status == "approved"
        assert cast.content()["balance"] == 930

    @pytest.mark.breaks_invariants
    def test_drops_what_was_never_approved(self, cast: Cast, held: UUID, at: datetime) -> None:
        behind_our_backs(
            "approvals_proposal",
            "UPDATE approvals_proposal SET revision = revision + 1 WHERE id = %s",
            held,
        )
        carry_out_due(now=at + HOLD)
        assert (cast.answer(held).status, cast.content()["balance"]) == ("stale", 1000)
        assert "not the bytes" in cast.answer(held).reason


class TestPreconditions:
    """A proposer may rely on what the record says elsewhere; then it has to go on saying so."""

    def test_are_sealed_with_what_is_proposed(self, cast: Cast) -> None:
        plain, relying = cast.ask(), cast.ask(preconditions=(RICH,))
        assert b'"preconditions":[{"equals":1000,"path":"/balance"}]' in bytes(
            cast.look(relying).revision.sealed
        )
        assert cast.look(plain).revision.digest != cast.look(relying).revision.digest

    @pytest.mark.parametrize(
        "unmet",
        [
            Precondition("/balance", 999),
            Precondition("/balance", 1000.5),
            Precondition("/vendors/V7/trusted", 1),
            Precondition("/nothing", None),
            Precondition("balance", 1000),
        ],
    )
    def test_refuse_what_is_not_so_when_it_is_proposed(
        self, cast: Cast, unmet: Precondition
    ) -> None:
        with pytest.raises(PreconditionFailed) as refused:
            cast.ask(preconditions=(unmet,))
        assert (refused.value.status, refused.value.code) == (412, "precondition_failed")

    def test_refuse_a_vote_and_name_the_place(self, cast: Cast) -> None:
        proposal_id = cast.ask(preconditions=(RICH,))
        move_the_world(cast, proposal_id)
        with pytest.raises(PreconditionFailed, match="/balance no longer says"):
            cast.decide(cast.ana, proposal_id)

    def test_make_it_stale_when_it_is_brought_up(self, cast: Cast) -> None:
        proposal_id = cast.ask(preconditions=(RICH,))
        move_the_world(cast, proposal_id)
        rebase(actor=cast.ana, proposal_id=proposal_id, now=now())
        assert cast.answer(proposal_id).status == "stale"

    def test_stay_with_every_later_wording(self, cast: Cast) -> None:
        trusted = Precondition("/vendors/V7/trusted", equals=True)
        proposal_id = cast.ask(preconditions=(trusted,))
        move_the_world(cast, proposal_id)
        assert rebase(actor=cast.ana, proposal_id=proposal_id, now=now()) == 2
        assert b'"path":"/vendors/V7/trusted"' in bytes(cast.look(proposal_id).revision.sealed)

    def test_drop_what_is_held(self, cast: Cast) -> None:
        cast.policy(hold_seconds=90)
        at = now()
        held = cast.ask(at=at, preconditions=(RICH,))
        cast.decide(cast.ana, held, at=at)
        move_the_world(cast, held)
        carry_out_due(now=at + HOLD)
        assert "/balance no longer says" in cast.answer(held).reason


class TestPolicies:
    """Terms are those that were shown, until the policies ask for something else."""

    def test_a_policy_that_asks_the_same_changes_nothing(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        set_rules(cast.setup, Rule(matching("refund"), asking("x")), Rule("true", asking()))
        assert cast.decide(cast.ana, proposal_id) == "approved"

    def test_the_new_terms_are_loaded_and_then_count(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        cast.policy(approvals=2)
        with pytest.raises(PolicyChanged) as refused:
            cast.decide(cast.ana, proposal_id)
        assert (refused.value.status, refused.value.code) == (412, "policy_changed")
        assert rebase(actor=cast.ana, proposal_id=proposal_id, now=now()) == 2
        assert rebase(actor=cast.ana, proposal_id=proposal_id, now=now()) == 2
        assert cast.decide(cast.ana, proposal_id) == "pending"
        assert cast.decide(cast.ben, proposal_id) == "approved"

    def test_an_escalation_is_not_another_policy(self, cast: Cast) -> None:
        cast.policy(then="escalate", escalate_to=(Threshold(1, roles=("admin",)),))
        proposal_id = cast.ask()
        cast.look(proposal_id).proposal.save()
        cast.policy(["refund"])
        with pytest.raises(PolicyChanged):
            cast.decide(cast.ana, proposal_id)


def test_the_world_is_looked_at_under_the_lock_of_its_state(cast: Cast) -> None:
    """The head that is compared is the one that is locked, not one that was read before."""
    proposal_id = cast.ask()
    stale = cast.head()
    move_the_world(cast, proposal_id)
    assert lock(cast.workspace.id, cast.book.state_id).number == stale.number + 1
    with pytest.raises(WorldChanged):
        cast.decide(cast.ana, proposal_id)
