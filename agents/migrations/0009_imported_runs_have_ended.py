"""A run that was brought in from elsewhere has ended, and stays one that was brought in."""

from django.db import migrations, models
from django.db.models import Q

_STAY = """
    CREATE FUNCTION whose_run_it_is_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'whose run it is stays: % to % refused', OLD.source, NEW.source
            USING ERRCODE = 'restrict_violation';
    END $$;
    CREATE TRIGGER agents_run_source_stays BEFORE UPDATE OF source ON agents_run
        FOR EACH ROW WHEN (OLD.source IS DISTINCT FROM NEW.source)
        EXECUTE FUNCTION whose_run_it_is_stays();
    ALTER TABLE agents_run ENABLE ALWAYS TRIGGER agents_run_source_stays;
"""
_GO = """
    DROP TRIGGER agents_run_source_stays ON agents_run;
    DROP FUNCTION whose_run_it_is_stays();
"""


class Migration(migrations.Migration):
    """What is only looked at is never worked on."""

    dependencies = [("agents", "0008_lines_of_waiting_runs")]
    operations = [
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=Q(source="") | Q(status__in=["failed", "succeeded", "terminated"]),
                name="an_imported_run_has_ended",
            ),
        ),
        migrations.RunSQL([_STAY], [_GO]),
    ]
