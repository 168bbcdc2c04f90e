"""How are the changes between two snapshots laid out: path, before, after?"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from console.canonical import Json
from snapshots import pointer
from snapshots.diff import Absent, Change
from snapshots.showing.values import pretty, shortened

VALUE_AT_MOST = 2_000
_WORDS = {"add": "added", "remove": "removed", "replace": "changed"}


def table(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return the rows of `_diff_table.html`."""
    return [_row(change) for change in changes]


def _row(change: Change) -> dict[str, Any]:
    parts = pointer.parse(change.path)
    moved = change.op == "move"
    return {
        "path": change.path or "/",
        "label": parts[-1] if parts else "The whole document",
        "group": " / ".join(parts[:-1]),
        "kind": "json",
        "before": _parts(change.old),
        "after": _parts(change.old if moved else change.value),
        "why": f"moved here from {change.from_path}" if moved else _WORDS[change.op],
    }


def one(before: Json | Absent, after: Json | Absent) -> dict[str, Any]:
    """Return the row of one value before and after."""
    what = "added" if isinstance(before, Absent) else "changed"
    return {
        "path": "",
        "label": "The value",
        "group": "",
        "kind": "json",
        "before": _parts(before),
        "after": _parts(after),
        "why": "removed" if isinstance(after, Absent) else what,
    }


def _parts(value: Json | Absent) -> list[dict[str, Any]] | None:
    if isinstance(value, Absent):
        return None
    text, left_out = shortened(pretty(value), VALUE_AT_MOST)
    more = f" … {left_out:,} more characters" if left_out else ""
    return [{"text": f"{text}{more}", "differs": False}]


def summary(changes: Sequence[Change]) -> list[tuple[str, int]]:
    """Count the changes by the first segment of their path, most first."""
    tops = Counter((pointer.parse(change.path) or ("The whole document",))[0] for change in changes)
    return tops.most_common(20)
