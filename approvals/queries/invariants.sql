-- What must never be true of proposals, decisions and executions. Each query returns the rows that
-- break its sentence; on a healthy database all of them return none. The name before a query is the
-- sentence. Tests run this file after what they did, and `manage.py verify` runs it on your data.
-- A sentence of `liveness` says what has to have happened by now; tests stop the clocks and leave it
-- out.

-- name: an execution has the decisions that its terms ask for, on exactly its bytes
SELECT e.id
FROM approvals_execution e
JOIN approvals_proposal p ON p.id = e.proposal_id
JOIN approvals_revision r ON r.proposal_id = e.proposal_id AND r.number = e.revision
WHERE e.status NOT IN ('recalled', 'failed') AND e.break_glass_id IS NULL
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
WHERE e.status NOT IN ('recalled', 'failed') AND e.break_glass_id IS NULL
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
    OR d.decided_at > e.executed_at + interval '1 minute'
    OR d.decided_at > (
        SELECT min(a.sent_at) FROM approvals_attempt a WHERE a.execution_id = e.id
    ) + interval '1 minute';

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
WHERE e.status = 'succeeded' AND e.retry_class = 'local'
    AND (s.id IS NULL OR s.parent_number IS DISTINCT FROM r.base_number
        OR s.cause <> 'proposal' OR s.cause_id <> p.id::text);

-- name: what happened outside stands in a snapshot, or says why not
SELECT e.id
FROM approvals_execution e
JOIN approvals_proposal p ON p.id = e.proposal_id
JOIN approvals_revision r ON r.proposal_id = e.proposal_id AND r.number = e.revision
LEFT JOIN snapshots_snapshot s ON s.state_id = p.state_id AND s.number = e.snapshot_number
WHERE e.status IN ('succeeded', 'compensating', 'compensated', 'compensation_failed')
    AND e.retry_class <> 'local'
    AND CASE WHEN e.snapshot_number IS NULL THEN e.problem = ''
        ELSE s.id IS NULL OR s.parent_number < r.base_number OR s.cause <> 'proposal'
            OR s.cause_id <> p.id::text
        END;

-- name: nothing is executed across a rollback
SELECT e.id
FROM approvals_execution e
JOIN approvals_proposal p ON p.id = e.proposal_id
JOIN approvals_revision r ON r.proposal_id = e.proposal_id AND r.number = e.revision
JOIN snapshots_snapshot s ON s.state_id = p.state_id AND s.number = e.snapshot_number
WHERE s.epoch <> r.base_epoch;

-- name: nothing is sent across a rollback
SELECT a.id
FROM approvals_attempt a
JOIN approvals_execution e ON e.id = a.execution_id
JOIN approvals_proposal p ON p.id = e.proposal_id
JOIN approvals_revision r ON r.proposal_id = e.proposal_id AND r.number = e.revision
WHERE EXISTS (
    SELECT
    FROM snapshots_snapshot s
    WHERE s.state_id = p.state_id AND s.epoch > r.base_epoch
        AND s.created_at < a.sent_at - interval '1 minute'
);

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
WHERE e.status NOT IN ('recalled', 'failed')
    AND (p.status <> 'approved' OR p.revision <> e.revision);

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
    AND (e.status IS NULL OR e.status NOT IN ('held', 'ready', 'claimed', 'quarantined'));

-- name: nobody saw a canary become an action
SELECT c.id FROM approvals_canary c JOIN approvals_proposal p ON p.id = c.id;

-- name: what nobody can take back and nobody can ask about is sent once
SELECT execution_id
FROM approvals_attempt
WHERE retry_class = 'blind'
GROUP BY execution_id
HAVING count(*) > 1;

-- name: what can be asked about is sent again only after somebody found it absent
SELECT a.id
FROM approvals_attempt a
WHERE a.retry_class = 'queryable' AND a.number > 1
    AND NOT EXISTS (
        SELECT
        FROM approvals_resolution r
        WHERE r.execution_id = a.execution_id AND r.attempt_number = a.number - 1
            AND r.verdict = 'send_again' AND r.at <= a.sent_at + interval '1 minute'
    );

