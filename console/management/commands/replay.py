"""Replay recorded runs against live States, through the path that every job takes.

`manage.py replay FOLDER [--decisions approve|reject|first:K] [--jobs ID …] [--json]`
"""

import json
import secrets
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents import lifecycle
from agents import queries as agents
from agents.packs import recordings
from agents.packs.recordings import RecordedJob, Recording
from approvals import queries as approvals
from approvals.operations.deciding import AlreadySettled, RevisionChanged, decide
from approvals.operations.executing import WorldChanged
from approvals.operations.registering import declare, set_policy
from approvals.policy import Choice, Terms
from console.access.operations.granting import enrol, found, grant
from console.access.operations.keying import make_token
from console.access.queries import people_with_role, person_as_actor
from console.actors import Actor, system
from console.canonical import Json, Unreadable
from console.supervision import addresses, lock, parts, supervisor
from console.supervision.embedded import Unavailable
from snapshots import queries as snapshots
from snapshots.operations.creating import create_state

LOOK_SECONDS = 0.05
WAITING_FOR_PEOPLE = 3
OWN_REVIEWERS = {f"reviewer{n}@replay.invalid": f"Reviewer {n}" for n in (1, 2)}
ONE_REVIEWER = Terms(
    policy="Replay: one reviewer",
    version=1,
    level=1,
    approvals=1,
    denials=1,
    roles=("reviewer", "admin"),
    expires_seconds=7 * 24 * 3600,
)


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


class Command(BaseCommand):
    """Make States from a recording, submit its jobs, decide, and compare the digests."""

    help = "Replay recorded runs: each write becomes a proposal, and the digests are compared."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the folder and what to do with it."""
        parser.add_argument("folder", type=Path, help="holds state.json, tools.json, jobs.json")
        parser.add_argument("--decisions", type=_plan, help="approve, reject or first:K")
        parser.add_argument("--jobs", nargs="+", metavar="ID", default=[])
        parser.add_argument("--json", action="store_true", help="one JSON object per job")

    def handle(self, *args: Any, **options: Any) -> None:
        """Play, and exit with 0 only if every job ended on its expected digest."""
        try:
            recording = recordings.read(options["folder"])
            with supervisor.running(parts.Options(), self._note) as address:
                status = self._play(recording, address, options)
        except (recordings.BadRecording, Unreadable) as error:
            raise CommandError(str(error)) from error
        except (supervisor.StartFailed, Unavailable, parts.PortTaken, lock.Busy) as error:
            raise CommandError(str(error)) from error
        if status:
            sys.exit(status)

    def _note(self, line: str) -> None:
        self.stderr.write(line)

    def _play(self, recording: Recording, address: str, options: dict[str, Any]) -> int:
        jobs = _chosen(recording, options["jobs"])
        stage = Stage.build(recording)
        with ExitStack() as stack:
            client = stack.enter_context(stage.client(address))
            played = [stage.submit(client, job, recording.document) for job in jobs]
        where = f"{address}/w/{stage.slug}/queue/"
        self._note(f"{len(played)} jobs submitted; their proposals are at {where}")
        right = True
        for job in self._follow(stage, played, options["decisions"]):
            line = report(stage, job, options["decisions"])
            right &= line["status"] == "succeeded"
            right &= line["final_sha256"] == line["expected_sha256"]
            self._print(line, as_json=options["json"])
        if any(not job.ended for job in played):
            return WAITING_FOR_PEOPLE
        return 0 if right else 1

    def _follow(self, stage: "Stage", played: list[Played], plan: Plan | None) -> Any:
        """Yield jobs as they end; without a plan, once each waits for a person."""
        left = list(played)
        while left:
            if plan is not None:
                for job in left:
                    stage.decide(job, plan)
            statuses = stage.statuses(left)
            for job in [j for j in left if lifecycle.is_finished(statuses[j.job_id])]:
                job.ended = True
                left.remove(job)
                yield job
            if plan is None and all(statuses[j.job_id] == "waiting" for j in left):
                yield from left
                return
            time.sleep(LOOK_SECONDS)

    def _print(self, line: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(line))
        else:
            same = line["final_sha256"] == line["expected_sha256"]
            verdict = "as expected" if same else "NOT as expected"
            self.stdout.write(
                f"{line['job_id']}: {line['status']}, {line['proposals']} proposals, "
                f"{line['decisions']} decisions, {line['seconds']} s, {verdict}"
            )
        self.stdout.flush()


@dataclass(slots=True)
class Stage:
    """The workspace in which a recording is played: its reviewers, its token, its States."""

    slug: str
    name: str
    stamp: str
    actor: Actor
    reviewers: list[Actor]
    token: str

    @classmethod
    def build(cls, recording: Recording) -> "Stage":
        """Make what the recording needs, or find it from an earlier replay."""
        slug = "".join(c if c.isalnum() else "-" for c in f"replay-{recording.name}".lower())[:40]
        workspace = found(slug, f"Replay: {recording.name}")
        actor = system("replay", workspace.id)
        for spec in recording.action_types:
            declare(actor, spec)
        set_policy(actor, 1, ["*"], ONE_REVIEWER)
        people = _reviewers(actor)
        engineer = enrol("replay@countersign.invalid", "Replay client", secrets.token_hex(16))
        grant(actor, workspace.id, engineer, "engineer")
        maker = person_as_actor(engineer, workspace.id, {"engineer"})
        now = datetime.now(UTC)
        stamp = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        _, token = make_token(
            actor=maker,
            name=f"Replay {stamp}",
            scopes=["jobs:read", "jobs:write"],
            lifetime=timedelta(days=1),
            now=now,
        )
        return cls(slug, recording.name, stamp, actor, people, token)

    def client(self, address: str) -> httpx.Client:
        """Return an API client with this stage's token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=address, headers=headers, timeout=30)

    def submit(self, client: httpx.Client, job: RecordedJob, document: Json) -> Played:
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
            "workflow": "recorded",
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
                    revision=detail.revision.number,
                    digest=detail.revision.digest,
                    actor=self.reviewers[len(job.choices) % len(self.reviewers)],
                    choice=choice,
                    reason=f"Replayed: {choice}",
                    ticked=[check["name"] for check in detail.revision.checks],
                    now=datetime.now(UTC),
                )
            except (RevisionChanged, WorldChanged, AlreadySettled):
                continue
            job.choices.append(choice)

    def statuses(self, played: list[Played]) -> dict[UUID, str]:
        """Return how the jobs stand."""
        rows = agents.jobs(self.actor.workspace_id).filter(id__in=[j.job_id for j in played])
        return {row.id: agents.current_run(row).status for row in rows}


