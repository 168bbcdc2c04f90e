"""Whatever people, the sender, its provider and time do in whichever order: the books agree.

A model in plain words goes along with the real operations on a real database. After every step
what it expects is what the rows say, nothing is that must never be, and the provider's book holds
each order once and only where ours says so.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from approvals import lifecycle
from approvals.models import Attempt, Execution, Proposal, Resolution
from approvals.operations import dispatching, sending
from approvals.operations.announcing import announce_connectors
from approvals.operations.doubting import doubt_overdue
from approvals.operations.executing import carry_out_due
from approvals.operations.expiring import expire_due
from approvals.operations.inquiring import ask_due
from approvals.operations.proposing import propose
from approvals.operations.quarantining import drop, try_again
from approvals.operations.rebasing import rebase_all
from approvals.operations.recalling import recall
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.operations.resolving import resolve
from approvals.operations.sending import resend_due, send_due
from approvals.operations.stopping import resume_sending, stop_sending
from approvals.operations.withdrawing import withdraw, withdraw_from
from approvals.policy import Choice
from approvals.queries.invariants import broken
from approvals.rulebook import Rule
from console.actors import Actor
from console.errors import Refused
from snapshots import queries as snapshots
from snapshots.operations.creating import create_state
from tests.approvals.provider import MOODS, Bank, Way
from tests.story import PAY_FIELDS, PAY_SCHEMA, Cast, now, opening
from tests.terms import asking, matching, set_rules

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3_600)]
BOOKS = ("ledger/a", "ledger/b")
WAYS = ("keyed", "queryable", "blind")
KINDS = ("pay", "slow", *WAYS)
HOLD = 60
# Where a sender may die: before anything is said, before a byte leaves, and before it is recorded.
POINTS = {
    "": "",
    "send.after_claim": "claimed",
    "send.before_commit": "claimed",
    "send.after_commit": "sent",
    "send.after_send": "sent",
    "send.before_outcome": "sent",
}
_examples = count(1)
# Which moves of executions the examples went through: a model that never gets there proves nothing.
REACHED: Counter[str] = Counter()
SOME = {"ready > in_doubt", "ready > sent", "sent > in_doubt"}
MOST = {
    *SOME,
    "ready > succeeded",
    "ready > claimed",
    "ready > failed",
    "claimed > ready",
    "in_doubt > succeeded",
    "in_doubt > failed",
    "in_doubt > sent",
    "in_doubt > ready",
}


class Died(BaseException):
    """The sender was killed at this point."""


@dataclass
class Expected:
    """What the model holds of one proposal."""

    kind: str
    book: str
    amount: int
    status: str = "pending"
    execution: str = ""


class Console(RuleBasedStateMachine):
    """The real console, and beside it what is expected of it."""

    proposals: Bundle[UUID] = Bundle("proposals")

    @initialize()
    def found(self) -> None:
        """Begin in a workspace of its own, with its own bank."""
        nth = next(_examples)
        self.cast = Cast.build(f"first{nth}", f"second{nth}")
        self.now = now()
        self.bank = Bank()
        self.ways = {name: Way(name, name, self.bank) for name in WAYS}  # type: ignore[arg-type]
        self.expected: dict[UUID, Expected] = {}
        self.is_stopped, self.attempts = False, 0
        announce_connectors(self.ways, now=self.now)
        for kind in KINDS[1:]:
            declare(self.cast.setup, _spec(kind))
        slow = asking(hold_seconds=HOLD, expires_seconds=7_200)
        rest = asking(expires_seconds=7_200)
        rules = (Rule(matching("slow"), slow), Rule(matching("*"), rest))
        set_rules(self.cast.setup, *rules)
        for key in BOOKS:
            create_state(
                actor=self.cast.setup, key=key, document=opening(), reason="", now=self.now
            )

    def teardown(self) -> None:
        """Leave nothing that the sender of the next example would send."""
        if hasattr(self, "expected") and not self.is_stopped:
            self.stop()

    @rule(
        target=proposals,
        kind=st.sampled_from(KINDS),
        book=st.sampled_from(BOOKS),
        amount=st.integers(1, 9),
    )
    def ask(self, kind: str, book: str, amount: int) -> Any:
        """Let Scout ask for a payment."""
        return self._ask(kind, book, amount)

    def _ask(self, kind: str, book: str, amount: int) -> UUID:
        request = self.cast.request(amount, action_type=kind, state_key=book)
        proposal_id = propose(actor=self.cast.scout, request=request, now=self.now)
        self.expected[proposal_id] = Expected(kind, book, amount)
        return proposal_id

    @rule(
        target=proposals,
        kind=st.sampled_from(WAYS),
        book=st.sampled_from(BOOKS),
        amount=st.integers(1, 9),
    )
    def agree(self, kind: str, book: str, amount: int) -> Any:
        """Let Scout ask for what leaves the house, and Ana approve it at once."""
        proposal_id = self._ask(kind, book, amount)
        self._decide(proposal_id, "ana", "approve")
        return proposal_id

    @rule(
        proposal_id=proposals,
        who=st.sampled_from(["ana", "ben", "ada", "eve"]),
        choice=st.sampled_from(["approve", "approve", "approve", "reject"]),
    )
    def decide(self, proposal_id: UUID, who: str, choice: Choice) -> None:
        """Let somebody decide; a refusal leaves everything as it is."""
        self._decide(proposal_id, who, choice)

    def _decide(self, proposal_id: UUID, who: str, choice: Choice) -> None:
        told = self.expected[proposal_id]
        was_pending = told.status == "pending"
        busy = any(
            each.execution in lifecycle.UNDER_WAY and each.book == told.book
            for each in self.expected.values()
        )
        with refused() as no:
            self.cast.decide(getattr(self.cast, who), proposal_id, choice, at=self.now)
        if no:
            assert not was_pending or who == "eve" or busy, no
            return
        if not was_pending:
            # A click that came twice, or late, is answered and changes nothing.
            return
        assert who != "eve"
        if choice == "reject":
            told.status = "rejected"
            return
        assert not busy
        told.status = "approved"
        told.execution = {"pay": "succeeded", "slow": "held"}.get(told.kind, "ready")

    @rule(proposal_id=proposals)
    def withdraw(self, proposal_id: UUID) -> None:
        """Let Scout think again."""
        withdraw(actor=self.cast.scout, proposal_id=proposal_id, reason="no", now=self.now)
        told = self.expected[proposal_id]
        if told.status == "pending":
            told.status = "withdrawn"

    @precondition(lambda self: self.any_in(*lifecycle.UNDER_WAY))
    @rule(proposal_id=proposals)
    def recall(self, proposal_id: UUID) -> None:
        """Let an admin take an approval back, for as long as nothing was sent."""
        told = self.expected[proposal_id]
        with refused() as no:
            recall(actor=self.cast.ada, proposal_id=proposal_id, reason="wait", now=self.now)
        was_sent = Attempt.objects.filter(execution__proposal=proposal_id).exists()
        if lifecycle.may_be_taken_back(told.execution, was_sent=was_sent):
            assert not no, no
            told.status, told.execution = "pending", "recalled"
        else:
            assert no

    @precondition(lambda self: self.was_sent_before())
    @rule()
    def take_back_what_was_sent_before(self) -> None:
        """Let everybody try to take back what went out once and waits to go out again."""
        for told in self.expected.values():
            row = self._row(told) if told.execution in lifecycle.UNSENT else None
            if row is None or not row.was_sent:
                continue
            REACHED["taking back refused"] += 1
            for who in (self.cast.ana, self.cast.ben, self.cast.ada):
                with refused() as no:
                    recall(actor=who, proposal_id=row.proposal_id, reason="no", now=self.now)
                assert no
            with refused() as no:
                drop(actor=self.cast.ada, execution_id=row.id, reason="not wanted", now=self.now)
            assert no

    @precondition(lambda self: self.was_sent_before())
    @rule()
    def end_its_run(self) -> None:
        """Let the run end that asked for everything: what went out before stays as it is."""
        withdraw_from(actor=self.cast.setup, origin="run:1", reason="over", now=self.now)
        for told in self.expected.values():
            waits = told.execution in lifecycle.UNSENT
            if waits and not self._row(told).was_sent:
                told.status, told.execution = "withdrawn", "recalled"
            elif told.status == "pending":
                told.status = "withdrawn"

    def was_sent_before(self) -> bool:
        """Say whether something waits that went out before."""
        waiting = Execution.objects.filter(
            workspace=self.cast.workspace, status__in=lifecycle.UNSENT
        )
        return waiting.exclude(request_digest="").exists()

    @rule(seconds=st.sampled_from([1, 10, 40, 70, 400]))
    def wait(self, seconds: int) -> None:
        """Let time go by; what waited for it happens."""
        self.now += timedelta(seconds=seconds)
        carry_out_due(now=self.now)
        for told in self.expected.values():
            if told.execution == "held" and told.kind == "slow":
                row = self._row(told)
                if row.due_at <= self.now:
                    told.execution = "succeeded"

    @precondition(lambda self: len(self.expected) > 4)
    @rule()
    def wait_for_days(self) -> None:
        """Let every deadline pass, and much more."""
        self.now += timedelta(days=2)
        expire_due(now=self.now)
        for told in self.expected.values():
            if told.status == "pending":
                told.status = "expired"

    @precondition(lambda self: self.any_in("held", "ready", "claimed"))
    @rule(mood=st.sampled_from(MOODS), point=st.sampled_from(sorted(POINTS)))
    def send(self, mood: str, point: str) -> None:
        """Let the sender take what is due first; it may die on the way."""
        self._send(mood, point)

    def _send(self, mood: str, point: str) -> None:
        self.bank.mood = mood
        before = self._standing()
        with dying_at(point):
            send_due(self.ways, now=self.now)
        self.bank.mood = "ok"
        for told, was, now_is in self._moved(before):
            assert now_is in _may_become(was, mood, POINTS[point], told), (was, now_is, mood, point)
            self._follow(told, now_is)

    @precondition(lambda self: self.any_in("ready"))
    @rule(mood=st.sampled_from(["ok", "do_silent", "skip_silent"]))
    def send_alive(self, mood: str) -> None:
        """Let the sender live through it."""
        self._send(mood, "")

    @precondition(lambda self: self.any_in("in_doubt", kind="keyed"))
    @rule(mood=st.sampled_from(MOODS), point=st.sampled_from(sorted(POINTS)))
    def resend(self, mood: str, point: str) -> None:
        """Let the sender send again what its provider takes once."""
        self.bank.mood = mood
        before = self._standing()
        with dying_at(point):
            resend_due(self.ways, now=self.now)
        self.bank.mood = "ok"
        for told, was, now_is in self._moved(before):
            assert (was, told.kind) == ("in_doubt", "keyed")
            assert now_is in {"sent", "succeeded", "in_doubt"}
            self._follow(told, now_is)

    @precondition(lambda self: self.any_in("sent"))
    @rule()
    def sweep(self) -> None:
        """Mark in doubt what nobody answers for any more."""
        before = self._standing()
        doubt_overdue(now=self.now)
        for told, was, now_is in self._moved(before):
            assert (was, now_is) == ("sent", "in_doubt")
            self._follow(told, now_is)

    @precondition(lambda self: self.any_in("in_doubt"))
    @rule(mood=st.sampled_from(["ok", "away"]))
    def inquire(self, mood: str) -> None:
        """Ask the bank what became of it."""
        self.bank.mood = mood
        before = self._standing()
        ask_due(self.ways, now=self.now)
        self.bank.mood = "ok"
        for told, was, now_is in self._moved(before):
            assert (was, now_is) == ("in_doubt", "succeeded")
            assert told.kind != "blind"
            self._follow(told, now_is)

    @precondition(lambda self: self.any_in("in_doubt"))
    @rule(again=st.booleans())
    def resolve(self, again: bool) -> None:
        """Let people who looked say what they saw; whoever decided is not heard."""
        told = next(each for each in self.expected.values() if each.execution == "in_doubt")
        row = self._row(told)
        happened = row.id.hex in self.bank.orders()
        verdict = "executed" if happened else "send_again" if again else "absent"
        number = Attempt.objects.filter(execution=row).count()
        has_words = Resolution.objects.filter(execution=row, attempt_number=number).exists()
        heard = 0
        for who in (self.cast.ana, self.cast.ben, self.cast.ada):
            if Execution.objects.get(id=row.id).status != "in_doubt":
                break
            with refused() as no:
                self._say(who, row, verdict)
            heard += not no
        now_is = Execution.objects.get(id=row.id).status
        if has_words:
            # It was to go out again and could not; who had it sent so has spoken on that already.
            assert now_is in {"in_doubt", "ready", "failed"}
            assert not happened
        elif verdict == "send_again":
            assert now_is == ("ready" if heard else "in_doubt")
            assert not heard or told.kind == "queryable"
        else:
            # One of the three had decided; the other two agree.
            assert (heard, now_is) == (2, "succeeded" if happened else "failed")
        self._follow(told, now_is)

    def _say(self, who: Actor, row: Execution, verdict: str) -> None:
        number = Attempt.objects.filter(execution=row).count()
        resolve(
            actor=who,
            execution_id=row.id,
            attempt_number=number,
            verdict=verdict,
            reference="",
            evidence="I have looked.",
            now=self.now,
        )

    @precondition(lambda self: self.any_in("quarantined"))
    @rule()
    def try_again(self) -> None:
        """Let an admin begin again with what was set aside."""
        told = next(each for each in self.expected.values() if each.execution == "quarantined")
        row = self._row(told)
        try_again(actor=self.cast.ada, execution_id=row.id, reason="mended", now=self.now)
        told.execution = "ready"

    @precondition(lambda self: len(self.expected) > 2 and not self.is_stopped)
    @rule()
    def stop(self) -> None:
        """Let nothing leave."""
        slug = self.cast.workspace.slug
        stop_sending(actor=self.cast.ada, reason="something is odd", typed=slug, now=self.now)
        self.is_stopped = True
        self.attempts = Attempt.objects.count()

    def any_in(self, *statuses: str, kind: str = "") -> bool:
        """Say whether an execution stands so, of one kind or of any."""
        found = [each for each in self.expected.values() if each.execution in statuses]
        return any(not kind or each.kind == kind for each in found)

    @precondition(lambda self: self.is_stopped)
    @rule()
    def go_on(self) -> None:
        """Let things leave again."""
        resume_sending(actor=self.cast.ada, reason="it was nothing", now=self.now)
        self.is_stopped = False

    @invariant()
    def the_rows_are_as_expected(self) -> None:
        """Compare what people see with the model."""
        if not hasattr(self, "expected"):
            return
        for key in BOOKS:
            head = snapshots.find(self.cast.workspace.id, key)
            assert head is not None
            rebase_all(actor=self.cast.setup, state_id=head.state_id, now=self.now)
        rows = {row.id: row.status for row in Proposal.objects.filter(id__in=self.expected)}
        assert rows == {key: told.status for key, told in self.expected.items()}
        for told in self.expected.values():
            if told.execution:
                assert self._row(told).status == told.execution

    @invariant()
    def nothing_is_that_must_never_be(self) -> None:
        """Ask the file that every installation can ask."""
        assert broken() == []

    @invariant()
    def the_books_agree(self) -> None:
        """Hold the bank's book, our executions and our record against each other."""
        if not hasattr(self, "expected"):
            return
        orders = self.bank.orders()
        assert len(orders) == len(set(orders))
        if self.is_stopped:
            assert Attempt.objects.count() == self.attempts
        rows = Execution.objects.filter(workspace=self.cast.workspace).exclude(retry_class="local")
        ours = {row.id.hex: row.status for row in rows}
        assert set(orders) <= set(ours)
        assert {ours[key] for key in orders} <= {"sent", "in_doubt", "succeeded"}
        assert {key for key, status in ours.items() if status == "succeeded"} <= set(orders)
        for key in BOOKS:
            self._hold_money_together(key)

    def _hold_money_together(self, key: str) -> None:
        head = snapshots.find(self.cast.workspace.id, key)
        assert head is not None
        document: Any = snapshots.content(head.state_id, head.number)
        paid = [each["amount"] for each in document["payments"]]
        assert document["balance"] + sum(paid) == 1000
        mine = [told for told in self.expected.values() if told.book == key]
        assert sorted(paid) == sorted(t.amount for t in mine if t.execution == "succeeded")

    def _row(self, told: Expected) -> Execution:
        found = next(key for key, each in self.expected.items() if each is told)
        return Execution.objects.filter(proposal=found).latest("revision")

    def _standing(self) -> dict[UUID, str]:
        rows = Execution.objects.filter(workspace=self.cast.workspace).order_by("revision")
        return {row.proposal_id: row.status for row in rows}

    def _moved(self, before: dict[UUID, str]) -> list[tuple[Expected, str, str]]:
        after = self._standing()
        return [
            (self.expected[key], before[key], after[key])
            for key in before
            if before[key] != after[key]
        ]

    def _follow(self, told: Expected, now_is: str) -> None:
        REACHED[f"{told.execution} > {now_is}"] += 1
        told.execution = now_is
        if now_is == "failed":
            told.status = "stale"


