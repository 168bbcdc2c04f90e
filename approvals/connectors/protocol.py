"""What does a way out of the house promise, whatever it talks to?

A connector turns an order into bytes, reaches its provider, and only then is told to send. Until
`send` is called nothing that could count as an instruction has left; from its first byte on, only
an answer says what happened.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

RetryClass = Literal["keyed", "queryable", "blind"]
Outcome = Literal["acknowledged", "refused", "unknown"]
Word = Literal["executed", "absent", "refused", "unclear"]


class NotReached(Exception):
    """The provider could not be reached, or would not let us in: certainly nothing was sent."""


class CannotBuild(ValueError):
    """The settings of a connector make no request of this order; the message says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done outside: the name of the operation, its parameters, and our key for it.

    `key` identifies the execution at the provider: 32 hex digits, the same for every attempt. `at`
    is when it was approved, so that the same order always makes the same bytes.
    """

    key: str
    action: str
    params: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came back for one sending.

    `acknowledged`: it is done. `refused`: the provider says that it did nothing. Anything else,
    silence, a reset, a 5xx, half an answer, is `unknown`. `says` is shown as data, cut short.
    """

    outcome: Outcome
    reference: str = ""
    status: int | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a provider says about a key when it is asked."""

    says: Word
    reference: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a provider's own list of what it has carried out."""

    key: str
    reference: str
    at: datetime
    text: str = ""


@dataclass(frozen=True, slots=True)
class Public:
    """What everybody may know of a connector: all its settings but the secrets, and their digest.

    `retention_seconds` is how long the provider takes the same key for the same order;
    `settle_seconds` how long an order may be under way before its absence means anything;
    `deadline_seconds` how long one sending may take, always shorter than the sender's lease.
    """

    name: str
    kind: str
    retry_class: RetryClass
    address: str
    digest: str
    actions: tuple[str, ...] = ()
    workspaces: tuple[str, ...] = ()
    deadline_seconds: float = 10.0
    settle_seconds: float = 60.0
    retention_seconds: float | None = None
    can_ask: bool = False
    can_list: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)


class Line(Protocol):
    """An open line to a provider, over which exactly one request goes."""

    def send(self, body: bytes) -> Receipt:
        """Send the bytes and say what came back; it never raises for what a provider does."""

    def close(self) -> None:
        """Hang up; whatever state the line is in."""


class Connector(Protocol):
    """One configured way out."""

    @property
    def public(self) -> Public:
        """Return what everybody may know."""

    def build(self, order: Order) -> bytes:
        """Return an order's request; the same order makes the same bytes. Raises: CannotBuild."""

    def reach(self, order: Order, until: float) -> Line:
        """Connect, until a moment of the steady clock. Raises: NotReached."""

    def ask(self, order: Order, body: bytes, until: float) -> Finding:
        """Ask what became of an order that was sent; `unclear` where it cannot be told."""

    def listed(self, since: datetime, until: datetime, deadline: float) -> Iterator[Listed]:
        """Return what the provider carried out in a time. Raises: NotReached."""

    def test(self, until: float) -> str:
        """Reach the provider without an order and say what was found. Raises: NotReached."""
