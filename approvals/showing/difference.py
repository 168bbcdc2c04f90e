"""How is what would change laid out in four columns: field, before, after, evidence?"""

from collections.abc import Mapping, Sequence
from typing import Any

from approvals.fields import OTHER_CHANGES, Field, Row, rows
from approvals.fields.describing import NEIGHBOUR
from approvals.formats import Formatted, Segment
from console.canonical import Json
from snapshots import pointer
from snapshots import queries as snapshots
from snapshots.diff import Change, apply

# The classes that the stylesheet knows, for the kinds that it has no class of its own for.
_LOOKS: Mapping[str, str] = {"iban": "account", "integer": "number", "decimal": "number"}
_AS_TEXT = frozenset({"auto"})

Exhibit = tuple[int, Sequence[str]]


def table(
    *,
    base: tuple[Any, int],
    changes: list[Change],
    fields: list[Field],
    exhibits: Sequence[Exhibit],
) -> list[dict[str, Any]]:
    """Return the rows of `_diff_table.html`.

    Shape: `base` is the id of a State and the number of a snapshot, `exhibits` the number of a
    piece of evidence with the paths that it speaks for.
    """
    before, after = _documents(base, changes, fields)
    found = rows(changes, fields, before, after)
    return [_laid_out(row, exhibits) for row in _in_reading_order(found)]


def _documents(
    base: tuple[Any, int], changes: list[Change], fields: list[Field]
) -> tuple[Json, Json]:
    """Read the record only where a field takes its unit from a value beside it."""
    if not any(NEIGHBOUR.fullmatch(field.unit or "") for field in fields):
        return None, None
    document = snapshots.content(*base)
    return document, apply(document, changes)


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


def _laid_out(row: Row, exhibits: Sequence[Exhibit]) -> dict[str, Any]:
    return {
        "path": row.path,
        "label": _label(row),
        "kind": "text"
        if row.op == "move" or row.kind in _AS_TEXT
        else _LOOKS.get(row.kind, row.kind),
        "before": _parts(row.before),
        "after": _parts(row.after),
        "note": row.note,
        "group": row.group or "",
        "risky": row.risk > 0 or not row.described,
        "evidence": [
            {"label": f"E{number}", "url": f"#evidence-{number}"}
            for number, paths in exhibits
            if any(_speaks_for(path, row.path) for path in paths)
        ],
    }


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
        {"text": _said(part), "differs": part.changed, "hidden": part.kind == "hidden"}
        for part in value.segments
    ]
    return [*parts, {"text": f" ({value.code})"}] if value.code else parts


def _said(part: Segment) -> str:
    return f" … {part.text} … " if part.kind == "gap" else part.text


def _speaks_for(path: str, changed: str) -> bool:
    """Tell whether evidence for one path is evidence for the other: the same, above or below."""
    try:
        one, other = pointer.parse(path), pointer.parse(changed)
    except pointer.BadPointer:
        return False
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
