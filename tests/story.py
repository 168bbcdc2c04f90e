"""The people and programs of the stories that tests tell, and the small world they share.

Ana approves, Ben disagrees, Cleo has no rights to decide, Ada is admin, Eve engineers and submits,
so she stands in the lineage; Scout is the agent that keeps asking; Zoe works somewhere else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from approvals import effects
from approvals import queries as approvals
from approvals.effects import STATED, CannotDo, Check, Effect
from approvals.fields import Field
from approvals.operations.deciding import Act, Seen, decide
from approvals.operations.proposing import Request, propose
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.policy import Choice, Outcome, Terms
from approvals.queries import Answer, Detail
from approvals.rulebook import Rule
from console.access.models import User, Workspace
from console.access.operations.granting import found, grant
from console.access.operations.keying import make_token
from console.access.queries import person_as_actor
from console.access.rights import SCOPES
from console.actors import Actor, agent, system
from console.canonical import Json
from console.ledger import queries as ledger
from snapshots import queries as snapshots
from snapshots.diff import Change
from snapshots.operations.creating import create_state
from snapshots.operations.observing import observe
from snapshots.queries import Head
from tests.terms import asking, matching, reason_code_for, set_rules

BOOK = "ledger/acme"
NORTHWIND, QUICKFIX = "V7", "V9"
ANYTHING = {"type": "object", "additionalProperties": True}
ONE = asking()
TRUSTED = "The vendor is trusted"
PAY_SCHEMA = {
    "type": "object",
    "required": ["vendor", "amount"],
    "properties": {
        "vendor": {"type": "string", "maxLength": 8},
        "amount": {"type": "integer", "minimum": 1},
        "memo": {"type": "string", "maxLength": 40},
    },
}
PAY_FIELDS = (
    Field("/balance", "Balance", "integer"),
    Field("/payments/**", "Payment", "auto"),
)


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def opening() -> dict[str, Any]:
    """Return what the book says on the first day."""
    return {
        "balance": 1000,
        "payments": [],
        "vendors": {
            NORTHWIND: {"name": "Northwind", "trusted": True},
            QUICKFIX: {"name": "Quickfix", "trusted": False},
        },
    }


def _pay(document: Any, params: dict[str, Any]) -> Json:
    if params["vendor"] not in document["vendors"]:
        raise CannotDo(f"There is no vendor {params['vendor']}.")
    if params["amount"] > document["balance"]:
        raise CannotDo("The balance does not cover this payment.")
    payment = {"vendor": params["vendor"], "amount": params["amount"]}
    balance = document["balance"] - params["amount"]
    return {**document, "balance": balance, "payments": [*document["payments"], payment]}


def _pay_checks(document: Any, params: dict[str, Any]) -> list[Check]:
    vendor = document["vendors"][params["vendor"]]
    says = "is" if vendor["trusted"] else "is not"
    return [Check(TRUSTED, vendor["trusted"], f"{vendor['name']} {says} on the trusted list.")]


def _pay_facts(document: Any, params: dict[str, Any]) -> dict[str, str]:
    return {"name": document["vendors"][params["vendor"]]["name"]}


PAY = Effect(_pay, _pay_checks, _pay_facts)


def install_effects() -> None:
    """Make the effects of this world known, as a pack would."""
    effects.register("tests.pay", PAY)


@dataclass(slots=True)
class Cast:
    """Everybody, as actors, in one workspace with one book; `other` is the second workspace."""

    workspace: Workspace
    setup: Actor
    ana: Actor
    ben: Actor
    cleo: Actor
    ada: Actor
    eve: Actor
    scout: Actor
    zoe: Actor
    book: Head
    other: Workspace
    other_book: Head
    _steps: "count[int]"

    @classmethod
    def build(cls, first: str = "acme", second: str = "zenith") -> "Cast":
        """Found both workspaces; the first has a policy that asks one reviewer."""
        install_effects()
        workspace, other = found(first, first.title()), found(second, second.title())
        setup = system("setup", workspace.id)
        eve = _member(workspace, "Eve", "engineer")
        cast = cls(
            workspace=workspace,
            setup=setup,
            ana=_member(workspace, "Ana", "reviewer"),
            ben=_member(workspace, "Ben", "reviewer"),
            cleo=_member(workspace, "Cleo", "auditor"),
            ada=_member(workspace, "Ada", "admin"),
            eve=eve,
            scout=agent("scout", workspace.id, behind=eve.ref),
            zoe=_member(other, "Zoe", "reviewer", "admin", "engineer"),
            book=_furnish(setup),
            other=other,
            other_book=_furnish(system("setup", other.id)),
            _steps=count(1),
        )
        cast.policy()
        return cast

    def policy(self, action_types: Sequence[str] = ("*",), **terms: Any) -> Terms:
        """Set the workspace's only policy: one reviewer, except where `terms` say otherwise."""
        wanted = asking(**terms)
        set_rules(self.setup, Rule(matching(tuple(action_types)), wanted))
        return wanted

    def enlist(self, name: str, *roles: str) -> Actor:
        """Let somebody new join the workspace."""
        return _member(self.workspace, name, *roles)

    def user(self, actor: Actor) -> User:
        """Return a person's row, to sign in with."""
        return User.objects.get(id=actor.id)

    def token(self, actor: Actor, *scopes: str, days: int = 30) -> str:
        """Make a token for a person and return its secret."""
        _, secret = make_token(
            actor=actor,
            name="robot",
            scopes=list(scopes or SCOPES),
            lifetime=timedelta(days=days),
            now=now(),
        )
        return secret

    def request(self, amount: int = 70, vendor: str = NORTHWIND, **more: Any) -> Request:
        """Word a payment from the book; each request comes from a step of its own."""
        values: dict[str, Any] = {
            "state_key": BOOK,
            "action_type": "pay",
            "params": {"vendor": vendor, "amount": amount},
            "origin": "run:1",
            "origin_step": str(next(self._steps)),
        }
        return Request(**{**values, **more})

    def ask(self, amount: int = 70, vendor: str = NORTHWIND, **more: Any) -> UUID:
        """Let Scout propose a payment."""
        at = more.pop("at", None) or now()
        return propose(actor=self.scout, request=self.request(amount, vendor, **more), now=at)

    def state_change(self, *changes: Change, **more: Any) -> UUID:
        """Let Scout propose changes that it states itself."""
        wanted = self.request(action_type="adjust", params={}, stated=changes, **more)
        return propose(actor=self.scout, request=wanted, now=now())

    def look(self, proposal_id: UUID) -> Detail:
        """Open a proposal as a reviewer does."""
        return approvals.detail(self.workspace.id, proposal_id)

    def answer(self, proposal_id: UUID) -> Answer:
        """Return what the proposer knows."""
        return approvals.answer(self.workspace.id, proposal_id)

    def decide(
        self,
        who: Actor,
        proposal_id: UUID,
        choice: Choice = "approve",
        reason: str = "because",
        *,
        seen: Detail | None = None,
        ticked: Sequence[str] = (),
        at: datetime | None = None,
        **more: Any,
    ) -> Outcome:
        """Let somebody decide on what they have seen, which is the current revision if not said."""
        seen = seen or self.look(proposal_id)
        return decide(
            proposal_id=proposal_id,
            seen=Seen(seen.revision.number, seen.revision.digest),
            actor=who,
            act=Act(choice, reason, reason_code_for(choice), tuple(ticked), **more),
            now=at or now(),
        )

    def pay_fields(self) -> tuple[Field, ...]:
        """Return how the payment describes what it changes."""
        return PAY_FIELDS

    def open_drawer(self, key: str) -> Head:
        """Make another State in the first workspace."""
        return create_state(actor=self.setup, key=key, document={}, reason="", now=now())

    def declare_note(self, name: str) -> None:
        """Declare an action type of stated changes in the first workspace only."""
        declare(self.setup, ActionTypeSpec(name, name, name, ANYTHING, STATED))

    def release_pay(self, preview: Callable[[Any, dict[str, Any]], Json]) -> None:
        """Let payments do something else from now on, as a new release of a pack would."""
        effects.register("tests.pay", replace(PAY, preview=preview))

    def lose_pay(self) -> None:
        """Let the pack that brought payments be gone."""
        effects._effects.pop("tests.pay")

    def cause(self) -> tuple[str, str, str, str]:
        """Return why the book's newest snapshot exists: cause, its id, reason, and who."""
        head = self.head()
        row = snapshots.snapshot(self.workspace.id, head.state_id, head.number)
        return row.cause, row.cause_id, row.reason, row.actor["name"]

    def move_world(self, *changes: Change) -> None:
        """Let something happen to the book that nobody here proposed."""
        observe(
            actor=self.setup,
            state_id=self.book.state_id,
            changes=list(changes),
            cause_id=f"event-{next(self._steps)}",
            reason="outside",
            now=now(),
        )

    def head(self) -> Head:
        """Return where the book stands."""
        return snapshots.head(self.workspace.id, self.book.state_id)

    def content(self) -> Any:
        """Return what the book says now."""
        head = self.head()
        return snapshots.content(head.state_id, head.number)

    def said(self, subject: str = "") -> list[str]:
        """Return the verbs of the ledger, oldest first, of one subject or of all."""
        rows = ledger.entries(self.workspace.id).order_by("seq")
        rows = rows.filter(subject=subject) if subject else rows
        return list(rows.values_list("verb", flat=True))

    def ledger_objection(self) -> str | None:
        """Say what is wrong with the ledger, or nothing."""
        return ledger.verify(self.workspace.id).objection


def _member(workspace: Workspace, name: str, *roles: str) -> Actor:
    # Without a password: hashing one is made slow on purpose, and a test signs in by force.
    person = User.objects.create_user(f"{name.lower()}@{workspace.slug}.example", name=name)
    for role in roles:
        grant(system("setup", workspace.id), workspace.id, person, role)
    return person_as_actor(person, workspace.id, set(roles))


def _furnish(setup: Actor) -> Head:
    declare(
        setup,
        ActionTypeSpec(
            "pay", "Pay", "Pay {amount} to {name}", PAY_SCHEMA, "tests.pay", PAY_FIELDS, risk=1
        ),
    )
    declare(setup, ActionTypeSpec("adjust", "Adjust", "Adjust the book", ANYTHING, STATED))
    return create_state(actor=setup, key=BOOK, document=opening(), reason="opening", now=now())
