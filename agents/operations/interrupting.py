"""Stop a run because a guard says so: for good, or until a person says how it goes on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse

from agents.guards import Number
from agents.models import Pause, Run
from agents.store import Claim, Fenced
from agents.verdicts import Verdict
from console.access.models import Workspace
from console.access.queries import people_with_role
from console.access.rights import ROLES
from console.actors import system
from console.canonical import Json
from console.ids import new_id
from console.ledger.operations.appending import append
from console.live import ring
from console.notices.operations.noticing import notify

HELD_AT_MOST = 300


class Paused(BaseException):
    """A guard has paused the run; like a wait, nothing a workflow could catch."""


class Terminated(BaseException):
    """A guard ends the run; like a wait, nothing a workflow could catch."""

    def __init__(self, verdict: Verdict) -> None:
        """Keep what the guard said."""
        self.verdict = verdict
        super().__init__(verdict.sentence)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said to a pause."""

    pause_id: UUID
    status: str
    by: str
    reason: str
    raised: dict[str, Number]

    def to_json(self) -> dict[str, Json]:
        """Return what the journal keeps."""
        raised: dict[str, Json] = {**self.raised}
        return {"status": self.status, "by": self.by, "reason": self.reason, "raised": raised}


def pause(claimed: Claim, step: int, verdict: Verdict, now: datetime) -> None:
    """Let the run wait for a person, in the transaction that writes the verdict down.

    Locks: the run. Raises: Fenced.
    """
    mine = Run.objects.filter(id=claimed.run_id, fence=claimed.fence, status="running")
    made = Pause(
        id=new_id(),
        workspace_id=claimed.workspace_id,
        run_id=claimed.run_id,
        step=step,
        agent=verdict.agent[:80],
        rule=verdict.rule,
        verdict=verdict.to_json(),
        created_at=now,
    )
    held = mine.update(
        status="paused",
        paused_by=made.id,
        held_because=verdict.sentence[:HELD_AT_MOST],
        lease_until=None,
    )
    if not held:
        raise Fenced
    made.save(force_insert=True)
    _tell(claimed, made, now)
    body: dict[str, Json] = {"pause": str(made.id), "rule": verdict.rule, "step": step}
    append(
        system("guard", claimed.workspace_id), "run.paused_by_guard", f"run:{claimed.run_id}", body
    )


def answer_to(claimed: Claim, step: int) -> Answer | None:
    """Return what a person said to the pause of a verdict, or nothing while it is open."""
    rows = Pause.objects.filter(workspace=claimed.workspace_id, run=claimed.run_id, step=step)
    found = rows.exclude(status="open").first()
    if found is None:
        return None
    by: dict[str, Any] = found.decider or {}
    return Answer(found.id, found.status, by.get("name", ""), found.reason, found.raised)


def ended_because(verdict: Verdict) -> str:
    """Return the sentence with which a run ends, and the step that began it."""
    if verdict.began_at is None:
        return verdict.sentence
    return f"{verdict.sentence} It began at step {verdict.began_at}."


def _tell(claimed: Claim, made: Pause, now: datetime) -> None:
    """Tell whoever may answer, before the ledger makes others wait."""
    roles = [name for name, rights in ROLES.items() if rights & {"decide", "operate"}]
    slug = Workspace.objects.values_list("slug", flat=True).get(id=claimed.workspace_id)
    notify(
        workspace_id=claimed.workspace_id,
        event="run.paused",
        subject_ref=f"run:{claimed.run_id}",
        title="A guard paused a run",
        path=reverse("agents:run_detail", args=[slug, claimed.run_id]),
        people=[person.id for person, _ in people_with_role(claimed.workspace_id, roles)],
        now=now,
        data={"status": "paused", "at": now.isoformat()},
        occasion=f"pause {made.id}",
    )
    ring("run", claimed.run_id)
    ring("runs", claimed.workspace_id)
    ring("queue", claimed.workspace_id)
