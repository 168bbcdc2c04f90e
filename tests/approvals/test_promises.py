"""The database promises … an execution its decisions, whoever writes the row."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from approvals import lifecycle
from approvals.models import (
    BreakGlass,
    Decision,
    Delegation,
    Execution,
    Proposal,
    Revision,
    Signature,
)
from approvals.queries.invariants import broken, invariants
from console import tenancy
from console.access.models import Membership, StepUp
from console.actors import Actor
from console.database.privileges import FORMER, WEB
from snapshots.diff import Change
from snapshots.operations.committing import Cause, commit
from tests.roles import ask, be
from tests.story import Cast, now
from tests.terms import asking

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_invariants]


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture(params=["the owner", WEB, FORMER])
def writer(request: pytest.FixtureRequest, cast: Cast) -> Iterator[str]:
    """Write as the owner of the tables, and as the roles in which pages are served."""
    if request.param != "the owner":
        be(request.param)
    with tenancy.within(cast.workspace.id):
        yield request.param
    ask("RESET ROLE")


def approve_unasked(proposal_id: UUID) -> None:
    """Make a proposal approved without asking anybody."""
    Proposal.objects.filter(id=proposal_id).update(
        status="approved", settled_at=now(), settled_by="x"
    )


def said(
    cast: Cast,
    proposal_id: UUID,
    who: Actor,
    choice: str = "approve",
    *,
    instead_of: Actor | None = None,
    at: datetime | None = None,
) -> Decision:
    """Write a decision by hand."""
    revision = cast.look(proposal_id).revision
    return Decision.objects.create(
        workspace=cast.workspace,
        proposal_id=proposal_id,
        revision=revision.number,
        digest=revision.digest,
        person_id=UUID(who.id),
        stands_for_id=UUID(instead_of.id) if instead_of else None,
        choice=choice,
        decided_at=at or now(),
    )


def carry_out(cast: Cast, proposal_id: UUID, **more: Any) -> Execution:
    """Write an execution by hand."""
    approve_unasked(proposal_id)
    revision = cast.look(proposal_id).revision
    values = {"revision": revision.number, "digest": revision.digest, "status": "held", **more}
    with transaction.atomic():
        return Execution.objects.create(
            workspace=cast.workspace,
            proposal_id=proposal_id,
            created_at=now(),
            due_at=now(),
            **values,
        )


@contextmanager
def refused(sentence: str) -> Iterator[None]:
    with pytest.raises(IntegrityError, match=sentence), transaction.atomic():
        yield


class TestQuorum:
    """An execution has the decisions that its terms ask for."""

    LACKS = "an execution has the decisions that its terms ask for"

    def test_refuses_an_execution_that_nobody_decided_on(self, cast: Cast, writer: str) -> None:
        proposal_id = cast.ask()
        with refused(self.LACKS):
            carry_out(cast, proposal_id)

    def test_refuses_one_of_two(self, cast: Cast, writer: str) -> None:
        cast.policy(approvals=2)
        proposal_id = cast.ask()
        said(cast, proposal_id, cast.ana)
        with refused(self.LACKS):
            carry_out(cast, proposal_id)

    def test_takes_two_of_two(self, cast: Cast, writer: str) -> None:
        cast.policy(approvals=2)
        proposal_id = cast.ask()
        for who in (cast.ana, cast.ben):
            said(cast, proposal_id, who)
        assert carry_out(cast, proposal_id).status == "held"

    def test_counts_nobody_who_lost_the_role(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        said(cast, proposal_id, cast.ana)
        Membership.objects.filter(person=UUID(cast.ana.id)).delete()
        with refused(self.LACKS):
            carry_out(cast, proposal_id)

    def test_counts_nobody_who_was_sent_away(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        said(cast, proposal_id, cast.ana)
        person = cast.user(cast.ana)
        person.is_active = False
        person.save()
        with refused(self.LACKS):
            carry_out(cast, proposal_id)

    def test_counts_only_the_roles_that_the_threshold_names(self, cast: Cast) -> None:
        cast.policy(roles=("admin",))
        proposal_id = cast.ask()
        said(cast, proposal_id, cast.ana)
        with refused(self.LACKS):
            carry_out(cast, proposal_id)
        assert carry_out_after(cast, cast.ada, proposal_id)

    def test_counts_somebody_and_their_delegate_once(self, cast: Cast) -> None:
        cast.policy(approvals=2)
        Delegation.objects.create(
            workspace=cast.workspace,
            person_id=cast.ana.id,
            delegate_id=cast.ben.id,
            begins_at=now() - timedelta(days=1),
            ends_at=now() + timedelta(days=1),
            made_by={"kind": "system", "id": "setup"},
            created_at=now(),
        )
        proposal_id = cast.ask()
        said(cast, proposal_id, cast.ana)
        said(cast, proposal_id, cast.ben, instead_of=cast.ana)
        with refused(self.LACKS):
            carry_out(cast, proposal_id)

    def test_counts_what_was_said_about_the_current_wording_only(self, cast: Cast) -> None:
        cast.policy(approvals=1)
        proposal_id = cast.ask()
        said(cast, proposal_id, cast.ana)
        again(proposal_id)
        with refused(self.LACKS):
            carry_out(cast, proposal_id)

    def test_refuses_what_was_rejected(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        said(cast, proposal_id, cast.ana)
        said(cast, proposal_id, cast.ben, "reject")
        with refused("what people rejected is not executed"):
            carry_out(cast, proposal_id)

    def test_asks_those_it_was_escalated_to(self, cast: Cast) -> None:
        to = asking(roles=("admin",)).thresholds
        cast.policy(then="escalate", escalate_to=to, escalate_seconds=60)
        proposal_id = cast.ask()
        said(cast, proposal_id, cast.ana)
        Proposal.objects.filter(id=proposal_id).update(escalated_at=now())
        with refused(self.LACKS):
            carry_out(cast, proposal_id)
        assert carry_out_after(cast, cast.ada, proposal_id)

    def test_counts_only_signatures_at_level_three(self, cast: Cast) -> None:
        cast.policy(level=3)
        proposal_id = cast.ask()
        decision = said(cast, proposal_id, cast.ana)
        with refused(self.LACKS):
            carry_out(cast, proposal_id)
        Proposal.objects.filter(id=proposal_id).update(status="pending", settled_at=None)
        sign(decision)
        assert carry_out(cast, proposal_id).status == "held"

    def test_asks_nobody_at_level_zero(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        again(proposal_id, level=0, thresholds=[])
        assert carry_out(cast, proposal_id).status == "held"

    def test_refuses_an_execution_of_a_proposal_that_is_not_approved(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        said(cast, proposal_id, cast.ana)
        revision = cast.look(proposal_id).revision
        with refused("of the current revision of an approved proposal"):
            Execution.objects.create(
                workspace=cast.workspace,
                proposal_id=proposal_id,
                revision=revision.number,
                digest=revision.digest,
                status="held",
                created_at=now(),
                due_at=now(),
            )

    def test_refuses_bytes_that_are_not_those_of_the_digest(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        again(proposal_id, sealed=b"{}")
        said(cast, proposal_id, cast.ana)
        with refused("of the bytes that were decided on"):
            carry_out(cast, proposal_id)

    def test_refuses_success_after_the_deciding_role_is_gone(self, cast: Cast) -> None:
        cast.policy(hold_seconds=60)
        proposal_id = cast.ask()
        cast.decide(cast.ana, proposal_id)
        Membership.objects.filter(person=UUID(cast.ana.id)).delete()
        with refused(self.LACKS):
            Execution.objects.filter(proposal=proposal_id).update(
                status="succeeded", snapshot_number=2
            )


class TestBrokenGlass:
    """In an emergency one admin is enough, if the row says so."""

    def glass(self, cast: Cast, proposal_id: UUID, who: Actor) -> BreakGlass:
        revision = cast.look(proposal_id).revision
        return BreakGlass.objects.create(
            workspace=cast.workspace,
            proposal_id=proposal_id,
            revision=revision.number,
            digest=revision.digest,
            person_id=who.id,
            reason="the plant stands still",
            at=now(),
        )

    def test_lets_the_execution_through(self, cast: Cast, writer: str) -> None:
        cast.policy(approvals=2)
        proposal_id = cast.ask()
        glass = self.glass(cast, proposal_id, cast.ada)
        assert carry_out(cast, proposal_id, break_glass=glass).break_glass == glass

    def test_not_of_another_proposal(self, cast: Cast) -> None:
        one, other = cast.ask(70), cast.ask(71)
        glass = self.glass(cast, one, cast.ada)
        with refused("a glass is broken for one revision"):
            carry_out(cast, other, break_glass=glass)

    def test_not_by_somebody_who_took_part(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        glass = self.glass(cast, proposal_id, cast.eve)
        with refused("by somebody who took no part"):
            carry_out(cast, proposal_id, break_glass=glass)

    def test_is_never_put_on_afterwards(self, cast: Cast) -> None:
        cast.policy(hold_seconds=60)
        proposal_id = cast.ask()
        cast.decide(cast.ana, proposal_id)
        glass = self.glass(cast, proposal_id, cast.ada)
        with refused("an execution stays that of its revision"):
            Execution.objects.filter(proposal=proposal_id).update(break_glass=glass)


class TestDecision:
    """A decision is by somebody who may, in time, on the current wording."""

    def test_refuses_whoever_took_part(self, cast: Cast, writer: str) -> None:
        proposal_id = cast.ask()
        with refused("nobody decides on what they took part in"):
            said(cast, proposal_id, cast.eve)

    def test_refuses_whoever_stands_in_for_them(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        with refused("nobody decides on what they took part in"):
            said(cast, proposal_id, cast.ana, instead_of=cast.eve)

    def test_refuses_a_stranger(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        with refused("an active member of the workspace"):
            said(cast, proposal_id, cast.zoe)

    def test_refuses_what_comes_after_the_deadline(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        due = Proposal.objects.get(id=proposal_id).due_at
        with refused("between the wording and the deadline"):
            said(cast, proposal_id, cast.ana, at=due)

    def test_refuses_an_earlier_wording(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        first = cast.look(proposal_id).revision
        again(proposal_id)
        with refused("the current revision of a pending proposal"):
            Decision.objects.create(
                workspace=cast.workspace,
                proposal_id=proposal_id,
                revision=first.number,
                digest=first.digest,
                person_id=UUID(cast.ana.id),
                choice="approve",
                decided_at=now(),
            )

    def test_refuses_a_settled_proposal(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        cast.decide(cast.ana, proposal_id, "reject")
        with refused("the current revision of a pending proposal"):
            said(cast, proposal_id, cast.ben)

    def test_refuses_another_digest(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        with refused("a_decision_is_on_the_bytes_of_its_revision"):
            Decision.objects.create(
                workspace=cast.workspace,
                proposal_id=proposal_id,
                revision=1,
                digest="f" * 64,
                person_id=UUID(cast.ana.id),
                choice="approve",
                decided_at=now(),
            )
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class TestStaying:
    """What happened stays as it happened."""

    @pytest.fixture
    def done(self, cast: Cast) -> Execution:
        proposal_id = cast.ask()
        cast.decide(cast.ana, proposal_id)
        return Execution.objects.get(proposal=proposal_id)

    def test_a_finished_execution(self, done: Execution, writer: str) -> None:
        with refused("a succeeded execution does not become held"):
            Execution.objects.filter(id=done.id).update(status="held")

    def test_the_bytes_of_an_execution(self, done: Execution) -> None:
        with refused("an execution stays that of its revision"):
            Execution.objects.filter(id=done.id).update(digest="f" * 64)

    def test_every_execution(self, done: Execution) -> None:
        with refused("append-only"), connection.cursor() as cursor:
            cursor.execute("DELETE FROM approvals_execution")
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with refused("append-only"), connection.cursor() as cursor:
            cursor.execute("TRUNCATE approvals_execution CASCADE")

    def test_the_number_of_a_revision(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        again(proposal_id)
        with refused("back to no earlier revision"):
            Proposal.objects.filter(id=proposal_id).update(revision=1)


class TestMoves:
    """A proposal moves as lifecycle.py says."""

    def test_the_database_knows_the_same_moves(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT unnest(proposal_moves())")
            known = {move for (move,) in cursor.fetchall()}
        assert known == {
            f"{status}>{to}" for status, moves in lifecycle.PROPOSAL_MOVES.items() for to in moves
        }

    def test_the_database_knows_the_same_moves_of_executions(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT unnest(execution_moves())")
            known = sorted(move for (move,) in cursor.fetchall())
        assert known == sorted(
            f"{status}>{to}" for status, moves in lifecycle.EXECUTION_MOVES.items() for to in moves
        )

    @pytest.mark.parametrize("to", ["pending", "approved", "expired"])
    def test_a_rejected_proposal_stays_rejected(self, cast: Cast, to: str) -> None:
        proposal_id = cast.ask()
        cast.decide(cast.ana, proposal_id, "reject")
        settled = None if to == "pending" else now()
        with refused(f"a rejected proposal does not become {to}"):
            Proposal.objects.filter(id=proposal_id).update(status=to, settled_at=settled)


class TestPolicies:
    """Policies are changed by a proposal."""

    def test_refuses_another_cause(self, cast: Cast) -> None:
        from snapshots.models import Snapshot, State  # noqa: PLC0415  (rows of another app)

        state = State.objects.get(workspace=cast.workspace, kind="policies")
        last = Snapshot.objects.get(state=state, number=state.number)
        last.pk, last.number, last.parent_number = uuid4(), last.number + 1, last.number
        last.cause = "outside"
        with refused("policies are changed by a proposal"):
            last.save(force_insert=True)


class TestInvariants:
    """The file of invariants finds what it says; here with rows that the promises let through."""

    def test_is_a_list_of_sentences(self) -> None:
        assert len(invariants()) > 15
        assert broken() == []

    def test_finds_an_execution_whose_decision_was_taken_from_it(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        cast.decide(cast.ana, proposal_id)
        with connection.cursor() as cursor:
            for statement in (
                "SET CONSTRAINTS ALL IMMEDIATE",
                "ALTER TABLE approvals_decision DISABLE TRIGGER approvals_decision_rows_stay",
                "DELETE FROM approvals_decision",
                "ALTER TABLE approvals_decision ENABLE ALWAYS TRIGGER approvals_decision_rows_stay",
            ):
                cursor.execute(statement)
        execution = Execution.objects.get(proposal=proposal_id)
        assert [(item.sentence, item.ids) for item in broken()] == [
            (
                "an execution has the decisions that its terms ask for, on exactly its bytes",
                (str(execution.id),),
            )
        ]

    def test_finds_an_approval_that_led_nowhere(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        approve_unasked(proposal_id)
        assert [item.sentence for item in broken()] == ["an approved proposal has its execution"]

    def test_finds_a_snapshot_that_was_not_the_next(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        seen = cast.look(proposal_id)
        cast.move_world(Change("add", "/memo", value="x"))
        said(cast, proposal_id, cast.ana)
        execution = carry_out(cast, proposal_id)
        head = cast.head()
        commit(
            actor=cast.setup,
            base=head,
            changes=[Change("add", "/more", value="y")],
            cause=Cause("proposal", str(proposal_id)),
            reason="",
            now=now(),
        )
        Execution.objects.filter(id=execution.id).update(
            status="succeeded", snapshot_number=head.number + 1, executed_at=now()
        )
        assert seen.revision.base_number == 1
        assert "an execution writes the snapshot after the one that was decided on" in {
            item.sentence for item in broken()
        }


def carry_out_after(cast: Cast, who: Actor, proposal_id: UUID) -> bool:
    """Let somebody approve as well, and carry it out."""
    Proposal.objects.filter(id=proposal_id).update(status="pending", settled_at=None)
    said(cast, proposal_id, who)
    return carry_out(cast, proposal_id).status == "held"


def again(proposal_id: UUID, *, sealed: bytes | None = None, **terms: Any) -> None:
    """Write the same wording once more as the next revision, with other terms if they are given."""
    row = Revision.objects.filter(proposal=proposal_id).latest("number")
    row.pk, row.number = uuid4(), row.number + 1
    row.terms = {**row.terms, **terms}
    row.sealed = sealed or row.sealed
    row.save(force_insert=True)
    Proposal.objects.filter(id=proposal_id).update(revision=row.number)


def sign(decision: Decision) -> None:
    """Write a signature by hand."""
    step_up = StepUp.objects.create(
        person_id=decision.person_id,
        purpose="0" * 64,
        method="password_totp",
        verified_at=now(),
        used_at=now(),
    )
    Signature.objects.create(
        workspace_id=decision.workspace_id,
        decision=decision,
        person_id=decision.person_id,
        step_up=step_up,
        printed_name="Ana",
        meaning="I approve",
        method="password_totp",
        statement=b"",
        digest="0" * 64,
        render_digest="0" * 64,
        signed_at=now(),
    )
