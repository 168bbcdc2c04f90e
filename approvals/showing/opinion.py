"""What would another agent have done, who looked at the same snapshot by itself?"""

from typing import Any

from approvals.fields import rows
from approvals.queries import Detail
from approvals.second_opinion import Second, agrees, differs_at
from approvals.showing.difference import Record, plain
from approvals.showing.texts import told
from snapshots.diff import BadChange, DoesNotFit, apply

_DIFFERENCES_AT_MOST = 200


def opinion(found: Detail, shown: Record) -> dict[str, Any] | None:
    """Return what `approvals/_opinion.html` shows, or nothing where nobody else was asked.

    Both effects stand beside each other, path by path; those on which they differ come first.
    """
    kept = found.revision.second
    if kept is None:
        return None
    second = Second.from_json(kept)
    odd = set(differs_at(found.changes, second))
    return {
        "agent": told(second.agent),
        "why": told(second.why),
        "acts": bool(second.action_type),
        "agrees": agrees(found.changes, second),
        "other_action": told(second.action_type)
        if second.action_type not in {"", found.proposal.action_type.name}
        else (),
        "looked_at": kept.get("base_number"),
        "rows": _rows(found, shown, second, odd)[:_DIFFERENCES_AT_MOST],
    }


def _rows(found: Detail, shown: Record, second: Second, odd: set[str]) -> list[dict[str, Any]]:
    ours = {row.path: plain(row) for row in rows(found.changes, found.fields, *_of(shown))}
    theirs = _theirs(found, shown, second)
    paths = sorted([*ours, *(path for path in theirs if path not in ours)], key=_first(odd))
    return [
        {
            **(ours.get(path) or theirs[path]),
            "ours": ours.get(path),
            "theirs": theirs.get(path),
            "differs": _is_odd(path, odd),
        }
        for path in paths
    ]


def _theirs(found: Detail, shown: Record, second: Second) -> dict[str, dict[str, Any]]:
    changes = list(second.changes)
    try:
        after = None if shown.before is None else apply(shown.before, changes)
    except (BadChange, DoesNotFit):
        # The record has moved since; what it would have changed is shown without its units.
        after = None
    laid = rows(changes, found.fields, shown.before if after is not None else None, after)
    return {row.path: plain(row) for row in laid}


def _of(shown: Record) -> tuple[Any, Any]:
    return shown.before, shown.after


def _first(odd: set[str]) -> Any:
    return lambda path: not _is_odd(path, odd)


def _is_odd(path: str, odd: set[str]) -> bool:
    """Say whether a row shows a change, or a part of one, on which the two differ."""
    return any(path == each or path.startswith(f"{each}/") for each in odd)
