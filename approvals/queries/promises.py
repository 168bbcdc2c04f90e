"""What of a sending, and of the connector it went out through, does its doubt hang on?"""

from datetime import timedelta

from approvals.doubt import Sending
from approvals.models import Attempt, Connector, Execution, Revision

NEVER = timedelta(days=36_500)


def sending_of(execution: Execution, attempt: Attempt) -> Sending:
    """Return what matters of a sending; a connector that nobody has announced never settles.

    Its promises are trusted only where they are those of the outlet that people approved.
    """
    rows = Connector.objects.filter(workspace=execution.workspace_id, name=attempt.connector)
    row = rows.first()
    firsts = Attempt.objects.filter(execution=execution).order_by("number")
    first = firsts.values_list("sent_at", flat=True).first()
    if row is None:
        return Sending("blind", attempt.sent_at, NEVER, first_sent_at=first, is_trusted=False)
    kept = row.retention_seconds
    return Sending(
        attempt.retry_class,
        attempt.sent_at,
        timedelta(seconds=row.settle_seconds),
        None if kept is None else timedelta(seconds=kept),
        first_sent_at=first,
        is_trusted=row.digest == _approved_digest(execution),
    )


def _approved_digest(execution: Execution) -> str:
    rows = Revision.objects.filter(proposal=execution.proposal_id, number=execution.revision)
    outlet = rows.values_list("outlet", flat=True).first() or {}
    return str(outlet.get("digest", ""))
