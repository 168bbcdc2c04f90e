"""Measurements stay as they are; what belongs to a State or a run stays in its workspace."""

from django.db import migrations

from console.promises import append_only, same_workspace

_STAY = """
    CREATE FUNCTION what_was_restored_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.status IN ('done', 'refused') OR (TG_OP = 'DELETE' AND OLD.confirmed_at IS NOT NULL)
        THEN
            RAISE EXCEPTION 'a restoration that was carried out stays: % refused', TG_OP
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END $$;
    CREATE TRIGGER agents_restoration_rows_stay BEFORE UPDATE OR DELETE ON agents_restoration
        FOR EACH ROW EXECUTE FUNCTION what_was_restored_stays();
    ALTER TABLE agents_restoration ENABLE ALWAYS TRIGGER agents_restoration_rows_stay;
"""
_GO = """
    DROP TRIGGER agents_restoration_rows_stay ON agents_restoration;
    DROP FUNCTION what_was_restored_stays();
"""


class Migration(migrations.Migration):
    """What the database itself promises about agents, restorations and drift."""

    dependencies = [
        ("agents", "0004_agents_and_restorations"),
        ("snapshots", "0004_promises_of_storage"),
    ]
    operations = [
        append_only("agents_drift"),
        migrations.RunSQL([_STAY], [_GO]),
        same_workspace("agents_drift", "state_id", "snapshots_state"),
        same_workspace("agents_driftlimit", "state_id", "snapshots_state"),
        same_workspace("agents_restoration", "state_id", "snapshots_state"),
        same_workspace("agents_restoration", "run_id", "agents_run"),
    ]
