"""What of a half-filled form comes along when a newer wording is loaded?"""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from approvals.queries import Detail
from approvals.queries.around import wording
from approvals.showing.deciding import Typed
from approvals.showing.difference import record, table


def kept(proposal_id: UUID, typed: Typed) -> dict[str, Any]:
    """Return what a session keeps of a form; nothing that proves who somebody is."""
    return {"proposal": str(proposal_id), **asdict(typed)}


def opened(found: Detail, draft: Any) -> Typed | None:
    """Return the form that was kept for this proposal, for the wording that it has now.

    A tick comes along where the check or the row that it is on says what it said.
    """
    if not isinstance(draft, dict) or draft.pop("proposal", "") != str(found.proposal.id):
        return None
    old = Typed(**{**draft, "ticked": tuple(draft["ticked"]), "rows": tuple(draft["rows"])})
    ticked = tuple(name for name in old.ticked if name in _same_checks(found, old.revision))
    marks = {row["mark"] for row in table(found, record(found))} if old.rows else set()
    rows = tuple(mark for mark in old.rows if mark in marks)
    lost = len(old.ticked) + len(old.rows) - len(ticked) - len(rows)
    revision = found.revision
    return Typed(
        revision.number,
        revision.digest,
        reason=old.reason,
        reason_code=old.reason_code,
        ticked=ticked,
        rows=rows,
        stands_for=old.stands_for,
        cleared=lost,
    )


def _same_checks(found: Detail, number: int) -> set[str]:
    old = found.revision if number == found.revision.number else wording(found, number)
    known = old.checks if old else []
    return {check["name"] for check in found.revision.checks if check in known}
