"""How many effects can one sender lead through the house, from its claim to its recorded outcome?

The provider answers at once, so only our own work is measured: claim, verify everything again,
write the attempt, commit, record, snapshot. Two yardsticks: psycopg alone with the very statements
that our work sent, on a copy of the same database; and the bare pattern of a queue in PostgreSQL,
one statement that claims with SKIP LOCKED and one that completes.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import psycopg
from django.db import connection, connections

from approvals.connectors.protocol import Finding, Line, Listed, Order, Public, Receipt
from approvals.models import Execution
from approvals.operations.announcing import announce_connectors
from approvals.operations.deciding import Act, Seen, decide
from approvals.operations.installing import install
from approvals.operations.proposing import Request, propose
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.operations.sending import send_due
from approvals.policy import Terms, Threshold
from approvals.queries import detail
from approvals.queries.invariants import broken
from approvals.rulebook import Rule
from benchmarks import world
from benchmarks.figures import Part
from console.access.models import Workspace
from console.access.queries import person_as_actor
from console.actors import agent
from console.canonical import canonical_bytes, sha256
from snapshots.diff import Change

EFFECTS, QUICK_EFFECTS = 300, 60
ANYTHING = {"type": "object", "additionalProperties": True}
OURS, COUNTED, RAW = "bench_sent_by_us", "bench_counted", "bench_sent_raw"
Spoken = tuple[Any, Any]

_BARE_TABLE = """
    CREATE TABLE bench_queue (
        id bigint PRIMARY KEY, status text NOT NULL, fence bigint NOT NULL DEFAULT 0,
        lease_until timestamptz);
    CREATE INDEX ON bench_queue (id) WHERE status = 'ready';
"""
_CLAIM = """
    UPDATE bench_queue SET status = 'claimed', fence = fence + 1,
        lease_until = clock_timestamp() + interval '30 seconds'
    WHERE id = (SELECT id FROM bench_queue WHERE status = 'ready' ORDER BY id
        FOR UPDATE SKIP LOCKED LIMIT 1)
    RETURNING id, fence
