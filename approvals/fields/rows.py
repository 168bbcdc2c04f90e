"""Which rows does a reviewer read?

A change that no field describes is never dropped: it stands under "Other changes" with its raw
path. Every row says which change it belongs to, so rows can be held against changes one by one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from approvals.fields.describing import Catalogue, Field, Parts, Sensitivity
from approvals.fields.leaves import Leaf, leaves
from approvals.fields.units import Surroundings, renumbered
from approvals.formats import Formatted, Kind, Pair, pair, shown, visible_text
from approvals.formats.codes import humanised
from console.canonical import Json
from snapshots import pointer
from snapshots.diff import ABSENT, Absent, Change, Op

OTHER_CHANGES: Final = "Other changes"
# A whole with more values than this gets a row per value only where fields describe them.
_EXPANDED_AT_MOST = 40


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the diff that a reviewer reads.

    Shape: `path` is raw and for programs; `label`, `secondary` and `part_of` are for people, with
    hidden characters named. `part_of` is the path of the one change of which this row shows a
    part; `change_index` counts the changes from 0.
    """

    path: str
    label: str
    secondary: str
    kind: Kind
    unit: str | None
    group: str | None
    op: Op
    before: Formatted | None
    after: Formatted | None
    note: str
    described: bool
    change_index: int
    part_of: str = ""
    sensitivity: Sensitivity = "none"
    risk: int = 0


def rows(
    changes: Sequence[Change], fields: Iterable[Field], before: Json, after: Json
) -> list[Row]:
    """Lay out changes as rows, in the order of the changes.

    Shape: `before` and `after` are the whole documents; they are only read for units that a
    field takes from a neighbouring value.
    """
    catalogue = Catalogue(fields)
    around = Surroundings(before, after, renumbered(changes))
    return [
        row
        for index, change in enumerate(changes)
        for row in _rows_of(index, change, catalogue, around)
    ]


def _rows_of(
    index: int, change: Change, catalogue: Catalogue, around: Surroundings
) -> Iterator[Row]:
    parts = pointer.parse(change.path)
    if change.op == "move":
        yield _moved(index, change, parts, catalogue.field_for(parts))
        return
    for leaf, field in _described(Leaf(parts, change.old, change.value), catalogue):
        yield _row(index, change, leaf, field, around)


def _described(whole: Leaf, catalogue: Catalogue) -> list[tuple[Leaf, Field | None]]:
    """Split a change into the values to show, each with the field that describes it."""
    own = catalogue.field_for(whole.parts)
    parts = list(leaves(whole))
    if not parts or [part.parts for part in parts] == [whole.parts]:
        return [(whole, own)]
    described = [(part, catalogue.field_for(part.parts)) for part in parts]
    if len(parts) <= _EXPANDED_AT_MOST or all(field for _, field in described):
        return [(part, field or _inherited(own, part, whole)) for part, field in described]
    all_in_one = replace(own, kind="auto", unit=None) if own else None
    return [(whole, all_in_one), *((part, field) for part, field in described if field)]


def _inherited(own: Field | None, part: Leaf, whole: Leaf) -> Field | None:
    """Let the field of a whole describe the parts that have no field of their own."""
    if own is None:
        return None
    below = [_worded(segment) for segment in part.parts[len(whole.parts) :]]
    return replace(own, label=": ".join([own.label, *below]), kind="auto", unit=None)


def _row(index: int, change: Change, leaf: Leaf, field: Field | None, around: Surroundings) -> Row:
    path = pointer.build(leaf.parts)
    known = field or _undescribed(path)
    old_unit = around.unit_of(known, change, leaf, "old")
    new_unit = around.unit_of(known, change, leaf, "new")
    both = _pair(known, leaf, old_unit, new_unit)
    return Row(
        path=path,
        label=known.label,
        secondary=_secondary(field, leaf.parts),
        kind=known.kind,
        unit=old_unit if isinstance(leaf.new, Absent) else new_unit,
        group=known.group,
        op=leaf.op,
        before=both.before,
        after=both.after,
        note=both.note,
        described=field is not None,
        change_index=index,
        part_of="" if path == change.path else visible_text(change.path),
        sensitivity=known.sensitivity,
        risk=known.risk,
    )


def _pair(field: Field, leaf: Leaf, old_unit: str | None, new_unit: str | None) -> Pair:
    if leaf.op != "replace" or old_unit == new_unit:
        unit = old_unit if leaf.op == "remove" else new_unit
        both = pair(field.kind, leaf.old, leaf.new, unit=unit)
        is_missing = field.unit is not None and unit is None
        return _noted(f"no unit found at {field.unit}", both) if is_missing else both
    old = pair(field.kind, leaf.old, ABSENT, unit=old_unit)
    new = pair(field.kind, ABSENT, leaf.new, unit=new_unit)
    names = [visible_text(unit) if unit else "none" for unit in (old_unit, new_unit)]
    both = Pair(old.before, new.after, new.note)
    return _noted(f"unit changed from {' to '.join(names)}", both)


def _noted(note: str, both: Pair) -> Pair:
    return Pair(both.before, both.after, "; ".join(filter(None, (note, both.note))))


def _moved(index: int, change: Change, parts: Parts, field: Field | None) -> Row:
    source = pointer.parse(change.from_path or "")
    known = field or _undescribed(change.path)
    return Row(
        path=change.path,
        label=known.label,
        secondary=_item_name(change.old),
        kind=known.kind,
        unit=None,
        group=known.group,
        op="move",
        before=shown(_place(source), change.from_path),
        after=shown(_place(parts), change.path),
        note=_distance(source, parts),
        described=field is not None,
        change_index=index,
        sensitivity=known.sensitivity,
        risk=known.risk,
    )


def _place(parts: Parts) -> str:
    last = parts[-1] if parts else ""
    if last.isdecimal():
        return f"position {int(last) + 1}"
    return visible_text(pointer.build(parts))


def _distance(source: Parts, target: Parts) -> str:
    numbers = [part for part in (*source[-1:], *target[-1:]) if part.isdecimal()]
    if source[:-1] != target[:-1] or len(numbers) != len(("from", "to")):
        return f"moved from {visible_text(pointer.build(source))}"
    step = int(numbers[1]) - int(numbers[0])
    places = "1 place" if abs(step) == 1 else f"{abs(step)} places"
    return f"moved {'down' if step > 0 else 'up'} {places}"


def _item_name(item: Json | Absent) -> str:
    """Name the item that moves by what people call it."""
    if isinstance(item, dict):
        names = (item.get(key) for key in ("name", "title", "id"))
        item = next((name for name in names if isinstance(name, str | int)), None)
    return "" if item is None or isinstance(item, list | Absent) else visible_text(str(item))


def _undescribed(path: str) -> Field:
    label = visible_text(path) if path else "The whole record"
    return Field(path="", label=label, kind="auto", group=OTHER_CHANGES)


def _secondary(field: Field | None, parts: Parts) -> str:
    """Say which of many a described value is, or what an undescribed path may mean."""
    if field is None:
        return _worded(parts[-1]) if parts else ""
    pattern = pointer.parse(field.path)
    named = [part for want, part in zip(pattern, parts, strict=False) if want == "*"]
    rest = parts[len(pattern) - 1 :] if pattern[-1:] == ("**",) else ()
    return " / ".join(visible_text(part) for part in (*named, *rest))


def _worded(segment: str) -> str:
    if segment.isdecimal():
        return f"Item {int(segment) + 1}"
    return visible_text(humanised(segment))
