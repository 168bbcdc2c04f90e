"""How does a workspace come to a million proposals? Copies of a few that were proposed.

The first of each State goes through `propose`; the others differ from it in what lists sort and
filter by. They are made by the database itself, and none was decided or carried out: no list asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from approvals.effects import STATED
from approvals.fields import Field
from approvals.models import ActionType, Proposal, Revision
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
BATCH = 100_000
LATER = 1_000_000
AGENTS, PAYEES = 40, 5_000
ACCOUNT = "/accounts/0007/balance"
SET_BALANCE = ActionTypeSpec(
    name="set_balance",
    label="Set a balance",
    sentence="Set the balance of account {account} to {balance}",
    params_schema={"type": "object", "additionalProperties": True},
    effect=STATED,
    fields=(Field("/accounts/*/balance", "Balance", "money", unit="EUR"),),
)
RARE = ActionTypeSpec(
    name="set_rarely",
    label="Set rarely",
    sentence="Set {account} rarely",
    params_schema={"type": "object", "additionalProperties": True},
    effect=STATED,
)
# What a copy has of its own; whatever else there is, it has of its pattern.
_OWN = {
    "id": "uuidv7()",
    "origin_step": "uuidv7()::text",
    "external_ref": "'copy of ' || made.id",
    "title": "made.title || ' (' || n || ')'",
    "status": """CASE WHEN NOT is_open THEN
        (ARRAY['approved', 'rejected', 'approved', 'expired', 'approved'])[1 + n % 5]
        WHEN n % 16 = 3 THEN 'changes_requested' WHEN n % 16 = 5 THEN 'info_requested'
        ELSE 'pending' END""",
    "paused_at": "CASE WHEN is_open AND n % 16 = 5 THEN made.created_at END",
    "action_type_id": "CASE WHEN n % 100 = 7 THEN %(rare)s::uuid ELSE made.action_type_id END",
    "risk": "1 + n % 3",
    "level": "1 + n % 3",
    "policy": "'Policy ' || n % 20",
    "amount": "(n * 7919 % 10000000)::numeric / 100",
    "currency": "CASE WHEN n % 10 = 0 THEN 'GBP' ELSE 'EUR' END",
    "counterparty": "'Payee ' || n % %(payees)s",
    "subject": "'invoice ' || n",
    "agent": "'clerk-' || n % %(agents)s",
    "due_at": "due",
    "rank": "(8 - n % 3)::bigint * 1000000000000 + floor(extract(epoch FROM due))::bigint",
    "created_at": "made.created_at - make_interval(secs => n % 900000)",
    "escalated_at": "CASE WHEN is_open AND n % 50 = 9 THEN made.created_at END",
    "assignee_id": "CASE WHEN n % 9 = 4 THEN %(person)s::uuid END",
    "claimed_by_id": "CASE WHEN is_open AND n % 70 = 11 THEN %(person)s::uuid END",
    "claimed_until": "CASE WHEN is_open AND n % 70 = 11 THEN due END",
    "settled_at": """CASE WHEN NOT is_open
        THEN made.created_at - make_interval(secs => n % 500000) END""",
    "settled_by": "CASE WHEN is_open THEN '' ELSE 'Reviewer' END",
}
# Spread evenly: every stretch of the table holds what waits and what does not.
_COPY = """
    INSERT INTO approvals_proposal ({columns}) SELECT {values}
      FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
      JOIN approvals_proposal AS made ON made.id = (%(made)s::uuid[])[1 + n % %(patterns)s]
     CROSS JOIN LATERAL (SELECT
        n * %(waiting)s / %(total)s <> (n + 1) * %(waiting)s / %(total)s AS is_open,
        made.created_at + make_interval(secs => 3600 + n * 7919 % 600000) AS due) AS its
"""
_WORD = """
    INSERT INTO approvals_revision ({columns}) SELECT {values}
      FROM approvals_proposal AS copy JOIN approvals_revision AS made
        ON copy.external_ref = 'copy of ' || made.proposal_id
     WHERE copy.workspace_id = %(place)s
       AND NOT EXISTS (SELECT FROM approvals_revision WHERE proposal_id = copy.id)
"""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A proposal that was really made, to be copied."""

    place: Workspace
    proposal_id: UUID


def patterns(place: Workspace) -> list[Pattern]:
    """Return one open proposal for each of a few States."""
    for spec in (SET_BALANCE, RARE):
        declare(world.setup(place), spec)
    return [
        Pattern(place, _propose(place, f"bench/queue-{n}", f"{n}-{new_id()}"))
        for n in range(STATES)
    ]


def fill(made: Sequence[Pattern], reviewer: User, *, waiting: int, settled: int) -> None:
    """Add proposals that wait and proposals that were settled, spread over the States."""
    place, total = made[0].place, waiting + settled
    values: dict[str, Any] = {
        "made": [each.proposal_id for each in made],
        "patterns": len(made),
        "waiting": waiting,
        "total": total,
        "person": reviewer.id,
        "rare": ActionType.objects.get(workspace=place, name=RARE.name).id,
        "agents": AGENTS,
        "payees": PAYEES,
        "place": place.id,
    }
    for first in range(0, total, BATCH):
        last = min(first + BATCH, total) - 1
        _send(_COPY, _columns(Proposal, _OWN), {**values, "first": first, "last": last})
    own = {"id": "uuidv7()", "proposal_id": "copy.id"}
    _send(_WORD, _columns(Revision, own), values)


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


def _propose(place: Workspace, key: str, step: str) -> UUID:
    head = world.state(world.setup(place), key)
    return propose(
        actor=agent("clerk", place.id, behind="client:bench"),
        request=Request(
            state_key=head.key,
            action_type=SET_BALANCE.name,
            params={"account": "0007", "balance": 950},
            origin="client:bench",
            origin_step=step,
            stated=(Change("replace", ACCOUNT, 700, 950),),
            rationale="The bank's statement says so.",
        ),
        now=datetime.now(UTC),
    )


def _columns(rows: type[Proposal] | type[Revision], own: dict[str, str]) -> dict[str, str]:
    known = [str(field.column) for field in rows._meta.concrete_fields]  # noqa: SLF001
    return {name: own.get(name, f"made.{name}") for name in known}


def _send(statement: str, columns: dict[str, str], values: dict[str, Any]) -> None:
    # The names are columns of our own models; every value is passed beside the statement.
    written = statement.format(columns=", ".join(columns), values=", ".join(columns.values()))
    with connection.cursor() as cursor:
        cursor.execute(written.replace(" % ", " %% "), values)
