"""Tell the sender that something is due; it looks by itself every second, too."""

from django.db import connection

CHANNEL = "effects"


def nudge() -> None:
    """Wake the sender once the current transaction is committed; no broker has a part in it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