def _may_become(was: str, mood: str, died: str, told: Expected) -> set[str]:
    """Return what an execution may be after one turn of a sender, in words of the mood."""
    # A dead sender's claim that has lapsed waits again; what waited too long is over; what was
    # begun three times is for people.
    always = {"ready", "claimed", "quarantined", "failed"}
    if told.kind == "queryable":
        # What went out before is for people again; nothing promises that of what did not.
        always.add("in_doubt")
    if mood == "away" or died == "claimed":
        return always
    if died == "sent":
        return {*always, "sent"}
    ends = {"ok": "succeeded", "refuse": "failed"}
    return {
        *always,
        ends.get(mood, "in_doubt"),
        "in_doubt" if told.kind == "queryable" else "ready",
    }


def _spec(kind: str) -> ActionTypeSpec:
    connector = kind if kind in WAYS else ""
    sentence = "Pay {amount} to {name}"
    return ActionTypeSpec(
        kind, kind, sentence, PAY_SCHEMA, "tests.pay", PAY_FIELDS, risk=1, connector=connector
    )


@contextmanager
def refused() -> Iterator[list[str]]:
    """Hold what was refused; the code of the refusal is in the list then."""
    codes: list[str] = []
    try:
        yield codes
    except Refused as error:
        codes.append(error.code)


@contextmanager
def dying_at(point: str) -> Iterator[None]:
    """Kill the sender where it comes by a point."""

    def come_by(name: str) -> None:
        if name == point:
            raise Died

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatching, "fp", come_by)
        patch.setattr(sending, "fp", come_by)
        with suppress(Died):
            yield


@pytest.mark.parametrize(
    ("examples", "steps", "wanted"),
    [(15, 30, SOME), pytest.param(300, 60, MOST, marks=pytest.mark.nightly)],
)
def test_the_books_agree_whatever_happens(examples: int, steps: int, wanted: set[str]) -> None:
    run_state_machine_as_test(
        Console,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
            phases=[Phase.generate],
        ),
    )
    assert wanted <= set(REACHED), REACHED
