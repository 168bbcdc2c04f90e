-- What must never be true of proposals, decisions and executions. Each query returns the rows that
-- break its sentence; on a healthy database all of them return none. The name before a query is the
-- sentence. Tests run this file after what they did, and `manage.py verify` runs it on your data.

-- name: an execution has the decisions that its terms ask for, on exactly its bytes
SELECT e.id
FROM approvals_execution e
JOIN approvals_proposal p ON p.id = e.proposal_id
JOIN approvals_revision r ON r.proposal_id = e.proposal_id AND r.number = e.revision
WHERE e.status IN ('held', 'succeeded') AND e.break_glass_id IS NULL
    AND ((r.terms->>'level')::int > 0 OR jsonb_array_length(r.terms->'thresholds') > 0)
    AND NOT EXISTS (
        SELECT
        FROM jsonb_array_elements(
            CASE WHEN p.escalated_at IS NOT NULL AND jsonb_array_length(r.terms->'escalate_to') > 0
                THEN r.terms->'escalate_to' ELSE r.terms->'thresholds' END
        ) t
        WHERE (t->>'approve')::int <= (
            SELECT count(DISTINCT coalesce(d.stands_for_id, d.person_id))
            FROM approvals_decision d
            WHERE d.proposal_id = e.proposal_id AND d.revision = e.revision
                AND d.digest = e.digest AND d.choice = 'approve'
                AND NOT r.lineage ? ('person:' || d.person_id)
        )
    );

-- name: nobody decides on what they took part in
SELECT d.id
FROM approvals_decision d
JOIN approvals_revision r ON r.proposal_id = d.proposal_id AND r.number = d.revision
WHERE r.lineage ? ('person:' || d.person_id)
    OR r.lineage ? coalesce('person:' || d.stands_for_id, '');

-- name: a decision is on the digest of its revision
SELECT d.id
FROM approvals_decision d
JOIN approvals_revision r ON r.proposal_id = d.proposal_id AND r.number = d.revision
WHERE d.digest <> r.digest;

-- name: a revision's digest is that of its bytes
SELECT id FROM approvals_revision WHERE encode(sha256(sealed), 'hex') <> digest;

-- name: what people rejected is not executed
SELECT e.id
FROM approvals_execution e
JOIN approvals_revision r ON r.proposal_id = e.proposal_id AND r.number = e.revision
WHERE e.status IN ('held', 'succeeded') AND e.break_glass_id IS NULL
    AND EXISTS (
        SELECT
        FROM jsonb_array_elements(r.terms->'thresholds') t
        WHERE (t->>'deny')::int <= (
            SELECT count(*)
            FROM approvals_decision d
            WHERE d.proposal_id = e.proposal_id AND d.revision = e.revision
                AND d.choice = 'reject'
        )
    );

-- name: a decision is made after its wording, and before the execution
SELECT d.id
FROM approvals_decision d
JOIN approvals_revision r ON r.proposal_id = d.proposal_id AND r.number = d.revision
LEFT JOIN approvals_execution e ON e.proposal_id = d.proposal_id AND e.revision = d.revision
-- The clocks of two processes may differ by a little.
WHERE d.decided_at < r.created_at - interval '1 minute'
    OR d.decided_at > e.executed_at + interval '1 minute';

-- name: a person decides once on a revision
SELECT min(id::text)
FROM approvals_decision
GROUP BY proposal_id, revision, person_id
HAVING count(*) > 1;

-- name: a revision is executed once
SELECT min(id::text)
FROM approvals_execution
GROUP BY proposal_id, revision
HAVING count(*) > 1;

-- name: an execution writes the snapshot after the one that was decided on
SELECT e.id
FROM approvals_execution e
JOIN approvals_proposal p ON p.id = e.proposal_id
JOIN approvals_revision r ON r.proposal_id = e.proposal_id AND r.number = e.revision
LEFT JOIN snapshots_snapshot s ON s.state_id = p.state_id AND s.number = e.snapshot_number
WHERE e.status = 'succeeded'
    AND (s.id IS NULL OR s.parent_number IS DISTINCT FROM r.base_number
        OR s.cause <> 'proposal' OR s.cause_id <> p.id::text);

-- name: nothing is executed across a rollback
SELECT e.id
FROM approvals_execution e
JOIN approvals_proposal p ON p.id = e.proposal_id
JOIN approvals_revision r ON r.proposal_id = e.proposal_id AND r.number = e.revision
JOIN snapshots_snapshot s ON s.state_id = p.state_id AND s.number = e.snapshot_number
WHERE e.status = 'succeeded' AND s.epoch <> r.base_epoch;

-- name: an approved proposal has its execution
SELECT p.id
FROM approvals_proposal p
WHERE p.status = 'approved'
    AND NOT EXISTS (
        SELECT FROM approvals_execution e
        WHERE e.proposal_id = p.id AND e.revision = p.revision
    );

-- name: what was carried out stays approved
SELECT e.id
FROM approvals_execution e
JOIN approvals_proposal p ON p.id = e.proposal_id
WHERE e.status = 'succeeded' AND (p.status <> 'approved' OR p.revision <> e.revision);