-- name: every attempt sends the bytes of its execution to where its execution goes
SELECT a.id
FROM approvals_attempt a
JOIN approvals_execution e ON e.id = a.execution_id
JOIN approvals_revision r ON r.proposal_id = e.proposal_id AND r.number = e.revision
WHERE encode(sha256(a.request), 'hex') <> a.request_digest
    OR a.request_digest <> e.request_digest
    OR (a.connector, a.retry_class) <> (e.connector, e.retry_class)
    OR e.connector IS DISTINCT FROM r.outlet->>'connector'
    OR e.retry_class IS DISTINCT FROM r.outlet->>'retry_class';

-- name: fences rise from attempt to attempt
SELECT id
FROM (
    SELECT a.id, a.number, a.fence, e.fence AS newest,
        lag(a.fence) OVER (PARTITION BY a.execution_id ORDER BY a.number) AS before,
        row_number() OVER (PARTITION BY a.execution_id ORDER BY a.number) AS counted
    FROM approvals_attempt a
    JOIN approvals_execution e ON e.id = a.execution_id
) fences
WHERE fence <= before OR fence > newest OR number <> counted;

-- name: one execution is under way per State
SELECT min(e.id::text)
FROM approvals_execution e
JOIN approvals_proposal p ON p.id = e.proposal_id
WHERE e.status IN ('held', 'ready', 'claimed', 'quarantined', 'sent', 'in_doubt')
GROUP BY p.state_id
HAVING count(*) > 1;

-- name: what was sent has its attempt
SELECT e.id
FROM approvals_execution e
WHERE e.retry_class <> 'local'
    AND e.status NOT IN ('held', 'ready', 'claimed', 'quarantined', 'recalled', 'failed')
    AND NOT EXISTS (
        SELECT
        FROM approvals_attempt a
        WHERE a.execution_id = e.id AND (e.status <> 'sent' OR a.fence = e.fence)
    );

-- name: an attempt without an outcome is that of something just sent
SELECT a.id
FROM approvals_attempt a
JOIN approvals_execution e ON e.id = a.execution_id
WHERE a.outcome = '' AND (e.status, e.fence) IS DISTINCT FROM ('sent', a.fence);

-- name: that something happened outside is known from somebody
SELECT e.id
FROM approvals_execution e
WHERE e.retry_class <> 'local'
    AND e.status IN ('succeeded', 'compensating', 'compensated', 'compensation_failed')
    AND how_it_is_known(e) IS NULL;

-- name: that something did not happen outside is known from somebody
SELECT e.id
FROM approvals_execution e
JOIN approvals_attempt a ON a.execution_id = e.id
WHERE e.status IN ('failed', 'recalled') AND a.outcome <> 'refused'
    AND NOT EXISTS (
        SELECT FROM approvals_observation o WHERE o.execution_id = e.id AND o.says = 'refused'
    )
    AND NOT EXISTS (
        SELECT
        FROM approvals_resolution r
        WHERE r.execution_id = e.id AND r.verdict = 'send_again' AND r.attempt_number = a.number
    )
    AND 2 > (
        SELECT count(DISTINCT r.person_id)
        FROM approvals_resolution r
        WHERE r.execution_id = e.id AND r.verdict IN ('absent', 'send_again')
    );

-- name: what failed or was recalled did not happen, unless it stands open as a difference
SELECT e.id
FROM approvals_execution e
JOIN approvals_observation o ON o.execution_id = e.id AND o.says = 'executed'
WHERE e.status IN ('failed', 'recalled')
    AND (o.source IN ('late_answer', 'inquiry')
        OR (o.source IN ('callback', 'statement') AND o.reference <> ''))
    AND NOT EXISTS (
        SELECT
        FROM approvals_discrepancy d
        WHERE d.execution_id = e.id AND d.kind = 'differs'
    );

-- name: what was sent is not taken back
SELECT e.id
FROM approvals_execution e
WHERE e.request_digest <> '' AND e.status IN ('recalled', 'quarantined');

