"""Can a reviewer trust what they read of a proposal?

Looks at every text that an action would write, at its parameters and at its title. What deceives
the eye is shown under its name and fails a check; what cannot be shown at all can only be rejected.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from approvals import deceptive
from approvals.effects import Check, Measure
from approvals.fields import Catalogue, Field
from approvals.fields.leaves import Leaf, leaves
from approvals.formats import visible_text
from console.canonical import Json
from snapshots import pointer
from snapshots.diff import Change

READABLE: Final = "Text can be read safely"
_IDENTIFYING = {"account", "iban"}
_NAMED_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of a proposal: what it changes, its parameters, its title, and what it measures."""

    changes: Sequence[Change]
    fields: Sequence[Field]
    params: dict[str, Any]
    title: str
    measure: Measure


def check(wording: Wording) -> Check | None:
    """Return the failed check that names what deceives the eye, or nothing."""
    found = (
        f"{text.where}: {said}"
        for text in _texts(wording)
        if (said := deceptive.objection_to(text.written))
    )
    named = list(islice(dict.fromkeys(found), _NAMED_AT_MOST))
    return Check(READABLE, passed=False, sentence=" ".join(named)) if named else None


def cannot_be_shown(wording: Wording) -> str:
    """Say what of a proposal cannot be laid before anybody, or nothing."""
    for text in _texts(wording):
        said = deceptive.cannot_be_shown(text.written, identifies=text.identifies)
        if said:
            return f"{text.where}: {said}"
    return ""


@dataclass(frozen=True, slots=True)
class _Text:
    where: str
    written: str
    identifies: bool


def _texts(wording: Wording) -> Iterator[_Text]:
    who = {wording.measure.counterparty, wording.measure.subject} - {""}
    catalogue = Catalogue(wording.fields)
    for change in wording.changes:
        whole = Leaf(pointer.parse(change.path), change.old, change.value)
        for leaf in leaves(whole):
            field = catalogue.field_for(leaf.parts)
            path = pointer.build(leaf.parts)
            where = field.label if field else visible_text(path)
            if isinstance(leaf.new, str):
                is_who = leaf.new in who or (field is not None and field.kind in _IDENTIFYING)
                yield _Text(where, leaf.new, is_who)
            # A name within the record is read too, where something is added under it.
            if leaf.op == "add":
                yield _Text(where, path, identifies=False)
    for name, text in _within(wording.params, ""):
        yield _Text(f"Parameter {visible_text(name)}", text, text in who)
    yield _Text("Title", wording.title, identifies=False)


def _within(value: Json, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield name or "names", key
            yield from _within(part, f"{name}/{key}" if name else key)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _within(part, f"{name}/{number}")
