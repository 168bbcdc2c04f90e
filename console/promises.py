"""What does the database itself promise? SQL for migrations: rows that stay, one tenant each."""

from django.db import migrations

_REFUSE = """
    CREATE OR REPLACE FUNCTION refuse_to_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'restrict_violation';
    END $$
"""


def append_only(table: str) -> migrations.RunSQL:
    """Refuse UPDATE, DELETE and TRUNCATE on a table, for everyone who is not its owner's hand."""
    row, whole = f"{table}_rows_stay", f"{table}_stays"
    make = f"""
        CREATE TRIGGER {row} BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
        CREATE TRIGGER {whole} BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {row};
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {whole};
    """
    undo = f"DROP TRIGGER {row} ON {table}; DROP TRIGGER {whole} ON {table};"
    return migrations.RunSQL([_REFUSE, make], [undo])


def never_rewritten(table: str) -> migrations.RunSQL:
    """Refuse UPDATE and TRUNCATE on a table; what it holds may go, but never become another."""
    row, whole = f"{table}_rows_stay", f"{table}_stays"
    make = f"""
        CREATE TRIGGER {row} BEFORE UPDATE ON {table}
            FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
        CREATE TRIGGER {whole} BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {row};
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {whole};
    """
    undo = f"DROP TRIGGER {row} ON {table}; DROP TRIGGER {whole} ON {table};"
    return migrations.RunSQL([_REFUSE, make], [undo])


def same_workspace(child: str, column: str, parent: str) -> migrations.RunSQL:
    """Let a row refer only to a parent of its own workspace."""
    name = f"{child}_{column}_same_workspace"
    key = f"{parent}_workspace_and_id"
    make = f"""
        CREATE UNIQUE INDEX IF NOT EXISTS {key} ON {parent} (workspace_id, id);
        ALTER TABLE {child} ADD CONSTRAINT {name} FOREIGN KEY (workspace_id, {column})
            REFERENCES {parent} (workspace_id, id) DEFERRABLE INITIALLY DEFERRED;
    """
    return migrations.RunSQL([make], [f"ALTER TABLE {child} DROP CONSTRAINT {name};"])


def of_a_revision(child: str) -> migrations.RunSQL:
    """Let a row speak only of a revision that its proposal has had."""
    name = f"{child}_is_about_a_revision"
    make = f"""
        ALTER TABLE {child} ADD CONSTRAINT {name} FOREIGN KEY (proposal_id, revision)
            REFERENCES approvals_revision (proposal_id, number) DEFERRABLE INITIALLY DEFERRED;
    """
    return migrations.RunSQL([make], [f"ALTER TABLE {child} DROP CONSTRAINT {name};"])


def read_by_everybody(table: str) -> migrations.RunSQL:
    """Let every process look rows up in a new table until `grant_roles` says who may.

    What is asked of the database meanwhile goes through triggers that ask there.
    """
    make = f"""
        DO $$ DECLARE
            role name;
        BEGIN
            FOR role IN SELECT rolname FROM pg_roles WHERE rolname IN (
                'countersign_runtime', 'countersign_web', 'countersign_worker', 'countersign_sender'
            ) LOOP
                EXECUTE format('GRANT SELECT ON {table} TO %I', role);
            END LOOP;
        END $$
    """  # noqa: S608
    return migrations.RunSQL([make], migrations.RunSQL.noop)
