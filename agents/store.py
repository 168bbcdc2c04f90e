"""The hot path of the engine, one statement each.

A fenced step is recorded, and the lease prolonged, by one prepared statement: measured twenty
times the steps per second of the same thing through an ORM transaction.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import psycopg
from django.conf import settings
from django.db import connection

from agents import workflows
from agents.journal import Entry
from console.canonical import Json
from console.ids import new_id
from console.locking import Busy, patiently

_LEASE = "make_interval(secs => %(lease)s)"

_TAKEN = f"""
    UPDATE agents_run SET status = 'running', fence = fence + 1,
        lease_until = clock_timestamp() + {_LEASE}, started_at = coalesce(started_at, now())
    WHERE id = ANY(ARRAY(
        SELECT id FROM agents_run WHERE {{ready}} FOR UPDATE SKIP LOCKED))
    RETURNING id, workspace_id, job_id, fence, next_step, epoch
"""  # noqa: S608  (constants of this file)
_HALTED = """EXISTS (SELECT 1 FROM agents_halt AS halt
    WHERE halt.workspace_id = {place}.workspace_id AND halt.lifted_at IS NULL)"""
_NOT_HALTED = f"NOT {_HALTED.format(place='agents_run')}"
_CLAIM_LOST = _TAKEN.format(
    ready=f"status = 'running' AND lease_until < clock_timestamp() AND {_NOT_HALTED} LIMIT %(most)s"
)
# The words of the index `runs_in_line`: a point of priority is worth a minute of waiting, so that
# no priority lets another run wait for ever.
_TURN = "(timezone('UTC', queued_at) - priority * interval '1 minute')"
# Every line, one for each workflow of a workspace, is looked up by itself: however long one is,
# the heads of the others are as near. Whose workspace has the fewest runs in hand comes first,
# and of those with as many the next one after the one that this worker served last.
_CLAIM_QUEUED = f"""
    WITH RECURSIVE lines AS (
        (SELECT workspace_id, workflow FROM agents_run WHERE status = 'queued'
        ORDER BY workspace_id, workflow LIMIT 1)
        UNION ALL
        SELECT following.* FROM lines CROSS JOIN LATERAL (
            SELECT run.workspace_id, run.workflow FROM agents_run AS run
            WHERE run.status = 'queued'
                AND (run.workspace_id, run.workflow) > (lines.workspace_id, lines.workflow)
            ORDER BY run.workspace_id, run.workflow LIMIT 1) AS following),
    working AS MATERIALIZED (
        SELECT workspace_id, workflow, count(*) AS runs FROM agents_run
        WHERE status = 'running' GROUP BY workspace_id, workflow),
    busy AS MATERIALIZED (
        SELECT workspace_id, sum(runs) AS runs FROM working GROUP BY workspace_id),
    room AS MATERIALIZED (
        SELECT lines.workspace_id, lines.workflow, coalesce(busy.runs, 0) AS busy,
            coalesce(setting.at_once, declared.at_once) - coalesce(working.runs, 0) AS of_workflow,
            budget.at_once - coalesce(busy.runs, 0) AS of_workspace
        FROM lines
        LEFT JOIN busy USING (workspace_id)
        LEFT JOIN working USING (workspace_id, workflow)
        LEFT JOIN agents_workspacebudget AS budget USING (workspace_id)
        LEFT JOIN agents_workflowsetting AS setting USING (workspace_id, workflow)
        LEFT JOIN unnest(%(workflows)s::text[], %(at_once)s::int[])
            AS declared(workflow, at_once) USING (workflow)
        WHERE NOT {_HALTED.format(place="lines")}),
    -- No more workspaces than runs are wanted can have one of them.
    served AS MATERIALIZED (
        SELECT workspace_id FROM room WHERE coalesce(least(of_workflow, of_workspace), 1) > 0
        GROUP BY workspace_id, busy
        ORDER BY busy, workspace_id <= %(after)s, workspace_id LIMIT %(most)s),
    heads AS (
        SELECT room.*, head.id, head.turn,
            row_number() OVER (PARTITION BY room.workspace_id, room.workflow
                ORDER BY head.turn, head.id) AS place_in_line
        FROM room JOIN served USING (workspace_id) CROSS JOIN LATERAL (
            SELECT id, {_TURN} AS turn FROM agents_run
            WHERE status = 'queued' AND workspace_id = room.workspace_id
                AND workflow = room.workflow
            ORDER BY {_TURN}, id LIMIT %(most)s) AS head
        WHERE coalesce(least(of_workflow, of_workspace), 1) > 0),
    admitted AS (
        SELECT *, row_number() OVER (PARTITION BY workspace_id ORDER BY turn, id) AS place
        FROM heads WHERE place_in_line <= coalesce(of_workflow, place_in_line)),
    chosen AS MATERIALIZED (
        SELECT id, row_number() OVER (
            ORDER BY busy + place, workspace_id <= %(after)s, workspace_id) AS number
        FROM admitted WHERE place <= coalesce(of_workspace, place)
        ORDER BY number LIMIT %(most)s),
    taken AS ({_TAKEN.format(ready="id = ANY(ARRAY(SELECT id FROM chosen)) AND status = 'queued'")})
    SELECT taken.* FROM taken JOIN chosen USING (id) ORDER BY chosen.number
