"""What stays as it is, right beside what would change?"""

from collections.abc import Iterator
from dataclasses import dataclass

from approvals.fields import Catalogue
from approvals.fields.describing import Parts
from approvals.formats import Formatted, pair
from approvals.formats.codes import humanised
from approvals.formats.shown import as_it_is, visible_text
from approvals.queries import Detail
from console.canonical import Json
from snapshots import pointer

_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Field:
    """One value that stays, and what it is called."""

    path: str
    label: str
    value: Formatted


def unchanged(found: Detail, before: Json) -> list[Parts]:
    """Return the places of the single values that stand beside those that would change."""
    changed = [pointer.parse(change.path) for change in found.changes]
    around = dict.fromkeys(parts[:-1] for parts in changed)
    places = dict.fromkeys(place for parts in around for place in _beside(before, parts))
    return [place for place in places if not _is_touched(place, set(changed))][:_AT_MOST]


def fields(found: Detail, before: Json) -> list[Field]:
    """Return the values that stay, as a reader sees them."""
    catalogue = Catalogue(found.fields)
    return [_field(catalogue, before, parts) for parts in unchanged(found, before)]


def _beside(document: Json, parts: Parts) -> Iterator[Parts]:
    try:
        around = pointer.get(document, pointer.build(parts))
    except pointer.NothingThere:
        return
    # The other items of a list are other records; only the fields of this one are beside it.
    if isinstance(around, dict):
        yield from ((*parts, name) for name, value in around.items() if not _is_whole(value))


def _is_whole(value: Json) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _is_touched(place: Parts, changed: set[Parts]) -> bool:
    return any(place[:end] in changed for end in range(len(place) + 1))


def _field(catalogue: Catalogue, before: Json, parts: Parts) -> Field:
    path = pointer.build(parts)
    value, known = pointer.get(before, path), catalogue.field_for(parts)
    name = humanised(parts[-1]) if parts else ""
    if known is None:
        return Field(path, visible_text(name), as_it_is(value))
    # A unit beside the value is among these fields itself.
    unit = None if (known.unit or "").startswith("..") else known.unit
    shown = pair(known.kind, value, value, unit=unit).before
    return Field(path, known.label, shown or as_it_is(value))
