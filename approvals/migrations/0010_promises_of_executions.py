"""An execution moves as allowed, is sent with an attempt, and ends with its evidence."""

from django.db import migrations

from console.migrating import AtOnce
from console.promises import append_only, read_by_everybody, same_workspace

# The moves of approvals/lifecycle.py; a test holds the two against each other.
_MOVES = """
    CREATE FUNCTION execution_moves() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
        SELECT ARRAY[
            'held>ready', 'held>succeeded', 'held>recalled', 'held>failed', 'held>quarantined',
            'ready>claimed', 'ready>in_doubt', 'ready>recalled', 'ready>failed',
            'ready>quarantined',
            'claimed>ready', 'claimed>sent', 'claimed>in_doubt', 'claimed>recalled',
            'claimed>failed', 'claimed>quarantined',
            'sent>succeeded', 'sent>failed', 'sent>in_doubt',
            'in_doubt>succeeded', 'in_doubt>failed', 'in_doubt>ready', 'in_doubt>sent',
            'quarantined>held', 'quarantined>ready', 'quarantined>in_doubt',
            'quarantined>recalled', 'quarantined>failed',
            'succeeded>compensating', 'compensating>compensated',
            'compensating>compensation_failed', 'compensation_failed>compensating'
        ]
    $$;
"""

# That something happened outside is a truth and is not refused for want of decisions, but it is
# known: from an answer, from what the provider said, or from two people.
_EXECUTION = """
    CREATE FUNCTION how_it_is_known(e approvals_execution) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT CASE
            WHEN EXISTS (
                SELECT FROM approvals_attempt a
                WHERE a.execution_id = e.id AND a.outcome = 'acknowledged'
            ) THEN 'answer'
            WHEN EXISTS (
                SELECT FROM approvals_observation o
                WHERE o.execution_id = e.id AND o.says = 'executed' AND o.source <> 'person'
            ) THEN 'observation'
            WHEN 2 <= (
                SELECT count(DISTINCT r.person_id) FROM approvals_resolution r
                WHERE r.execution_id = e.id AND r.verdict = 'executed'
            ) THEN 'people'
        END
    $$;
    CREATE OR REPLACE FUNCTION an_execution_has_its_decisions() RETURNS trigger
    LANGUAGE plpgsql AS $$
    DECLARE
        becomes boolean := TG_OP = 'INSERT';
        outlet jsonb;
        state uuid;
        why text;
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            becomes := OLD.status <> NEW.status;
            IF (OLD.proposal_id, OLD.revision, OLD.digest, OLD.workspace_id, OLD.created_at,
                OLD.connector, OLD.retry_class)
                IS DISTINCT FROM
                (NEW.proposal_id, NEW.revision, NEW.digest, NEW.workspace_id, NEW.created_at,
                NEW.connector, NEW.retry_class)
                OR OLD.break_glass_id IS DISTINCT FROM NEW.break_glass_id
                OR (OLD.state_id IS NOT NULL AND OLD.state_id IS DISTINCT FROM NEW.state_id) THEN
                RAISE EXCEPTION 'an execution stays that of its revision'
                    USING ERRCODE = 'restrict_violation';
            END IF;
            IF becomes AND NOT (OLD.status || '>' || NEW.status) = ANY (execution_moves()) THEN
                RAISE EXCEPTION 'a % execution does not become %', OLD.status, NEW.status
                    USING ERRCODE = 'restrict_violation';
            END IF;
            -- A provider or people may still say that it did not happen; nobody takes it back.
            IF becomes AND OLD.request_digest <> '' AND (NEW.status IN ('recalled', 'quarantined')
                OR (NEW.status = 'failed' AND OLD.status NOT IN ('sent', 'in_doubt'))) THEN
                RAISE EXCEPTION 'what was sent is not taken back'
                    USING ERRCODE = 'restrict_violation';
            END IF;
            IF NEW.fence < OLD.fence THEN
                RAISE EXCEPTION 'a fence is never lowered' USING ERRCODE = 'restrict_violation';
            END IF;
            IF OLD.request_digest NOT IN ('', NEW.request_digest) THEN
                RAISE EXCEPTION 'an execution is sent with the same bytes or not at all'
                    USING ERRCODE = 'restrict_violation';
            END IF;
        ELSE
            SELECT r.outlet, p.state_id INTO outlet, state
                FROM approvals_revision r JOIN approvals_proposal p ON p.id = r.proposal_id
                WHERE r.proposal_id = NEW.proposal_id AND r.number = NEW.revision;
            IF NEW.connector <> coalesce(outlet->>'connector', '')
                OR NEW.retry_class <> coalesce(outlet->>'retry_class', 'local') THEN
                RAISE EXCEPTION 'an execution leaves the house where its revision says'
                    USING ERRCODE = 'restrict_violation';
            END IF;
            IF NEW.state_id <> state THEN
                RAISE EXCEPTION 'an execution is on the State of its proposal'
                    USING ERRCODE = 'restrict_violation';
            END IF;
            IF NEW.retry_class <> 'local' AND NEW.status NOT IN ('held', 'ready') THEN
                RAISE EXCEPTION 'what leaves the house begins held or ready'
                    USING ERRCODE = 'restrict_violation';
            END IF;
        END IF;
        IF becomes AND NEW.status = 'sent' AND NOT EXISTS (
            SELECT FROM approvals_attempt a
            WHERE a.execution_id = NEW.id AND a.fence = NEW.fence AND a.outcome = ''
                AND a.request_digest = NEW.request_digest
        ) THEN
            RAISE EXCEPTION 'what is sent has its attempt, under its fence'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF becomes AND NEW.status = 'failed' AND OLD.status = 'sent' AND NOT EXISTS (
            SELECT FROM approvals_attempt a
            WHERE a.execution_id = NEW.id AND a.fence = NEW.fence AND a.outcome = 'refused'
        ) THEN
            RAISE EXCEPTION 'what was sent fails because its provider refused it'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF becomes AND NEW.status = 'succeeded' AND NEW.retry_class <> 'local'
            AND how_it_is_known(NEW) IS NULL THEN
            RAISE EXCEPTION 'what happened outside is known from somebody'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF TG_OP = 'INSERT' OR (becomes AND NEW.status = 'sent')
            OR (becomes AND NEW.status = 'succeeded' AND NEW.retry_class = 'local') THEN
            why := why_not_executed(NEW);
            IF why IS NOT NULL THEN
                RAISE EXCEPTION '%', why USING ERRCODE = 'restrict_violation';
            END IF;
        END IF;
        RETURN NEW;
    END $$;
"""

