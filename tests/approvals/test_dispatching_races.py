"""Dispatching at the same instant as something else: one of them, never both."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Event
from time import sleep
from typing import Any

import pytest
from django.db import connection, transaction

from approvals.connectors.protocol import Receipt
from approvals.models import Attempt, Execution
from approvals.operations.recalling import recall
from approvals.operations.stopping import refuse_if_stopped, resume_sending, stop_sending
from approvals.queries.invariants import broken
from snapshots.operations.committing import lock
from tests.approvals.outside import Wiring, attempts, refuses, status
from tests.racing import Race, race
from tests.story import Cast, now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]
PAIRS = pytest.mark.parametrize(
    "pairs", [12, pytest.param(1_000, marks=[pytest.mark.nightly, pytest.mark.timeout(1_800)])]
)


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def wiring(cast: Cast) -> Wiring:
    wiring = Wiring.of(cast)
    wiring.bank.answers = [refuses]
    return wiring


@pytest.fixture
def both() -> Iterator[Race]:
    with race() as both:
        yield both


@PAIRS
def test_two_senders_send_once(wiring: Wiring, both: Race, pairs: int) -> None:
    for number in range(pairs):
        found = wiring.approve(1, origin=f"run:{number}")
        assert sum(both.run(wiring.send, wiring.send)) == 1
        assert (len(attempts(found)), status(found)) == (1, "failed")
    assert len(wiring.bank.came) == pairs
    assert broken() == []


@PAIRS
def test_a_recall_against_the_sender(wiring: Wiring, both: Race, pairs: int) -> None:
    cast = wiring.cast
    for number in range(pairs):
        found = wiring.approve(1, origin=f"run:{number}")
        proposal_id = Execution.objects.get(id=found).proposal_id

        def take_back(proposal_id: Any = proposal_id) -> None:
            recall(actor=cast.ana, proposal_id=proposal_id, reason="no", now=now())

        before = len(wiring.bank.came)
        _, recalled = both.run(wiring.send, take_back)
        was_sent = len(wiring.bank.came) - before
        if recalled == "too_late":
            assert (was_sent, status(found)) == (1, "failed")
        else:
            assert (was_sent, status(found), attempts(found)) == (0, "recalled", [])
    assert broken() == []


@PAIRS
def test_nothing_is_sent_after_the_switch_was_flipped(
    wiring: Wiring, both: Race, pairs: int
) -> None:
    cast = wiring.cast
    for number in range(pairs):
        found = wiring.approve(1, origin=f"run:{number}")

        def flip() -> datetime:
            stop_sending(actor=cast.ada, reason="all of it", typed="acme", now=now())
            # Asked after the commit: no attempt is younger than this.
            return now()

        _, flipped_at = both.run(wiring.send, flip)
        sent = [each.sent_at for each in attempts(found)]
        assert all(at < flipped_at for at in sent)
        assert wiring.send() == 0
        assert len(attempts(found)) == len(sent)
        resume_sending(actor=cast.ada, reason="all is well", now=now())
        wiring.send(at=now() + timedelta(minutes=1))
    assert Attempt.objects.count() == pairs
    assert broken() == []


def test_whoever_flips_the_switch_waits_for_whoever_sends(wiring: Wiring, both: Race) -> None:
    cast, is_sending = wiring.cast, Event()
    said: list[str] = []

    def send() -> None:
        with transaction.atomic():
            refuse_if_stopped(cast.workspace.id, now())
            is_sending.set()
            sleep(0.3)
            said.append("sent")

    def flip() -> None:
        is_sending.wait(10)
        stop_sending(actor=cast.ada, reason="all of it", typed="acme", now=now())
        said.append("stopped")

    both.run(send, flip)
    assert said == ["sent", "stopped"]


def test_two_who_send_do_not_wait_for_each_other(wiring: Wiring, both: Race) -> None:
    cast, first = wiring.cast, Event()

    def share() -> bool:
        with transaction.atomic():
            refuse_if_stopped(cast.workspace.id, now())
            is_second = first.is_set()
            first.set()
            sleep(0.2)
        return is_second

    share()
    first.clear()
    began = now()
    both.run(share, share)
    assert now() - began < timedelta(seconds=0.39)


def test_no_lock_is_held_while_a_provider_thinks(wiring: Wiring, both: Race) -> None:
    found, thinks = wiring.approve(1), Event()

    def think(_body: bytes) -> Receipt:
        thinks.set()
        sleep(0.5)
        assert not connection.in_atomic_block
        return Receipt("acknowledged", "ref-1")

    def look() -> float:
        thinks.wait(10)
        began = now()
        with transaction.atomic():
            lock(wiring.cast.workspace.id, wiring.cast.book.state_id)
            Execution.objects.select_for_update().get(id=found)
        return (now() - began).total_seconds()

    wiring.bank.answers = [think]
    _, waited = both.run(wiring.send, look)
    assert waited < 0.3
    assert status(found) == "succeeded"
