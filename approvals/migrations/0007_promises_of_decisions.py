"""An execution has its decisions, and a decision is by somebody who may: the database says so."""

from django.db import migrations

from console.promises import append_only, same_workspace

# Who decides, checked as far as rows can tell: a filter of a policy is the application's.
_DECISION = """
    CREATE FUNCTION a_decision_is_by_somebody_who_may() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        p approvals_proposal;
        r approvals_revision;
    BEGIN
        SELECT * INTO p FROM approvals_proposal WHERE id = NEW.proposal_id;
        SELECT * INTO r FROM approvals_revision
            WHERE proposal_id = NEW.proposal_id AND number = NEW.revision;
        IF p.status <> 'pending' OR p.revision <> NEW.revision THEN
            RAISE EXCEPTION 'a decision is on the current revision of a pending proposal'
                USING ERRCODE = 'restrict_violation';
        END IF;
        -- The clocks of two processes may differ by a little.
        IF NEW.decided_at >= p.due_at OR NEW.decided_at < r.created_at - interval '1 minute' THEN
            RAISE EXCEPTION 'a decision is made between the wording and the deadline'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF r.lineage ? ('person:' || NEW.person_id)
            OR r.lineage ? coalesce('person:' || NEW.stands_for_id, '') THEN
            RAISE EXCEPTION 'nobody decides on what they took part in'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NOT EXISTS (
            SELECT FROM access_membership m JOIN access_user u ON u.id = m.person_id
            WHERE m.workspace_id = NEW.workspace_id AND m.person_id = NEW.person_id AND u.is_active
        ) THEN
            RAISE EXCEPTION 'a decision is by an active member of the workspace'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER a_decision_is_by_somebody_who_may BEFORE INSERT ON approvals_decision
        FOR EACH ROW EXECUTE FUNCTION a_decision_is_by_somebody_who_may();
    ALTER TABLE approvals_decision ENABLE ALWAYS TRIGGER a_decision_is_by_somebody_who_may;
"""

# Counted are people who hold a role of the threshold now, or stand in for somebody who does; a
# person and whoever stands in for them are one. At level 3 only signed approvals count.
_QUORUM = """
    CREATE FUNCTION enough_people_agreed(
        p approvals_proposal, r approvals_revision, threshold jsonb
    ) RETURNS boolean LANGUAGE sql STABLE AS $$
        SELECT count(DISTINCT d.person_id) FILTER (WHERE d.choice = 'approve' AND is_signed)
                >= (threshold->>'approve')::int
            AND count(DISTINCT coalesce(d.stands_for_id, d.person_id))
                    FILTER (WHERE d.choice = 'approve' AND is_signed)
                >= (threshold->>'approve')::int
        FROM approvals_decision d
        CROSS JOIN LATERAL (
            SELECT (r.terms->>'level')::int < 3
                OR EXISTS (SELECT FROM approvals_signature s WHERE s.decision_id = d.id)
                AS is_signed
        ) signed
        WHERE d.proposal_id = p.id AND d.revision = r.number AND d.digest = r.digest
            AND NOT r.lineage ? ('person:' || d.person_id)
            AND NOT r.lineage ? coalesce('person:' || d.stands_for_id, '')
            AND EXISTS (
                SELECT FROM access_membership m JOIN access_user u ON u.id = m.person_id
                WHERE m.workspace_id = p.workspace_id AND u.is_active
                    AND m.person_id IN (d.person_id, d.stands_for_id)
                    AND threshold->'roles' ? m.role
            )
    $$;
    CREATE FUNCTION enough_people_refused(
        p approvals_proposal, r approvals_revision, threshold jsonb
    ) RETURNS boolean LANGUAGE sql STABLE AS $$
        SELECT count(*) >= (threshold->>'deny')::int
        FROM approvals_decision d
        WHERE d.proposal_id = p.id AND d.revision = r.number AND d.choice = 'reject'
            AND EXISTS (
                SELECT FROM access_membership m JOIN access_user u ON u.id = m.person_id
                WHERE m.workspace_id = p.workspace_id AND u.is_active
                    AND m.person_id IN (d.person_id, d.stands_for_id)
                    AND threshold->'roles' ? m.role
            )
    $$;
    CREATE FUNCTION why_not_executed(e approvals_execution) RETURNS text LANGUAGE plpgsql STABLE AS $$
    DECLARE
        p approvals_proposal;
        r approvals_revision;
        asked jsonb;
    BEGIN
        SELECT * INTO p FROM approvals_proposal WHERE id = e.proposal_id;
        SELECT * INTO r FROM approvals_revision
            WHERE proposal_id = e.proposal_id AND number = e.revision;
        IF p.status <> 'approved' OR p.revision <> e.revision THEN
            RETURN 'an execution is of the current revision of an approved proposal';
        END IF;
        IF encode(sha256(r.sealed), 'hex') <> r.digest OR r.digest <> e.digest THEN
            RETURN 'an execution is of the bytes that were decided on';
        END IF;
        IF e.break_glass_id IS NOT NULL THEN
            IF EXISTS (
                SELECT FROM approvals_breakglass b
                WHERE b.id = e.break_glass_id AND b.proposal_id = e.proposal_id
                    AND b.revision = e.revision AND b.digest = e.digest
                    AND NOT r.lineage ? ('person:' || b.person_id)
            ) THEN
                RETURN NULL;
            END IF;
            RETURN 'a glass is broken for one revision, by somebody who took no part in it';
        END IF;
        asked := r.terms->'thresholds';
        IF p.escalated_at IS NOT NULL AND jsonb_array_length(r.terms->'escalate_to') > 0 THEN
            asked := r.terms->'escalate_to';
        END IF;
        IF (r.terms->>'level')::int = 0 AND jsonb_array_length(asked) = 0 THEN
            RETURN NULL;
        END IF;
        IF EXISTS (
            SELECT FROM jsonb_array_elements(asked) t WHERE enough_people_refused(p, r, t)
        ) THEN
            RETURN 'what people rejected is not executed';
        END IF;
        IF NOT EXISTS (
            SELECT FROM jsonb_array_elements(asked) t WHERE enough_people_agreed(p, r, t)
        ) THEN
            RETURN 'an execution has the decisions that its terms ask for';
        END IF;
        RETURN NULL;
    END $$;
"""

