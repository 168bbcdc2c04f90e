"""How is a recording put on stage: its workspace, its reviewers, its jobs, what must come out?"""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import httpx
from django.core.management.base import CommandError

from agents import queries as agents
from agents.packs import recordings
from agents.packs.recordings import RecordedJob
from approvals import queries as approvals
from approvals.operations.deciding import Act, AlreadySettled, RevisionChanged, Seen, decide
from approvals.operations.installing import install
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.operations.verifying import WorldChanged
from approvals.policy import Choice, Terms, Threshold
from approvals.rulebook import Rule
from console.access.operations.granting import enrol, found, grant
from console.access.operations.keying import make_token, revoke_token
from console.access.queries import people_with_role, person_as_actor
from console.actors import Actor, system
from console.canonical import Json
from console.supervision import addresses
from snapshots import queries as snapshots
from snapshots.operations.creating import create_state

OWN_REVIEWERS = {f"reviewer{n}@replay.invalid": f"Reviewer {n}" for n in (1, 2)}
ADMIN = "replay-admin@countersign.invalid"
ONE_REVIEWER = Terms(
    policy="Replay: one reviewer",
    version=1,
    level=1,
    thresholds=(Threshold(approve=1),),
    expires_seconds=7 * 24 * 3600,
)
ONE_CLICK = (Rule("true", ONE_REVIEWER),)


@dataclass(slots=True)
class Plan:
    """Which choice the demo reviewers make for a job's nth proposal."""

    approve_first: int | None

    def choice(self, nth: int) -> Choice:
        """Return the choice for the nth decision on a job, from 0."""
        if self.approve_first is None or nth < self.approve_first:
            return "approve"
        return "reject"

    def expected(self, recorded: RecordedJob, start: Json) -> str:
        """Return the digest a job must end on, from the recording alone."""
        if self.approve_first is None:
            return recorded.final_sha256
        approved = recorded.writes()[: self.approve_first]
        return recordings.digest(recorded.end(start, dict.fromkeys(approved, "approved")))


@dataclass(slots=True)
class Played:
    """One job while it is played."""

    recorded: RecordedJob
    job_id: UUID
    run_id: UUID
    state_id: UUID
    initial: str
    start: Json
    began: float
    choices: list[Choice] = field(default_factory=list)
    ended: bool = False


class Returned(Protocol):
    """How often a job's State was brought back, and how often to something else."""

    checked: int
    wrong: int


class Staged(Protocol):
    """What is put on stage: its name, and what its agents may propose."""

    @property
    def name(self) -> str:
        """Return the name."""

    @property
    def action_types(self) -> list[ActionTypeSpec]:
        """Return what may be proposed."""


