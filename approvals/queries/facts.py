"""Which value of a wording does somebody have to type before they sign?"""

from approvals.facts import FactAsked, fact_asked
from approvals.fields import Field, rows
from approvals.models import Proposal, Revision
from console.actors import Actor
from snapshots import queries as snapshots
from snapshots.diff import Change, apply


def fact_of(proposal: Proposal, revision: Revision, actor: Actor) -> FactAsked | None:
    """Return what this person has to type for this wording."""
    changes = [Change.from_json(item) for item in revision.changes]
    fields = [Field.from_json(item) for item in proposal.action_type.fields]
    before = snapshots.content(proposal.state_id, revision.base_number)
    laid = rows(changes, fields, before, apply(before, changes))
    return fact_asked(revision.digest, actor.ref, laid)