-- name: nobody says what became of what they took part in or decided on
SELECT x.id
FROM approvals_resolution x
JOIN approvals_execution e ON e.id = x.execution_id
JOIN approvals_proposal p ON p.id = e.proposal_id
WHERE p.lineage ? ('person:' || x.person_id)
    OR EXISTS (
        SELECT
        FROM approvals_revision r
        WHERE r.proposal_id = p.id AND r.lineage ? ('person:' || x.person_id)
    )
    OR EXISTS (
        SELECT
        FROM approvals_decision d
        WHERE d.proposal_id = p.id AND x.person_id IN (d.person_id, d.stands_for_id)
    )
    OR EXISTS (
        SELECT FROM approvals_breakglass b WHERE b.proposal_id = p.id AND b.person_id = x.person_id
    );

-- name: what has a key is sent again by itself only while its key is young
SELECT a.id
FROM approvals_attempt a
JOIN approvals_attempt first ON first.execution_id = a.execution_id AND first.number = 1
JOIN approvals_execution e ON e.id = a.execution_id
JOIN approvals_revision r ON r.proposal_id = e.proposal_id AND r.number = e.revision
-- Other settings than those that were approved say nothing of what was promised then.
JOIN approvals_connector c ON c.workspace_id = a.workspace_id AND c.name = a.connector
    AND c.digest = r.outlet->>'digest'
WHERE a.retry_class = 'keyed' AND a.number > 1
    AND a.sent_at > first.sent_at + interval '1 minute'
        + 0.8 * coalesce(c.retention_seconds, 0) * interval '1 second'
    AND NOT EXISTS (
        SELECT
        FROM approvals_resolution x
        WHERE x.execution_id = a.execution_id AND x.attempt_number = a.number - 1
            AND x.verdict = 'send_again'
    );

-- name: a person has something sent again after its provider found it absent, in its own time
SELECT x.id
FROM approvals_resolution x
JOIN approvals_attempt a ON a.execution_id = x.execution_id AND a.number = x.attempt_number
JOIN approvals_execution e ON e.id = x.execution_id
JOIN approvals_revision r ON r.proposal_id = e.proposal_id AND r.number = e.revision
LEFT JOIN approvals_connector c ON c.workspace_id = a.workspace_id AND c.name = a.connector
    AND c.digest = r.outlet->>'digest'
WHERE x.verdict = 'send_again' AND (a.retry_class = 'blind' OR NOT EXISTS (
    SELECT
    FROM approvals_observation o
    WHERE o.execution_id = x.execution_id AND o.says = 'absent' AND o.source <> 'person'
        AND o.at <= x.at
        AND o.at >= a.sent_at + coalesce(c.settle_seconds, 0) * interval '1 second'
));

-- name: every sending stands in the ledger
SELECT a.id
FROM approvals_attempt a
JOIN approvals_execution e ON e.id = a.execution_id
WHERE NOT EXISTS (
    SELECT
    FROM ledger_entry l
    WHERE l.workspace_id = a.workspace_id AND l.subject = 'proposal:' || e.proposal_id
        AND l.verb = 'execution.sent' AND l.body->>'request' = a.request_digest
        AND l.body->>'fence' = a.fence::text
);

-- name: nothing is sent while sending is stopped
SELECT g.id
FROM (
    SELECT workspace_id, seq, verb,
        lead(seq) OVER (PARTITION BY workspace_id ORDER BY seq) AS until
    FROM ledger_entry
    WHERE verb IN ('sending.stopped', 'sending.resumed')
) turned
JOIN ledger_entry g ON g.workspace_id = turned.workspace_id AND g.verb = 'execution.sent'
    AND g.seq > turned.seq AND (turned.until IS NULL OR g.seq < turned.until)
WHERE turned.verb = 'sending.stopped';

