"""Who says what became of an effect, what settles a doubt, and how much is undone: promised."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from console.migrating import AtOnce

# What approvals/queries/involving.py asks: of any wording, and whoever broke the glass.
_PART = """
    CREATE FUNCTION had_a_part_in(proposal uuid, person uuid) RETURNS boolean
    LANGUAGE sql STABLE AS $$
        SELECT EXISTS (
            SELECT FROM approvals_proposal p
            WHERE p.id = proposal AND p.lineage ? ('person:' || person)
        ) OR EXISTS (
            SELECT FROM approvals_revision r
            WHERE r.proposal_id = proposal AND r.lineage ? ('person:' || person)
        ) OR EXISTS (
            SELECT FROM approvals_decision d
            WHERE d.proposal_id = proposal AND person IN (d.person_id, d.stands_for_id)
        ) OR EXISTS (
            SELECT FROM approvals_breakglass b
            WHERE b.proposal_id = proposal AND b.person_id = person
        )
    $$;
"""

_RESOLUTION = """
    CREATE FUNCTION a_resolution_is_by_somebody_who_had_no_part() RETURNS trigger
    LANGUAGE plpgsql AS $$
    DECLARE
        e approvals_execution;
    BEGIN
        SELECT * INTO e FROM approvals_execution WHERE id = NEW.execution_id;
        IF e.status <> 'in_doubt' THEN
            RAISE EXCEPTION 'a resolution is about an execution in doubt'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.attempt_number IS DISTINCT FROM
            (SELECT max(number) FROM approvals_attempt WHERE execution_id = e.id) THEN
            RAISE EXCEPTION 'a resolution is about the newest attempt'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.verdict = 'send_again' AND e.retry_class = 'blind' THEN
            RAISE EXCEPTION 'what nobody can ask about is never sent again'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF had_a_part_in(e.proposal_id, NEW.person_id) THEN
            RAISE EXCEPTION 'nobody resolves what they took part in or decided on'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NOT EXISTS (
            SELECT FROM access_membership m JOIN access_user u ON u.id = m.person_id
            WHERE m.workspace_id = NEW.workspace_id AND m.person_id = NEW.person_id AND u.is_active
        ) THEN
            RAISE EXCEPTION 'a resolution is by an active member of the workspace'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER a_resolution_is_by_somebody_who_had_no_part BEFORE INSERT ON approvals_resolution
        FOR EACH ROW EXECUTE FUNCTION a_resolution_is_by_somebody_who_had_no_part();
    ALTER TABLE approvals_resolution
        ENABLE ALWAYS TRIGGER a_resolution_is_by_somebody_who_had_no_part;
"""

# The rule of approvals/doubt.py: two who say the same and name no two references. Whoever had it
# sent again, where nothing went out after all, found it absent.
_SETTLED = """
    CREATE FUNCTION two_people_say_so(execution uuid, attempt int, what text) RETURNS boolean
    LANGUAGE sql STABLE AS $$
        SELECT EXISTS (
            SELECT FROM approvals_resolution a JOIN approvals_resolution b
                ON b.execution_id = a.execution_id AND b.attempt_number = a.attempt_number
                    AND b.person_id <> a.person_id
                    AND (b.verdict = what OR (what = 'absent' AND b.verdict = 'send_again'))
            WHERE a.execution_id = execution AND a.attempt_number = attempt AND a.verdict = what
                AND (a.reference = '' OR b.reference = '' OR a.reference = b.reference)
        )
    $$;
    CREATE FUNCTION a_doubt_is_settled_by_somebody() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        newest int;
    BEGIN
        SELECT max(number) INTO newest FROM approvals_attempt WHERE execution_id = NEW.id;
        IF NEW.status = 'ready' THEN
            IF NOT EXISTS (
                SELECT FROM approvals_resolution
                WHERE execution_id = NEW.id AND attempt_number = newest AND verdict = 'send_again'
            ) THEN
                RAISE EXCEPTION 'what is in doubt is sent again because a person says so'
                    USING ERRCODE = 'restrict_violation';
            END IF;
        ELSIF NOT EXISTS (
            SELECT FROM approvals_observation
            WHERE execution_id = NEW.id AND source <> 'person'
                AND says = CASE NEW.status WHEN 'succeeded' THEN 'executed' ELSE 'refused' END
        ) AND NOT two_people_say_so(
            NEW.id, newest, CASE NEW.status WHEN 'succeeded' THEN 'executed' ELSE 'absent' END
        ) THEN
            RAISE EXCEPTION 'a doubt is settled by its provider or by two people'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER a_doubt_is_settled_by_somebody BEFORE UPDATE OF status ON approvals_execution
        FOR EACH ROW
        WHEN (OLD.status = 'in_doubt' AND NEW.status IN ('succeeded', 'failed', 'ready'))
        EXECUTE FUNCTION a_doubt_is_settled_by_somebody();
    ALTER TABLE approvals_execution ENABLE ALWAYS TRIGGER a_doubt_is_settled_by_somebody;
