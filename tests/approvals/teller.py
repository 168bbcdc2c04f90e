"""A bank behind a connector: what it answers is said beforehand, what reached it is kept."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from approvals import effects
from approvals.connectors.protocol import (
    Finding,
    Line,
    Listed,
    NotReached,
    Order,
    Public,
    Receipt,
)
from approvals.effects import Effect
from approvals.models import Execution
from approvals.operations.announcing import announce_connectors
from approvals.operations.deciding import Act, Seen, decide
from approvals.operations.inquiring import ask_due
from approvals.operations.proposing import Request, propose
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.operations.sending import send_due
from approvals.queries import detail
from approvals.rulebook import Rule
from console.actors import agent
from console.canonical import Json
from snapshots.operations.creating import create_state
from tests.approvals.bank import InMemory
from tests.house import FIELDS, HELD, VENDOR, House, now
from tests.terms import asking, matching, set_rules

BANK = Public(
    name="bank",
    kind="http",
    retry_class="queryable",
    address="https://bank.example/payments",
    digest="d" * 64,
    actions=("wire",),
    deadline_seconds=5.0,
    settle_seconds=30.0,
    can_ask=True,
    can_list=True,
)
DONE = Receipt("acknowledged", "BANK-77", 200, "booked")
SILENCE = Receipt("unknown", says="The connection was reset.")
MARK = "<b onclick=alert(1)>now</b>\u202e"
_steps = count(1)


def _paid(document: Any, params: dict[str, Any]) -> Json:
    vendor = params["vendor"]
    return {**document, vendor: {**document[vendor], "paid": params["paid"]}}


def _named(document: Any, params: dict[str, Any]) -> dict[str, str]:
    return {"name": document[params["vendor"]]["name"]}


@dataclass(slots=True)
class Teller(InMemory):
    """One way out to a bank that says what it was told to say."""

    public: Public = BANK
    receipt: Receipt = DONE
    finding: Finding = field(default_factory=lambda: Finding("unclear"))
    lines: tuple[Listed, ...] = ()
    is_away: bool = False
    heard: list[bytes] = field(default_factory=list)

    def reach(self, order: Order, until: float) -> Line:
        """Open a line, if the bank is there."""
        self._be_there()
        return InMemory.reach(self, order, until)

    def answer(self, order: Order, body: bytes) -> Receipt:
        """Hear an order, and answer."""
        self.heard.append(body)
        return self.receipt

    def ask(self, order: Order, body: bytes, until: float) -> Finding:
        """Say what became of an order."""
        return self.finding

    def listed(self, since: datetime, until: datetime, deadline: float) -> Iterator[Listed]:
        """Say what was carried out."""
        return iter(self.lines)

    def test(self, until: float) -> str:
        """Be there, or not."""
        self._be_there()
        return "TLS 1.3, 200 OK"

    def _be_there(self) -> None:
        if self.is_away:
            raise NotReached("nobody answers at bank.example")


@dataclass(slots=True)
class Abroad:
    """A house from which payments leave through a bank."""

    house: House
    bank: Teller = field(default_factory=Teller)

    @classmethod
    def build(cls, house: House, **public: Any) -> "Abroad":
        """Announce the bank, and let one reviewer approve what goes there."""
        abroad = cls(house, Teller(replace(BANK, **public)))
        effects.register("abroad.wire", Effect(_paid, facts=_named))
        abroad.announce()
        spec = ActionTypeSpec(
            name="wire",
            label="Wire",
            sentence="Wire EUR {paid} to {name}",
            params_schema={"type": "object", "additionalProperties": True},
            effect="abroad.wire",
            fields=FIELDS,
            risk=2,
            connector="bank",
        )
        declare(house.setup, spec)
        set_rules(
            house.setup,
            Rule(matching("wire"), asking("Money leaves by bank")),
            Rule(matching("pay"), HELD),
        )
        return abroad

    def announce(self) -> None:
        """Let the sender say which ways out there are."""
        announce_connectors({"bank": self.bank}, now=now())

    def ask(self, paid: str = "310.20") -> UUID:
        """Let Scout, working for Eve, propose a payment of a vendor that is paid by nobody else."""
        key = f"{self.house.workspace.slug}/vendors-{next(_steps)}"
        document: Any = {"V-1": {**VENDOR}}
        create_state(
            actor=self.house.setup,
            key=key,
            document=document,
            reason="opening",
            now=now(),
        )
        eve = self.house.people["eve"].id
        request = Request(
            state_key=key,
            action_type="wire",
            params={"vendor": "V-1", "paid": paid},
            origin=f"client:{eve}",
            origin_step=str(next(_steps)),
        )
        scout = agent("scout", self.house.workspace.id, f"person:{eve}")
        return propose(actor=scout, request=request, now=now())

    def approve(self, proposal_id: UUID, name: str = "ana") -> Execution:
        """Let somebody approve it."""
        shown = detail(self.house.workspace.id, proposal_id).revision
        decide(
            proposal_id=proposal_id,
            seen=Seen(shown.number, shown.digest),
            actor=self.house.actor(name),
            act=Act("approve", "Call-back ok."),
            now=now(),
        )
        return Execution.objects.get(proposal=proposal_id)

    def send(self, receipt: Receipt = DONE, paid: str = "310.20") -> Execution:
        """Have a payment approved by Ana and sent, with this answer."""
        execution = self.approve(self.ask(paid))
        self.bank.receipt = receipt
        assert send_due({"bank": self.bank}, now=now()) == 1
        execution.refresh_from_db()
        return execution

    def doubt(self, paid: str = "310.20") -> Execution:
        """Have a payment sent to which no answer comes."""
        execution = self.send(SILENCE, paid)
        assert execution.status == "in_doubt"
        return execution

    def inquire(self, finding: Finding, *, later: timedelta = timedelta(minutes=1)) -> None:
        """Let the bank be asked, some time later."""
        self.bank.finding = finding
        assert ask_due({"bank": self.bank}, now=now() + later)

    def quarantine(self) -> Execution:
        """Have a payment approved, begun three times, and set aside."""
        execution = self.approve(self.ask())
        Execution.objects.filter(id=execution.id).update(tries=3)
        send_due({"bank": self.bank}, now=now())
        execution.refresh_from_db()
        assert execution.status == "quarantined"
        return execution
