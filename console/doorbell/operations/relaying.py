"""Hand what the outbox holds to the broker."""

from collections.abc import Callable

from django.db import connection, transaction

_TAKE = """
    DELETE FROM doorbell_ring WHERE id IN (
        SELECT id FROM doorbell_ring ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    ) RETURNING task, key
"""


def relay(publish: Callable[[str, str], None], *, at_most: int = 500) -> int:
    """Publish waiting notes, each task and key once, and return how many were taken.

    Published before the rows are gone: a crash between the two rings twice, never not at all.
    Raises: whatever `publish` raises; then every note stays.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TAKE, [at_most])
        notes = cursor.fetchall()
        for task, key in dict.fromkeys(notes):
            publish(task, key)
    return len(notes)
