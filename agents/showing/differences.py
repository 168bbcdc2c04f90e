"""How is what a restoration changes laid out: path, now, afterwards, and a box to choose it?"""

import json
from collections.abc import Collection, Sequence
from typing import Any

from agents import restoring
from console.canonical import Json
from snapshots import pointer
from snapshots.diff import Absent, Change

VALUE_AT_MOST = 2_000
_WORDS = {"add": "comes back", "remove": "goes", "replace": "changes back", "move": "moves back"}


def table(
    document: Json, changes: Sequence[Change], *, chosen: Collection[str], ticks: bool
) -> list[dict[str, Any]]:
    """Return the rows of `_diff_table.html`; with `ticks` each place can be chosen or left out.

    `document` is what stands now; without `chosen` places everything is.
    """
    places = restoring.choosable(document, changes)
    offered: set[str] = set()
    rows = []
    for change, place in zip(changes, places, strict=True):
        row = _row(change)
        stays = bool(chosen) and not any(restoring.is_within(change.path, c) for c in chosen)
        row["why"] = "stays as it is now" if stays else _WORDS[change.op]
        if ticks and place not in offered:
            offered.add(place)
            row["tick"] = {"name": "paths", "value": place, "checked": not stays}
            row["with"] = place if place != change.path else ""
        rows.append(row)
    return rows


def _row(change: Change) -> dict[str, Any]:
    parts = pointer.parse(change.path)
    is_move = change.op == "move"
    return {
        "path": change.path or "/",
        "label": parts[-1] if parts else "The whole document",
        "group": " / ".join(parts[:-1]),
        "kind": "json",
        "before": _parts(change.old),
        "after": _parts(change.old if is_move else change.value),
        "note": f"from {change.from_path}" if is_move else "",
    }


def _parts(value: Json | Absent) -> list[dict[str, Any]] | None:
    if isinstance(value, Absent):
        return None
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2)
    left_out = len(text) - VALUE_AT_MOST
    more = f" … {left_out:,} more characters" if left_out > 0 else ""
    return [{"text": f"{text[:VALUE_AT_MOST]}{more}", "differs": False}]
