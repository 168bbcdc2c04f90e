"""Keep how long each agent of a finished run took, for the forecasts of the next runs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from agents.forecasting import KEPT_AT_MOST
from agents.models import Run

# A turn is what an agent does until another does something. Its seconds are those of its steps:
# between them it may have waited for people, or for a worker. What waits has no agent.
_KEEP = """
    WITH steps AS (
        SELECT index, agent, extract(epoch FROM ended_at - started_at) AS seconds,
            ended_at, row_number() OVER (ORDER BY index)
                - row_number() OVER (PARTITION BY agent ORDER BY index) AS turn
        FROM agents_step
        WHERE run_id = %(run)s AND agent <> '' AND kind NOT IN ('guard', 'outcome', 'event'))
    INSERT INTO agents_roletime (id, workspace_id, workflow, agent, seconds, ended_at)
    SELECT gen_random_uuid(), %(workspace)s, %(workflow)s, agent, sum(seconds), %(now)s
    FROM steps GROUP BY agent, turn ORDER BY min(index)
    RETURNING agent
"""
_FORGET = """
    DELETE FROM agents_roletime WHERE id IN (
        SELECT old.id FROM unnest(%(agents)s::text[]) AS known(agent) CROSS JOIN LATERAL (
            SELECT id FROM agents_roletime
            WHERE workspace_id = %(workspace)s AND workflow = %(workflow)s AND agent = known.agent
            ORDER BY ended_at DESC OFFSET %(most)s) AS old)
"""


def keep_times(run_id: UUID, now: datetime) -> None:
    """Keep the turns of a run that ended well, and of each agent no more than the newest.

    Whoever ended otherwise was cut off, and says nothing about how long the work takes.
    """
    rows = Run.objects.only("workspace_id", "workflow")
    run = rows.filter(id=run_id, status="succeeded").first()
    if run is None:
        return
    values: dict[str, Any] = {
        "run": run_id,
        "workspace": run.workspace_id,
        "workflow": run.workflow,
        "now": now,
        "most": KEPT_AT_MOST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, values)
        agents = sorted({agent for (agent,) in cursor.fetchall()})
        if agents:
            cursor.execute(_FORGET, {**values, "agents": agents})