"""  # noqa: S608
# Counting what is in hand and taking more of it must be one act, or two workers pass a limit.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('agents.claim'))"

_RECORD = f"""
    WITH held AS (
        UPDATE agents_run SET next_step = %(index)s + 1, attempts = 0,
            lease_until = clock_timestamp() + {_LEASE}
        WHERE id = %(run)s AND fence = %(fence)s AND status = 'running' AND next_step = %(index)s
        RETURNING id)
    INSERT INTO agents_step (run_id, index, kind, name, agent, input, input_digest, output,
        error, proposal_id, fence, started_at, ended_at)
    SELECT id, %(index)s, %(kind)s, %(name)s, %(agent)s, %(input)s::jsonb, %(input_digest)s,
        %(output)s::jsonb, %(error)s, %(proposal)s, %(fence)s, %(started_at)s, clock_timestamp()
    FROM held
"""  # noqa: S608
# Where nothing was used, no row of the day is fought for.
_USED = """
    INSERT INTO agents_usage AS today (workspace_id, day, tokens, money, runs)
    SELECT workspace_id, (clock_timestamp() AT TIME ZONE 'UTC')::date,
        %(tokens)s::bigint, %(money)s::numeric, 0
    FROM held WHERE %(tokens)s::bigint > 0 OR %(money)s::numeric > 0
    ON CONFLICT (workspace_id, day) DO UPDATE
    SET tokens = today.tokens + excluded.tokens, money = today.money + excluded.money
"""
# What a model call used counts with its step or not at all; what it had said so far is not needed
# any more.
_RECORD_ASKED = f"""
    WITH held AS (
        UPDATE agents_run SET next_step = %(index)s + 1, attempts = 0,
            tokens = tokens + %(tokens)s::bigint, money = money + %(money)s::numeric,
            lease_until = clock_timestamp() + {_LEASE}
        WHERE id = %(run)s AND fence = %(fence)s AND status = 'running' AND next_step = %(index)s
        RETURNING id, workspace_id),
    said AS (DELETE FROM agents_draft WHERE run_id = (SELECT id FROM held)),
    used AS ({_USED})
    INSERT INTO agents_step (run_id, index, kind, name, agent, input, input_digest, output,
        error, proposal_id, fence, started_at, ended_at)
    SELECT id, %(index)s, %(kind)s, %(name)s, %(agent)s, %(input)s::jsonb, %(input_digest)s,
        %(output)s::jsonb, %(error)s, %(proposal)s, %(fence)s, %(started_at)s, clock_timestamp()
    FROM held
"""  # noqa: S608
_USED_TODAY = """
    SELECT tokens, money FROM agents_usage
    WHERE workspace_id = %(workspace)s AND day = (clock_timestamp() AT TIME ZONE 'UTC')::date
"""
# What is shown is not needed after a crash, so this commit need not sync.
_DRAFT = """
    WITH held AS MATERIALIZED (
        SELECT id FROM agents_run
        WHERE id = %(run)s AND fence = %(fence)s AND status = 'running' AND next_step = %(index)s
        FOR SHARE)
    INSERT INTO agents_draft (run_id, index, agent, text, at)
    SELECT id, %(index)s, %(agent)s, %(text)s, clock_timestamp()
    FROM held WHERE set_config('synchronous_commit', 'off', true) IS NOT NULL
    ON CONFLICT (run_id) DO UPDATE SET index = excluded.index, agent = excluded.agent,
        text = excluded.text, at = excluded.at