"""
_COMPLETE = "UPDATE bench_queue SET status = 'done' WHERE id = %s AND fence = %s"


def measure(*, rounds: int, quick: bool) -> Part:
    """Return effects a second by us, by the same statements alone, and by a bare queue."""
    part = Part("sending")
    effects = QUICK_EFFECTS if quick else EFFECTS
    ours, raw, bare, statements = [], [], [], 0
    for number in range(rounds):
        _furnish(world.workspace(f"sending-{number}"), effects)
        for name in (OURS, COUNTED, RAW):
            _copy(name)
        ours.append(_ours(part, effects))
        spoken = _spoken(effects)
        raw.append(_raw(spoken, effects))
        bare.append(_bare(effects))
        statements = len(spoken)
        _empty()
    queue = part.add("claim and complete, bare psycopg", "1/s", bare)
    alone = part.add("the same statements, psycopg alone", "1/s", raw, against=queue)
    part.add("claim to recorded outcome", "1/s", ours, against=alone)
    part.add("statements per effect", "", [statements / effects])
    return part


def _furnish(place: Workspace, effects: int) -> None:
    """Let one person approve effects, each on a State of its own."""
    setup = world.setup(place)
    announce_connectors({"bench": _Way()}, now=_now())
    spec = ActionTypeSpec(
        "wire", "Wire", "Wire {account}", ANYTHING, "stated", connector="bench", leaves_house=True
    )
    declare(setup, spec)
    terms = Terms("one reviewer", 1, 1, (Threshold(approve=1),), 7 * 24 * 3600)
    install(actor=setup, rules=[Rule("true", terms)], now=_now())
    reviewer = person_as_actor(world.member(place, "reviewer"), place.id, {"reviewer"})
    proposer = agent("bench", place.id, behind=setup.ref)
    for number in range(effects):
        head = world.state(setup, f"bench/{number}")
        request = Request(
            state_key=head.key,
            action_type="wire",
            params={"account": "0007"},
            origin="bench:sending",
            origin_step=str(number),
            stated=(Change("replace", "/accounts/0007/balance", 700, 700 + number + 1),),
        )
        proposal_id = propose(actor=proposer, request=request, now=_now())
        seen = detail(place.id, proposal_id).revision
        decide(
            proposal_id=proposal_id,
            seen=Seen(seen.number, seen.digest),
            actor=reviewer,
            act=Act("approve", "fine"),
            now=_now(),
        )


def _ours(part: Part, effects: int) -> float:
    with _inside(OURS):
        began = time.perf_counter()
        sent = _send_all()
        took = time.perf_counter() - began
        done = Execution.objects.filter(status="succeeded", connector="bench").count()
        if not sent == done == effects:
            part.faults.append(f"of {effects} effects {sent} were sent and {done} recorded")
        part.faults += [f"not true: {item.sentence}" for item in broken()]
    return effects / took


def _send_all() -> int:
    ways = {"bench": _Way()}
    sent = 0
    while send_due(ways, now=_now()):
        sent += 1
    return sent


def _spoken(effects: int) -> list[Spoken]:
    """Return what is said to the database while all of it is sent once more, elsewhere."""
    with _inside(COUNTED), _listening() as heard:
        _send_all()
    return heard


def _raw(spoken: list[Spoken], effects: int) -> float:
    connection.close()
    with psycopg.connect(**_address(RAW)) as raw:
        raw.autocommit = True
        # As Django binds them: on our side.
        cursor = psycopg.ClientCursor(raw)
        began = time.perf_counter()
        for query, values in spoken:
            cursor.execute(query, values)
        return effects / (time.perf_counter() - began)


def _bare(effects: int) -> float:
    with psycopg.connect(**_address(RAW)) as bare:
        bare.autocommit = True
        bare.execute("DROP TABLE IF EXISTS bench_queue")
        bare.execute(_BARE_TABLE)
        rows = (
            "INSERT INTO bench_queue (id, status) SELECT n, 'ready' FROM generate_series(1, %s) n"
        )
        bare.execute(rows, [effects])
        began = time.perf_counter()
        while row := bare.execute(_CLAIM).fetchone():
            bare.execute(_COMPLETE, row)
        return effects / (time.perf_counter() - began)


@contextmanager
def _listening() -> Iterator[list[Spoken]]:
    """Write down every statement, and where transactions begin and end, with their values."""
    heard: list[Spoken] = []
    execute, commit, rollback = (
        psycopg.Cursor.execute,
        psycopg.Connection.commit,
        psycopg.Connection.rollback,
    )
    is_open = [False]

    def said(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        if not self.connection.autocommit and not is_open[0]:
            heard.append(("BEGIN", None))
            is_open[0] = True
        heard.append((query, params))
        return execute(self, query, params, **options)

    def ended(word: str, plain: Callable[[Any], None]) -> Callable[[Any], None]:
        def end(self: Any) -> None:
            if is_open[0]:
                heard.append((word, None))
                is_open[0] = False
            plain(self)

        return end

    with (
        patch.object(psycopg.Cursor, "execute", said),
        patch.object(psycopg.Connection, "commit", ended("COMMIT", commit)),
        patch.object(psycopg.Connection, "rollback", ended("ROLLBACK", rollback)),
    ):
        yield heard


@contextmanager
def _inside(name: str) -> Iterator[None]:
    """Let Django work in another database of the same server."""
    usual = connections["default"].settings_dict["NAME"]
    connection.close()
    connections["default"].settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connections["default"].settings_dict["NAME"] = usual


def _copy(name: str) -> None:
    source = str(connection.settings_dict["NAME"])
    connection.close()
    with psycopg.connect(**_address("postgres"), autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"')
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')


def _empty() -> None:
    """Take back what waits in the first database, so that the next round begins with its own."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE approvals_execution SET status = 'recalled' WHERE status = 'ready'")


def _address(name: str) -> dict[str, Any]:
    known = connection.settings_dict
    return {"host": known["HOST"], "user": known["USER"], "dbname": name}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class _Way:
    """A way out whose provider answers before anybody could wait."""

    public: Public = field(
        default_factory=lambda: Public(
            name="bench",
            kind="http",
            retry_class="keyed",
            address="https://bench.invalid/",
            digest=sha256(b"bench"),
            retention_seconds=86_400.0,
        )
    )

    def build(self, order: Order) -> bytes:
        return canonical_bytes({"key": order.key, "params": dict(order.params)})

    def reach(self, order: Order, until: float) -> Line:
        return _Line()

    def ask(self, order: Order, body: bytes, until: float) -> Finding:
        return Finding("unclear")

    def listed(self, since: datetime, until: datetime, deadline: float) -> Iterator[Listed]:
        return iter(())

    def test(self, until: float) -> str:
        return "here"


class _Line:
    def send(self, body: bytes) -> Receipt:
        return Receipt("acknowledged", "ref", 201)

    def close(self) -> None:
        return None