_EXECUTION = """
    CREATE FUNCTION an_execution_has_its_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
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
    CREATE TRIGGER an_execution_has_its_decisions
        BEFORE INSERT OR UPDATE ON approvals_execution
        FOR EACH ROW EXECUTE FUNCTION an_execution_has_its_decisions();
    ALTER TABLE approvals_execution ENABLE ALWAYS TRIGGER an_execution_has_its_decisions;
    CREATE TRIGGER executions_stay BEFORE DELETE ON approvals_execution
        FOR EACH ROW EXECUTE FUNCTION refuse_to_change();
    CREATE TRIGGER no_execution_is_cut_off BEFORE TRUNCATE ON approvals_execution
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change();
    ALTER TABLE approvals_execution ENABLE ALWAYS TRIGGER executions_stay;
    ALTER TABLE approvals_execution ENABLE ALWAYS TRIGGER no_execution_is_cut_off;
"""

# The moves of approvals/lifecycle.py; a test holds the two against each other.
_MOVES = """
    CREATE FUNCTION proposal_moves() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
        SELECT ARRAY[
            'pending>approved', 'pending>rejected', 'pending>info_requested',
            'pending>changes_requested', 'pending>expired', 'pending>stale', 'pending>withdrawn',
            'pending>invalidated',
            'info_requested>pending', 'info_requested>stale', 'info_requested>withdrawn',
            'info_requested>invalidated',
            'changes_requested>pending', 'changes_requested>expired', 'changes_requested>stale',
            'changes_requested>withdrawn', 'changes_requested>invalidated',
            'approved>pending', 'approved>stale', 'approved>withdrawn', 'approved>invalidated'
        ]
    $$;
    CREATE FUNCTION a_proposal_moves_as_allowed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.status <> NEW.status
            AND NOT (OLD.status || '>' || NEW.status) = ANY (proposal_moves()) THEN
            RAISE EXCEPTION 'a % proposal does not become %', OLD.status, NEW.status
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.revision < OLD.revision THEN
            RAISE EXCEPTION 'a proposal goes back to no earlier revision'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER a_proposal_moves_as_allowed
        BEFORE UPDATE OF status, revision ON approvals_proposal
        FOR EACH ROW EXECUTE FUNCTION a_proposal_moves_as_allowed();
    ALTER TABLE approvals_proposal ENABLE ALWAYS TRIGGER a_proposal_moves_as_allowed;
"""