"""
# Only while nobody works at the run: what somebody else is told there is theirs.
_DROP_DRAFT = """
    DELETE FROM agents_draft WHERE run_id = %(run)s AND EXISTS (
        SELECT 1 FROM agents_run WHERE id = %(run)s
        AND (status <> 'running' OR fence = %(fence)s))
"""
_SUSPEND = """
    UPDATE agents_run SET status = 'waiting', waiting_for = %(proposal)s, lease_until = NULL
    WHERE id = %(run)s AND fence = %(fence)s AND status = 'running'
"""
# Asked once more: a halt may have come between looking for a run and having it.
_BEGIN = f"""
    UPDATE agents_run SET attempts = attempts + 1
    WHERE id = %(run)s AND fence = %(fence)s AND status = 'running' AND {_NOT_HALTED}
    RETURNING attempts
"""  # noqa: S608
# The shared lock on the agent makes whoever pauses it wait, and find this run then. What is lost
# with a crash of the database is written again by the next lead, so this commit need not sync.
_MEET = """
    WITH known AS MATERIALIZED (
        SELECT id, status, status_by, status_reason FROM agents_agent
        WHERE workspace_id = %(workspace)s AND name = %(name)s FOR KEY SHARE),
    made AS (
        INSERT INTO agents_agent (id, workspace_id, name, status, status_reason, status_by,
            status_at, seen_at, created_at)
        SELECT %(id)s, %(workspace)s, %(name)s, 'active', '', '',
            clock_timestamp(), clock_timestamp(), clock_timestamp()
        WHERE NOT EXISTS (SELECT 1 FROM known)
        ON CONFLICT DO NOTHING
        RETURNING id, status, status_by, status_reason),
    seen AS (
        UPDATE agents_agent SET seen_at = clock_timestamp()
        WHERE id = ANY(ARRAY(
            SELECT id FROM agents_agent
            WHERE workspace_id = %(workspace)s AND name = %(name)s
                AND seen_at < clock_timestamp() - interval '5 seconds'
            FOR NO KEY UPDATE SKIP LOCKED))),
    met AS (SELECT * FROM known UNION ALL SELECT * FROM made),
    taking_part AS (
        INSERT INTO agents_participation (run_id, agent_id, since)
        SELECT %(run)s, id, clock_timestamp() FROM met
        ON CONFLICT DO NOTHING)
    SELECT status, status_by, status_reason, set_config('synchronous_commit', 'off', true)
    FROM met
"""
_PAUSE = """
    WITH held AS MATERIALIZED (
        SELECT id FROM agents_agent
        WHERE workspace_id = %(workspace)s AND name = %(name)s AND status <> 'active'
        FOR KEY SHARE)
    UPDATE agents_run SET status = 'paused', held_because = %(because)s, lease_until = NULL,
        attempts = greatest(attempts - 1, 0)
    WHERE id = %(run)s AND fence = %(fence)s AND status = 'running'
        AND EXISTS (SELECT 1 FROM held)
"""
_HOLD = """
    SELECT 1 FROM agents_run
    WHERE id = %(run)s AND fence = %(fence)s AND status = 'running' FOR NO KEY UPDATE
"""
_RELEASE = """
    UPDATE agents_run SET status = 'queued', attempts = attempts - %(begun)s, lease_until = NULL
    WHERE id = %(run)s AND fence = %(fence)s AND status = 'running'
"""
_WAKE = """
    UPDATE agents_run SET status = 'queued', waiting_for = NULL, queued_at = clock_timestamp()
    WHERE id = ANY(%(runs)s) AND status = 'waiting' AND waiting_for = ANY(%(proposals)s)
"""
# Being held is no fault of the run, so the attempt does not count.
_HOLD_BACK = """
    UPDATE agents_run SET status = 'paused', held_because = %(because)s, lease_until = NULL,
        attempts = CASE status WHEN 'running' THEN greatest(attempts - 1, 0) ELSE attempts END
    WHERE id = ANY(%(runs)s) AND status IN ('queued', 'running', 'waiting', 'paused')
"""
_LET_GO = """
    UPDATE agents_run SET held_because = '',
        status = CASE WHEN waiting_for IS NULL THEN 'queued' ELSE 'waiting' END,
        queued_at = CASE WHEN waiting_for IS NULL THEN clock_timestamp() ELSE queued_at END
    WHERE id = ANY(%(runs)s) AND status = 'paused' AND paused_by IS NULL
    RETURNING id, waiting_for
