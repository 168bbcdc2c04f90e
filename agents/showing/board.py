"""What do the board of agents and the page of one agent show?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from agents import memory
from agents.queries import board
from agents.queries.board import Doing, Recent
from agents.showing import runs
from agents.showing.addresses import listed_at
from approvals import queries as approvals
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.errors import NotFound
from console.ledger.showing import ledger
from console.pages import Banner
from snapshots import queries as snapshots

if TYPE_CHECKING:
    from agents.models import Agent, Run

PAGE_SIZE = 30
RUNS_SHOWN = 30
ENTRIES_SHOWN = 20
WHICH = {"": "All", "running": "Running", "lost": "Lost contact", "held": "Paused or stopped"}
_HOUR = timedelta(hours=1)
_SHOWN = {
    "lost_contact": ("lost_contact", "Lost contact"),
    "running": ("running", "Running"),
    "held": ("paused", "Held"),
    "waiting": ("waiting", "Waiting"),
    "idle": ("low", "Idle"),
}


@dataclass(frozen=True, slots=True)
class Waits:
    """A proposal that an agent waits for."""

    id: UUID
    title: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Card:
    """One agent as its card shows it.

    `activity` is what it does, whether it may or not; `status` names the icon and `label` is the
    word beside it; `run` is the open run that the activity speaks of, `seen_at` the last sign of
    life.
    """

    agent: "Agent"
    activity: str
    status: str
    label: str
    seen_at: datetime
    run: Doing | None = None
    run_label: str = ""
    waits: Waits | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    recent: Recent = field(default_factory=Recent)

    @property
    def is_held(self) -> bool:
        """Say whether somebody has paused or stopped it."""
        return self.agent.status != "active"

    @property
    def more_waiting(self) -> int:
        """Return how many decisions it waits for besides the one that is named."""
        return self.counts.get("waiting", 0) - (self.waits is not None)


def agent_list(
    workspace: Workspace, actor: Actor, *, which: str = "", named: str = "", cursor: str = ""
) -> dict[str, Any]:
    """Return what `agents/_board.html` shows. Raises: NotFound (404), BadCursor (400)."""
    if which not in WHICH:
        raise NotFound
    named = named.replace("\0", "").strip()
    rows = board.agents(workspace.id, which=which, named=named)
    found, following = board.agents_after(workspace.id, rows, cursor=cursor, size=PAGE_SIZE)
    at = listed_at("agents:board", workspace.slug, which=which, q=named)
    return {
        "cards": cards(workspace.id, found),
        "halt": board.standing_halt(workspace.id),
        "lost": board.count(workspace.id, "lost"),
        "held": board.count(workspace.id, "held"),
        "at_most": board.ATTENTION_AT_MOST,
        "can_operate": allows(actor.roles, "operate"),
        "can_halt": allows(actor.roles, "administer"),
        "which": which,
        "named": named,
        "all_url": listed_at("agents:board", workspace.slug)(),
        "lost_url": listed_at("agents:board", workspace.slug, which="lost")(),
        "held_url": listed_at("agents:board", workspace.slug, which="held")(),
        "next_url": at(cursor=following) if following else "",
        "first_url": at() if cursor else "",
    }


def filters(workspace: Workspace, which: str) -> list[dict[str, Any]]:
    """Return the links above the board."""
    return [
        {
            "label": label,
            "url": listed_at("agents:board", workspace.slug, which=name)(),
            "current": name == which,
        }
        for name, label in WHICH.items()
    ]


def agent_detail(
    workspace: Workspace, actor: Actor, agent_id: UUID, *, cursor: str = ""
) -> dict[str, Any]:
    """Return what `agents/_agent.html` shows. Raises: NotFound (404), BadCursor (400)."""
    row = board.agent(workspace.id, agent_id)
    [card] = cards(workspace.id, [row])
    found, following = board.runs_of(row.id, cursor=cursor, size=RUNS_SHOWN)
    at = listed_at("agents:agent_detail", workspace.slug, row.id)
    entries = ledger(workspace, actor, subject=row.ref)
    return {
        "card": card,
        "agent": row,
        "halt": board.standing_halt(workspace.id),
        "rows": [runs.run_row(run) for run in found],
        "memories": _memories(workspace.id, row.name, found),
        "lines": entries["lines"],
        "ledger_url": listed_at("ledger:entries", workspace.slug, subject=row.ref)(),
        "can_operate": allows(actor.roles, "operate"),
        "next_url": at(cursor=following) if following else "",
        "first_url": at() if cursor else "",
    }


def _memories(workspace_id: UUID, name: str, found: Sequence["Run"]) -> list[Any]:
    """Return the agent's memories about the records of these runs."""
    keys = {memory.key_of(run.job.state.key, name) for run in found}
    return list(snapshots.states(workspace_id).filter(kind="memory", key__in=keys).order_by("key"))


