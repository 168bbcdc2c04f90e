"""Bring in runs of outside agents, to be looked at: nothing of them was done here, nothing will be.

An imported run has ended from its first moment. It is never claimed, never begun anew, and counts
towards no budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from agents.journal import digest_of
from agents.models import Job, Run, Step
from agents.otlp import NotTraces, Story
from console.actors import Actor
from console.canonical import Json
from console.errors import Invalid, KeyReused, NotFound
from console.ids import new_id
from console.ledger.operations.appending import append
from console.live import ring
from snapshots import queries as snapshots
from snapshots.operations.creating import KeyTaken, create_state

WORKFLOW: Final = "imported"
# Where runs stand that say no State; nothing is ever written to it.
STATE: Final = "imported/runs"
Source = Literal["otlp", "recorded"]


class TracesInvalid(Invalid):
    """These are no traces of agents that could be brought in; nothing was."""

    code = "traces_invalid"

    @classmethod
    def because(cls, error: NotTraces) -> "TracesInvalid":
        """Return the refusal that says what is wrong."""
        return cls(f"{error} Nothing was brought in.")


@dataclass(frozen=True, slots=True)
class Imported:
    """A run that was brought in, now or before."""

    trace_id: str
    job_id: UUID
    run_id: UUID
    steps: int
    left_out: int
    is_new: bool


def bring_in(
    *, actor: Actor, stories: Sequence[Story], source: Source, state_key: str, now: datetime
) -> list[Imported]:
    """Write runs of outside agents down, all or none; a trace that is known is left as it is.

    They belong to the State under `state_key`, or to one that is made for them where it is empty.
    Raises: UnknownState, KeyReused (422) where a known trace now tells something else.
    """
    state = _state(actor, state_key, now)
    try:
        with transaction.atomic():
            return [_bring_in(actor, story, source, state, now) for story in stories]
    except IntegrityError:
        # The same traces came in twice at this moment; the other request has written them.
        with transaction.atomic():
            return [_bring_in(actor, story, source, state, now) for story in stories]


def _state(actor: Actor, key: str, now: datetime) -> snapshots.Head:
    if key:
        return snapshots.named(actor.workspace_id, key)
    found = snapshots.find(actor.workspace_id, STATE)
    if found:
        return found
    try:
        return create_state(
            actor=actor, key=STATE, document={}, reason="Runs of outside agents", now=now
        )
    except KeyTaken:
        made = snapshots.find(actor.workspace_id, STATE)
        if made is None:
            raise NotFound from None
        return made


def _bring_in(
    actor: Actor, story: Story, source: Source, state: snapshots.Head, now: datetime
) -> Imported:
    key, told = f"trace:{story.trace_id}", _digest(story)
    if known := _known(actor, key):
        if known.body_digest != told:
            said = f"{key} stands for another job, or for a trace that told something else."
            raise KeyReused(said, job=str(known.id))
        return _imported(story, known.id, _run_of(known), is_new=False)
    job = _write_job(actor, story, source, state, now)
    run = _write_run(job, story, source, now)
    Job.objects.filter(id=job.id).update(current_run=run)
    body: dict[str, Json] = {"run": str(run.id), "source": source, "steps": len(story.entries)}
    append(actor, "run.imported", f"job:{job.id}", {**body, "body": told})
    ring("runs", actor.workspace_id)
    return _imported(story, job.id, run.id, is_new=True)


def _imported(story: Story, job_id: UUID, run_id: UUID, *, is_new: bool) -> Imported:
    steps = len(story.entries)
    return Imported(story.trace_id, job_id, run_id, steps, story.left_out, is_new)


def _known(actor: Actor, key: str) -> Job | None:
    """Return the job that stands under a key: of anybody's import, or of whoever imports now."""
    rows = Job.objects.filter(workspace=actor.workspace_id, idempotency_key=key)
    mine = Q(workflow=WORKFLOW) | Q(submitter=actor.ref)
    return rows.filter(mine).order_by("created_at").first()


def _run_of(job: Job) -> UUID:
    if job.current_run_id is None:
        raise NotFound
    return job.current_run_id


def _write_job(
    actor: Actor, story: Story, source: Source, state: snapshots.Head, now: datetime
) -> Job:
    about: dict[str, Json] = {"source": source, "trace_id": story.trace_id}
    about |= {"workflow": story.workflow, "about": dict(story.about), "input": story.asked}
    return Job.objects.create(
        id=new_id(),
        workspace_id=actor.workspace_id,
        workflow=WORKFLOW,
        state_id=state.state_id,
        input=about,
        label=story.label,
        submitter=actor.ref,
        submitter_name=actor.name,
        lineage=actor.lineage,
        idempotency_key=f"trace:{story.trace_id}",
        body_digest=_digest(story),
        created_at=now,
    )


def _write_run(job: Job, story: Story, source: Source, now: datetime) -> Run:
    run = Run.objects.create(
        id=new_id(),
        workspace_id=job.workspace_id,
        job=job,
        number=1,
        status="failed" if story.problem else "succeeded",
        workflow=WORKFLOW,
        source=source,
        next_step=len(story.entries),
        tokens=_tokens(story),
        result=story.result,
        problem_code="imported" if story.problem else "",
        problem=story.problem,
        created_at=now,
        started_at=story.started_at,
        finished_at=story.ended_at,
    )
    Step.objects.bulk_create(
        Step(
            run=run,
            index=entry.index,
            kind=entry.kind,
            name=entry.name,
            agent=entry.agent,
            input=entry.input,
            input_digest=entry.input_digest,
            output=entry.output,
            error=entry.error,
            fence=0,
            started_at=entry.started_at or story.started_at,
            ended_at=entry.ended_at or story.started_at,
        )
        for entry in story.entries
    )
    return run


def _tokens(story: Story) -> int:
    outputs = (entry.output for entry in story.entries if entry.kind == "model_call")
    used = (output.get("tokens") for output in outputs if isinstance(output, dict))
    return sum(tokens for tokens in used if isinstance(tokens, int))


def _digest(story: Story) -> str:
    """Return what the trace's id stands for: what its steps were asked and answered."""
    told: list[Json] = [
        [each.kind, each.name, each.agent, each.input, each.output, each.error]
        for each in story.entries
    ]
    return digest_of({"label": story.label, "steps": told, "problem": story.problem})
