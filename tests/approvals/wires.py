"""A bank that tests can talk to, and payments that leave the house through it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from approvals import effects
from approvals.connectors.protocol import (
    Connector,
    Finding,
    Listed,
    Order,
    Public,
    Receipt,
    RetryClass,
)
from approvals.effects import CannotDo, Effect, Measure
from approvals.models import Execution
from approvals.operations.announcing import announce_connectors
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.operations.sending import send_due
from console.actors import Actor
from console.breakers.models import Breaker
from console.canonical import Json
from tests.approvals.bank import InMemory
from tests.story import ANYTHING, PAY, Cast, now

SILENCE = Receipt("unknown", says="The line was cut.")
UNCLEAR = Finding("unclear")
DONE = Receipt("acknowledged", "B-1", 201, "booked")
SETTLE = timedelta(seconds=60)
A_DAY = 86_400
LATER = timedelta(minutes=10)


@dataclass
class Bank(InMemory):
    """A provider that answers, is silent, is asked and lists as a test wants it to."""

    retry_class: RetryClass = "queryable"
    name: str = "bank"
    receipt: Receipt = DONE
    finding: Finding | Exception = UNCLEAR
    lines: list[Listed] = field(default_factory=list)
    list_fails: Exception | None = None
    tested: str | Exception = "Reached."
    sent: list[bytes] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    listed_from: list[tuple[datetime, datetime]] = field(default_factory=list)

    @property
    def public(self) -> Public:
        """Return what everybody may know."""
        return Public(
            name=self.name,
            kind="http",
            retry_class=self.retry_class,
            address="https://bank.example/payments",
            digest="ab" * 32,
            settle_seconds=SETTLE.total_seconds(),
            retention_seconds=A_DAY,
            can_ask=self.retry_class != "blind",
            can_list=True,
        )

    def answer(self, order: Order, body: bytes) -> Receipt:
        """Answer as a test wants it."""
        self.sent.append(body)
        return self.receipt

    def ask(self, order: Order, body: bytes, until: float) -> Finding:
        """Say what a test wants said."""
        self.asked.append(order.key)
        if isinstance(self.finding, Exception):
            raise self.finding
        return self.finding

    def listed(self, since: datetime, until: datetime, deadline: float) -> Iterator[Listed]:
        """List what a test wants listed."""
        self.listed_from.append((since, until))
        yield from self.lines
        if self.list_fails:
            raise self.list_fails

    def test(self, until: float) -> str:
        """Be reached, or not."""
        if isinstance(self.tested, Exception):
            raise self.tested
        return self.tested

    @property
    def connectors(self) -> dict[str, Connector]:
        """Return what the sender holds."""
        return {self.name: self}


def _recall(document: Any, params: dict[str, Any]) -> Json:
    if params["vendor"] not in document["vendors"]:
        raise CannotDo(f"There is no vendor {params['vendor']}.")
    return {**document, "recalls": [*document.get("recalls", []), dict(params)]}


def _measure(_document: Any, params: dict[str, Any]) -> Measure:
    return Measure(Decimal(params["amount"]), "EUR", params["vendor"])


RECALLED: dict[str, Any] = {
    "action_type": "recall",
    "params": {
        "vendor": "/vendor",
        "amount": "/amount",
        "reference": "{{reference}}",
        "key": "{{execution}}",
        "note": "Asked back",
    },
    "within_seconds": A_DAY,
}


def furnish(cast: Cast, bank: Bank, *, compensation: dict[str, Any] | None = None) -> Bank:
    """Let wires leave through a bank, which the sender announces, and be recalled."""
    effects.register("tests.wire", replaced(PAY, measure=_measure))
    effects.register("tests.recall", Effect(_recall, measure=_measure))
    announce_connectors(bank.connectors, now=now())
    for name, effect, back in (
        ("wire", "tests.wire", RECALLED if compensation is None else compensation),
        ("recall", "tests.recall", {}),
    ):
        spec = ActionTypeSpec(
            name,
            name.title(),
            f"{name.title()} {{amount}} to {{vendor}}",
            ANYTHING,
            effect,
            reversibility="The bank can be asked.",
            leaves_house=True,
            connector=bank.name if name == "wire" else "",
            compensation=back,
        )
        declare(cast.setup, spec)
    return bank


def wire(cast: Cast, bank: Bank, amount: int = 70, *, at: datetime | None = None) -> UUID:
    """Let Scout propose a wire, Ana approve it and the sender send it; return the execution."""
    at = at or now()
    # So many silences in a row would open its breaker, which is tested elsewhere.
    Breaker.objects.all().delete()
    proposal_id = cast.ask(amount, action_type="wire", origin="client:1", at=at)
    cast.decide(cast.ana, proposal_id, at=at)
    send_due(bank.connectors, now=at)
    return Execution.objects.get(proposal=proposal_id).id


def doubtful(cast: Cast, bank: Bank, amount: int = 70, *, at: datetime | None = None) -> UUID:
    """Wire something of which nobody knows what became of it."""
    bank.receipt = SILENCE
    execution_id = wire(cast, bank, amount, at=at)
    assert read(execution_id).status == "in_doubt"
    return execution_id


def read(execution_id: UUID) -> Execution:
    """Read an execution again."""
    return Execution.objects.get(id=execution_id)


def finders(cast: Cast) -> tuple[Actor, Actor, Actor]:
    """Return three reviewers who had no part in anything."""
    return (
        cast.enlist("Dora", "reviewer"),
        cast.enlist("Finn", "reviewer"),
        cast.enlist("Gus", "reviewer"),
    )
