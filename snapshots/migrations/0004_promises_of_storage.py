"""A snapshot keeps what it says for ever; only how its content is stored may change."""

from django.db import migrations

from console.promises import never_rewritten, same_workspace

_KEEP = """
    CREATE FUNCTION snapshot_keeps_what_it_says() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.id, NEW.workspace_id, NEW.state_id, NEW.number, NEW.parent_number, NEW.epoch,
                NEW.digest, NEW.document_bytes, NEW.change_count, NEW.cause, NEW.cause_id,
                NEW.actor, NEW.reason, NEW.created_at, NEW.touched)
            IS DISTINCT FROM
            (OLD.id, OLD.workspace_id, OLD.state_id, OLD.number, OLD.parent_number, OLD.epoch,
                OLD.digest, OLD.document_bytes, OLD.change_count, OLD.cause, OLD.cause_id,
                OLD.actor, OLD.reason, OLD.created_at, OLD.touched)
        THEN
            RAISE EXCEPTION 'a snapshot keeps what it says: UPDATE refused'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF OLD.data IS NULL AND NEW.data IS NOT NULL THEN
            RAISE EXCEPTION 'content that was let go does not come back: UPDATE refused'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    DROP TRIGGER snapshots_snapshot_rows_stay ON snapshots_snapshot;
    CREATE TRIGGER snapshots_snapshot_rows_stay BEFORE DELETE ON snapshots_snapshot
        FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
    ALTER TABLE snapshots_snapshot ENABLE ALWAYS TRIGGER snapshots_snapshot_rows_stay;
    CREATE TRIGGER snapshots_keep_what_they_say BEFORE UPDATE ON snapshots_snapshot
        FOR EACH ROW EXECUTE FUNCTION snapshot_keeps_what_it_says();
    ALTER TABLE snapshots_snapshot ENABLE ALWAYS TRIGGER snapshots_keep_what_they_say;
"""
_LET_GO = """
    DROP TRIGGER snapshots_keep_what_they_say ON snapshots_snapshot;
    DROP FUNCTION snapshot_keeps_what_it_says();
    DROP TRIGGER snapshots_snapshot_rows_stay ON snapshots_snapshot;
    CREATE TRIGGER snapshots_snapshot_rows_stay BEFORE UPDATE OR DELETE ON snapshots_snapshot
        FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
    ALTER TABLE snapshots_snapshot ENABLE ALWAYS TRIGGER snapshots_snapshot_rows_stay;
"""
_STAY = """
    CREATE FUNCTION an_epoch_only_rises() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.epoch < OLD.epoch OR NEW.number < OLD.number THEN
            RAISE EXCEPTION 'a State goes forward: epoch and number never fall'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER snapshots_state_goes_forward BEFORE UPDATE OF epoch, number ON snapshots_state
        FOR EACH ROW EXECUTE FUNCTION an_epoch_only_rises();
    ALTER TABLE snapshots_state ENABLE ALWAYS TRIGGER snapshots_state_goes_forward;
    CREATE TRIGGER snapshots_mark_rows_stay BEFORE DELETE ON snapshots_mark
        FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
    ALTER TABLE snapshots_mark ENABLE ALWAYS TRIGGER snapshots_mark_rows_stay;
"""
_GO = """
    DROP TRIGGER snapshots_mark_rows_stay ON snapshots_mark;
    DROP TRIGGER snapshots_state_goes_forward ON snapshots_state;
    DROP FUNCTION an_epoch_only_rises();
"""
# Code of before reads neither what is stored anew nor what was let go.
_REFUSE_TO_GO_BACK = """
    DO $$
    BEGIN
        IF EXISTS (SELECT FROM snapshots_snapshot WHERE codec > 1 OR data IS NULL) THEN
            RAISE EXCEPTION 'snapshots are stored in a form that older code cannot read, or were '
                'let go: bring the database back from a backup made before this release'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END $$;
"""
# The row of a State is rewritten with every version: room on its page keeps its indexes alone.
_ROOM = "ALTER TABLE snapshots_state SET (fillfactor = 50)"
_PACKED = "ALTER TABLE snapshots_snapshot ALTER COLUMN data SET STORAGE EXTERNAL"
_PACKED_PARTS = "ALTER TABLE snapshots_part ALTER COLUMN data SET STORAGE EXTERNAL"


class Migration(migrations.Migration):
    """What the database itself promises about storage."""

    dependencies = [("snapshots", "0003_stored_anew")]
    operations = [
        migrations.RunSQL([_KEEP], [_LET_GO]),
        migrations.RunSQL([_STAY], [_GO]),
        migrations.RunSQL([_ROOM], ["ALTER TABLE snapshots_state RESET (fillfactor)"]),
        migrations.RunSQL(
            [_PACKED], ["ALTER TABLE snapshots_snapshot ALTER COLUMN data SET STORAGE EXTENDED"]
        ),
        migrations.RunSQL([_PACKED_PARTS], migrations.RunSQL.noop),
        never_rewritten("snapshots_part"),
        never_rewritten("snapshots_reading"),
        same_workspace("snapshots_part", "state_id", "snapshots_state"),
        same_workspace("snapshots_mark", "state_id", "snapshots_state"),
        same_workspace("snapshots_reading", "state_id", "snapshots_state"),
        # Last, so that going back asks first.
        migrations.RunSQL(migrations.RunSQL.noop, [_REFUSE_TO_GO_BACK]),
    ]