_DIGESTS = """
    ALTER TABLE approvals_decision ADD CONSTRAINT a_decision_is_on_the_bytes_of_its_revision
        FOREIGN KEY (proposal_id, revision, digest)
        REFERENCES approvals_revision (proposal_id, number, digest) DEFERRABLE INITIALLY DEFERRED;
    ALTER TABLE approvals_execution ADD CONSTRAINT an_execution_is_of_the_bytes_of_its_revision
        FOREIGN KEY (proposal_id, revision, digest)
        REFERENCES approvals_revision (proposal_id, number, digest) DEFERRABLE INITIALLY DEFERRED;
    ALTER TABLE approvals_breakglass ADD CONSTRAINT a_glass_is_broken_for_the_bytes_of_a_revision
        FOREIGN KEY (proposal_id, revision, digest)
        REFERENCES approvals_revision (proposal_id, number, digest) DEFERRABLE INITIALLY DEFERRED;
"""

# A change of policies is a proposal like any other, whoever asks.
_POLICIES = """
    CREATE FUNCTION policies_change_by_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM snapshots_state WHERE id = NEW.state_id AND kind = 'policies') THEN
            RAISE EXCEPTION 'policies are changed by a proposal'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER policies_change_by_proposal BEFORE INSERT ON snapshots_snapshot
        FOR EACH ROW WHEN (NEW.cause NOT IN ('import', 'proposal'))
        EXECUTE FUNCTION policies_change_by_proposal();
    ALTER TABLE snapshots_snapshot ENABLE ALWAYS TRIGGER policies_change_by_proposal;
"""

_UNDO = """
    DROP TRIGGER policies_change_by_proposal ON snapshots_snapshot;
    DROP FUNCTION policies_change_by_proposal();
    ALTER TABLE approvals_breakglass
        DROP CONSTRAINT a_glass_is_broken_for_the_bytes_of_a_revision;
    ALTER TABLE approvals_execution
        DROP CONSTRAINT an_execution_is_of_the_bytes_of_its_revision;
    ALTER TABLE approvals_decision DROP CONSTRAINT a_decision_is_on_the_bytes_of_its_revision;
    DROP TRIGGER a_proposal_moves_as_allowed ON approvals_proposal;
    DROP FUNCTION a_proposal_moves_as_allowed();
    DROP FUNCTION proposal_moves();
    DROP TRIGGER no_execution_is_cut_off ON approvals_execution;
    DROP TRIGGER executions_stay ON approvals_execution;
    DROP TRIGGER an_execution_has_its_decisions ON approvals_execution;
    DROP FUNCTION an_execution_has_its_decisions();
    DROP FUNCTION why_not_executed(approvals_execution);
    DROP FUNCTION enough_people_refused(approvals_proposal, approvals_revision, jsonb);
    DROP FUNCTION enough_people_agreed(approvals_proposal, approvals_revision, jsonb);
    DROP TRIGGER a_decision_is_by_somebody_who_may ON approvals_decision;
    DROP FUNCTION a_decision_is_by_somebody_who_may();
"""
_MADE = [_DECISION, _QUORUM, _EXECUTION, _MOVES, _DIGESTS, _POLICIES]
_OF_A_PROPOSAL = [
    "comment",
    "inforequest",
    "snooze",
    "viewing",
    "breakglass",
    "exposure",
    "verdict",
]


class Migration(migrations.Migration):
    """What the database itself promises about decisions."""

    dependencies = [
        ("approvals", "0006_terms_of_earlier_revisions"),
        ("access", "0002_decisions_that_stand_up"),
        ("snapshots", "0005_decisions_that_stand_up"),
    ]
    operations = [
        append_only("approvals_comment"),
        append_only("approvals_signature"),
        append_only("approvals_breakglass"),
        append_only("approvals_verdict"),
        *[
            same_workspace(f"approvals_{name}", "proposal_id", "approvals_proposal")
            for name in _OF_A_PROPOSAL
        ],
        same_workspace("approvals_signature", "decision_id", "approvals_decision"),
        same_workspace("approvals_review", "execution_id", "approvals_execution"),
        same_workspace("approvals_execution", "break_glass_id", "approvals_breakglass"),
        same_workspace("approvals_exposure", "bucket_id", "approvals_bucket"),
        migrations.RunSQL([*_MADE], [_UNDO]),
    ]
