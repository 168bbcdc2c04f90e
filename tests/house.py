"""The house in which pages are tested: the cast with browsers, vendors, and what agents ask for.

Ana and Ben review, Cleo audits, Ada administers, Eve plugs agents in; Zoe works elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from approvals import effects, queries
from approvals.effects import CannotDo, Check, Effect
from approvals.fields import Field
from approvals.operations.deciding import Act, Seen, decide
from approvals.operations.proposing import Exhibit, Request, propose
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.policy import Choice, Outcome
from approvals.queries import Detail
from approvals.rulebook import Rule
from console.access.models import User, Workspace
from console.access.operations.granting import found, grant
from console.access.queries import person_as_actor
from console.actors import Actor, agent, system
from snapshots.diff import Change
from snapshots.operations.creating import create_state
from snapshots.operations.observing import observe
from snapshots.queries import Head
from tests.terms import asking, matching, reason_code_for, set_rules

ROLES = {"ana": "reviewer", "ben": "reviewer", "cleo": "auditor", "ada": "admin", "eve": "engineer"}
VENDORS = "vendors"
OLD_IBAN, NEW_IBAN = "DE89370400440532013000", "LT121000011101001000"
VENDOR = {
    "name": "Nordlicht GmbH",
    "iban": OLD_IBAN,
    "terms_days": 30,
    "open": "48200.00",
    "currency": "EUR",
    "note": "Called back on 3 March.",
}
BACKEND = "django.contrib.auth.backends.ModelBackend"

TWO_MUST_AGREE = asking("Bank details", level=2, approvals=2)
ONE_MUST_AGREE = asking("Small things", expires_seconds=7200)
HELD = asking("Money leaves", hold_seconds=600)
FIELDS = (
    Field("/*/iban", "IBAN", "iban", group="Payee", risk=2),
    Field("/*/open", "Open amount", "money", unit="../currency", group="Amount"),
    Field("/*/paid", "Paid", "money", unit="EUR", group="Amount"),
    Field("/*/note", "Note", "text", group="Notes"),
)
E_MAIL = Exhibit(
    label="Mail from Nordlicht",
    source="mail 4711, line 4",
    content="Please use our new account LT12 1000 0111 0100 1000 from now on.",
    paths=("/V-1/iban",),
)
_ASKED: dict[str, dict[str, Any]] = {
    "change_bank": {"vendor": "V-1", "iban": NEW_IBAN},
    "set_note": {"vendor": "V-1", "note": "Asked for the invoice."},
    "pay": {"vendor": "V-1", "paid": "310.20"},
}
_steps = count(1)


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(slots=True)
class House:
    """One workspace with its people, a State of vendors, and an agent that keeps asking."""

    workspace: Workspace
    people: dict[str, User]
    roles: dict[str, str]
    book: Head
    setup: Actor

    @classmethod
    def build(cls, slug: str, roles: dict[str, str]) -> "House":
        """Found a workspace with these people in these roles."""
        workspace = found(slug, slug.title())
        setup = system("setup", workspace.id)
        people = {name: _enlist(setup, workspace, name, role) for name, role in roles.items()}
        _declare(setup)
        document: Any = {f"V-{number}": {**VENDOR} for number in range(1, 6)}
        book = create_state(
            actor=setup, key=VENDORS, document=document, reason="opening", now=now()
        )
        return cls(workspace, people, roles, book, setup)

    def actor(self, name: str) -> Actor:
        """Return one of the cast as an actor."""
        return person_as_actor(self.people[name], self.workspace.id, {self.roles[name]})

    def client(self, name: str, **options: Any) -> Client:
        """Return a browser in which one of the cast has signed in."""
        browser = Client(**options)
        browser.force_login(self.people[name], backend=BACKEND)
        return browser

    def url(self, *parts: object) -> str:
        """Return an address inside the workspace."""
        return "".join([f"/w/{self.workspace.slug}/", *(f"{part}/" for part in parts)])

    def propose(self, action: str = "change_bank", **asked: Any) -> UUID:
        """Let Scout, working for Eve or who is `behind`, propose something."""
        behind = self.people[asked.pop("behind", "eve")].id
        scout = agent("scout", self.workspace.id, f"person:{behind}")
        around = {"evidence", "rationale", "origin", "external_ref"} & asked.keys()
        given = {"origin": f"client:{behind}", **{name: asked.pop(name) for name in around}}
        request = Request(
            state_key=VENDORS,
            action_type=action,
            params={**_ASKED[action], **asked},
            origin_step=str(next(_steps)),
            **given,
        )
        return propose(actor=scout, request=request, now=now())

    def detail(self, proposal_id: UUID) -> Detail:
        """Read a proposal."""
        return queries.detail(self.workspace.id, proposal_id)

    def decide(
        self,
        name: str,
        proposal_id: UUID,
        choice: Choice = "approve",
        reason: str = "Call-back ok.",
    ) -> Outcome:
        """Let one of the cast decide on what stands there now, having ticked everything."""
        shown = self.detail(proposal_id)
        return decide(
            proposal_id=proposal_id,
            seen=Seen(shown.revision.number, shown.revision.digest),
            actor=self.actor(name),
            act=Act(
                choice,
                reason,
                reason_code_for(choice),
                tuple(check["name"] for check in shown.revision.checks),
            ),
            now=now(),
        )

    def form(self, proposal_id: UUID, **typed: Any) -> dict[str, Any]:
        """Return what the decision form of the page, as it is now, would send."""
        shown = self.detail(proposal_id)
        return {
            "revision": shown.revision.number,
            "digest": shown.revision.digest,
            "choice": "approve",
            "reason": "Call-back ok.",
            "reason_code": reason_code_for(typed.get("choice", "approve")),
            "ticked": ["Country stays"],
            **typed,
        }

    def move_the_world(self) -> None:
        """Change the record from outside, as an import would."""
        step = str(next(_steps))
        observe(
            actor=self.setup,
            state_id=self.book.state_id,
            changes=[Change("add", f"/V-2/seen_{step}", value=True)],
            cause_id=step,
            reason="import",
            now=now(),
        )


def _enlist(setup: Actor, workspace: Workspace, name: str, role: str) -> User:
    # Without a password: hashing one is made slow on purpose, and a test signs in by force.
    person = User.objects.create_user(f"{name}@{workspace.slug}.example", name=name.title())
    grant(setup, workspace.id, person, role)
    return person


def _declare(setup: Actor) -> None:
    effects.register("house.change_bank", Effect(_replaced("iban"), _bank_checks, _named))
    effects.register("house.set_note", Effect(_replaced("note"), facts=_named))
    effects.register("house.pay", Effect(_replaced("paid"), facts=_named))
    for name, sentence, risk in (
        ("change_bank", "Change the bank account of {name}", 2),
        ("set_note", "Note on {name}: {note}", 1),
        ("pay", "Pay EUR {paid} to {name}", 2),
    ):
        spec = ActionTypeSpec(
            name=name,
            label=name,
            sentence=sentence,
            params_schema={"type": "object", "additionalProperties": True},
            effect=f"house.{name}",
            fields=FIELDS,
            risk=risk,
            reversibility="change it back before the next payment run",
        )
        declare(setup, spec)
    set_rules(
        setup,
        Rule(matching("change_bank"), TWO_MUST_AGREE),
        Rule(matching("set_note"), ONE_MUST_AGREE),
        Rule(matching("pay"), HELD),
    )


def _vendor(document: Any, params: dict[str, Any]) -> Any:
    known = document.get(params["vendor"])
    if known is None:
        raise CannotDo(f"There is no vendor {params['vendor']}.")
    return known


def _replaced(name: str) -> Callable[[Any, dict[str, Any]], Any]:
    def preview(document: Any, params: dict[str, Any]) -> Any:
        vendor = _vendor(document, params)
        return {**document, params["vendor"]: {**vendor, name: params[name]}}

    return preview


def _bank_checks(document: Any, params: dict[str, Any]) -> list[Check]:
    old = _vendor(document, params)["iban"]
    country = f"The account moves from {old[:2]} to {params['iban'][:2]}."
    return [
        Check("Vendor is known", passed=True, sentence="The vendor is in the master data."),
        Check("Country stays", passed=old[:2] == params["iban"][:2], sentence=country),
    ]


def _named(document: Any, params: dict[str, Any]) -> dict[str, str]:
    return {"name": _vendor(document, params)["name"]}


@pytest.fixture
def house(db: None) -> House:
    """Return the workspace in which the story plays."""
    return House.build("acme", ROLES)


@pytest.fixture
def elsewhere(house: House) -> House:
    """Return another workspace, where Zoe is admin and nobody of the first is anything."""
    return House.build("umbra", {"zoe": "admin", "eve": "engineer"})
