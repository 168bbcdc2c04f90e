"""Transfers that say how much they are and to whom, for limits, authority and facts."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

from approvals.effects import STATED
from approvals.operations.proposing import propose
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.policy import Limit, Terms
from snapshots.diff import Change
from tests.story import ANYTHING, Cast, now

TRANSFER = ActionTypeSpec(
    "transfer",
    "Transfer",
    "Transfer {amount} to {payee}",
    ANYTHING,
    STATED,
    risk=1,
    measures={
        "amount": "/amount",
        "currency": "/currency",
        "counterparty": "/payee",
        "subject": "/invoice",
    },
)
DAY = 86_400


def limit(amount: str = "20000", **more: Any) -> Limit:
    """Return a limit on what goes to one payee within a day."""
    values: dict[str, Any] = {
        "per": ("counterparty",),
        "amount": amount,
        "currency": "EUR",
        "window_seconds": DAY,
    }
    return Limit(**{**values, **more})


@dataclass(slots=True)
class Bank:
    """The cast's book, to and from which transfers are proposed."""

    cast: Cast
    _steps: "count[int]" = field(default_factory=lambda: count(1))

    @classmethod
    def build(cls, **terms: Any) -> "Bank":
        """Let the cast be asked about transfers under a policy."""
        cast = Cast.build()
        declare(cast.setup, TRANSFER)
        bank = cls(cast)
        bank.policy(**terms)
        return bank

    def policy(self, **terms: Any) -> Terms:
        """Set the only policy."""
        return self.cast.policy(**terms)

    def send(
        self,
        amount: str = "10000.00",
        payee: str = "Quickfix",
        *,
        currency: str = "EUR",
        at: datetime | None = None,
        **more: Any,
    ) -> UUID:
        """Let Scout propose a transfer."""
        number = next(self._steps)
        request = self.cast.request(
            action_type="transfer",
            params={"amount": amount, "payee": payee, "currency": currency},
            stated=(Change("add", f"/sent_{number}", value=amount),),
            **more,
        )
        return propose(actor=self.cast.scout, request=request, now=at or now())

    def check(self, proposal_id: UUID) -> dict[str, Any]:
        """Return the check about the limit."""
        [found] = [
            check
            for check in self.cast.look(proposal_id).revision.checks
            if check["name"].startswith("Within ")
        ]
        return dict(found)
