"""Does the 10,001st job on a State cost more than the 1,001st?

One State gets 10,100 jobs of an agent that keeps typed entries, is given them again and has its
prompt made of them; its memory is swept every 50 jobs, as the timer would. Sizes are told
against those of the same State around its 1,001st job. Latency is told against a second State
that has only come to its 1,001st job, in turns with the old one: the machine is then the same.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection

from agents.operations.submitting import JobRequest, submit
from agents.operations.sweeping import sweep
from agents.queries import drift
from agents.queries import memory as memories
from benchmarks import learning, world
from benchmarks.figures import Part, percentile
from benchmarks.hands import Hand, together
from benchmarks.servers import say
from console.actors import Actor
from snapshots.queries import Head

# The window around a job, in jobs; how many are queued at a time while it is measured.
WINDOW, IN_TURN = 200, 10
SWEPT_EVERY = 50
SAID_EVERY = 1_000
EARLY, LATE = 1_000, 10_000
QUICK_EARLY, QUICK_LATE = 200, 1_200
WITHIN = 1.10

_RUNS = """
    SELECT extract(epoch FROM run.finished_at - min(step.started_at)) * 1000,
        coalesce(max(octet_length(step.input::text)) FILTER (WHERE step.kind = 'model_call'), 0)
    FROM agents_run AS run JOIN agents_step AS step ON step.run_id = run.id
    JOIN agents_job AS job ON job.id = run.job_id
    WHERE job.state_id = %s AND run.status = 'succeeded'
        AND (job.input->>'number')::int BETWEEN %s AND %s
    GROUP BY run.id, run.finished_at
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a window of jobs took and was given: milliseconds and bytes, one value a job."""

    latency: Sequence[float]
    prompt: Sequence[float]


@dataclass(slots=True)
class Line:
    """A State on which one job after the other is done."""

    actor: Actor
    state: Head
    hands: Sequence[Hand]
    done: int = 0

    def submit(self, jobs: int) -> None:
        """Queue the next jobs through the door that everybody uses."""
        for number in range(self.done, self.done + jobs):
            request = JobRequest(
                learning.WORKFLOW, self.state.key, {"number": number}, f"{self.state.key} {number}"
            )
            submit(actor=self.actor, request=request, now=_now())
        self.done += jobs

    def go_to(self, job: int) -> None:
        """Do jobs until there are so many."""
        while self.done < job:
            self.submit(min(SWEPT_EVERY, job - self.done))
            together(self.hands, "work_off")
            self.sweep()
            if self.done % SAID_EVERY == 0:
                say(f"{self.state.key}: {self.done:,} jobs")

    def sweep(self) -> None:
        """Do what the timer does once an hour."""
        sweep(actor=self.actor, state_id=self.mind.state_id, now=_now())

    @property
    def mind(self) -> Head:
        """Return where the agent's memory stands."""
        found = memories.find(self.actor.workspace_id, self.state.key, learning.CLERK)
        if found is None:
            raise RuntimeError("The agent has kept nothing.")
        return found

    def seen(self, first: int, last: int) -> Seen:
        """Return what the jobs from `first` up to `last` took. Raises: RuntimeError."""
        with connection.cursor() as cursor:
            cursor.execute(_RUNS, [self.state.state_id, first, last - 1])
            rows = cursor.fetchall()
        if len(rows) != last - first:
            raise RuntimeError(f"{len(rows)} of {last - first} runs ended as they should.")
        return Seen([float(took) for took, _ in rows], [float(size) for _, size in rows])

    def sizes(self) -> tuple[int, int]:
        """Return how many entries the memory holds and how many bytes it has."""
        found = drift.look(self.actor.workspace_id, self.mind.state_id, _now()).figures
        return found.entries, found.document_bytes


def measure(*, rounds: int, quick: bool) -> Part:
    """Return sizes and latency around two jobs; one round is long enough."""
    part = Part("ten_thousandth")
    early, late = (QUICK_EARLY, QUICK_LATE) if quick else (EARLY, LATE)
    half = WINDOW // 2
    place = world.workspace("learning")
    actor = world.setup(place)
    world.end_queued()
    with ExitStack() as stack:
        hands = [stack.enter_context(Hand("benchmarks.learning")) for _ in range(2)]
        old, young = (
            Line(actor, world.state(actor, f"bench/{name}"), hands) for name in ("old", "young")
        )
        old.go_to(early + half)
        first, first_sizes = old.seen(early - half, early + half), old.sizes()
        old.go_to(late - half)
        young.go_to(early - half)
        world.tidy()
        _in_turns(old, young, hands[:1], WINDOW)
        old.sweep()
    _sizes(part, (early, first, first_sizes), (late, old.seen(late - half, late + half), old))
    _latency(
        part,
        (early, young.seen(early - half, early + half)),
        (late, old.seen(late - half, late + half)),
    )
    _tables(part, old.mind.state_id)
    return part


def _in_turns(old: Line, young: Line, hands: Sequence[Hand], jobs: int) -> None:
    for _ in range(0, jobs, IN_TURN):
        for line in (young, old):
            line.submit(IN_TURN)
            together(hands, "work_off")
            if line.done % SWEPT_EVERY == 0:
                line.sweep()


def _sizes(
    part: Part, early: tuple[int, Seen, tuple[int, int]], late: tuple[int, Seen, Line]
) -> None:
    (job, seen, (entries, size)), (last, later, line) = early, late
    entries_now, size_now = line.sizes()
    for name, unit, before, now in (
        ("prompt", "bytes", seen.prompt, later.prompt),
        ("entries in memory", "", [float(entries)], [float(entries_now)]),
        ("memory", "bytes", [float(size)], [float(size_now)]),
    ):
        known = part.add(f"{name}, around job {job + 1:,}", unit, before)
        part.add(f"{name}, around job {last + 1:,}", unit, now, against=known, at_most=WITHIN)


def _latency(part: Part, early: tuple[int, Seen], late: tuple[int, Seen]) -> None:
    (job, young), (last, old) = early, late
    for percent in (50, 95):
        before, now = (percentile(seen.latency, percent) for seen in (young, old))
        known = part.add(f"p{percent} of a run, around job {job + 1:,}", "ms", [before])
        part.add(
            f"p{percent} of a run, around job {last + 1:,}",
            "ms",
            [now],
            against=known,
            at_most=WITHIN,
        )


def _tables(part: Part, state_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), sum(octet_length(data)) FROM snapshots_snapshot WHERE state_id = %s",
            [state_id],
        )
        versions, size = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM agents_memoryuse WHERE state_id = %s", [state_id])
        [uses] = cursor.fetchone()
    part.remarks.append(
        f"the memory has {versions:,} versions of {size / versions:,.0f} bytes each, "
        f"and {uses} entries whose use is known"
    )


def _now() -> datetime:
    return datetime.now(UTC)