def report(stage: Stage, job: Played, plan: Plan | None) -> dict[str, Any]:
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


def _chosen(recording: Recording, ids: list[str]) -> list[RecordedJob]:
    known = {job.job_id: job for job in recording.jobs}
    short = {job_id.rpartition("/")[2]: job for job_id, job in known.items()}
    if strangers := [job_id for job_id in ids if job_id not in known and job_id not in short]:
        raise CommandError(f"There is no job {strangers[0]!r} in {recording.name}.")
    return [known.get(job_id) or short[job_id] for job_id in ids] or recording.jobs


def _reviewers(actor: Actor) -> list[Actor]:
    """Return the demo's reviewers, who may then also decide in the browser; else two of our own."""
    notes = addresses.run_dir() / "demo.json"
    demo = json.loads(notes.read_text()) if notes.exists() else []
    named = {p["email"]: p["name"] for p in demo if p["role"] == "reviewer"}
    for email, name in (named or OWN_REVIEWERS).items():
        grant(actor, actor.workspace_id, enrol(email, name, secrets.token_hex(16)), "reviewer")
    people = people_with_role(actor.workspace_id, ["reviewer"])
    return [person_as_actor(who, actor.workspace_id, set(roles)) for who, roles in people]


def _plan(text: str) -> Plan:
    if text in {"approve", "reject"}:
        return Plan(None if text == "approve" else 0)
    word, _, number = text.partition(":")
    if word != "first" or not number.isdigit():
        raise ValueError(text)
    return Plan(int(number))
