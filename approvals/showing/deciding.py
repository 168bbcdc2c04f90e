"""What stands where a person decides: a form, or why there is none?"""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from approvals import legible, lifecycle
from approvals.effects import Measure
from approvals.legible import Wording
from approvals.operations.recalling import may_recall
from approvals.policy import REASON_CODES, REASONED, SIGNED
from approvals.queries import Detail
from approvals.queries.facts import fact_of
from approvals.showing.agreeing import agreement, approvers
from approvals.showing.editing import is_editable
from approvals.showing.moving import has_moved
from approvals.showing.proposal import checks
from approvals.showing.reading import Reader
from approvals.showing.signing import sign_form
from approvals.showing.standing import standing
from approvals.showing.texts import told
from approvals.showing.waiting import next_for
from console.access.queries import factor_kinds
from console.access.rights import allows
from console.errors import Refused

Mode = Literal["form", "outdated", "asked", "returned", "decided", "barred", "settled"]
_UNDECIDED = frozenset({"form", "outdated"})


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person has put into the form so far, and the wording that it was shown for.

    `rows` are the marks of the rows that they ticked as looked at; `cleared` counts the ticks
    that did not come along to a newer wording.
    """

    revision: int
    digest: str
    choice: str = ""
    reason: str = ""
    reason_code: str = ""
    ticked: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    fact: str = ""
    meaning: str = ""
    stands_for: str = ""
    cleared: int = 0


def decision(
    reader: Reader, *, typed: Typed | None = None, refused: Refused | None = None
) -> dict[str, Any]:
    """Return what `approvals/_decision.html` shows."""
    found, actor = reader.found, reader.actor
    row, revision, terms = found.proposal, found.revision, found.terms
    agreed = agreement(terms, approvers(found))
    typed = typed or Typed(revision.number, revision.digest)
    mode, emergency = _mode(reader, typed, refused), _emergency(reader)
    form = sign_form(found, actor, meaning=typed.meaning) if mode == "form" else None
    return {
        "proposal": row,
        "typed": typed,
        "mode": mode,
        "refused": refused,
        "barred": reader.barred.sentence if reader.barred else "",
        "own_decision": reader.own,
        "agreement": agreed,
        "standing": standing(found, agreed),
        "is_blind": reader.is_blind,
        "asks_reason": terms.level >= REASONED,
        "is_signed": terms.level >= SIGNED,
        "sign_form": form,
        "fact": fact_of(row, revision, actor) if terms.level >= SIGNED and mode == "form" else None,
        "codes": REASON_CODES,
        "to_tick": _to_tick(found),
        "unshowable": _unshowable(found),
        "places": reader.places,
        "button": told(_after_colon(row.title)),
        "can_edit": mode == "form" and is_editable(found) and reader.barred is None,
        **emergency,
        "can_recall": may_recall(actor, has_approved=reader.own == "approve"),
        "next": None if mode in _UNDECIDED else next_for(actor, after=row.id),
    }


def _emergency(reader: Reader) -> dict[str, Any]:
    """Say whether this person may break the glass, and with what they would prove themselves."""
    row, actor = reader.found.proposal, reader.actor
    may = (
        lifecycle.is_decidable(row.status)
        and allows(actor.roles, "break_glass")
        and actor.ref not in reader.found.revision.lineage
        and row.state.kind != "policies"
    )
    factors = factor_kinds(UUID(actor.id)) if may else frozenset()
    return {"can_break_glass": may, "factors": factors}


def _mode(reader: Reader, typed: Typed, refused: Refused | None) -> Mode:
    found = reader.found
    row, revision = found.proposal, found.revision
    if not lifecycle.is_open(row.status):
        return "settled"
    if reader.own:
        return "decided"
    if not lifecycle.is_decidable(row.status):
        return "asked" if row.status == "info_requested" else "returned"
    if not reader.has_a_say:
        return "barred"
    is_current = (typed.revision, typed.digest) == (revision.number, revision.digest)
    has_other_terms = refused is not None and refused.code == "policy_changed"
    return "form" if is_current and not has_moved(found) and not has_other_terms else "outdated"


def _to_tick(found: Detail) -> list[Any]:
    if found.terms.level < REASONED:
        return []
    return [check for check in checks(found) if not check.passed]


def _unshowable(found: Detail) -> str:
    """Say what of it nobody can be shown, so that it can only be rejected."""
    kept = found.revision.measure
    measure = Measure(
        counterparty=kept.get("counterparty") or "", subject=kept.get("subject") or ""
    )
    wording = Wording(
        found.changes, found.fields, found.revision.params, found.proposal.title, measure
    )
    return legible.cannot_be_shown(wording)


def _after_colon(title: str) -> str:
    """Continue a sentence with a title: its first letter is small, unless it is an abbreviation."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title
