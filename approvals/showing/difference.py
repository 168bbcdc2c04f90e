"""How is what would change laid out in columns: field, before, after, now, why?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from approvals.effects import STATED
from approvals.fields import OTHER_CHANGES, Row, rows
from approvals.formats import Formatted, Segment
from approvals.queries import Detail
from approvals.showing.moving import Moved
from approvals.showing.sourcing import (
    BY_THE_ACTION,
    TOO_SMALL,
    Source,
    run_of,
    sources,
    speaks_for,
)
from console.canonical import Json, canonical_bytes, sha256
from snapshots import queries as snapshots
from snapshots.diff import Absent, Change, apply

# The classes that the stylesheet knows, for the kinds that it has no class of its own for.
_LOOKS: Mapping[str, str] = {"iban": "account", "integer": "number", "decimal": "number"}
_AS_TEXT = frozenset({"auto"})
# Above so many rows a reader first learns which groups there are.
SUMMARY_ABOVE = 500
SECTION = 100
_MARK_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Record:
    """The record that a diff was made on, and the same with the diff carried out.

    Both are empty once retention has let that snapshot go.
    """

    before: Json
    after: Json


def record(found: Detail) -> Record:
    """Read the record that a proposal's diff was made on."""
    return record_of(found, found.revision.base_number, found.changes)


def record_of(found: Detail, number: int, changes: list[Change]) -> Record:
    """Read a snapshot of the proposal's State, and carry changes out on it."""
    try:
        before = snapshots.content(found.proposal.state_id, number)
    except snapshots.Gone:
        return Record(None, None)
    return Record(before, apply(before, changes))


def table(found: Detail, shown: Record, moved: Moved | None = None) -> list[dict[str, Any]]:
    """Return the rows of `_diff_table.html`, riskiest first."""
    laid = rows(found.changes, found.fields, shown.before, shown.after)
    return [_laid_out(row, found, moved) for row in _in_reading_order(laid)]


def sections(laid: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cut a long table into tables of one group each, and of so many rows at most."""
    cut = []
    for group, held in groupby(laid, lambda row: row["group"]):
        of_group = list(held)
        cut += [
            {"group": group, "rows": of_group[start : start + SECTION], "first": start + 1}
            for start in range(0, len(of_group), SECTION)
        ]
    return [
        {**section, "number": number, "table_id": f"diff-{number}"}
        for number, section in enumerate(cut, 1)
    ]


def groups(cut: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say how many rows each group has, how many are flagged, and in which section it begins."""
    counted = []
    for group, held in groupby(cut, lambda section: section["group"]):
        of_group = list(held)
        rows_of = [row for section in of_group for row in section["rows"]]
        counted.append(
            {
                "name": group or "Changes",
                "rows": len(rows_of),
                "risky": sum(row["risky"] for row in rows_of),
                "first": of_group[0]["number"],
            }
        )
    return counted


def _in_reading_order(found: list[Row]) -> list[Row]:
    """Put the riskiest group first, in it the riskiest row, and what nobody described last."""
    risks: dict[str, int] = {}
    for row in found:
        risks[row.group or ""] = max(risks.get(row.group or "", 0), row.risk)
    places = {group: place for place, group in enumerate(risks)}

    def place(row: Row) -> tuple[bool, int, int, int]:
        group = row.group or ""
        return group == OTHER_CHANGES, -risks[group], places[group], -row.risk

    return sorted(found, key=place)


def _laid_out(row: Row, found: Detail, moved: Moved | None) -> dict[str, Any]:
    known = _sources(row, found)
    laid = {
        **plain(row),
        "group": row.group or "",
        "risky": row.risk > 0 or not row.described or any(item.is_odd for item in known),
        "sources": known,
        "evidence": [
            {"label": f"E{item.number}", "url": f"#evidence-{item.number}"}
            for item in found.evidence
            if any(speaks_for(path, row.path) for path in item.paths)
        ],
        **_now(row, moved),
    }
    return {**laid, "mark": _mark(laid)}


def plain(row: Row) -> dict[str, Any]:
    """Return what a row says by itself, without where it came from."""
    return {
        "path": row.path,
        "label": _label(row),
        "kind": _kind(row),
        "before": _parts(row.before),
        "after": _parts(row.after),
        "note": row.note,
    }


def _sources(row: Row, found: Detail) -> list[Source]:
    """Return where a value came from; where a run was traced, something is said of each."""
    kept, run = found.revision.sources, run_of(found.proposal.origin)
    if known := sources(kept, row.path, run):
        return known
    if not kept or not run or row.after is None:
        return []
    return [TOO_SMALL if found.proposal.action_type.effect == STATED else BY_THE_ACTION]


def _kind(row: Row) -> str:
    if row.op == "move" or row.kind in _AS_TEXT:
        return "text"
    return _LOOKS.get(row.kind, row.kind)


def _now(row: Row, moved: Moved | None) -> dict[str, Any]:
    live = moved.value_of(row) if moved else None
    if live is None:
        return {"moved": False, "now": None}
    return {"moved": True, "now": None if isinstance(live, Absent) else _parts(live)}


def _mark(laid: Mapping[str, Any]) -> str:
    """Name what a row says, so that a tick on it does not outlive a change of it."""
    said = [laid["path"], laid["before"], laid["after"], laid["note"]]
    return sha256(canonical_bytes(said))[:_MARK_LENGTH]


def _label(row: Row) -> str:
    # The raw path of what nobody described stands below its label anyway.
    named = [row.label, row.secondary] if row.described else [row.secondary or row.label]
    return " · ".join(filter(None, named))


def _parts(value: Formatted | None) -> list[dict[str, Any]] | None:
    if value is None:
        return None
    if value.groups:
        return [{"text": group.text, "differs": group.differs} for group in value.groups]
    parts = [
        {
            "text": _said(part),
            "differs": part.changed,
            "hidden": part.kind == "hidden",
            "note": part.note,
        }
        for part in value.segments
    ]
    return [*parts, {"text": f" ({value.code})"}] if value.code else parts


def _said(part: Segment) -> str:
    return f" … {part.text} … " if part.kind == "gap" else part.text
