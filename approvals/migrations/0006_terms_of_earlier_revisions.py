"""Give revisions that were made before the terms, authors and lineage that their proposals had."""

from django.db import migrations

# Terms had one threshold, written beside the rest.
_TERMS = """
    CREATE FUNCTION pg_temp.with_thresholds(kept jsonb) RETURNS jsonb LANGUAGE sql AS $$
        SELECT kept - 'approvals' - 'denials' - 'roles' || jsonb_build_object(
            'thresholds', jsonb_build_array(jsonb_build_object(
                'approve', kept->'approvals', 'deny', kept->'denials',
                'roles', kept->'roles', 'filter', '')),
            'edits', true, 'then', 'expire', 'escalate_to', '[]'::jsonb, 'escalate_seconds', 0,
            'limits', '[]'::jsonb, 'sample', 0.0, 'number', 0, 'clause', '')
    $$;
    UPDATE approvals_proposal SET terms = pg_temp.with_thresholds(terms) WHERE terms ? 'approvals';
"""
_PROPOSALS = """
    UPDATE approvals_proposal SET
        policy = left(terms->>'policy', 120),
        level = (terms->>'level')::smallint,
        agent = CASE WHEN proposer->>'kind' = 'agent' THEN left(proposer->>'name', 120) ELSE '' END
    WHERE policy = '';
"""
# Revisions are append-only; their owner fills the new columns, once.
_REVISIONS = """
    ALTER TABLE approvals_revision DISABLE TRIGGER approvals_revision_rows_stay;
    UPDATE approvals_revision r SET terms = p.terms, lineage = p.lineage, author = p.proposer
        FROM approvals_proposal p WHERE p.id = r.proposal_id AND r.terms = '{}'::jsonb;
    ALTER TABLE approvals_revision ENABLE ALWAYS TRIGGER approvals_revision_rows_stay;
"""


class Migration(migrations.Migration):
    """Fill what the columns of the last migration left empty."""

    dependencies = [("approvals", "0005_decisions_that_stand_up")]
    operations = [
        migrations.RunSQL([_TERMS, _PROPOSALS, _REVISIONS], migrations.RunSQL.noop),
    ]
