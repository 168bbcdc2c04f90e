"""A provider that lives in the test: its own book, and how it treats the next order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from approvals.connectors.protocol import (
    Finding,
    Line,
    Listed,
    NotReached,
    Order,
    Public,
    Receipt,
    RetryClass,
)
from console.canonical import sha256
from tests.approvals.bank import InMemory

# How the next order is treated: the second word says what is heard of it.
MOODS = ("ok", "refuse", "away", "do_silent", "skip_silent", "do_500")


@dataclass
class Bank:
    """What was carried out outside: (key, body) in order, whatever was said about it."""

    mood: str = "ok"
    entries: list[tuple[str, bytes]] = field(default_factory=list)

    def orders(self) -> list[str]:
        """Return whose orders stand in the book."""
        return [key for key, _ in self.entries]


@dataclass
class Way(InMemory):
    """A connector to the bank, of one retry class; a keyed one takes the same key for one order."""

    name: str
    retry_class: RetryClass
    bank: Bank

    @property
    def public(self) -> Public:
        """Say what everybody may know."""
        return Public(
            name=self.name,
            kind="http",
            retry_class=self.retry_class,
            address=f"https://{self.name}.invalid/",
            digest=sha256(self.name.encode()),
            actions=(self.name,),
            deadline_seconds=5.0,
            settle_seconds=30.0,
            retention_seconds=86_400.0,
            can_ask=self.retry_class != "blind",
            can_list=True,
        )

    def reach(self, order: Order, until: float) -> Line:
        """Call the bank."""
        if self.bank.mood == "away":
            raise NotReached("connection refused")
        return super().reach(order, until)

    def answer(self, order: Order, body: bytes) -> Receipt:
        """Treat one order as the mood says."""
        mood, book = self.bank.mood, self.bank
        if mood == "refuse":
            return Receipt("refused", status=422, says="no")
        knows = self.retry_class == "keyed" and order.key in book.orders()
        if mood != "skip_silent" and not knows:
            book.entries.append((order.key, body))
        if mood == "ok":
            return Receipt("acknowledged", f"ref-{order.key[-6:]}", 201, "done")
        return Receipt("unknown", says="no answer")

    def ask(self, order: Order, body: bytes, until: float) -> Finding:
        """Ask the bank about a key."""
        if self.bank.mood == "away":
            raise NotReached("connection refused")
        known = order.key in self.bank.orders()
        return Finding("executed", f"ref-{order.key[-6:]}") if known else Finding("absent")

    def listed(self, since: datetime, until: datetime, deadline: float) -> Iterator[Listed]:
        """Return the bank's book."""
        for key in self.bank.orders():
            yield Listed(key, f"ref-{key[-6:]}", datetime.now(UTC))
