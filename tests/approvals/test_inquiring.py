"""Providers are asked about what is in doubt, and people have connectors tested."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from approvals.connectors.protocol import Finding, NotReached
from approvals.doubt import ASKED_AFTER
from approvals.models import Connector, Observation
from approvals.operations import inquiring
from approvals.operations.inquiring import RESENT_FIRST, ask_due
from approvals.operations.testing_connectors import (
    UNFORESEEN,
    NotOffered,
    ask_for_test,
    test_due,
)
from console.errors import Forbidden, NotFound
from console.locking import Busy
from tests.approvals.wires import SETTLE, UNCLEAR, Bank, doubtful, furnish, read
from tests.story import Cast, now

# Its name would make pytest run it.
carry_out_tests = test_due
test_due.__test__ = False  # type: ignore[attr-defined]

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def bank(cast: Cast) -> Bank:
    return furnish(cast, Bank())


def busy(**_asked: Any) -> str:
    raise Busy


class TestAsking:
    """A provider settles what it is certain of, and is asked less and less often."""

    @pytest.mark.parametrize(
        ("finding", "status", "balance"),
        [
            (Finding("executed", "B-4"), "succeeded", 930),
            (Finding("refused", "", "No money."), "failed", 1000),
            (Finding("absent"), "in_doubt", 1000),
            (UNCLEAR, "in_doubt", 1000),
            (NotReached("nobody there"), "in_doubt", 1000),
            (ZeroDivisionError(), "in_doubt", 1000),
        ],
    )
    def test_what_it_says_is_what_it_is(
        self, cast: Cast, bank: Bank, finding: Finding | Exception, status: str, balance: int
    ) -> None:
        found = doubtful(cast, bank)
        bank.finding = finding
        assert ask_due(bank.connectors, now=now()) == 1
        assert (read(found).status, cast.content()["balance"]) == (status, balance)
        assert bank.asked == [found.hex]
        assert cast.ledger_objection() is None

    def test_what_is_busy_is_asked_about_again(
        self, cast: Cast, bank: Bank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = doubtful(cast, bank)
        bank.finding = Finding("executed", "B-4")
        at = now()
        with monkeypatch.context() as held:
            held.setattr(inquiring, "observe", busy)
            assert ask_due(bank.connectors, now=at) == 1
        assert read(found).status == "in_doubt"
        ask_due(bank.connectors, now=at + ASKED_AFTER)
        assert read(found).status == "succeeded"

    def test_waits_before_it_asks_again(self, cast: Cast, bank: Bank) -> None:
        found = doubtful(cast, bank)
        at = now()
        ask_due(bank.connectors, now=at)
        assert ask_due(bank.connectors, now=at + ASKED_AFTER - timedelta(milliseconds=1)) == 0
        assert ask_due(bank.connectors, now=at + ASKED_AFTER) == 1
        assert bank.asked == [found.hex] * 2

    def test_keeps_only_what_is_new(self, cast: Cast, bank: Bank) -> None:
        found = doubtful(cast, bank)
        bank.finding = Finding("absent")
        sent = read(found).sent_at
        assert sent is not None
        for after in (1, 20, 40, 61, 120):
            ask_due(bank.connectors, now=sent + timedelta(seconds=after))
        # Once at first, and once more when it means something.
        rows = Observation.objects.filter(execution=found).order_by("at")
        assert [(row.says, row.at >= sent + SETTLE) for row in rows] == [
            ("absent", False),
            ("absent", True),
        ]

    def test_is_asked_by_one_of_two(
        self, cast: Cast, bank: Bank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        doubtful(cast, bank)

        def ask_meanwhile(*_: Any) -> Finding:
            bank.asked.append("first")
            # Another reconciler comes by while this one waits for its answer.
            assert ask_due(bank.connectors, now=now()) == 0
            return UNCLEAR

        monkeypatch.setattr(bank, "ask", ask_meanwhile)
        assert ask_due(bank.connectors, now=now()) == 1
        assert bank.asked == ["first"]

    def test_leaves_the_keyed_to_the_sender_at_first(self, cast: Cast) -> None:
        bank = furnish(cast, Bank("keyed"))
        doubtful(cast, bank)
        at = now()
        assert ask_due(bank.connectors, now=at) == 0
        assert ask_due(bank.connectors, now=at + RESENT_FIRST) == 1

    def test_asks_nobody_who_cannot_be_asked(self, cast: Cast) -> None:
        bank = furnish(cast, Bank("blind"))
        doubtful(cast, bank)
        assert ask_due(bank.connectors, now=now() + timedelta(days=1)) == 0
        assert bank.asked == []


class TestTesting:
    """A person asks, the sender reaches the provider, and the row says what was found."""

    @pytest.mark.parametrize(
        ("tested", "passed", "says"),
        [
            ("TLS 1.3, logged in", True, "TLS 1.3, logged in"),
            (NotReached("refused\nby port 443"), False, "refused by port 443"),
            (ZeroDivisionError("secret"), False, UNFORESEEN),
            ("x" * 900, True, "x" * 500),
        ],
    )
    def test_says_what_was_found(
        self, cast: Cast, bank: Bank, tested: str | Exception, says: str, *, passed: bool
    ) -> None:
        bank.tested = tested
        ask_for_test(actor=cast.ada, name="bank", now=now())
        ask_for_test(actor=cast.ada, name="bank", now=now())
        assert carry_out_tests(bank.connectors, now=now()) == 1
        assert carry_out_tests(bank.connectors, now=now()) == 0
        row = Connector.objects.get(workspace=cast.workspace)
        assert (row.test_passed, row.test_says, row.test_asked_at) == (passed, says, None)
        assert cast.said(f"connector:{row.id}")[-2:] == ["connector.test_asked", "connector.tested"]

    def test_is_answered_once_more_for_who_asked_meanwhile(
        self, cast: Cast, bank: Bank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ask_for_test(actor=cast.ada, name="bank", now=now())

        def ask_again(_until: float) -> str:
            # Somebody presses the button while it is being tested.
            Connector.objects.filter(workspace=cast.workspace).update(test_asked_at=now())
            return "Reached."

        monkeypatch.setattr(bank, "test", ask_again)
        carry_out_tests(bank.connectors, now=now())
        assert Connector.objects.get(workspace=cast.workspace).test_asked_at is not None

    @pytest.mark.parametrize("who", ["ana", "cleo", "eve", "scout", "setup"])
    def test_is_for_who_looks_after_connectors(self, cast: Cast, bank: Bank, who: str) -> None:
        with pytest.raises(Forbidden):
            ask_for_test(actor=getattr(cast, who), name="bank", now=now())

    def test_reaches_nothing_that_is_not_offered(self, cast: Cast, bank: Bank) -> None:
        Connector.objects.update(is_offered=False)
        with pytest.raises(NotOffered):
            ask_for_test(actor=cast.ada, name="bank", now=now())
        with pytest.raises(NotFound):
            ask_for_test(actor=cast.ada, name="other", now=now())

    def test_a_stranger_finds_nothing(self, cast: Cast, bank: Bank) -> None:
        Connector.objects.filter(workspace=cast.other).delete()
        stranger = replace(cast.zoe, roles=frozenset({"admin"}))
        with pytest.raises(NotFound):
            ask_for_test(actor=stranger, name="bank", now=now())