"""

_DISCREPANCY = """
    CREATE FUNCTION a_discrepancy_stays_as_it_was_found() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.closed_at IS NOT NULL
            OR (to_jsonb(OLD) - ARRAY['closed_at', 'closed_by_id', 'note'])
                <> (to_jsonb(NEW) - ARRAY['closed_at', 'closed_by_id', 'note']) THEN
            RAISE EXCEPTION 'a discrepancy is closed once, and says what it said'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER a_discrepancy_stays_as_it_was_found BEFORE UPDATE ON approvals_discrepancy
        FOR EACH ROW EXECUTE FUNCTION a_discrepancy_stays_as_it_was_found();
    CREATE TRIGGER discrepancies_stay BEFORE DELETE ON approvals_discrepancy
        FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
    CREATE TRIGGER no_discrepancy_is_cut_off BEFORE TRUNCATE ON approvals_discrepancy
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change();
    ALTER TABLE approvals_discrepancy ENABLE ALWAYS TRIGGER a_discrepancy_stays_as_it_was_found;
    ALTER TABLE approvals_discrepancy ENABLE ALWAYS TRIGGER discrepancies_stay;
    ALTER TABLE approvals_discrepancy ENABLE ALWAYS TRIGGER no_discrepancy_is_cut_off;
"""

_COMPENSATION = """
    CREATE FUNCTION a_compensation_is_not_more_than_its_effect() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM approvals_compensation c
            JOIN approvals_execution o ON o.id = c.execution_id
            JOIN approvals_revision original
                ON original.proposal_id = o.proposal_id AND original.number = o.revision
            JOIN approvals_revision back
                ON back.proposal_id = NEW.proposal_id AND back.number = NEW.revision
            WHERE c.proposal_id = NEW.proposal_id
                AND coalesce((back.measure->>'amount')::numeric, 0) <> 0
                AND (original.measure->>'amount' IS NULL
                    OR original.measure->>'currency' IS DISTINCT FROM back.measure->>'currency'
                    OR abs((back.measure->>'amount')::numeric)
                        > abs((original.measure->>'amount')::numeric))
        ) THEN
            RAISE EXCEPTION 'a compensation is not more than its effect'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER a_compensation_is_not_more_than_its_effect
        BEFORE INSERT ON approvals_execution
        FOR EACH ROW EXECUTE FUNCTION a_compensation_is_not_more_than_its_effect();
    ALTER TABLE approvals_execution
        ENABLE ALWAYS TRIGGER a_compensation_is_not_more_than_its_effect;
    CREATE TRIGGER compensations_stay BEFORE DELETE ON approvals_compensation
        FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
    CREATE TRIGGER no_compensation_is_cut_off BEFORE TRUNCATE ON approvals_compensation
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change();
    ALTER TABLE approvals_compensation ENABLE ALWAYS TRIGGER compensations_stay;
    ALTER TABLE approvals_compensation ENABLE ALWAYS TRIGGER no_compensation_is_cut_off;
"""

_UNDO = """
    DROP TRIGGER no_compensation_is_cut_off ON approvals_compensation;
    DROP TRIGGER compensations_stay ON approvals_compensation;
    DROP TRIGGER a_compensation_is_not_more_than_its_effect ON approvals_execution;
    DROP FUNCTION a_compensation_is_not_more_than_its_effect();
    DROP TRIGGER no_discrepancy_is_cut_off ON approvals_discrepancy;
    DROP TRIGGER discrepancies_stay ON approvals_discrepancy;
    DROP TRIGGER a_discrepancy_stays_as_it_was_found ON approvals_discrepancy;
    DROP FUNCTION a_discrepancy_stays_as_it_was_found();
    DROP TRIGGER a_doubt_is_settled_by_somebody ON approvals_execution;
    DROP FUNCTION a_doubt_is_settled_by_somebody();
    DROP FUNCTION two_people_say_so(uuid, int, text);
    DROP TRIGGER a_resolution_is_by_somebody_who_had_no_part ON approvals_resolution;
    DROP FUNCTION a_resolution_is_by_somebody_who_had_no_part();
    DROP FUNCTION had_a_part_in(uuid, uuid);
"""


class Migration(AtOnce):
    """What the database itself promises about doubts, differences and what undoes effects."""

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("approvals", "0010_promises_of_executions"),
    ]
    changes = ("approvals_execution",)
    operations = [
        migrations.AddField(
            model_name="connector",
            name="compare_asked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="discrepancy",
            name="reconciliation",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="found",
                to="approvals.reconciliation",
            ),
        ),
        migrations.AddConstraint(
            model_name="discrepancy",
            constraint=models.CheckConstraint(
                condition=models.Q(("closed_at", None), ("closed_by", None), ("note", ""))
                | models.Q(
                    ("closed_at__isnull", False),
                    ("closed_by__isnull", False),
                    models.Q(("note", ""), _negated=True),
                ),
                name="a_closed_discrepancy_says_by_whom_and_why",
            ),
        ),
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(
                fields=["lease_until"],
                condition=models.Q(("retry_class", "keyed"), ("status", "in_doubt")),
                name="executions_sent_again",
            ),
        ),
        migrations.RunSQL([_PART, _RESOLUTION, _SETTLED, _DISCREPANCY, _COMPENSATION], [_UNDO]),
    ]
