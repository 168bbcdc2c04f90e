"""The oracle … notices every kind of lie, and says nothing about the truth."""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from approvals.models import Decision
from tests.approvals.outside import Wiring, acknowledges, execution, refuses, stays_silent
from tests.chaos import oracle
from tests.chaos.bank import Entry
from tests.chaos.oracle import Evidence
from tests.chaos.workload import Asked
from tests.story import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def refs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the amount be by which entries are found; each payment here has its own."""
    monkeypatch.setattr(oracle, "REF", "amount")


@pytest.fixture
def wiring() -> Wiring:
    return Wiring.of(Cast.build())


def entered(*amounts: int) -> list[Entry]:
    """Return what the bank has in its books."""
    return [Entry("blind", "", str(amount), "", "ok", time.time()) for amount in amounts]


def said(
    wiring: Wiring,
    entries: Sequence[Entry] = (),
    *,
    asked: Sequence[Asked] = (),
    cuts: Sequence[tuple[str, str]] = (),
    decided: Sequence[tuple[str, int, str]] = (),
) -> set[str]:
    """Return the names of the checks that find something."""
    place: Any = SimpleNamespace(slug="acme", id=wiring.cast.workspace.id)
    evidence = Evidence([place], asked, entries, cuts, decided)
    return {check.__name__ for check in oracle.CHECKS if list(check(evidence))}


def promised(kind: str, made: object) -> Asked:
    """Return that somebody was promised something."""
    return Asked(kind, "acme", "key", "70", "blind", str(made), time.time())


def test_says_nothing_about_the_truth(wiring: Wiring) -> None:
    found = wiring.sent(70)
    kept = promised("proposal", execution(found).proposal_id)
    assert said(wiring, entered(70), asked=[kept]) == set()


def test_says_nothing_of_what_was_refused(wiring: Wiring) -> None:
    wiring.bank.answers = [refuses]
    wiring.sent(70)
    assert said(wiring) == set()


def test_notices_a_payment_that_nobody_sent(wiring: Wiring) -> None:
    wiring.sent(70)
    assert said(wiring, entered(70, 71)) == {"every_entry_is_ours"}


def test_notices_a_success_that_the_bank_does_not_know(wiring: Wiring) -> None:
    wiring.sent(70)
    assert said(wiring) == {"every_success_is_entered"}


def test_notices_a_failure_that_the_bank_carried_out(wiring: Wiring) -> None:
    wiring.bank.answers = [refuses]
    wiring.sent(70)
    assert said(wiring, entered(70)) == {"no_failure_is_entered"}


def test_notices_what_was_done_twice(wiring: Wiring) -> None:
    wiring.sent(70)
    assert said(wiring, entered(70, 70)) == {"nothing_is_entered_twice"}


def test_notices_what_is_left_in_doubt(wiring: Wiring) -> None:
    wiring.bank.answers = [stays_silent]
    wiring.sent(70)
    assert said(wiring, entered(70)) == {"nothing_waits", "every_approval_ends"}


def test_notices_what_is_still_on_its_way(wiring: Wiring) -> None:
    wiring.approve(70)
    assert said(wiring) == {"nothing_waits", "every_approval_ends"}


def test_notices_an_answer_that_cannot_have_come(wiring: Wiring) -> None:
    wiring.bank.answers = [acknowledges]
    wiring.sent(70)
    assert said(wiring, entered(70), cuts=[("70", "all")]) == {"every_cut_was_doubted"}


def test_takes_a_cut_for_what_it_is_when_it_was_doubted(wiring: Wiring) -> None:
    wiring.bank.answers = [stays_silent]
    wiring.sent(70)
    assert "every_cut_was_doubted" not in said(wiring, entered(70), cuts=[("70", "all")])


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        ("proposal", "every_promised_proposal_is_there"),
        ("job", "every_promised_job_is_there"),
    ],
)
def test_notices_a_broken_promise(wiring: Wiring, kind: str, check: str) -> None:
    assert said(wiring, asked=[promised(kind, UUID(int=7))]) == {check}


def test_notices_a_decision_that_was_promised_and_is_gone(wiring: Wiring) -> None:
    found = execution(wiring.sent(70))
    rows = Decision.objects.filter(proposal=found.proposal_id)
    made = [(str(row.proposal_id), row.revision, str(row.person_id)) for row in rows]
    assert made
    assert said(wiring, entered(70), decided=made) == set()
    gone = (str(found.proposal_id), found.revision, str(UUID(int=7)))
    assert said(wiring, entered(70), decided=[gone]) == {"every_promised_decision_is_there"}
