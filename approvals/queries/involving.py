"""Who had a part in an execution, so that others have to say what became of it?

Asked by whoever records what somebody says, tells people of a doubt, or shows them what they may
do; the database asks the same, in `had_a_part_in`.
"""

from approvals.doubt import Involved
from approvals.models import BreakGlass, Decision, Execution, Revision


def involved_in(execution: Execution) -> Involved:
    """Return who had a part in any wording of its proposal, decided on any, or broke the glass.

    Whoever was stood in for has decided, too.
    """
    rows = Revision.objects.filter(proposal=execution.proposal_id).values_list("lineage", flat=True)
    lineage = {ref for wording in rows for ref in wording} | {*execution.proposal.lineage}
    decided = Decision.objects.filter(proposal=execution.proposal_id)
    spoke = {each for row in decided.values_list("person", "stands_for") for each in row}
    broken = BreakGlass.objects.filter(proposal=execution.proposal_id)
    spoke |= set(broken.values_list("person", flat=True))
    return Involved(lineage, {f"person:{each}" for each in spoke} - {"person:None"})
