"""What does somebody who edits a proposal type, and what follows from it?"""

from collections.abc import Mapping
from typing import Any

from approvals.effects import STATED
from approvals.forms import inputs
from approvals.packing import in_words
from approvals.queries import Detail
from approvals.showing.reading import Reader
from approvals.showing.texts import told
from console.errors import Refused


def is_editable(found: Detail) -> bool:
    """Say whether its policy lets a reviewer edit it, and its effect follows from parameters."""
    return found.terms.edits and found.proposal.action_type.effect != STATED


def editing(
    reader: Reader,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    refused: Refused | None = None,
) -> dict[str, Any]:
    """Return what `approvals/proposal_edit.html` shows."""
    found = reader.found
    row, revision = found.proposal, found.revision
    return {
        "proposal": row,
        "revision": revision,
        "title": told(row.title),
        "inputs": inputs(
            row.action_type.params_schema,
            revision.params,
            found.fields,
            typed=typed,
            errors=errors,
        ),
        "asked": in_words(found.terms),
        "is_editable": is_editable(found) and reader.barred is None,
        "barred": reader.barred.sentence if reader.barred else "",
        "why": (typed or {}).get("why", ""),
        "refused": refused,
    }