"""
_HEARTBEAT = f"""
    UPDATE agents_run SET lease_until = clock_timestamp() + {_LEASE}
    FROM unnest(%(runs)s::uuid[], %(fences)s::bigint[]) AS held(run, fence)
    WHERE id = held.run AND agents_run.fence = held.fence AND status = 'running'
"""  # noqa: S608
_JOURNAL = """
    SELECT index, kind, name, agent, input, input_digest, output, error, proposal_id,
        started_at, ended_at
    FROM agents_step WHERE run_id = %(run)s ORDER BY index
"""


class Fenced(Exception):
    """Somebody else holds this run now, or it was ended: stop and touch nothing."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A run in this worker's hands, as long as nobody has a higher fence."""

    run_id: UUID
    workspace_id: UUID
    job_id: UUID
    fence: int
    next_step: int
    epoch: int
    # On this worker's own clock.
    taken_at: float = field(default_factory=time.monotonic, compare=False)


@dataclass(slots=True)
class Served:
    """Which workspace this process has served last; where it begins does not matter."""

    last: UUID


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an agent may work, and who said so why if it may not."""

    status: str
    by: str
    reason: str


_served = Served(UUID(int=0))


def claim(at_most: int) -> list[Claim]:
    """Take runs whose worker went silent, or else runs that are ready, each workspace in turn.

    What is silent comes first: until somebody has it again it takes the room of another run.
    Locks: a claim of queued runs waits for the one before it. Nobody waits longer than others
    take to claim; who has to is told that nothing is ready.
    """
    values = {"most": at_most, "lease": _lease_seconds()}
    lost = _execute(_CLAIM_LOST, values).fetchall()
    return [Claim(*row) for row in lost] or _next_in_line(values)


def _next_in_line(values: dict[str, Any]) -> list[Claim]:
    names = [name for name in workflows.names() if _at_once(name) is not None]
    asked = {
        **values,
        "workflows": names,
        "at_once": [_at_once(name) for name in names],
        "after": _served.last,
    }
    try:
        with patiently():
            claims = [Claim(*row) for row in _one_at_a_time(_CLAIM_QUEUED, asked)]
    except Busy:
        return []
    if claims:
        _served.last = claims[-1].workspace_id
    return claims


def _at_once(name: str) -> int | None:
    workflow = workflows.find(name)
    return workflow.at_once if workflow else None


def begin(claimed: Claim) -> int:
    """Count an attempt, and return which one without progress this is. Raises: Fenced."""
    row = _execute(_BEGIN, _mine(claimed)).fetchone()
    if row is None:
        raise Fenced
    attempts: int = row[0]
    return attempts


def hold(claimed: Claim) -> None:
    """Keep others from ending or taking the run until the transaction ends. Raises: Fenced."""
    _fenced(_HOLD, _mine(claimed))


def record(claimed: Claim, entry: Entry, tokens: int = 0, money: Decimal = Decimal(0)) -> None:
    """Write a step if the run is still ours, with what a model call used. Raises: Fenced."""
    values = {
        "run": claimed.run_id,
        "fence": claimed.fence,
        "lease": _lease_seconds(),
        "index": entry.index,
        "kind": entry.kind,
        "name": entry.name,
        "agent": entry.agent,
        "input": _jsonb(entry.input),
        "input_digest": entry.input_digest,
        "output": _jsonb(entry.output),
        "error": entry.error,
        "proposal": entry.proposal_id,
        "started_at": entry.started_at,
    }
    if entry.kind == "model_call":
        _fenced(_RECORD_ASKED, {**values, "tokens": tokens, "money": money})
    else:
        _fenced(_RECORD, values)


def draft(claimed: Claim, index: int, agent: str, text: str) -> None:
    """Keep for people to see what a model has said so far. Raises: Fenced.

    Locks: the run's row, shared, for the statement.
    """
    _fenced(_DRAFT, {**_mine(claimed), "index": index, "agent": agent, "text": text})


def drop_draft(claimed: Claim) -> None:
    """Take away what was said in a step that will not be written down."""
    _execute(_DROP_DRAFT, _mine(claimed))


def suspend(claimed: Claim, proposal_id: UUID) -> None:
    """Let the run wait for a proposal without holding a worker. Raises: Fenced."""
    _fenced(_SUSPEND, {**_mine(claimed), "proposal": proposal_id})


def meet(claimed: Claim, agent_name: str) -> Standing:
    """Note that an agent takes part in a run, known or new, and return how it stands.

    Locks: the agent's row, shared, for the statement. Raises: Busy (409).
    """
    values = {
        "id": new_id(),
        "workspace": claimed.workspace_id,
        "name": agent_name,
        "run": claimed.run_id,
    }
    while True:
        with patiently():
            row = _execute(_MEET, values).fetchone()
        # No row: another worker has met the same new agent at this moment.
        if row is not None:
            return Standing(*row[:3])


def pause(claimed: Claim, agent_name: str, because: str) -> bool:
    """Hold the run while this agent may not work; say whether that was still so.

    Locks: the agent's row, shared, before the run's. Raises: Busy (409).
    """
    values = {
        **_mine(claimed),
        "workspace": claimed.workspace_id,
        "name": agent_name,
        "because": because,
    }
    with patiently():
        return _execute(_PAUSE, values).rowcount == 1


def hold_back(runs: Sequence[UUID], because: str) -> None:
    """Let open runs stand still; what they wait for is kept."""
    _execute(_HOLD_BACK, {"runs": list(runs), "because": because})


def let_go(runs: Sequence[UUID]) -> list[tuple[UUID, UUID | None]]:
    """Let paused runs wait or be queued again, and return them with what they wait for."""
    return _execute(_LET_GO, {"runs": list(runs)}).fetchall()


def used_today(workspace_id: UUID) -> tuple[int, Decimal]:
    """Return the tokens and the money (USD) that a workspace has used on this day (UTC)."""
    row = _execute(_USED_TODAY, {"workspace": workspace_id}).fetchone()
    return (row[0], row[1]) if row else (0, Decimal(0))


def clock() -> datetime:
    """Return what time it is for the database."""
    found: datetime = _execute("SELECT clock_timestamp()", {}).fetchall()[0][0]
    return found


def release(claimed: Claim, *, begun: bool = False) -> bool:
    """Put a run back for anybody to take; say whether it was still ours.

    One that was begun and could not go on for no fault of its own has that attempt back.
    """
    return _execute(_RELEASE, {**_mine(claimed), "begun": int(begun)}).rowcount == 1


def wake(runs: Sequence[UUID], proposals: Sequence[UUID]) -> int:
    """Queue those of the runs that wait for one of these proposals; return how many."""
    return _execute(_WAKE, {"runs": list(runs), "proposals": list(proposals)}).rowcount


def prolong(claims: Sequence[Claim]) -> None:
    """Keep the leases of runs whose step takes long."""
    runs, fences = [c.run_id for c in claims], [c.fence for c in claims]
    _execute(_HEARTBEAT, {"runs": runs, "fences": fences, "lease": _lease_seconds()})


def journal(run_id: UUID) -> list[Entry]:
    """Return everything a run has done, in order."""
    return [_entry(row) for row in _execute(_JOURNAL, {"run": run_id}).fetchall()]


def _entry(row: Sequence[Any]) -> Entry:
    index, kind, name, agent, asked, input_digest, output, *rest = row
    # Django has told its connections to leave jsonb as text.
    return Entry(index, kind, name, agent, _value(asked), input_digest, _value(output), *rest)


def _value(text: str | None) -> Json:
    value: Json = orjson.loads(text) if text is not None else None
    return value


def _mine(claimed: Claim) -> dict[str, Any]:
    return {"run": claimed.run_id, "fence": claimed.fence}


def _fenced(sql: str, values: dict[str, Any]) -> None:
    if _execute(sql, values).rowcount != 1:
        raise Fenced


def _execute(sql: str, values: dict[str, Any]) -> psycopg.Cursor[Any]:
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        # Django's cursor binds on the client; this one lets the server prepare a statement once.
        return psycopg.Cursor(connection.connection).execute(sql, values, prepare=True)


def _one_at_a_time(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a statement that waits for those of other processes.

    Both go out together, so that the lock is held for no round trip, and never by a process that
    stands still.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        psycopg.Cursor(connection.connection).execute(_ONE_AT_A_TIME, prepare=True)
        return psycopg.Cursor(connection.connection).execute(sql, values, prepare=True).fetchall()


def _jsonb(value: Json) -> str:
    return orjson.dumps(value).decode()


def _lease_seconds() -> float:
    return settings.RUN_LEASE.total_seconds()