@dataclass(slots=True)
class Stage:
    """The workspace in which a recording is played: its reviewers, its token, its States."""

    slug: str
    name: str
    stamp: str
    actor: Actor
    reviewers: list[Actor]
    secret: str
    maker: Actor
    token_id: UUID

    @classmethod
    def build(cls, recording: Staged, rules: Sequence[Rule] = ONE_CLICK) -> "Stage":
        """Make what the recording needs, or find it from an earlier replay."""
        slug = "".join(c if c.isalnum() else "-" for c in f"replay-{recording.name}".lower())[:40]
        workspace = found(slug, f"Replay: {recording.name}")
        actor = system("replay", workspace.id)
        for spec in recording.action_types:
            declare(actor, spec)
        install(actor=actor, rules=rules, now=datetime.now(UTC))
        people = _reviewers(actor)
        engineer = enrol("replay@countersign.invalid", "Replay client", secrets.token_hex(16))
        grant(actor, workspace.id, engineer, "engineer")
        maker = person_as_actor(engineer, workspace.id, {"engineer"})
        now = datetime.now(UTC)
        stamp = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        token, secret = make_token(
            actor=maker,
            name=f"Replay {stamp}",
            scopes=["jobs:read", "jobs:write"],
            lifetime=timedelta(days=1),
            now=now,
        )
        return cls(slug, recording.name, stamp, actor, people, secret, maker, token.id)

    def client(self, address: str) -> httpx.Client:
        """Return an API client with this stage's token."""
        headers = {"Authorization": f"Bearer {self.secret}"}
        return httpx.Client(base_url=address, headers=headers, timeout=30)

    def submit(
        self, client: httpx.Client, job: RecordedJob, document: Json, workflow: str = "recorded"
    ) -> Played:
        """Give the job its own copy of the State and submit it over the API."""
        start = job.start(document)
        state = create_state(
            actor=self.actor,
            key=f"replay/{job.job_id}/{self.stamp}",
            document=start,
            reason=f"Copy of {self.name} for {job.job_id}",
            now=datetime.now(UTC),
        )
        body = {
            "workflow": workflow,
            "state": state.key,
            "input": job.job_input(),
            "label": job.job_id,
        }
        answer = client.post(
            "/api/v1/jobs", json=body, headers={"Idempotency-Key": state.key[:120]}
        )
        if answer.status_code != httpx.codes.ACCEPTED:
            raise CommandError(f"{job.job_id} was not accepted: {answer.text}")
        job_id = UUID(answer.json()["id"])
        run = agents.current_run(agents.job(self.actor.workspace_id, job_id))
        initial = recordings.digest(start)
        return Played(job, job_id, run.id, state.state_id, initial, start, time.monotonic())

    def admin(self) -> Actor:
        """Let somebody in who may bring States back."""
        person = enrol(ADMIN, "Replay admin", secrets.token_hex(16))
        grant(self.actor, self.actor.workspace_id, person, "admin")
        return person_as_actor(person, self.actor.workspace_id, {"admin"})

    def lock_up(self) -> None:
        """Revoke the token; everything is submitted."""
        revoke_token(actor=self.maker, token_id=self.token_id, now=datetime.now(UTC))

    def decide(self, job: Played, plan: Plan) -> None:
        """Decide what this job waits for, as a demo reviewer, by the operation pages use."""
        for proposal in approvals.of_origin(self.actor.workspace_id, f"run:{job.run_id}"):
            if proposal.status != "pending":
                continue
            detail = approvals.detail(self.actor.workspace_id, proposal.id)
            choice = plan.choice(len(job.choices))
            try:
                decide(
                    proposal_id=proposal.id,
                    seen=Seen(detail.revision.number, detail.revision.digest),
                    actor=self.reviewers[len(job.choices) % len(self.reviewers)],
                    act=Act(
                        choice,
                        f"Replayed: {choice}",
                        "" if choice == "approve" else "other",
                        tuple(check["name"] for check in detail.revision.checks),
                    ),
                    now=datetime.now(UTC),
                )
            except (RevisionChanged, WorldChanged, AlreadySettled):
                continue
            job.choices.append(choice)

    def statuses(self, played: list[Played]) -> dict[UUID, str]:
        """Return how the jobs stand."""
        rows = agents.jobs(self.actor.workspace_id).filter(id__in=[j.job_id for j in played])
        return {row.id: agents.current_run(row).status for row in rows}


def report(stage: Stage, job: Played, plan: Plan | None, back: Returned | None) -> dict[str, Any]:
    """Return the line that tells how a job stands, and how it should."""
    workspace_id = stage.actor.workspace_id
    head = snapshots.head(workspace_id, job.state_id)
    proposals = approvals.of_origin(workspace_id, f"run:{job.run_id}")
    return {
        "job_id": job.recorded.job_id,
        "status": stage.statuses([job])[job.job_id],
        "initial_sha256": job.initial,
        "final_sha256": recordings.digest(snapshots.content(job.state_id, head.number)),
        "expected_sha256": plan.expected(job.recorded, job.start) if plan else _so_far(job),
        "proposals": len(proposals),
        "decisions": len(job.choices),
        "seconds": round(time.monotonic() - job.began, 3),
        **({"rollbacks_checked": back.checked, "rollbacks_wrong": back.wrong} if back else {}),
    }


def _so_far(job: Played) -> str:
    """Return the digest that follows from what people have decided up to now."""
    steps = agents.steps(job.run_id, at_most=5000)
    return recordings.digest(job.recorded.end(job.start, _outcomes(job.recorded, steps)))


def _outcomes(recorded: RecordedJob, steps: list[Any]) -> dict[int, str]:
    """Return how each of the agent's writes ended, by call number."""
    ends = [step for step in steps if step.kind == "outcome" or _was_refused(step)]
    told = ["refused" if _was_refused(step) else step.output["status"] for step in ends]
    return dict(zip(recorded.writes(), told, strict=False))


def _was_refused(step: Any) -> bool:
    return step.kind == "proposal" and "refused" in (step.output or {})


def _reviewers(actor: Actor) -> list[Actor]:
    """Return the demo's reviewers, who may then also decide in the browser; else two of our own."""
    notes = addresses.run_dir() / "demo.json"
    demo = json.loads(notes.read_text()) if notes.exists() else []
    named = {p["email"]: p["name"] for p in demo if p["role"] == "reviewer"}
    for email, name in (named or OWN_REVIEWERS).items():
        grant(actor, actor.workspace_id, enrol(email, name, secrets.token_hex(16)), "reviewer")
    people = people_with_role(actor.workspace_id, ["reviewer"])
    return [person_as_actor(who, actor.workspace_id, set(roles)) for who, roles in people]