-- name: whoever decides holds a role at that moment
SELECT d.id
FROM approvals_decision d
WHERE NOT EXISTS (
    SELECT
    FROM ledger_entry g
    WHERE g.workspace_id = d.workspace_id AND g.verb = 'role.granted'
        AND g.subject = 'person:' || d.person_id
        AND g.at <= d.decided_at + interval '1 minute'
        AND NOT EXISTS (
            SELECT
            FROM ledger_entry t
            WHERE t.workspace_id = g.workspace_id AND t.verb = 'role.revoked'
                AND t.subject = g.subject AND t.body->>'role' = g.body->>'role'
                AND t.seq > g.seq AND t.at <= d.decided_at
        )
);

-- name: nobody approves beyond their authority
SELECT d.id
FROM approvals_decision d
JOIN approvals_proposal p ON p.id = d.proposal_id
JOIN approvals_actiontype a ON a.id = p.action_type_id
JOIN approvals_revision r ON r.proposal_id = d.proposal_id AND r.number = d.revision
CROSS JOIN LATERAL (
    SELECT count(*) AS held, count(*) FILTER (
        WHERE (l.expires_at IS NULL OR l.expires_at > d.decided_at)
            AND EXISTS (
                SELECT
                FROM jsonb_array_elements_text(l.action_types) pattern
                WHERE a.name LIKE replace(replace(pattern, '_', '\_'), '*', '%')
            )
            AND (l.amount IS NULL OR r.measure->>'amount' IS NULL
                OR (l.currency = r.measure->>'currency'
                    AND abs((r.measure->>'amount')::numeric) <= l.amount))
    ) AS covering
    FROM approvals_authoritylimit l
    WHERE l.workspace_id = d.workspace_id AND l.person_id = d.person_id
        AND l.created_at <= d.decided_at
        AND (l.revoked_at IS NULL OR l.revoked_at > d.decided_at)
) authority
WHERE d.choice = 'approve' AND authority.held > 0 AND authority.covering = 0;

-- name: whoever stands in for somebody has been asked to
SELECT d.id
FROM approvals_decision d
WHERE d.stands_for_id IS NOT NULL
    AND NOT EXISTS (
        SELECT
        FROM approvals_delegation g
        WHERE g.workspace_id = d.workspace_id AND g.person_id = d.stands_for_id
            AND g.delegate_id = d.person_id
            AND d.decided_at BETWEEN g.begins_at AND g.ends_at
            AND (g.revoked_at IS NULL OR g.revoked_at > d.decided_at)
    );

-- name: a decision at level 3 is signed by its maker, who had just proved who they are
SELECT d.id
FROM approvals_decision d
JOIN approvals_revision r ON r.proposal_id = d.proposal_id AND r.number = d.revision
LEFT JOIN approvals_signature s ON s.decision_id = d.id
LEFT JOIN access_stepup u ON u.id = s.step_up_id
WHERE (r.terms->>'level')::int >= 3 AND d.choice IN ('approve', 'reject')
    AND (s.id IS NULL OR s.person_id <> d.person_id OR u.person_id <> d.person_id
        OR u.used_at IS NULL OR s.meaning = '' OR s.printed_name = ''
        OR d.decided_at - u.verified_at > interval '5 minutes'
        OR encode(sha256(s.statement), 'hex') <> s.digest);

-- name: every decision stands in the ledger
SELECT d.id
FROM approvals_decision d
WHERE NOT EXISTS (
    SELECT
    FROM ledger_entry l
    WHERE l.workspace_id = d.workspace_id AND l.subject = 'proposal:' || d.proposal_id
        AND l.verb = 'proposal.decided' AND l.actor->>'id' = d.person_id::text
        AND l.body->>'digest' = d.digest
);

-- name: what was decided blindly stands in the line that settled it
SELECT d.id
FROM approvals_decision d
JOIN approvals_proposal p ON p.id = d.proposal_id
JOIN approvals_revision r ON r.proposal_id = d.proposal_id AND r.number = d.revision
WHERE (r.terms->>'level')::int >= 3
    AND p.status NOT IN ('pending', 'info_requested', 'changes_requested')
    AND NOT EXISTS (
        SELECT
        FROM ledger_entry l
        WHERE l.workspace_id = d.workspace_id AND l.subject = 'proposal:' || d.proposal_id
            AND l.body->'votes' @> jsonb_build_array(jsonb_build_object(
                'decision', d.id::text, 'choice', d.choice, 'reason', d.reason))
    );

-- name: a broken glass is followed by two reviews by others
SELECT b.id
FROM approvals_breakglass b
JOIN approvals_execution e ON e.break_glass_id = b.id
WHERE 2 <> (
    SELECT count(*) FROM approvals_review v WHERE v.execution_id = e.id AND v.cause = 'break_glass'
) OR EXISTS (
    SELECT FROM approvals_review v WHERE v.execution_id = e.id AND v.person_id = b.person_id
);

-- name: what is settled or carried out no longer waits in a limit
SELECT x.id
FROM approvals_exposure x
JOIN approvals_proposal p ON p.id = x.proposal_id
LEFT JOIN approvals_execution e ON e.proposal_id = p.id AND e.revision = p.revision
WHERE x.status = 'waiting'
    AND p.status NOT IN ('pending', 'info_requested', 'changes_requested')
    AND e.status IS DISTINCT FROM 'held';

-- name: nobody saw a canary become an action
SELECT c.id FROM approvals_canary c JOIN approvals_proposal p ON p.id = c.id;
