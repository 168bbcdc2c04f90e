"""Deciding settles a proposal when its terms are met, and refuses whoever should not decide."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from approvals import legible
from approvals import queries as approvals
from approvals.effects import Measure
from approvals.models import Decision, Execution
from approvals.operations.asking import ask
from approvals.operations.deciding import (
    Act,
    AlreadyDecided,
    AlreadySettled,
    Incomplete,
    NotEligible,
    NotPending,
    RevisionChanged,
    Seen,
    Unshowable,
    decide,
)
from approvals.operations.rebasing import rebase
from approvals.operations.verifying import WorldChanged
from approvals.operations.withdrawing import withdraw
from approvals.policy import Choice
from console.access.operations.granting import revoke_role
from console.access.queries import person_in
from console.actors import Actor, Kind
from console.doorbell.models import Ring
from console.errors import NotFound, Refused
from snapshots.diff import Change
from tests.story import QUICKFIX, TRUSTED, Cast, now

pytestmark = pytest.mark.django_db
NONE = Measure()
PAID = {"vendor": "V7", "amount": 70}


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


def decisions(proposal_id: UUID) -> list[tuple[int, str, str]]:
    rows = Decision.objects.filter(proposal=proposal_id).order_by("decided_at", "id")
    return [(row.revision, row.person.name, row.choice) for row in rows.select_related("person")]


class TestAgreeing:
    """What the terms ask for is carried out with the last vote, in the same moment."""

    def test_carries_out_what_one_reviewer_approves(self, cast: Cast) -> None:
        proposal_id = cast.ask(amount=70)
        assert cast.decide(cast.ana, proposal_id, reason="  seen the invoice ") == "approved"
        assert (cast.content()["balance"], cast.content()["payments"]) == (930, [PAID])
        seen = cast.look(proposal_id)
        assert seen.execution is not None
        assert (seen.execution.status, seen.execution.snapshot_number) == ("succeeded", 2)
        assert (seen.proposal.settled_by, seen.proposal.settled_reason) == (
            "Ana",
            "seen the invoice",
        )

    def test_records_who_said_what_about_which_bytes(self, cast: Cast) -> None:
        cast.policy(level=2)
        proposal_id = cast.ask(vendor=QUICKFIX)
        seen = cast.look(proposal_id)
        cast.decide(cast.ana, proposal_id, reason="called them", ticked=[TRUSTED])
        row = Decision.objects.get()
        assert (row.person_id, row.digest) == (cast.user(cast.ana).id, seen.revision.digest)
        assert (row.reason, row.ticked) == ("called them", [TRUSTED])

    def test_writes_the_ledger_in_the_order_of_things(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        before = len(cast.said())
        cast.decide(cast.ana, proposal_id)
        assert cast.said()[before:] == [
            "proposal.decided",
            "proposal.approved",
            "state.changed",
            "execution.succeeded",
        ]
        assert cast.ledger_objection() is None

    def test_rings_for_the_proposer_and_for_those_it_overtook(self, cast: Cast) -> None:
        proposal_id = cast.ask(wake_task="agents.wake", origin="run:77")
        Ring.objects.all().delete()
        cast.decide(cast.ana, proposal_id)
        rung = set(Ring.objects.values_list("task", "key"))
        assert rung == {("agents.wake", "77"), ("approvals.rebase", str(cast.book.state_id))}

    def test_counts_no_vote_of_somebody_who_lost_the_right(self, cast: Cast) -> None:
        cast.policy(approvals=2)
        proposal = cast.ask()
        assert cast.decide(cast.ana, proposal) == "pending"
        revoke_role(cast.ada, cast.workspace.id, cast.user(cast.ana), "reviewer")
        assert cast.decide(cast.ben, proposal) == "pending"
        assert cast.content()["balance"] == 1000
        assert cast.decide(cast.ada, proposal) == "approved"
        assert cast.content()["balance"] == 930

    def test_waits_for_the_second_of_two(self, cast: Cast) -> None:
        cast.policy(approvals=2)
        proposal_id = cast.ask()
        assert cast.decide(cast.ana, proposal_id) == "pending"
        assert cast.content()["balance"] == 1000
        assert not Execution.objects.exists()
        assert cast.decide(cast.ben, proposal_id) == "approved"
        assert cast.content()["balance"] == 930
        assert [name for _, name, _ in decisions(proposal_id)] == ["Ana", "Ben"]

    def test_does_not_count_one_person_twice(self, cast: Cast) -> None:
        cast.policy(approvals=2)
        proposal_id = cast.ask()
        assert [cast.decide(cast.ana, proposal_id) for _ in range(3)] == ["pending"] * 3
        assert decisions(proposal_id) == [(1, "Ana", "approve")]

    def test_lets_one_no_win_over_an_earlier_yes(self, cast: Cast) -> None:
        cast.policy(approvals=3)
        proposal_id = cast.ask()
        cast.decide(cast.ana, proposal_id)
        assert cast.decide(cast.ben, proposal_id, "reject", "not our vendor") == "rejected"
        answer = cast.answer(proposal_id)
        assert (answer.status, answer.by, answer.reason) == ("rejected", "Ben", "not our vendor")
        assert answer.is_final
        assert cast.content()["balance"] == 1000
        assert not Execution.objects.exists()

    def test_needs_as_many_denials_as_the_terms_say(self, cast: Cast) -> None:
        cast.policy(approvals=2, denials=2)
        proposal_id = cast.ask()
        assert cast.decide(cast.ben, proposal_id, "reject") == "pending"
        assert cast.decide(cast.ana, proposal_id) == "pending"
        assert cast.decide(cast.ada, proposal_id, "reject") == "rejected"

    def test_rejects_also_what_the_world_has_overtaken(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        cast.move_world(Change("replace", "/balance", 1000, 900))
        assert cast.decide(cast.ben, proposal_id, "reject") == "rejected"


class TestTwice:
    """The same click twice is one decision; another choice is another matter."""

    def test_says_what_became_of_it_since(self, cast: Cast) -> None:
        cast.policy(approvals=2)
        proposal_id = cast.ask()
        cast.decide(cast.ana, proposal_id)
        withdraw(actor=cast.scout, proposal_id=proposal_id, reason="late", now=now())
        with pytest.raises(AlreadySettled, match="withdrawn"):
            cast.decide(cast.ana, proposal_id)

    @pytest.mark.parametrize(
        ("choice", "answer"), [("approve", "approved"), ("reject", "rejected")]
    )
    def test_answers_a_double_click_like_the_first(
        self, cast: Cast, choice: Choice, answer: str
    ) -> None:
        proposal_id = cast.ask()
        assert [cast.decide(cast.ana, proposal_id, choice) for _ in range(2)] == [answer] * 2
        assert len(decisions(proposal_id)) == 1
        assert cast.said(f"proposal:{proposal_id}").count("proposal.decided") == 1
        assert cast.head().number == (2 if choice == "approve" else 1)

    def test_takes_no_other_bytes_for_a_double_click(self, cast: Cast) -> None:
        cast.policy(approvals=2)
        proposal_id = cast.ask()
        cast.decide(cast.ana, proposal_id)
        seen = Seen(1, "0" * 64)
        with pytest.raises(RevisionChanged):
            decide(
                proposal_id=proposal_id, seen=seen, actor=cast.ana, act=Act("approve"), now=now()
            )

    def test_refuses_another_choice_by_the_same_person(self, cast: Cast) -> None:
        cast.policy(approvals=2)
        proposal_id = cast.ask()
        cast.decide(cast.ana, proposal_id)
        with pytest.raises(AlreadyDecided) as refused:
            cast.decide(cast.ana, proposal_id, "reject")
        assert (refused.value.status, refused.value.code) == (409, "already_decided")
        assert refused.value.details == {"choice": "approve"}
        assert decisions(proposal_id) == [(1, "Ana", "approve")]

    def test_lets_the_same_person_decide_on_the_next_revision(self, cast: Cast) -> None:
        cast.policy(approvals=2)
        proposal_id = cast.ask()
        first = cast.look(proposal_id)
        cast.decide(cast.ana, proposal_id)
        cast.move_world(Change("replace", "/balance", 1000, 900))
        rebase(actor=cast.ana, proposal_id=proposal_id, now=now())
        cast.decide(cast.ana, proposal_id, "reject")
        assert decisions(proposal_id) == [(1, "Ana", "approve"), (2, "Ana", "reject")]
        assert cast.decide(cast.ana, proposal_id, seen=first) == "rejected"

    def test_is_promised_by_the_database_too(self, cast: Cast) -> None:
        cast.policy(approvals=2)
        cast.decide(cast.ana, cast.ask())
        row = Decision.objects.get()
        row.pk = uuid4()
        with (
            pytest.raises(DatabaseError, match="one_decision_per_person_per_revision"),
            transaction.atomic(),
        ):
            row.save(force_insert=True)

    @pytest.mark.parametrize(
        "act", ["UPDATE approvals_decision SET choice = 'reject'", "DELETE FROM approvals_decision"]
    )
    def test_can_never_be_changed_afterwards(self, cast: Cast, act: str) -> None:
        cast.decide(cast.ana, cast.ask())
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(act)


class TestTooLate:
    """A decision counts for what the person saw, and only while it is open."""

    def test_refuses_when_somebody_else_has_settled_it(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        cast.decide(cast.ben, proposal_id, "reject")
        with pytest.raises(AlreadySettled) as refused:
            cast.decide(cast.ana, proposal_id)
        assert (refused.value.status, refused.value.code) == (409, "already_settled")
        assert refused.value.sentence == "This proposal is rejected (Ben). Nothing changed."
        assert refused.value.details == {"proposal_status": "rejected"}
        assert len(decisions(proposal_id)) == 1

    def test_refuses_what_was_withdrawn(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        withdraw(actor=cast.scout, proposal_id=proposal_id, reason="wrong", now=now())
        with pytest.raises(AlreadySettled):
            cast.decide(cast.ana, proposal_id)
        assert cast.content()["balance"] == 1000

    @pytest.mark.parametrize("choice", ["approve", "reject"])
    def test_refuses_after_the_deadline_although_no_timer_came_by(
        self, cast: Cast, choice: Choice
    ) -> None:
        at = now()
        proposal_id = cast.ask(at=at)
        with pytest.raises(AlreadySettled, match="deadline"):
            cast.decide(cast.ana, proposal_id, choice, at=at + timedelta(seconds=3_600))
        assert decisions(proposal_id) == []
        in_time = at + timedelta(seconds=3_599)
        cast.decide(cast.ana, proposal_id, choice, at=in_time)
        assert len(decisions(proposal_id)) == 1

    @pytest.mark.parametrize("choice", ["approve", "reject"])
    def test_refuses_an_old_revision(self, cast: Cast, choice: Choice) -> None:
        proposal_id = cast.ask()
        seen = cast.look(proposal_id)
        cast.move_world(Change("replace", "/balance", 1000, 900))
        rebase(actor=cast.ben, proposal_id=proposal_id, now=now())
        with pytest.raises(RevisionChanged) as refused:
            cast.decide(cast.ana, proposal_id, choice, seen=seen)
        assert (refused.value.status, refused.value.code) == (412, "revision_changed")
        assert refused.value.details == {"shown": 1, "current": 2}
        assert decisions(proposal_id) == []

    @pytest.mark.parametrize(
        ("revision", "digest"), [(2, ""), (0, ""), (-1, ""), (1, "f" * 64), (1, "upper")]
    )
    def test_refuses_a_revision_that_nobody_was_shown(
        self, cast: Cast, revision: int, digest: str
    ) -> None:
        proposal_id = cast.ask()
        right = cast.look(proposal_id).revision.digest
        with pytest.raises(RevisionChanged):
            decide(
                proposal_id=proposal_id,
                seen=Seen(revision, right.upper() if digest == "upper" else digest or right),
                actor=cast.ana,
                act=Act("approve"),
                now=now(),
            )

    def test_refuses_to_approve_on_a_world_that_moved(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        cast.move_world(Change("add", "/memo", value="elsewhere"))
        with pytest.raises(WorldChanged) as refused:
            cast.decide(cast.ana, proposal_id)
        assert (refused.value.status, refused.value.code) == (412, "world_changed")
        assert decisions(proposal_id) == []
        assert cast.answer(proposal_id).status == "pending"


class TestWho:
    """Only people decide, with the role, in the workspace, and not on their own work."""

    def refused(
        self,
        cast: Cast,
        who: Actor,
        proposal_id: UUID,
        why: str,
        code: str = "not_eligible",
    ) -> None:
        before = len(cast.said())
        choices: tuple[Choice, ...] = ("approve", "reject")
        for choice in choices:
            with pytest.raises(NotEligible, match=why) as refused:
                cast.decide(who, proposal_id, choice)
            assert (refused.value.status, refused.value.code) == (403, code)
        assert decisions(proposal_id) == []
        assert len(cast.said()) == before

    def test_refuses_whoever_submitted_the_job(self, cast: Cast) -> None:
        eve = replace(cast.eve, roles=frozenset({"engineer", "reviewer"}))
        self.refused(cast, eve, cast.ask(), "You took part in making this proposal", "lineage")

    def test_refuses_everybody_in_the_lineage(self, cast: Cast) -> None:
        proposal_id = cast.ask(lineage=(cast.ana.ref, cast.ada.ref))
        for who in (cast.ana, cast.ada):
            self.refused(cast, who, proposal_id, "You took part", "lineage")
        assert cast.decide(cast.ben, proposal_id) == "approved"

    def test_refuses_whoever_lacks_the_role(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        self.refused(cast, cast.cleo, proposal_id, "needs the role reviewer or admin")
        self.refused(cast, replace(cast.cleo, roles=frozenset()), proposal_id, "needs the role")

    def test_refuses_the_role_as_it_was_yesterday(self, cast: Cast) -> None:
        ana = cast.user(cast.ana)
        revoke_role(cast.ada, cast.workspace.id, ana, "reviewer")
        assert person_in(ana, "acme") is None

    @pytest.mark.parametrize("kind", ["agent", "client", "system"])
    def test_refuses_programs_whatever_roles_they_claim(self, cast: Cast, kind: Kind) -> None:
        someone = replace(cast.ana, kind=kind)
        self.refused(cast, someone, cast.ask(), "Only people decide")

    def test_refuses_the_agent_that_keeps_asking(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        self.refused(cast, cast.scout, proposal_id, "Only people decide")

    def test_finds_nothing_for_people_of_another_workspace(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        seen = cast.look(proposal_id)
        with pytest.raises(NotFound):
            cast.decide(cast.zoe, proposal_id, seen=seen)
        with pytest.raises(NotFound):
            cast.decide(cast.ana, uuid4(), seen=seen)


class TestComplete:
    """A decision says what its level asks for."""

    @pytest.mark.parametrize(
        ("act", "field"),
        [
            (Act("reject", "because"), "reason_code"),
            (Act("reject", "because", "whatever"), "reason_code"),
            (Act("request_changes", "because", ""), "reason_code"),
            (Act("approve", fact="a\0b"), "fact"),
            (Act("approve", fact="7" * 201), "fact"),
        ],
    )
    def test_refuses_a_kind_of_reason_or_a_fact_that_is_none(
        self, cast: Cast, act: Act, field: str
    ) -> None:
        proposal_id = cast.ask()
        shown = cast.look(proposal_id).revision
        seen = Seen(shown.number, shown.digest)
        with pytest.raises(Incomplete) as refused:
            decide(proposal_id=proposal_id, seen=seen, actor=cast.ana, act=act, now=now())
        assert refused.value.details["field"] == field
        assert decisions(proposal_id) == []

    @pytest.mark.parametrize(
        ("level", "choice", "reason", "ticked", "why"),
        [
            (1, "reject", "", [], "Say why you reject"),
            (1, "reject", " \n ", [], "Say why you reject"),
            (2, "reject", "", [TRUSTED], "Say why you reject"),
            (2, "approve", "", [TRUSTED], "asks for a reason"),
            (2, "approve", "called them", [], TRUSTED),
            (2, "approve", "called them", [TRUSTED.upper(), "other"], TRUSTED),
            (1, "approve", "x" * 1001, [], "at most 1000"),
            (1, "approve", "a\x00b", [], "NUL"),
        ],
    )
    def test_refuses_what_is_missing(
        self, cast: Cast, level: int, choice: Choice, reason: str, ticked: list[str], why: str
    ) -> None:
        cast.policy(level=level)
        proposal_id = cast.ask(vendor=QUICKFIX)
        with pytest.raises(Incomplete, match=why) as refused:
            cast.decide(cast.ana, proposal_id, choice, reason, ticked=ticked)
        assert (refused.value.status, refused.value.code) == (422, "decision_incomplete")
        assert decisions(proposal_id) == []
        assert cast.answer(proposal_id).status == "pending"

    @pytest.mark.parametrize(
        ("level", "choice", "reason", "ticked"),
        [
            (1, "approve", "", []),
            (1, "approve", "x" * 1000, []),
            (2, "approve", "called them", [TRUSTED]),
            (2, "reject", "not on the list", []),
        ],
    )
    def test_takes_what_is_complete(
        self, cast: Cast, level: int, choice: Choice, reason: str, ticked: list[str]
    ) -> None:
        cast.policy(level=level)
        proposal_id = cast.ask(vendor=QUICKFIX)
        assert cast.decide(cast.ana, proposal_id, choice, reason, ticked=ticked) != "pending"

    def test_records_only_ticks_of_checks_that_there_are(self, cast: Cast) -> None:
        cast.decide(cast.ana, cast.ask(), ticked=["a\x00b", TRUSTED, TRUSTED, "invented"])
        assert Decision.objects.get().ticked == [TRUSTED]

    def test_asks_for_no_tick_when_every_check_holds(self, cast: Cast) -> None:
        cast.policy(level=2)
        assert cast.decide(cast.ana, cast.ask(), reason="fine") == "approved"


class TestRequestingChanges:
    """A third choice: it goes back to its proposer, who is told what should change."""

    def test_wakes_the_proposer_and_settles_nothing(self, cast: Cast) -> None:
        proposal_id = cast.ask(wake_task="agents.wake", origin="run:4")
        Ring.objects.all().delete()
        said = cast.decide(cast.ana, proposal_id, "request_changes", "use the new price")
        assert said == "changes_requested"
        answer = cast.answer(proposal_id)
        assert (answer.status, answer.by, answer.reason, answer.is_final, answer.revision) == (
            "changes_requested",
            "Ana",
            "use the new price",
            True,
            1,
        )
        woken = Ring.objects.filter(task="agents.wake")
        assert list(woken.values_list("key", flat=True)) == ["4"]
        assert approvals.final_among([proposal_id]) == {proposal_id}
        assert cast.said(f"proposal:{proposal_id}")[-1] == "proposal.changes_requested"

    def test_answers_a_double_click_alike_and_nobody_else(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        for _ in range(2):
            assert cast.decide(cast.ana, proposal_id, "request_changes") == "changes_requested"
        for choice in ("approve", "reject", "request_changes"):
            with pytest.raises(NotPending) as refused:
                cast.decide(cast.ben, proposal_id, choice)
            assert (refused.value.status, refused.value.code) == (409, "not_pending")

    def test_waits_while_a_question_is_open(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        ask(actor=cast.ana, proposal_id=proposal_id, question="Which invoice?", now=now())
        with pytest.raises(NotPending):
            cast.decide(cast.ben, proposal_id)

    def test_needs_a_kind_of_reason(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        with pytest.raises(Incomplete) as refused:
            cast.decide(cast.ana, proposal_id, "request_changes", "")
        assert refused.value.details["field"] == "reason"


def test_what_cannot_be_shown_can_only_be_rejected(cast: Cast) -> None:
    proposal_id = cast.state_change(Change("add", "/memo", value="a" + "\u0301" * 400))
    unshown = legible.Wording(
        [Change("add", "/memo", value="a" + "\u0301" * 400)], [], {}, "", NONE
    )
    assert legible.cannot_be_shown(unshown)
    with pytest.raises(Unshowable, match="can only be rejected") as refused:
        cast.decide(cast.ana, proposal_id)
    assert (refused.value.status, refused.value.code) == (409, "cannot_be_shown")
    assert cast.decide(cast.ana, proposal_id, "reject") == "rejected"


@pytest.mark.parametrize("refusal", [AlreadySettled, AlreadyDecided, NotEligible, Incomplete])
def test_every_refusal_has_a_sentence_for_the_person(refusal: type[Refused]) -> None:
    assert refusal().sentence.endswith(".")
