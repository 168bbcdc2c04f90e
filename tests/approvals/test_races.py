"""Racing: two at the same instant make one decision each, one execution, and a whole ledger."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from threading import Event
from time import sleep
from typing import Any
from uuid import UUID

import pytest

from agents import workflows
from agents.models import Job, Run
from agents.operations.submitting import JobRequest, submit
from agents.workflows import Workflow
from approvals.models import Decision, Execution, Proposal
from approvals.operations import executing
from approvals.operations.deciding import Act as Decided
from approvals.operations.deciding import Seen, decide
from approvals.operations.executing import carry_out_due
from approvals.operations.expiring import expire_due
from approvals.operations.proposing import Request, propose
from approvals.operations.rebasing import rebase
from approvals.operations.recalling import recall
from approvals.operations.withdrawing import withdraw, withdraw_from
from approvals.policy import Choice, Threshold
from console.actors import Actor
from console.doorbell.models import Ring
from snapshots.diff import Change
from snapshots.models import Snapshot
from snapshots.operations.committing import commit
from tests.racing import Act, Race, race
from tests.story import BOOK, Cast, now
from tests.terms import reason_code_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]
PAIRS = pytest.mark.parametrize(
    "pairs", [20, pytest.param(1_000, marks=[pytest.mark.nightly, pytest.mark.timeout(1_200)])]
)
# Approve against approve, reject and expiry; against a rollback: tests/agents. 500 on every push.
MANY = pytest.mark.parametrize(
    "pairs", [75, pytest.param(2_500, marks=[pytest.mark.nightly, pytest.mark.timeout(1_800)])]
)


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def both() -> Iterator[Race]:
    with race() as both:
        yield both


def vote(cast: Cast, who: Actor, proposal_id: UUID, choice: Choice = "approve") -> Act:
    """Prepare a click on what is shown now."""
    seen = cast.look(proposal_id).revision

    def click() -> str:
        return decide(
            proposal_id=proposal_id,
            seen=Seen(seen.number, seen.digest),
            actor=who,
            act=Decided(choice, "because", reason_code_for(choice)),
            now=now(),
        )

    return click


def choices(proposal_id: UUID) -> list[str]:
    return sorted(Decision.objects.filter(proposal=proposal_id).values_list("choice", flat=True))


def executions(proposal_id: UUID) -> int:
    return Execution.objects.filter(proposal=proposal_id, status="succeeded").count()


def assert_whole(cast: Cast, paid: int) -> None:
    """Check what every race leaves: money, snapshots and executions agree, and the ledger holds."""
    assert cast.content()["balance"] == 1_000 - paid
    assert cast.head().number == 1 + paid
    assert Execution.objects.count() == paid
    assert Snapshot.objects.filter(state=cast.book.state_id, cause="proposal").count() == paid
    assert cast.ledger_objection() is None


@PAIRS
def test_a_double_click_is_one_decision(cast: Cast, both: Race, pairs: int) -> None:
    for _ in range(pairs):
        proposal_id = cast.ask(amount=1)
        click = vote(cast, cast.ana, proposal_id)
        assert both.run(click, click) == ["approved", "approved"]
        assert choices(proposal_id) == ["approve"]
    assert_whole(cast, paid=pairs)


@MANY
def test_two_reviewers_of_whom_one_is_enough(cast: Cast, both: Race, pairs: int) -> None:
    for _ in range(pairs):
        proposal_id = cast.ask(amount=1)
        said = both.run(vote(cast, cast.ana, proposal_id), vote(cast, cast.ben, proposal_id))
        assert sorted(said) == ["already_settled", "approved"]
        assert choices(proposal_id) == ["approve"]
    assert_whole(cast, paid=pairs)


@MANY
def test_two_reviewers_who_are_both_needed(cast: Cast, both: Race, pairs: int) -> None:
    cast.policy(approvals=2)
    for _ in range(pairs):
        proposal_id = cast.ask(amount=1)
        said = both.run(vote(cast, cast.ana, proposal_id), vote(cast, cast.ben, proposal_id))
        assert sorted(said) == ["approved", "pending"]
        assert choices(proposal_id) == ["approve", "approve"]
        assert executions(proposal_id) == 1
    assert_whole(cast, paid=pairs)


@MANY
def test_a_yes_and_a_no(cast: Cast, both: Race, pairs: int) -> None:
    approved = 0
    for number in range(pairs):
        # A run of its own: what was rejected once is not proposed again in the same one.
        proposal_id = cast.ask(amount=1, origin=f"run:{number}")
        yes, no = vote(cast, cast.ana, proposal_id), vote(cast, cast.ben, proposal_id, "reject")
        said = both.run(yes, no)
        assert sorted(said) in (["already_settled", "approved"], ["already_settled", "rejected"])
        assert len(choices(proposal_id)) == 1
        assert executions(proposal_id) == said.count("approved")
        approved += said.count("approved")
    assert_whole(cast, paid=approved)


@PAIRS
def test_one_person_in_two_tabs_with_two_minds(cast: Cast, both: Race, pairs: int) -> None:
    approved = 0
    for number in range(pairs):
        proposal_id = cast.ask(amount=1, origin=f"run:{number}")
        yes, no = vote(cast, cast.ana, proposal_id), vote(cast, cast.ana, proposal_id, "reject")
        said = both.run(yes, no)
        assert sorted(said) in (["already_decided", "approved"], ["already_decided", "rejected"])
        assert len(choices(proposal_id)) == 1
        approved += said.count("approved")
    assert_whole(cast, paid=approved)


@PAIRS
def test_an_approval_against_a_rebase(cast: Cast, both: Race, pairs: int) -> None:
    for number in range(pairs):
        proposal_id = cast.ask(amount=1)
        click = vote(cast, cast.ana, proposal_id)
        cast.move_world(Change("add", f"/memo{number}", value=number))
        said = both.run(click, rebasing(cast, proposal_id))
        assert said in (["world_changed", 2], ["revision_changed", 2])
        assert choices(proposal_id) == []
        assert cast.decide(cast.ana, proposal_id) == "approved"
    assert cast.content()["balance"] == 1_000 - pairs
    assert cast.ledger_objection() is None


@PAIRS
def test_an_approval_against_a_withdrawal(cast: Cast, both: Race, pairs: int) -> None:
    approved = 0
    for _ in range(pairs):
        proposal_id = cast.ask(amount=1)
        said = both.run(vote(cast, cast.ana, proposal_id), withdrawing(cast, proposal_id))
        assert said in (["approved", "approved"], ["already_settled", "withdrawn"])
        approved += said[0] == "approved"
        assert executions(proposal_id) == (said[0] == "approved")
    assert_whole(cast, paid=approved)


@PAIRS
def test_an_approval_against_the_world_that_moves(cast: Cast, both: Race, pairs: int) -> None:
    for number in range(pairs):
        proposal_id = cast.ask(amount=1)
        click = vote(cast, cast.ana, proposal_id)
        event = Change("add", f"/memo{number}", value=number)
        said = both.run(click, moving(cast, event))
        assert said[0] in ("approved", "world_changed")
        assert executions(proposal_id) == (said[0] == "approved")
        if said[0] == "world_changed":
            rebase(actor=cast.ben, proposal_id=proposal_id, now=now())
            cast.decide(cast.ben, proposal_id)
    assert (cast.content()["balance"], cast.head().number) == (1_000 - pairs, 1 + 2 * pairs)
    assert cast.ledger_objection() is None


@PAIRS
def test_two_held_approvals_on_one_state(cast: Cast, both: Race, pairs: int) -> None:
    cast.policy(hold_seconds=60)
    for _ in range(pairs):
        one, other = cast.ask(amount=1), cast.ask(amount=1)
        said = both.run(vote(cast, cast.ana, one), vote(cast, cast.ben, other))
        assert sorted(said) == ["approved", "state_busy"]
        assert carry_out_due(now=now() + timedelta(seconds=60)) == 1
        left = other if said[0] == "approved" else one
        withdraw(actor=cast.scout, proposal_id=left, reason="", now=now())
    assert_whole(cast, paid=pairs)


@PAIRS
def test_two_senders_of_one_held_approval(cast: Cast, both: Race, pairs: int) -> None:
    cast.policy(hold_seconds=60)
    for _ in range(pairs):
        proposal_id = cast.ask(amount=1)
        cast.decide(cast.ana, proposal_id)
        due = now() + timedelta(seconds=60)
        both.run(sending(due), sending(due))
        assert executions(proposal_id) == 1
        assert cast.answer(proposal_id).status == "approved"
    assert_whole(cast, paid=pairs)


@PAIRS
def test_the_sender_against_a_recall(cast: Cast, both: Race, pairs: int) -> None:
    cast.policy(hold_seconds=60)
    paid = 0
    for _ in range(pairs):
        proposal_id = cast.ask(amount=1)
        cast.decide(cast.ana, proposal_id)
        due = now() + timedelta(seconds=60)
        _, recalled = both.run(sending(due), recalling(cast, proposal_id))
        assert executions(proposal_id) == (recalled == "too_late")
        assert cast.answer(proposal_id).status == ("approved" if recalled else "pending")
        paid += recalled == "too_late"
    assert cast.content()["balance"] == 1_000 - paid
    assert Execution.objects.filter(status="succeeded").count() == paid
    assert cast.ledger_objection() is None


@MANY
def test_an_approval_against_the_timer(cast: Cast, both: Race, pairs: int) -> None:
    approved = 0
    for _ in range(pairs):
        proposal_id = cast.ask(amount=1)
        due = cast.look(proposal_id).proposal.due_at
        said = both.run(vote(cast, cast.ana, proposal_id), expiring(due))
        assert said in (["approved", 0], ["already_settled", 1])
        assert cast.answer(proposal_id).status == ("expired" if said[1] else "approved")
        assert executions(proposal_id) == (said[0] == "approved")
        approved += said[0] == "approved"
    assert_whole(cast, paid=approved)


@PAIRS
def test_an_approval_against_an_escalation(cast: Cast, both: Race, pairs: int) -> None:
    cast.policy(then="escalate", escalate_to=(Threshold(1, roles=("admin",)),))
    for _ in range(pairs):
        proposal_id = cast.ask(amount=1)
        due = cast.look(proposal_id).proposal.due_at
        said = both.run(vote(cast, cast.ana, proposal_id), expiring(due))
        # Once others are asked, Ana is not one of them.
        assert said in (["approved", 0], ["not_eligible", 1])
        assert executions(proposal_id) == (said[0] == "approved")
        if said[1]:
            assert cast.decide(cast.ada, proposal_id) == "approved"
    assert_whole(cast, paid=pairs)


@PAIRS
def test_the_timer_against_a_withdrawal(cast: Cast, both: Race, pairs: int) -> None:
    for number in range(pairs):
        proposal_id = cast.ask(amount=1)
        due = cast.look(proposal_id).proposal.due_at
        said = both.run(expiring(due), withdrawing(cast, proposal_id))
        assert said in ([1, "expired"], [0, "withdrawn"])
        assert len(cast.said(f"proposal:{proposal_id}")) == 2, number
    assert cast.ledger_objection() is None


def test_the_sender_against_the_end_of_the_run(
    cast: Cast, both: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast.policy(hold_seconds=60)
    proposal_id = cast.ask(amount=1, origin="run:5")
    cast.decide(cast.ana, proposal_id)
    is_sending = Event()

    def slowly(**what: Any) -> Snapshot:
        is_sending.set()
        sleep(0.3)
        return commit(**what)

    def end() -> int:
        is_sending.wait(10)
        return withdraw_from(actor=cast.setup, origin="run:5", reason="", now=now())

    monkeypatch.setattr(executing, "commit", slowly)
    assert both.run(sending(now() + timedelta(seconds=61)), end) == [1, 0]
    assert cast.answer(proposal_id).status == "approved"
    assert_whole(cast, paid=1)


@PAIRS
def test_one_step_that_proposes_twice(cast: Cast, both: Race, pairs: int) -> None:
    for _ in range(pairs):
        ask = proposing(cast, cast.request(amount=1))
        first, second = both.run(ask, ask)
        assert first == second
        assert isinstance(first, UUID)
    assert Proposal.objects.count() == pairs
    assert cast.said().count("proposal.made") == pairs
    assert cast.ledger_objection() is None


@PAIRS
def test_one_key_that_submits_twice(cast: Cast, both: Race, pairs: int) -> None:
    workflows.register_workflow(Workflow("idle", "Idle", lambda _context: None))
    for number in range(pairs):
        send = submitting(cast, JobRequest("idle", BOOK, {"n": number}, f"key-{number}"))
        said = both.run(send, send)
        assert sorted(is_new for _, is_new in said) == [False, True]
        assert len({job_id for job_id, _ in said}) == 1
    assert (Job.objects.count(), Run.objects.count()) == (pairs, pairs)
    assert Ring.objects.filter(task="agents.work").count() == pairs
    assert cast.ledger_objection() is None


def rebasing(cast: Cast, proposal_id: UUID) -> Callable[[], int]:
    return lambda: rebase(actor=cast.ben, proposal_id=proposal_id, now=now())


def withdrawing(cast: Cast, proposal_id: UUID) -> Callable[[], str]:
    return lambda: withdraw(actor=cast.scout, proposal_id=proposal_id, reason="", now=now())


def proposing(cast: Cast, request: Request) -> Callable[[], UUID]:
    return lambda: propose(actor=cast.scout, request=request, now=now())


def submitting(cast: Cast, request: JobRequest) -> Callable[[], tuple[UUID, bool]]:
    return lambda: submit(actor=cast.eve, request=request, now=now())


def moving(cast: Cast, event: Change) -> Callable[[], None]:
    return lambda: cast.move_world(event)


def expiring(due: datetime) -> Callable[[], int]:
    return lambda: expire_due(now=due)


def sending(due: datetime) -> Callable[[], int]:
    return lambda: carry_out_due(now=due)


def recalling(cast: Cast, proposal_id: UUID) -> Callable[[], None]:
    return lambda: recall(actor=cast.ana, proposal_id=proposal_id, reason="", now=now())
