"""What may the processes that serve people do in the database? Everything but change its promises.

A role that owns no table cannot switch a trigger off, cut a table off, or make a constraint go.
Rows that stay are not even offered to it for change.
"""

from django.db import connection, transaction
from psycopg import sql

ROLE = "countersign_runtime"
# What triggers protect from everybody is not granted in the first place.
STAYING = (
    "approvals_breakglass",
    "approvals_comment",
    "approvals_decision",
    "approvals_evidence",
    "approvals_revision",
    "approvals_signature",
    "approvals_verdict",
    "ledger_entry",
)


def grant_runtime(role: str = ROLE) -> None:
    """Make the role if there is none, and give it what running needs; twice is once.

    Whoever asks owns the tables and may make roles.
    """
    name = sql.Identifier(role)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name).as_string())
        for statement in (
            "GRANT USAGE ON SCHEMA public TO {}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}",
        ):
            cursor.execute(sql.SQL(statement).format(name).as_string())
        for table in STAYING:
            taken = sql.SQL("REVOKE UPDATE, DELETE ON {} FROM {}")
            cursor.execute(taken.format(sql.Identifier(table), name).as_string())
        migrations = sql.SQL("REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {}")
        cursor.execute(migrations.format(name).as_string())
