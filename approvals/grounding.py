"""What follows for a proposal from where its values come from?

Where they come from is found out by whoever proposes; here it is laid beside the changes, said in
two checks, and turned into the `tainted` that policies may ask for.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from approvals.effects import Check, Measure
from approvals.fields.leaves import Leaf, leaves
from approvals.formats import visible_text
from console.canonical import Json
from snapshots import pointer
from snapshots.diff import Change

GROUNDED: Final = "Every value is grounded"
REQUESTED: Final = "Asked for by the request"
Sources = Sequence[Mapping[str, Any]]
_ROWS_AT_MOST = 400
_NAMED_AT_MOST = 3
_PARAMS = "params"


def beside(
    sources: Sequence[dict[str, Json]],
    changes: Sequence[Change],
    params: Mapping[str, Any],
    schema: Mapping[str, Any],
) -> list[dict[str, Json]]:
    """Return the sources, those of parameters also beside the changes that have their value.

    A parameter that is one word of a list in its schema is chosen, not copied, and left out.
    """
    kept = [source for source in sources if not _is_chosen(str(source["path"]), schema)]
    stated = {source["path"] for source in kept}
    by_value: dict[str, list[dict[str, Json]]] = {}
    for source in kept:
        for reading in _alike(_param(params, str(source["path"]))):
            by_value.setdefault(reading, []).append(source)
    for path, value in _new_values(changes):
        known = next((by_value[each] for each in _alike(value) if each in by_value), [])
        if known and path not in stated and len(kept) < _ROWS_AT_MOST:
            kept.append({**known[0], "path": path, "param": known[0]["path"]})
    return kept


def carried(
    sources: Sequence[dict[str, Json]], before: Mapping[str, Any], now: Mapping[str, Any]
) -> list[dict[str, Json]]:
    """Return the sources of the parameters that stayed as they were, and of what was stated."""
    return [
        source
        for source in sources
        if "param" not in source
        and _param(before, str(source["path"])) == _param(now, str(source["path"]))
    ]


def checks(sources: Sources, params: Mapping[str, Any], measure: Measure) -> list[Check]:
    """Say of a proposal whose values were traced whether all that counts is accounted for.

    What counts is where something goes, how much, and about whom; a sum that an agent worked out
    or words it chose stand nowhere either, and are shown as such beside their field.
    """
    if not sources:
        return []
    named = [source for source in sources if source["path"].startswith(_PARAMS)]
    rows = named or list(sources)
    lost = [each for each in rows if each["from"] == "nowhere" and _counts(each, params, measure)]
    driven = [each for each in rows if each.get("drives") and each["from"] == "tool"]
    return [
        Check(
            GROUNDED,
            passed=not lost,
            sentence="What counts stands in the request, in a tool's result or in the record."
            if not lost
            else "Neither in the request nor in what a tool returned: " + _listed(lost) + ".",
        ),
        Check(
            REQUESTED,
            passed=not driven,
            sentence="No account, address or password was taken out of a tool's text alone."
            if not driven
            else "Read out of a text that a tool returned, not asked for: "
            + _listed(driven, with_place=True)
            + ".",
        ),
    ]


def is_tainted(sources: Sources) -> bool:
    """Say whether a value that says where something goes comes from running text, or nowhere."""
    return any(source.get("drives") for source in sources)


def _counts(source: Mapping[str, Any], params: Mapping[str, Any], measure: Measure) -> bool:
    if source.get("drives"):
        return True
    amount = "" if measure.amount is None else str(measure.amount)
    counted = {
        each
        for text in (amount, measure.counterparty, measure.subject)
        if text
        for each in _alike(text)
    }
    return bool(counted & set(_alike(_param(params, source["path"]))))


def _listed(sources: Sources, *, with_place: bool = False) -> str:
    said = [
        _named(source) + (_place(source) if with_place else "")
        for source in sources[:_NAMED_AT_MOST]
    ]
    more = len(sources) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")


def _named(source: Mapping[str, Any]) -> str:
    return visible_text(source["path"].removeprefix(_PARAMS).lstrip("/").replace("_", " "))


def _place(source: Mapping[str, Any]) -> str:
    field = f", {source['field']}" if source.get("field") else ""
    return visible_text(f" (step {source['step']}, {source['label']}{field})")


def _is_chosen(path: str, schema: Mapping[str, Any]) -> bool:
    for part in _parts(path) if path.startswith(_PARAMS) else ():
        found = schema.get("properties", {}).get(part) or schema.get("items") or {}
        schema = found if isinstance(found, Mapping) else {}
    return path.startswith(_PARAMS) and ("enum" in schema or "const" in schema)


def _param(params: Mapping[str, Any], path: str) -> Json:
    if not path.startswith(_PARAMS):
        return None
    try:
        found: Json = pointer.get(dict(params), path.removeprefix(_PARAMS))
    except (pointer.BadPointer, pointer.NothingThere):
        return None
    return found


def _parts(path: str) -> tuple[str, ...]:
    return pointer.parse(path.removeprefix(_PARAMS))


def _new_values(changes: Sequence[Change]) -> Iterator[tuple[str, Json]]:
    for change in changes:
        for leaf in leaves(Leaf(pointer.parse(change.path), change.old, change.value)):
            if isinstance(leaf.new, str | int | float) and not isinstance(leaf.new, bool):
                yield pointer.build(leaf.parts), leaf.new


def _alike(value: Json) -> list[str]:
    """Return what a value is compared by: its number, else its text without spaces."""
    if value is None or isinstance(value, bool | dict | list):
        return []
    text = "".join(str(value).split()).casefold()
    try:
        number = Decimal(text)
    except InvalidOperation:
        return [text] if text else []
    return [f"{number.normalize():e}"] if number.is_finite() else [text]