def cards(workspace_id: UUID, found: Sequence["Agent"]) -> list[Card]:
    """Return agents as their cards show them."""
    ids, now = [agent.id for agent in found], datetime.now(UTC)
    doing, recent = board.doing(workspace_id, ids), board.recent(ids, since=now - _HOUR)
    waits = _waited_for(workspace_id, doing)
    return [
        _card(agent, doing[agent.id], waits, recent.get(agent.id, Recent()), now) for agent in found
    ]


def _waited_for(workspace_id: UUID, doing: Mapping[UUID, Mapping[str, Doing]]) -> dict[UUID, Waits]:
    open_waits = [each["waiting"].waiting_for for each in doing.values() if "waiting" in each]
    waiting = [proposal_id for proposal_id in open_waits if proposal_id]
    rows = (
        approvals.proposals(workspace_id)
        .filter(id__in=waiting)
        .values_list("id", "title", "created_at")
    )
    return {row[0]: Waits(*row) for row in rows} if waiting else {}


def _card(
    agent: "Agent",
    doing: Mapping[str, Doing],
    waits: Mapping[UUID, Waits],
    recent: Recent,
    now: datetime,
) -> Card:
    seen_at = max(agent.seen_at, _beat(doing.get("running")) or agent.seen_at)
    activity, run = _activity(doing, now)
    status, label = _standing(agent, activity)
    waiting = doing.get("waiting")
    return Card(
        agent=agent,
        activity=activity,
        status=status,
        label=label,
        seen_at=seen_at,
        run=run,
        run_label=_named(run) if run else "",
        waits=waits.get(waiting.waiting_for) if waiting and waiting.waiting_for else None,
        counts={name: each.count for name, each in doing.items()},
        recent=recent,
    )


def _activity(doing: Mapping[str, Doing], now: datetime) -> tuple[str, Doing | None]:
    """Return what an agent does and in which run; what needs somebody comes first."""
    running = doing.get("running")
    if running and running.lease_until and running.lease_until < now:
        return "lost_contact", running
    for status, activity in (("running", "running"), ("paused", "held"), ("waiting", "waiting")):
        if status in doing:
            return activity, doing[status]
    return "idle", None


def _standing(agent: "Agent", activity: str) -> tuple[str, str]:
    """Return the status whose icon is shown, and the word for it."""
    if agent.status != "active":
        return agent.status, f"{agent.status.capitalize()} by {agent.status_by}"
    return _SHOWN[activity]


def _beat(running: Doing | None) -> datetime | None:
    """Return when a worker last said that it still has the run."""
    if running is None or running.lease_until is None:
        return None
    beat: datetime = running.lease_until - settings.RUN_LEASE
    return beat


def _named(run: Doing) -> str:
    return run.label or runs.workflow_label(run.workflow)


def halt_banner(workspace: Workspace) -> Banner | None:
    """Say on every page that everything is stopped, while it is."""
    standing = board.standing_halt(workspace.id)
    if standing is None:
        return None
    return Banner(
        icon="stopped",
        says=f"All agents are stopped by {standing.actor['name']}: {standing.reason}",
        at=standing.created_at,
        url=reverse("agents:halt", args=[workspace.slug]),
        label="See what this means",
    )
