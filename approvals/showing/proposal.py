"""What exactly happens if a reviewer says yes, and what is wrong with it?"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from approvals import lifecycle
from approvals.formats import Segment
from approvals.queries import Detail
from approvals.showing.agreeing import agreement, in_words, objection
from approvals.showing.difference import table
from approvals.showing.history import history
from approvals.showing.standing import standing
from approvals.showing.texts import told
from console.actors import Actor

# What of a piece of evidence is shown before a reader asks for all of it.
_OPENING = 1_500


@dataclass(frozen=True, slots=True)
class Check:
    """One named sentence about the action, and whether it holds."""

    name: str
    passed: bool
    sentence: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One piece of evidence as it is read: its opening, and the rest for whoever asks."""

    number: int
    label: tuple[Segment, ...]
    source: tuple[Segment, ...]
    opening: tuple[Segment, ...]
    rest: tuple[Segment, ...]
    paths: list[str]
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a proposal came from: a kind, and the id of the run or client."""

    kind: str
    id: str


def proposal(found: Detail, actor: Actor, *, seen: int = 0) -> dict[str, Any]:
    """Return what `approvals/_proposal.html` shows.

    `seen` is the revision in the reader's form, or 0 without one: what came after it is
    announced, not slipped in.
    """
    row, revision, terms = found.proposal, found.revision, found.terms
    agreed = agreement(terms, approvers(found))
    is_open = lifecycle.is_open(row.status)
    return {
        "proposal": row,
        "revision": revision,
        "title": told(row.title),
        "standing": standing(found, agreed),
        "is_open": is_open,
        "agreement": agreed,
        "asked": in_words(terms),
        "policy": f"{terms.policy}, version {terms.version}" if terms.version else terms.policy,
        "checks": checks(found),
        "rows": _rows(found),
        "evidence": _evidence(found),
        "origin": _origin(row.origin),
        "proposer": told(row.proposer["name"]),
        "rationale": told(revision.rationale),
        "history": history(found),
        "was_revised": is_open and 0 < seen < revision.number,
        "has_moved": is_open and has_moved(found),
        "can_decide": is_open and _may_decide(found, actor),
        "is_too_late": not is_open and seen > 0 and _may_decide(found, actor),
    }


def has_moved(found: Detail) -> bool:
    """Say whether the record has a newer snapshot than the one this diff was made on."""
    return found.proposal.state.number != found.proposal.base_number


def approvers(found: Detail) -> list[str]:
    """Return who approved the current revision."""
    return [
        said.person.name
        for said in found.decisions
        if said.choice == "approve" and said.revision == found.revision.number
    ]


def checks(found: Detail) -> list[Check]:
    """Return the checks, failed ones first."""
    rows = [
        Check(item["name"], item["passed"], told(item["sentence"]))
        for item in found.revision.checks
    ]
    return sorted(rows, key=lambda check: check.passed)


def own_decision(found: Detail, actor: Actor) -> str:
    """Return what this person chose on the current revision, or nothing."""
    mine = [
        said.choice
        for said in found.decisions
        if str(said.person_id) == actor.id and said.revision == found.revision.number
    ]
    return mine[0] if mine else ""


def _may_decide(found: Detail, actor: Actor) -> bool:
    barred = objection(actor, found, datetime.now(UTC))
    return barred is None and not own_decision(found, actor)


def _rows(found: Detail) -> list[dict[str, Any]]:
    return table(
        base=(found.proposal.state_id, found.revision.base_number),
        changes=found.changes,
        fields=found.fields,
        exhibits=[(item.number, item.paths) for item in found.evidence],
    )


def _evidence(found: Detail) -> list[Exhibit]:
    return [
        Exhibit(
            number=item.number,
            label=told(item.label),
            source=told(item.source),
            opening=told(item.content[:_OPENING]),
            rest=told(item.content[_OPENING:]),
            paths=item.paths,
            digest=item.digest,
            at=item.created_at,
        )
        for item in found.evidence
    ]


def _origin(origin: str) -> Origin:
    kind, _, name = origin.partition(":")
    try:
        UUID(name)
    except ValueError:
        kind = "other"
    return Origin(kind, name)