_ATTEMPT = """
    CREATE FUNCTION an_attempt_is_of_what_is_claimed() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        e approvals_execution;
    BEGIN
        SELECT * INTO e FROM approvals_execution WHERE id = NEW.execution_id;
        IF e.status NOT IN ('claimed', 'in_doubt') OR e.fence <> NEW.fence
            OR e.workspace_id <> NEW.workspace_id THEN
            RAISE EXCEPTION 'an attempt is of what is claimed, under its fence'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF (e.connector, e.retry_class) <> (NEW.connector, NEW.retry_class)
            OR e.retry_class = 'local' THEN
            RAISE EXCEPTION 'an attempt goes out where its execution does'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF encode(sha256(NEW.request), 'hex') <> NEW.request_digest
            OR e.request_digest NOT IN ('', NEW.request_digest) THEN
            RAISE EXCEPTION 'an attempt sends the bytes of its execution'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.outcome <> '' OR EXISTS (
            SELECT FROM approvals_attempt a
            WHERE a.execution_id = NEW.execution_id
                AND (a.fence >= NEW.fence OR a.number >= NEW.number)
        ) THEN
            RAISE EXCEPTION 'attempts are numbered, and nothing is known of a new one'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF EXISTS (
            SELECT FROM approvals_sendswitch s
            WHERE s.workspace_id = NEW.workspace_id AND s.is_stopped
        ) THEN
            RAISE EXCEPTION 'nothing is sent while sending is stopped'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE FUNCTION an_attempt_is_answered_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (to_jsonb(OLD) - ARRAY['outcome', 'answer_status', 'answer', 'reference', 'ended_at'])
            IS DISTINCT FROM
            (to_jsonb(NEW) - ARRAY['outcome', 'answer_status', 'answer', 'reference', 'ended_at'])
        THEN
            RAISE EXCEPTION 'an attempt stays as it was sent' USING ERRCODE = 'restrict_violation';
        END IF;
        IF OLD.outcome <> '' OR NEW.outcome = '' OR NOT EXISTS (
            SELECT FROM approvals_execution e
            WHERE e.id = NEW.execution_id AND e.status = 'sent' AND e.fence = NEW.fence
        ) THEN
            RAISE EXCEPTION 'an attempt is answered once, under its fence'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER an_attempt_is_of_what_is_claimed BEFORE INSERT ON approvals_attempt
        FOR EACH ROW EXECUTE FUNCTION an_attempt_is_of_what_is_claimed();
    CREATE TRIGGER an_attempt_is_answered_once BEFORE UPDATE ON approvals_attempt
        FOR EACH ROW EXECUTE FUNCTION an_attempt_is_answered_once();
    CREATE TRIGGER attempts_stay BEFORE DELETE ON approvals_attempt
        FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
    CREATE TRIGGER no_attempt_is_cut_off BEFORE TRUNCATE ON approvals_attempt
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change();
    ALTER TABLE approvals_attempt ENABLE ALWAYS TRIGGER an_attempt_is_of_what_is_claimed;
    ALTER TABLE approvals_attempt ENABLE ALWAYS TRIGGER an_attempt_is_answered_once;
    ALTER TABLE approvals_attempt ENABLE ALWAYS TRIGGER attempts_stay;
    ALTER TABLE approvals_attempt ENABLE ALWAYS TRIGGER no_attempt_is_cut_off;
"""

