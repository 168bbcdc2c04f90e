"""How much is waiting, and for how long? Measured by the timer for all workspaces at once.

The timer writes what it found into its beat. A scrape then reads one row, and the web process,
which sees one workspace at a time, never has to see all of them.
"""

from django.db import connection

from console.canonical import Json

_BY_WORKSPACE = """
    SELECT w.slug, g.name, g.detail, g.value FROM access_workspace w JOIN (
        SELECT workspace_id, 'open_proposals' AS name, '' AS detail, count(*)::float8 AS value
        FROM approvals_proposal
        WHERE status IN ('pending', 'info_requested', 'changes_requested') GROUP BY 1
        UNION ALL
        SELECT workspace_id, 'executions', status, count(*) FROM approvals_execution
        WHERE status IN ('held', 'ready', 'claimed', 'sent', 'in_doubt', 'quarantined')
        GROUP BY 1, 3
        UNION ALL
        SELECT workspace_id, 'ready_oldest_seconds', '',
            extract(epoch FROM now() - min(coalesce(next_at, due_at)))
        FROM approvals_execution WHERE status = 'ready' GROUP BY 1
        UNION ALL
        SELECT workspace_id, 'discrepancies_open', '', count(*) FROM approvals_discrepancy
        WHERE closed_at IS NULL GROUP BY 1
        UNION ALL
        SELECT workspace_id, 'runs', status, count(*) FROM agents_run
        WHERE status IN ('queued', 'running', 'waiting', 'paused') GROUP BY 1, 3
        UNION ALL
        SELECT workspace_id, 'checkpoint_age_seconds', '',
            extract(epoch FROM now() - max(at)) FROM ledger_checkpoint GROUP BY 1
    ) g ON g.workspace_id = w.id ORDER BY 1, 2, 3
"""
_OVERALL = """
    SELECT 'outbox_oldest_seconds', coalesce(extract(epoch FROM now() - min(rung_at)), 0)::float8
    FROM doorbell_ring
    UNION ALL SELECT 'outbox', count(*) FROM doorbell_ring
    UNION ALL SELECT 'breakers_open', count(*) FROM breakers_breaker WHERE status <> 'closed'
"""


def gauges() -> dict[str, Json]:
    """Return `{"overall": {name: value}, "workspaces": [[slug, name, detail, value]]}`."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERALL)
        overall: dict[str, Json] = {name: float(value) for name, value in cursor.fetchall()}
        cursor.execute(_BY_WORKSPACE)
        found: list[Json] = [[*row[:3], float(row[3] or 0)] for row in cursor.fetchall()]
    return {"overall": overall, "workspaces": found}
