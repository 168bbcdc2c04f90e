"""What stands where a person decides: a form, or why there is none?"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from approvals import lifecycle
from approvals.operations.recalling import may_recall
from approvals.queries import Detail
from approvals.showing.agreeing import agreement, objection
from approvals.showing.proposal import approvers, checks, has_moved, own_decision
from approvals.showing.standing import standing
from approvals.showing.texts import told
from approvals.showing.waiting import next_for
from console.actors import Actor
from console.errors import Refused

Mode = Literal["form", "outdated", "decided", "barred", "settled"]
TICKS_FROM_LEVEL = 2
_UNDECIDED = frozenset({"form", "outdated"})


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person has put into the form so far, and the wording that it was shown for."""

    revision: int
    digest: str
    choice: str = ""
    reason: str = ""
    ticked: tuple[str, ...] = ()


def decision(
    found: Detail, actor: Actor, *, typed: Typed | None = None, refused: Refused | None = None
) -> dict[str, Any]:
    """Return what `approvals/_decision.html` shows."""
    row, revision = found.proposal, found.revision
    agreed = agreement(found.terms, approvers(found))
    typed = typed or Typed(revision.number, revision.digest)
    barred = objection(actor, found, datetime.now(UTC))
    mode = _mode(found, actor, typed, barred)
    own = own_decision(found, actor)
    return {
        "proposal": row,
        "typed": typed,
        "mode": mode,
        "refused": refused,
        "barred": barred,
        "own_decision": own,
        "agreement": agreed,
        "standing": standing(found, agreed),
        "asks_reason": found.terms.level >= TICKS_FROM_LEVEL,
        "to_tick": _to_tick(found),
        "button": told(_after_colon(row.title)),
        "can_recall": may_recall(actor, has_approved=own == "approve"),
        "next": None if mode in _UNDECIDED else next_for(actor, after=row.id),
    }


def _mode(found: Detail, actor: Actor, typed: Typed, barred: str | None) -> Mode:
    if not lifecycle.is_open(found.proposal.status):
        return "settled"
    if own_decision(found, actor):
        return "decided"
    if barred:
        return "barred"
    is_current = (typed.revision, typed.digest) == (found.revision.number, found.revision.digest)
    return "form" if is_current and not has_moved(found) else "outdated"


def _to_tick(found: Detail) -> list[Any]:
    if found.terms.level < TICKS_FROM_LEVEL:
        return []
    return [check for check in checks(found) if not check.passed]


def _after_colon(title: str) -> str:
    """Continue a sentence with a title: its first letter is small, unless it is an abbreviation."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title
