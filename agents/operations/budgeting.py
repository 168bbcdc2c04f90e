"""Say what the agents of a workspace may use in a day, and how many runs work at once."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from agents.models import WorkspaceBudget
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Forbidden, Invalid
from console.ledger.operations.appending import append
from console.live import ring

REASON_AT_MOST = 500
MONEY_DECIMALS = 6
# What the columns hold.
_LARGEST = {
    "tokens": Decimal(10**15),
    "money": Decimal(10**8) - 1,
    "runs": Decimal(2**31 - 1),
    "at_once": Decimal(10_000),
}


class LimitsInvalid(Invalid):
    """A limit of a workspace is a number above 0, or nothing; whoever sets one says why."""

    code = "limits_invalid"


@dataclass(frozen=True, slots=True)
class Budget:
    """The most of each in a day (UTC), and of runs at the same time; None is without end."""

    tokens: int | None = None
    money: Decimal | None = None
    runs: int | None = None
    at_once: int | None = None


def set_budget(*, actor: Actor, budget: Budget, reason: str, now: datetime) -> None:
    """Give the workspace these limits in the place of those it had; none at all is no budget.

    What is over a new limit already is not ended: nothing more begins, and whoever counts next
    meets it. Locks: the workspace's budget.
    Raises: Forbidden (403), LimitsInvalid (422).
    """
    if not allows(actor.roles, "administer"):
        raise Forbidden("Only an admin may set budgets.")
    if not reason.strip() or len(reason) > REASON_AT_MOST:
        raise LimitsInvalid(field="reason")
    _check(budget)
    with transaction.atomic():
        rows = WorkspaceBudget.objects.select_for_update(no_key=True)
        known = rows.filter(workspace=actor.workspace_id).first()
        before = _told(_of(known)) if known else {}
        _write(actor, budget, now)
        body: dict[str, Json] = {"from": before, "to": _told(budget), "reason": reason.strip()}
        append(actor, "budget.changed", f"workspace:{actor.workspace_id}", body)
        ring("runs", actor.workspace_id)


def _check(budget: Budget) -> None:
    for name, most in asdict(budget).items():
        if most is None:
            continue
        number = Decimal(most)
        if not number.is_finite() or not 0 < number <= _LARGEST[name]:
            raise LimitsInvalid(field=name)
        if name == "money" and -int(number.as_tuple().exponent) > MONEY_DECIMALS:
            raise LimitsInvalid("Money has at most six decimals.", field=name)


def _write(actor: Actor, budget: Budget, now: datetime) -> None:
    if budget == Budget():
        WorkspaceBudget.objects.filter(workspace=actor.workspace_id).delete()
        return
    WorkspaceBudget.objects.update_or_create(
        workspace_id=actor.workspace_id,
        defaults={**asdict(budget), "actor": actor.to_json(), "changed_at": now},
    )


def _of(row: WorkspaceBudget) -> Budget:
    return Budget(row.tokens, row.money, row.runs, row.at_once)


def _told(budget: Budget) -> dict[str, Json]:
    # Written as people do: a ledger holds no fractions that two programs could write differently.
    return {
        name: f"{most:f}" if name == "money" else str(most)
        for name, most in asdict(budget).items()
        if most is not None
    }