-- name: what belongs to an execution belongs to its workspace
SELECT x.id
FROM (
    SELECT id, execution_id, workspace_id FROM approvals_attempt
    UNION ALL SELECT id, execution_id, workspace_id FROM approvals_observation
    UNION ALL SELECT id, execution_id, workspace_id FROM approvals_resolution
    UNION ALL SELECT id, execution_id, workspace_id FROM approvals_compensation
) x
JOIN approvals_execution e ON e.id = x.execution_id
JOIN approvals_proposal p ON p.id = e.proposal_id
WHERE x.workspace_id <> e.workspace_id OR e.workspace_id <> p.workspace_id;

-- liveness: what is due is carried out or sent within a minute
SELECT e.id
FROM approvals_execution e
LEFT JOIN approvals_sendswitch w ON w.workspace_id = e.workspace_id
WHERE e.status IN ('held', 'ready')
    AND greatest(e.due_at, e.next_at) < now() - interval '1 minute'
    AND (e.retry_class = 'local' OR w.is_stopped IS NOT TRUE);

-- liveness: what was claimed or sent is finished, or taken up by somebody else
SELECT e.id
FROM approvals_execution e
WHERE e.status IN ('claimed', 'sent')
    AND coalesce(e.lease_until, e.sent_at, e.created_at) < now() - interval '1 minute';

-- liveness: what is in doubt for long has somebody who sees to it
SELECT e.id
FROM approvals_execution e
WHERE e.status = 'in_doubt' AND e.doubt_due_at < now() AND e.owner_id IS NULL;

-- liveness: a connector that is offered was announced lately
SELECT c.id
FROM approvals_connector c
WHERE c.is_offered AND c.seen_at < now() - interval '5 minutes';

-- liveness: what was rung for was heard within a minute
SELECT r.id
FROM doorbell_ring r
WHERE r.rung_at < now() - interval '1 minute';

-- name: what is being undone outside is owed for a cause
SELECT e.id
FROM approvals_execution e
WHERE e.status IN ('compensating', 'compensated', 'compensation_failed')
    AND NOT EXISTS (
        SELECT FROM approvals_compensation c
        WHERE c.execution_id = e.id AND c.proposal_id IS NOT NULL
    );

-- name: what was undone outside has decisions of its own, and was carried out
SELECT e.id
FROM approvals_execution e
JOIN approvals_compensation c ON c.execution_id = e.id
WHERE e.status = 'compensated'
    AND (c.proposal_id = e.proposal_id OR NOT EXISTS (
        SELECT FROM approvals_execution back
        WHERE back.proposal_id = c.proposal_id
            AND back.status IN ('succeeded', 'compensating', 'compensated', 'compensation_failed')
    ));

-- name: no more is undone outside than there was
SELECT c.id
FROM approvals_compensation c
JOIN approvals_execution e ON e.id = c.execution_id
JOIN approvals_revision r ON r.proposal_id = e.proposal_id AND r.number = e.revision
JOIN approvals_execution back ON back.proposal_id = c.proposal_id
JOIN approvals_revision b ON b.proposal_id = back.proposal_id AND b.number = back.revision
WHERE back.status NOT IN ('recalled', 'failed')
GROUP BY c.id, r.id
HAVING sum(abs(coalesce((b.measure->>'amount')::numeric, 0))) > 0
    AND (r.measure->>'amount' IS NULL
        OR bool_or(b.measure->>'currency' IS DISTINCT FROM r.measure->>'currency')
        OR sum(abs(coalesce((b.measure->>'amount')::numeric, 0)))
            > abs((r.measure->>'amount')::numeric));

-- name: what came after an effect is undone before it
SELECT later.id
FROM approvals_compensation later
JOIN approvals_execution back ON back.proposal_id = later.proposal_id
JOIN approvals_compensation earlier ON earlier.workspace_id = later.workspace_id
    AND earlier.cause = later.cause AND earlier.number < later.number
JOIN approvals_execution e ON e.id = earlier.execution_id
JOIN approvals_proposal p ON p.id = earlier.proposal_id
WHERE e.status = 'compensating' AND back.break_glass_id IS NULL
    AND p.created_at <= earlier.created_at AND back.created_at > later.created_at;
