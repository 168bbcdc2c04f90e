"""What would a restoration do, how far has it got, and what stands where a person confirms it?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

from django.urls import reverse

from agents import restoring
from agents.queries import made as making
from agents.queries import restorations as queries
from agents.restoring import Wanted
from agents.showing import differences
from agents.showing.addresses import listed_at
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.errors import Conflict, Refused
from console.paging import page
from snapshots import queries as snapshots
from snapshots.queries.reading import Corrupt, Gone

if TYPE_CHECKING:
    from agents.models import Restoration
    from snapshots.models import State

PAGE_SIZE = 50
# Above this the changes are counted by place, and places are named instead of ticked.
TICKED_AT_MOST = 200
_ON_ITS_WAY = frozenset({"confirmed", "restored"})
_SAID: Final[Mapping[str, tuple[str, str]]] = {
    "planned": ("open", "Plan, nothing done yet"),
    "confirmed": ("executing", "Confirmed, about to begin"),
    "restored": ("reinitialising", "Under way"),
    "refused": ("failed", "Not carried out"),
    "discarded": ("withdrawn", "Discarded"),
}
CAUSES: Final[Mapping[str, str]] = {
    "import": "imported",
    "proposal": "approved proposal",
    "outside": "changed outside",
    "rollback": "rolled back",
    "memory": "remembered by an agent",
    "sweep": "swept",
}

Mode = Literal["form", "blocked", "outdated", "readonly", "settled"]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the list."""

    row: "Restoration"
    title: str
    status: str
    status_label: str
    planner: str


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person has put into the form so far."""

    reason: str = ""
    word: str = ""


def listed(workspace: Workspace, *, now: datetime, cursor: str = "") -> dict[str, Any]:
    """Return what `agents/restoration_list.html` shows. Raises: BadCursor (400)."""
    rows = queries.listed(workspace.id).defer("plan", "log")
    found = page(rows, by="created_at", cursor=cursor, size=PAGE_SIZE)
    at = listed_at("agents:restorations", workspace.slug)
    return {
        "rows": [_line(row, now) for row in found.rows],
        "next_url": at(cursor=found.next_cursor) if found.next_cursor else "",
        "first_url": at() if cursor else "",
    }


def _line(row: "Restoration", now: datetime) -> Line:
    status, label = _status(row, is_over=row.expires_at <= now)
    return Line(row, title(row), status, label, str(row.planner["name"]))


def title(row: "Restoration") -> str:
    """Say in a few words what a restoration is."""
    wanted = Wanted.from_json(row.wanted)
    key = row.state.key if row.state else ""
    if row.kind == "rollback":
        what = "in part " if wanted.paths else ""
        to = "to empty" if wanted.to == restoring.CLEAN else f"to snapshot {wanted.to}"
        return f"Roll {key} back {what}{to}"
    if wanted.run:
        return f"Start a run on {key} anew"
    return f"Re-initialise {wanted.agent or f'all agents of {key}'}"


def _status(row: "Restoration", *, is_over: bool) -> tuple[str, str]:
    if row.status == "planned" and is_over:
        return "expired", "Plan has expired"
    if row.status == "done":
        back = row.kind == "rollback"
        return ("rolled_back", "Rolled back") if back else ("succeeded", "Re-initialised")
    return _SAID[row.status]


def restoration(
    workspace: Workspace,
    actor: Actor,
    restoration_id: UUID,
    *,
    now: datetime,
    typed: Typed | None = None,
    refused: Refused | None = None,
) -> dict[str, Any]:
    """Return what `agents/_restoration.html` shows, the part that is alive, and the confirmation.

    Raises: NotFound (404).
    """
    row = queries.detail(workspace.id, restoration_id)
    return {
        **_alive(workspace, actor, row, now=now),
        **confirmation(row, actor, now=now, typed=typed, refused=refused),
    }


def _alive(
    workspace: Workspace, actor: Actor, row: "Restoration", *, now: datetime
) -> dict[str, Any]:
    is_over = row.expires_at <= now
    status, label = _status(row, is_over=is_over)
    return {
        "restoration": row,
        "title": title(row),
        "status": status,
        "status_label": label,
        "planner": row.planner["name"],
        "confirmer": (row.confirmer or {}).get("name", ""),
        "is_planned": row.status == "planned",
        "is_on_its_way": row.status in _ON_ITS_WAY,
        "is_over": is_over,
        "moved": moved(row) if row.status == "planned" else [],
        "log": [{**step, "at": datetime.fromisoformat(step["at"])} for step in row.log],
        **_results(workspace, actor, row),
    }


def moved(row: "Restoration") -> list[str]:
    """Name the States that are no longer as they were when the plan was made, and should be."""
    then = {UUID(each["state_id"]): each for each in row.plan["states"]}
    rows = snapshots.states(row.workspace_id).filter(id__in=list(then)) if then else []
    return [state.key for state in rows if _has_moved(state, then[state.id])]


def _has_moved(state: "State", then: Mapping[str, Any]) -> bool:
    if restoring.is_firm(then) and state.number != then["from"]:
        return True
    return bool(state.epoch != then["epoch"])


def _results(workspace: Workspace, actor: Actor, row: "Restoration") -> dict[str, Any]:
    """Return where to look at what a restoration has made, and how to take it back again."""
    if row.status not in {"restored", "done"}:
        return {"made": None, "ways_back": []}
    may_go_back = row.status == "done" and allows(actor.roles, "restore")
    lines = row.plan["states"] if may_go_back else []
    # From one State that everything hangs on, its memories go along.
    lines = lines[:1] if row.state_id else lines
    return {"made": making.made(row), "ways_back": [_way_back(workspace, each) for each in lines]}


def _way_back(workspace: Workspace, line: Mapping[str, Any]) -> dict[str, str]:
    there = reverse("agents:rollback_new", args=[workspace.slug, line["state_id"]])
    return {"key": line["key"], "url": f"{there}?to={line['from']}"}


def confirmation(
    row: "Restoration",
    actor: Actor,
    *,
    now: datetime,
    typed: Typed | None = None,
    refused: Refused | None = None,
) -> dict[str, Any]:
    """Return what `agents/_restoration_confirm.html` shows."""
    return {
        "restoration": row,
        "mode": _mode(row, actor, now, refused),
        "typed": typed or Typed(),
        "refused": refused,
        "word": row.plan["to_type"],
        "held": row.plan["held"],
        "cannot_undo": len(row.plan["outside"]),
        "button": title(row),
    }


def _mode(row: "Restoration", actor: Actor, now: datetime, refused: Refused | None) -> Mode:
    if row.status != "planned":
        return "settled"
    if not allows(actor.roles, "restore"):
        return "readonly"
    if row.expires_at <= now or isinstance(refused, Conflict) or moved(row):
        return "outdated"
    return "blocked" if row.plan["held"] else "form"


def plan(workspace: Workspace, actor: Actor, row: "Restoration") -> dict[str, Any]:
    """Return what `agents/_restoration_plan.html` shows; a plan once made stays as it is.

    Raises: NotFound (404).
    """
    wanted = Wanted.from_json(row.wanted)
    can_choose = row.status == "planned" and allows(actor.roles, "restore")
    return {
        "restoration": row,
        "plan": row.plan,
        "states": [_state(workspace, each) for each in row.plan["states"]],
        "newer": [_newer(each) for each in row.plan["newer"]],
        "outside": [_outside(each) for each in row.plan["outside"]],
        "undoable": sum(bool(_undo(each).get("label")) for each in row.plan["outside"]),
        "can_choose": can_choose,
        **_difference(row, wanted, can_choose=can_choose),
    }


def _difference(row: "Restoration", wanted: Wanted, *, can_choose: bool) -> dict[str, Any]:
    nothing: dict[str, Any] = {"rows": [], "ticks": False, "count": 0, "offered": 0, "gone": ""}
    if not row.plan["states"]:
        return nothing
    first = queries.planned(row.workspace_id, row.plan["states"][0])
    try:
        # What was not chosen is shown as well, so that it can be.
        whole = queries.outcome_at(first, replace(wanted, paths=()), is_anchor=True)
    except (Gone, Corrupt) as unreadable:
        return {**nothing, "gone": unreadable.sentence}
    ticks = can_choose and row.kind == "rollback" and 1 < len(whole.changes) <= TICKED_AT_MOST
    rows = differences.table(
        whole.before, whole.changes[:TICKED_AT_MOST], chosen=wanted.paths, ticks=ticks
    )
    return {
        "rows": rows,
        "ticks": ticks,
        "count": len(whole.changes),
        "more": max(0, len(whole.changes) - TICKED_AT_MOST),
        "offered": sum("tick" in each for each in rows),
        "places": wanted.paths,
        "gone": "",
    }


def _state(workspace: Workspace, line: Mapping[str, Any]) -> dict[str, Any]:
    compare = listed_at("snapshots:state_compare", workspace.slug, line["state_id"])
    to = line["to"]
    return {
        **line,
        "compare_url": compare(a=str(line["from"]), b=str(to)) if to else "",
        "goes_to": f"snapshot {to}" if to else "empty: nothing remembered",
    }


def _newer(line: Mapping[str, Any]) -> dict[str, Any]:
    what = CAUSES.get(line["cause"], line["cause"])
    return {**line, "what": what, "at": datetime.fromisoformat(line["at"])}


def _undo(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what would undo an effect; plans of earlier versions do not say."""
    undo: Mapping[str, Any] = line.get("undo") or {}
    return undo


def _outside(line: Mapping[str, Any]) -> dict[str, Any]:
    at, undo = line["executed_at"], _undo(line)
    until = undo.get("until")
    return {
        **line,
        "is_recorded": line.get("is_recorded", True),
        "at": datetime.fromisoformat(at) if at else None,
        "undo": undo,
        "until": datetime.fromisoformat(until) if until else None,
    }


def chosen(
    row: "Restoration", *, keep: Sequence[int], paths: Sequence[str], offered: int
) -> Wanted:
    """Return what is wanted when a person has ticked these boxes; all of them mean everything."""
    wanted = Wanted.from_json(row.wanted)
    everything = offered and len(paths) == offered
    return replace(wanted, keep=tuple(keep), paths=() if everything else tuple(paths))