_UNDO = """
    DROP TRIGGER no_attempt_is_cut_off ON approvals_attempt;
    DROP TRIGGER attempts_stay ON approvals_attempt;
    DROP TRIGGER an_attempt_is_answered_once ON approvals_attempt;
    DROP TRIGGER an_attempt_is_of_what_is_claimed ON approvals_attempt;
    DROP FUNCTION an_attempt_is_answered_once();
    DROP FUNCTION an_attempt_is_of_what_is_claimed();
    CREATE OR REPLACE FUNCTION an_execution_has_its_decisions() RETURNS trigger
    LANGUAGE plpgsql AS $$
    DECLARE
        why text;
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF (OLD.proposal_id, OLD.revision, OLD.digest, OLD.workspace_id, OLD.created_at)
                IS DISTINCT FROM
                (NEW.proposal_id, NEW.revision, NEW.digest, NEW.workspace_id, NEW.created_at)
                OR OLD.break_glass_id IS DISTINCT FROM NEW.break_glass_id THEN
                RAISE EXCEPTION 'an execution stays that of its revision'
                    USING ERRCODE = 'restrict_violation';
            END IF;
            IF OLD.status <> NEW.status AND OLD.status <> 'held' THEN
                RAISE EXCEPTION 'a finished execution stays as it ended'
                    USING ERRCODE = 'restrict_violation';
            END IF;
        END IF;
        IF TG_OP = 'INSERT' OR (NEW.status = 'succeeded' AND OLD.status <> 'succeeded') THEN
            why := why_not_executed(NEW);
            IF why IS NOT NULL THEN
                RAISE EXCEPTION '%', why USING ERRCODE = 'restrict_violation';
            END IF;
        END IF;
        RETURN NEW;
    END $$;
    DROP FUNCTION how_it_is_known(approvals_execution);
    DROP FUNCTION execution_moves();
"""

# What was held before executions knew their State keeps others off it from now on, too.
_OF_THE_HELD = """
    UPDATE approvals_execution e SET state_id = p.state_id
    FROM approvals_proposal p
    WHERE p.id = e.proposal_id AND e.status = 'held' AND e.state_id IS NULL
        AND e.id = (
            SELECT o.id FROM approvals_execution o JOIN approvals_proposal q ON q.id = o.proposal_id
            WHERE q.state_id = p.state_id AND o.status = 'held'
            ORDER BY o.due_at, o.id LIMIT 1
        );
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
"""


class Migration(AtOnce):
    """What the database itself promises about effects that leave the house."""

    dependencies = [
        ("approvals", "0009_effects_that_leave_the_house"),
    ]
    changes = (
        "approvals_execution",
        "approvals_proposal",
        "snapshots_state",
    )
    operations = [
        # Triggers below look these up with the rights of whoever writes.
        *[
            read_by_everybody(f"approvals_{name}")
            for name in ("attempt", "observation", "resolution", "compensation")
        ],
        append_only("approvals_observation"),
        append_only("approvals_resolution"),
        *[
            same_workspace(f"approvals_{name}", "execution_id", "approvals_execution")
            for name in ("attempt", "observation", "resolution", "compensation", "discrepancy")
        ],
        same_workspace("approvals_compensation", "proposal_id", "approvals_proposal"),
        same_workspace("approvals_reconciliation", "connector_id", "approvals_connector"),
        same_workspace("approvals_discrepancy", "connector_id", "approvals_connector"),
        same_workspace("approvals_discrepancy", "reconciliation_id", "approvals_reconciliation"),
        same_workspace("approvals_execution", "state_id", "snapshots_state"),
        migrations.RunSQL([_MOVES, _EXECUTION, _ATTEMPT], [_UNDO]),
        migrations.RunSQL([_OF_THE_HELD], migrations.RunSQL.noop),
    ]
