"""Leave a note that work is waiting; part of the caller's transaction."""

from django.db import connection

CHANNEL = "doorbell"
_LEAVE = """
    WITH note AS (INSERT INTO doorbell_ring (task, key, rung_at) VALUES (%s, %s, now()))
    SELECT pg_notify(%s, '')
"""


def ring_task(task: str, key: str = "") -> None:
    """Write an outbox row that is relayed to the broker after the commit.

    Ringing twice, late or never does no harm: tasks read rows, and the timer sweeps.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LEAVE, [task, key, CHANNEL])
