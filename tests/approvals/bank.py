"""What every provider in a test's memory does alike; how it answers is what its tests say."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from approvals.connectors.protocol import Finding, Line, Listed, Order, Receipt
from console.canonical import canonical_bytes


class InMemory:
    """A provider that takes every call, cannot be asked and lists nothing, unless it says so."""

    def build(self, order: Order) -> bytes:
        """Word an order; the same one the same way."""
        return canonical_bytes(
            {"key": order.key, "action": order.action, "params": dict(order.params)}
        )

    def reach(self, order: Order, until: float) -> Line:
        """Take the call."""
        return Call(self, order)

    def answer(self, order: Order, body: bytes) -> Receipt:
        """Hear an order, and answer."""
        raise NotImplementedError

    def hang_up(self) -> None:
        """Note the end of a call."""

    def ask(self, order: Order, body: bytes, until: float) -> Finding:
        """Say nothing."""
        return Finding("unclear")

    def listed(self, since: datetime, until: datetime, deadline: float) -> Iterator[Listed]:
        """List nothing."""
        return iter(())

    def test(self, until: float) -> str:
        """Be there."""
        return "here"


@dataclass(frozen=True, slots=True)
class Call:
    """An open line, over which one order is told."""

    bank: InMemory
    order: Order

    def send(self, body: bytes) -> Receipt:
        """Tell the order."""
        return self.bank.answer(self.order, body)

    def close(self) -> None:
        """Hang up."""
        self.bank.hang_up()
