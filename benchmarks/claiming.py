"""How long does a worker take to claim its next runs when 100,000 wait, next to first come first?

The yardstick is the statement that takes the oldest ten of all, whoever's they are, with the
index that serves it. One workspace has half of what waits; ours serves all 50 in turn, counts
what each has in hand, and looks at the limits of each workflow.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from agents import store
from benchmarks import world
from benchmarks.figures import Part

BATCH = 10
PLACES, WAITING, QUICK_WAITING = 50, 100_000, 10_000
CLAIMS, QUICK_CLAIMS = 300, 100
WITHIN_MS = 10.0
WORKFLOWS = ("recorded", "accounts_payable", "telehealth", "unheard_of")

# Ids tell nothing here; half of all is the first workspace's, and it came first.
_JOBS = """
    INSERT INTO agents_job (id, workspace_id, workflow, state_id, input, label, submitter,
        submitter_name, lineage, idempotency_key, body_digest, created_at)
    SELECT gen_random_uuid(), %(place)s, (%(workflows)s::text[])[1 + n %% 4], %(state)s, '{}', '',
        'system:bench', 'Bench', '[]', 'claiming ' || n, repeat('0', 64), now()
    FROM generate_series(1, %(runs)s) AS n
"""
_RUNS = """
    INSERT INTO agents_run (id, workspace_id, job_id, number, status, fence, next_step, attempts,
        epoch, held_because, problem_code, problem, created_at, queued_at, workflow, priority)
    SELECT gen_random_uuid(), workspace_id, id, 1, 'queued', 0, 0, 0, 0, '', '', '', now(),
        now() - %(age)s * interval '1 second' + random() * interval '10 minutes', workflow,
        (random() * 20)::int - 10
    FROM agents_job WHERE workspace_id = %(place)s
"""
_FIRST_COME = """
    UPDATE agents_run SET status = 'running', fence = fence + 1,
        lease_until = clock_timestamp() + interval '30 seconds',
        started_at = coalesce(started_at, now())
    WHERE id = ANY(ARRAY(
        SELECT id FROM agents_run WHERE status = 'queued' AND NOT EXISTS (
            SELECT 1 FROM agents_halt AS halt
            WHERE halt.workspace_id = agents_run.workspace_id AND halt.lifted_at IS NULL)
        ORDER BY queued_at, id LIMIT 10 FOR UPDATE SKIP LOCKED))
    RETURNING id
"""
_INDEX = "CREATE INDEX bench_oldest ON agents_run (queued_at, id) WHERE status = 'queued'"


def measure(*, rounds: int, quick: bool) -> Part:
    """Return how long a claim of ten takes, ours and theirs in turns."""
    part = Part("claiming")
    waiting = QUICK_WAITING if quick else WAITING
    claims = QUICK_CLAIMS if quick else CLAIMS
    world.end_queued()
    _fill(waiting)
    with connection.cursor() as cursor:
        cursor.execute(_INDEX)
    world.tidy()
    try:
        ways: dict[str, Callable[[], Sequence[UUID]]] = {"oldest": _oldest, "fair": _fair}
        times = _in_turns(ways, claims)
        served = _served()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX bench_oldest")
        world.end_queued()
    where = f"{waiting:,} queued of {PLACES} workspaces"
    theirs = part.add(f"the oldest ten, {where}", "ms", times["oldest"])
    part.add(f"ten in turn, {where}", "ms", times["fair"], against=theirs, within=WITHIN_MS)
    part.remarks.append(
        f"ours served {served['fair']} workspaces in {claims} claims, "
        f"first come first {served['oldest']}"
    )
    return part


def _fill(waiting: int) -> None:
    places = [world.workspace(f"claiming-{number}") for number in range(PLACES)]
    others = waiting // 2 // (PLACES - 1)
    for number, place in enumerate(places):
        runs = others if number else waiting - others * (PLACES - 1)
        state = world.state(world.setup(place)).state_id
        age = 3_600 if number == 0 else 600
        values: dict[str, Any] = {"place": place.id, "state": state, "runs": runs, "age": age}
        with connection.cursor() as cursor:
            cursor.execute(_JOBS, {**values, "workflows": [*WORKFLOWS]})
            cursor.execute(_RUNS, values)


def _in_turns(ways: dict[str, Callable[[], Sequence[UUID]]], claims: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    # The first of each is planned and read from the disk.
    for number in range(claims + 5):
        for name, way in ways.items():
            began = time.perf_counter()
            taken = way()
            took = (time.perf_counter() - began) * 1_000
            if len(taken) != BATCH:
                raise RuntimeError(f"{name}: {len(taken)} runs were claimed, not {BATCH}.")
            _end(name, taken)
            if number >= 5:
                times[name].append(took)
    return times


def _fair() -> list[UUID]:
    return [claimed.run_id for claimed in store.claim(BATCH)]


def _oldest() -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_COME)
        return [run for (run,) in cursor.fetchall()]


def _end(way: str, runs: Sequence[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE agents_run SET status = 'succeeded', finished_at = now(), lease_until = NULL, "
            "problem_code = %s WHERE id = ANY(%s)",
            [way, [*runs]],
        )


def _served() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT problem_code, count(DISTINCT workspace_id) FROM agents_run "
            "WHERE status = 'succeeded' GROUP BY problem_code"
        )
        found: dict[str, Any] = dict(cursor.fetchall())
    return {way: found.get(way, 0) for way in ("oldest", "fair")}
