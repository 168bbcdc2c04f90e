"""What is outside the house in these tests: a bank in memory, and a cast that sends money there."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from approvals.connectors.protocol import (
    CannotBuild,
    Line,
    NotReached,
    Order,
    Public,
    Receipt,
    RetryClass,
)
from approvals.models import Attempt, Execution
from approvals.operations.announcing import announce_connectors
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.operations.sending import resend_due, send_due
from console.canonical import sha256
from tests.approvals.bank import InMemory
from tests.story import PAY_FIELDS, PAY_SCHEMA, Cast, now

BANK, WIRE = "bank", "wire"
Answer = Callable[[bytes], Receipt]


def acknowledges(_body: bytes) -> Receipt:
    """Do it, and say so."""
    return Receipt("acknowledged", "ref-1", 201, "done")


def refuses(_body: bytes) -> Receipt:
    """Do nothing, and say so."""
    return Receipt("refused", "", 422, "no such account")


def stays_silent(_body: bytes) -> Receipt:
    """Let nobody know whether it was done."""
    return Receipt("unknown", says="no answer in time")


def crashes(_body: bytes) -> Receipt:
    """Fail in a way that a connector promises not to."""
    raise ZeroDivisionError


@dataclass
class Bank(InMemory):
    """A provider in memory, and the connector that reaches it.

    `answers` are given one after the other, the last one for ever; `came` is every body that
    arrived. `before_send` runs when a line is about to send.
    """

    public: Public
    answers: list[Answer] = field(default_factory=lambda: [acknowledges])
    came: list[bytes] = field(default_factory=list)
    is_up: bool = True
    can_build: bool = True
    on_reach: Callable[[], None] = lambda: None
    hung_up: int = 0

    @classmethod
    def of(cls, retry_class: RetryClass, **more: Any) -> "Bank":
        """Return a bank whose connector has this retry class."""
        settings = {"retention_seconds": 86_400.0 if retry_class == "keyed" else None, **more}
        name = settings.pop("name", BANK)
        digest = sha256(f"{name} {retry_class} {settings}".encode())
        public = Public(name, "memory", retry_class, "memory://bank", digest, **settings)
        return cls(public)

    def moved(self, address: str) -> "Bank":
        """Return the same bank behind other settings."""
        return replace(
            self,
            public=replace(self.public, address=address, digest=sha256(address.encode())),
        )

    def build(self, order: Order) -> bytes:
        """Make bytes of an order, where there is a template for it."""
        if not self.can_build:
            raise CannotBuild("there is no template for it")
        return super().build(order)

    def reach(self, order: Order, until: float) -> Line:
        """Open a line, if the bank is up."""
        self.on_reach()
        if not self.is_up:
            raise NotReached("connection refused")
        return super().reach(order, until)

    def answer(self, order: Order, body: bytes) -> Receipt:
        """Give the next answer."""
        self.came.append(body)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(body)

    def hang_up(self) -> None:
        """Count it."""
        self.hung_up += 1


@dataclass
class Wiring:
    """A cast that sends money through a bank."""

    cast: Cast
    bank: Bank

    @classmethod
    def of(cls, cast: Cast, retry_class: RetryClass = "blind", **more: Any) -> "Wiring":
        """Connect a bank and declare the payments that go out through it."""
        bank = Bank.of(retry_class, **more)
        announce_connectors({bank.public.name: bank}, now=now())
        spec = ActionTypeSpec(
            name=WIRE,
            label="Wire",
            sentence="Wire {amount} to {name}",
            params_schema=PAY_SCHEMA,
            effect="tests.pay",
            fields=PAY_FIELDS,
            risk=1,
            connector=bank.public.name,
        )
        declare(cast.setup, spec)
        return cls(cast, bank)

    @property
    def connectors(self) -> dict[str, Bank]:
        """Return what the sender holds."""
        return {self.bank.public.name: self.bank}

    def approve(self, amount: int = 70, *, at: datetime | None = None, **more: Any) -> UUID:
        """Let Scout propose a payment and Ana approve it; return the execution's id."""
        at = at or now()
        proposal_id = self.cast.ask(amount, action_type=WIRE, at=at, **more)
        assert self.cast.decide(self.cast.ana, proposal_id, at=at) == "approved"
        return Execution.objects.get(proposal=proposal_id).id

    def send(self, *, at: datetime | None = None) -> int:
        """Let the sender look once."""
        return send_due(self.connectors, now=at or now())

    def resend(self, *, at: datetime | None = None) -> int:
        """Let the sender look once for what may go out again."""
        return resend_due(self.connectors, now=at or now())

    def sent(self, amount: int = 70, *, at: datetime | None = None, **more: Any) -> UUID:
        """Let a payment be approved and sent."""
        execution_id = self.approve(amount, at=at, **more)
        assert self.send(at=at) == 1
        return execution_id


def execution(execution_id: UUID) -> Execution:
    """Return how an execution stands."""
    return Execution.objects.select_related("proposal").get(id=execution_id)


def status(execution_id: UUID) -> str:
    """Return only its status."""
    return execution(execution_id).status


def attempts(execution_id: UUID) -> list[Attempt]:
    """Return its attempts, oldest first."""
    return list(Attempt.objects.filter(execution=execution_id).order_by("number"))


def soon(seconds: float = 1) -> datetime:
    """Return a time that is near."""
    return now() + timedelta(seconds=seconds)
