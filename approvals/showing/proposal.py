"""What exactly happens if a reviewer says yes, and what is wrong with it?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from approvals import lifecycle
from approvals.formats import Segment, pair
from approvals.queries import Detail
from approvals.showing.agreeing import agreement, approvers, in_words
from approvals.showing.carrying import leaves_through
from approvals.showing.difference import SUMMARY_ABOVE, groups, record, sections, table
from approvals.showing.handling import handling
from approvals.showing.history import history
from approvals.showing.moving import has_moved, moved
from approvals.showing.opinion import opinion
from approvals.showing.reading import Reader
from approvals.showing.signing import signed
from approvals.showing.since import Since, since
from approvals.showing.sourcing import parameters, run_of
from approvals.showing.standing import standing
from approvals.showing.talking import talk
from approvals.showing.texts import told
from approvals.showing.unchanged import unchanged
from snapshots.diff import ABSENT

# What of a piece of evidence is shown before a reader asks for all of it.
_OPENING = 1_500
_COUNTED = frozenset({"money", "dose"})


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


def proposal(reader: Reader, *, seen: int = 0, looked_at: int = 0) -> dict[str, Any]:
    """Return what `approvals/_proposal.html` shows.

    `seen` is the revision in the reader's form, or 0 without one: what came after it is
    announced, not slipped in. `looked_at` is the one they saw on an earlier visit.
    """
    found = reader.found
    row, revision, terms = found.proposal, found.revision, found.terms
    agreed = agreement(terms, approvers(found))
    is_open = lifecycle.is_open(row.status)
    return {
        "proposal": row,
        "revision": revision,
        "title": told(row.title),
        "standing": standing(found, agreed),
        "is_open": is_open,
        "is_blind": reader.is_blind,
        "signed": [] if reader.is_blind else signed(found),
        "agreement": agreed,
        "outlet": leaves_through(revision.outlet),
        "asked": in_words(terms),
        "policy": f"{terms.policy}, version {terms.version}" if terms.version else terms.policy,
        "checks": checks(found),
        "evidence": _evidence(found),
        "origin": _origin(row.origin),
        "proposer": told(row.proposer["name"]),
        "rationale": told(revision.rationale),
        "claims": [told(item["quote"]) for item in revision.false_authority],
        "parameters": parameters(revision.params, revision.sources, run_of(row.origin)),
        "history": history(reader),
        "was_revised": is_open and 0 < seen < revision.number,
        "has_moved": is_open and has_moved(found),
        "can_decide": is_open and reader.may_decide,
        "is_too_late": not is_open and seen > 0 and reader.may_decide,
        **_changes(found, looked_at if is_open else 0),
        "ticks_in": "decide" if is_open and reader.may_decide else "",
        **handling(reader),
        **talk(reader),
    }


def checks(found: Detail) -> list[Check]:
    """Return the checks, failed ones first."""
    rows = [
        Check(item["name"], item["passed"], told(item["sentence"]))
        for item in found.revision.checks
    ]
    return sorted(rows, key=lambda check: check.passed)


def _changes(found: Detail, looked_at: int) -> dict[str, Any]:
    shown = record(found)
    is_open = lifecycle.is_open(found.proposal.status)
    live = moved(found, shown.before) if is_open and shown.before is not None else None
    rows = table(found, shown, live)
    cut = sections(rows) if len(rows) > SUMMARY_ABOVE else []
    return {
        "opinion": opinion(found, shown),
        "impact": _impact(found.revision.measure, rows),
        "row_count": len(rows),
        "now_head": "Now" if any(row["moved"] for row in rows) else "",
        "groups": groups(cut),
        "sections": cut,
        "elsewhere": live.elsewhere if live else 0,
        "has_chips": any(part.get("hidden") for row in rows for part in _all_parts(row)),
        "has_sources": any(row["sources"] for row in rows),
        "unchanged_count": len(unchanged(found, shown.before)),
        **_since(since(found, looked_at, rows), rows),
    }


def _all_parts(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [*(row["before"] or []), *(row["after"] or []), *(row["now"] or [])]


def _since(looked: Since | None, rows: list[dict[str, Any]]) -> dict[str, Any]:
    if looked is None:
        return {"since": None, "rows": rows, "rows_seen": []}
    new = [row for row in rows if row["mark"] not in looked.marks]
    seen = [row for row in rows if row["mark"] in looked.marks]
    return {"since": looked, "rows": new, "rows_seen": seen}


def _impact(measure: Mapping[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Say how much of what is about to go where, or about whom this is.

    An action that measures nothing is told by its riskiest amount or dose.
    """
    subject, payee = measure.get("subject") or "", measure.get("counterparty") or ""
    amount, currency = measure.get("amount"), measure.get("currency") or None
    shown = None if amount is None else pair("money", ABSENT, amount, unit=currency).after
    counted = next((row for row in rows if row["kind"] in _COUNTED and row["after"]), None)
    if not (shown or counted or subject or payee):
        return None
    return {
        "amount": shown.text if shown else _text(counted),
        "note": "" if shown or not counted else f"{counted['label']} {counted['note']}".strip(),
        "counterparty": told(payee),
        "subject": told(subject) if subject != payee else (),
    }


def _text(row: Mapping[str, Any] | None) -> str:
    return "".join(part["text"] for part in row["after"]) if row else ""


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
