"""How does a workspace come to a hundred thousand proposals? Copies of a few that were proposed.

The first of each State goes through `propose`; the others differ from it in what lists sort and
filter by: status, risk, deadline, and when they were settled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model

from approvals import policy
from approvals.effects import STATED
from approvals.fields import Field
from approvals.lifecycle import OPEN
from approvals.models import Decision, Execution, Proposal, Revision
from approvals.operations.proposing import Request, propose
from approvals.operations.registering import ActionTypeSpec, declare
from benchmarks import world
from console.access.models import User, Workspace
from console.actors import agent
from console.ids import new_id
from console.ledger.models import Entry
from snapshots.diff import Change
from snapshots.models import State

STATES = 4
BATCH = 2000
LATER = 1_000_000
ENDINGS = ("approved", "rejected", "approved", "expired", "approved")
CHOICES = {"approved": "approve", "rejected": "reject"}
ACCOUNT = "/accounts/0007/balance"
SET_BALANCE = ActionTypeSpec(
    name="set_balance",
    label="Set a balance",
    sentence="Set the balance of account {account} to {balance}",
    params_schema={"type": "object", "additionalProperties": True},
    effect=STATED,
    fields=(Field("/accounts/*/balance", "Balance", "money", unit="EUR"),),
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A proposal that was really made, to be copied."""

    proposal: dict[str, Any]
    revision: dict[str, Any]


@dataclass(slots=True)
class Copies:
    """Rows that belong together, written at once."""

    proposals: list[Proposal]
    revisions: list[Revision]
    decisions: list[Decision]
    executions: list[Execution]

    def write(self) -> None:
        """Write them in the order in which they refer to each other."""
        Proposal.objects.bulk_create(self.proposals)
        Revision.objects.bulk_create(self.revisions)
        Decision.objects.bulk_create(self.decisions)
        Execution.objects.bulk_create(self.executions)


def patterns(place: Workspace) -> list[Pattern]:
    """Return one open proposal for each of a few States."""
    declare(world.setup(place), SET_BALANCE)
    return [_pattern(place, f"bench/queue-{n}", str(n)) for n in range(STATES)]


def fill(made: Sequence[Pattern], reviewer: User, *, waiting: int, settled: int) -> None:
    """Add proposals that wait and proposals that were settled, spread over the States."""
    for first in range(0, waiting + settled, BATCH):
        copies = Copies([], [], [], [])
        for number in range(first, min(first + BATCH, waiting + settled)):
            # Spread evenly: every stretch of the table holds what waits and what does not.
            is_open = number * waiting // (waiting + settled) != (
                (number + 1) * waiting // (waiting + settled)
            )
            status = OPEN if is_open else ENDINGS[number % len(ENDINGS)]
            _copy(copies, made[number % len(made)], reviewer, number, status)
        copies.write()


def others(place: Workspace, number: int) -> None:
    """Add ended runs with their jobs, States, and lines that no chain holds."""
    world.queue_runs(place, runs=number, steps=1)
    world.end_queued()
    now = datetime.now(UTC)
    common = {"workspace": place, "digest": "0" * 64}
    State.objects.bulk_create(
        State(**common, key=f"other/{n:06}", created_at=now, changed_at=now) for n in range(number)
    )
    said = {"at": now, "actor": world.setup(place).to_json(), "verb": "bench.filled", "body": {}}
    Entry.objects.bulk_create(
        Entry(**common, **said, seq=LATER + n, subject=f"bench:{n}", previous=f"{LATER + n:064}")
        for n in range(number)
    )


def _pattern(place: Workspace, key: str, step: str) -> Pattern:
    head = world.state(world.setup(place), key)
    proposal_id = propose(
        actor=agent("clerk", place.id, behind="client:bench"),
        request=Request(
            state_key=head.key,
            action_type=SET_BALANCE.name,
            params={"account": "0007", "balance": 950},
            origin="client:bench",
            origin_step=f"{step}-{new_id()}",
            stated=(Change("replace", ACCOUNT, 700, 950),),
            rationale="The bank's statement says so.",
        ),
        now=datetime.now(UTC),
    )
    return Pattern(
        _values(Proposal.objects.get(id=proposal_id)),
        _values(Revision.objects.get(proposal=proposal_id)),
    )


def _values(row: Model) -> dict[str, Any]:
    columns = row._meta.concrete_fields  # noqa: SLF001  (Django documents it)
    return {column.attname: getattr(row, column.attname) for column in columns}


def _copy(copies: Copies, made: Pattern, reviewer: User, number: int, status: str) -> None:
    proposal_id, digest = new_id(), made.revision["digest"]
    now = made.proposal["created_at"]
    settled_at = None if status == OPEN else now - timedelta(seconds=number % 500_000)
    proposal = Proposal(**{**made.proposal, **_place(proposal_id, now, number, status)})
    proposal.settled_at = settled_at
    proposal.settled_by = "" if status == OPEN else reviewer.name
    copies.proposals.append(proposal)
    copies.revisions.append(
        Revision(**{**made.revision, "id": new_id(), "proposal_id": proposal_id})
    )
    common = {"workspace_id": proposal.workspace_id, "proposal_id": proposal_id, "revision": 1}
    if settled_at and (choice := CHOICES.get(status)):
        said = Decision(
            **common, digest=digest, person=reviewer, choice=choice, decided_at=settled_at
        )
        copies.decisions.append(said)
    if settled_at and status == "approved":
        done = {"status": "succeeded", "snapshot_number": 1, "executed_at": settled_at}
        times = {"created_at": settled_at, "due_at": settled_at}
        copies.executions.append(Execution(**common, digest=digest, **done, **times))


def _place(proposal_id: UUID, now: datetime, number: int, status: str) -> dict[str, Any]:
    """Return what makes one copy sort elsewhere than the next."""
    risk, due_at = 1 + number % 3, now + timedelta(seconds=3600 + number * 7 % 600_000)
    return {
        "id": proposal_id,
        "origin_step": str(proposal_id),
        "status": status,
        "risk": risk,
        "rank": policy.rank(risk, int(due_at.timestamp())),
        "due_at": due_at,
        "created_at": now - timedelta(seconds=number % 900_000),
    }
