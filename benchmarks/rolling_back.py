"""How long after somebody confirmed a rollback does an open page say that it is done?

In between lie the outbox, the broker and a worker, who sets the open run of the State aside,
brings the older content back, reads it again and starts the job anew. Daphne serves the page,
this process is the browser.
"""

import time
from datetime import UTC, datetime
from uuid import UUID

from agents.models import Restoration, Run
from agents.operations import planning, restoring
from agents.restoring import Wanted
from benchmarks import world
from benchmarks.figures import Part, percentile
from benchmarks.live import APART_SECONDS, PATIENCE_SECONDS, let_pass, open_page
from benchmarks.servers import console
from console.access.models import User, Workspace
from console.access.queries import person_as_actor
from console.actors import Actor, system
from console.ids import new_id
from snapshots import queries
from snapshots.diff import Change
from snapshots.operations.committing import Cause, commit
from snapshots.queries import Head

SLUG = "rolling-back"
EVENTS, QUICK_EVENTS = 60, 10
WITHIN_MS = 250.0
# The page says what came of it, and what comes next as long as something does.
MADE, NEXT = "made-title", "restoration-next"
BALANCE = "/accounts/0007/balance"


def measure(*, rounds: int, quick: bool) -> Part:
    """Return the milliseconds from the confirmation to the frame that says it is done."""
    part, place = Part("rolling back"), world.workspace(SLUG)
    person = world.member(place, "admin")
    with console("web", "worker", "timer") as address:
        _rolled_back(part, address, place, person)
        took = [
            _rolled_back(part, address, place, person)
            for _ in range(QUICK_EVENTS if quick else EVENTS)
        ]
    part.add("confirmed until done on the page", "ms", took)
    late = [percentile(took, 95)]
    part.add("confirmed until done on the page p95", "ms", late, within=WITHIN_MS)
    return part


def _rolled_back(part: Part, address: str, place: Workspace, person: User) -> float:
    actor = person_as_actor(person, place.id, {"admin"})
    before = world.state(world.setup(place))
    _move_on(before)
    [run_id] = world.queue_runs(place, runs=1, steps=1)
    Run.objects.filter(id=run_id).update(status="waiting", waiting_for=new_id())
    restoration_id = _planned(actor, before)
    with open_page(address, person, place.slug, f"restorations/{restoration_id}/") as page:
        let_pass(page, APART_SECONDS)
        began = time.time()
        restoring.confirm(
            actor=actor,
            restoration_id=restoration_id,
            reason="The balance was wrong.",
            typed=before.key,
            now=datetime.now(UTC),
        )
        while not _is_done(str(page.recv(timeout=PATIENCE_SECONDS))):
            pass
        took = (time.time() - began) * 1000
    _check(part, before, restoration_id, run_id)
    return took


def _move_on(head: Head) -> None:
    """Write a version that will be rolled back."""
    balance = queries.subtree(head.state_id, head.number, BALANCE)
    assert isinstance(balance, int)
    commit(
        actor=system("bench", head.workspace_id),
        base=head,
        changes=[Change("replace", BALANCE, balance, balance + 1)],
        cause=Cause("outside", str(new_id())),
        reason="Benchmark",
        now=datetime.now(UTC),
    )


def _planned(actor: Actor, before: Head) -> UUID:
    wanted = Wanted("rollback", state=before.state_id, to=before.number)
    return planning.plan(actor=actor, wanted=wanted, now=datetime.now(UTC))


def _is_done(frame: str) -> bool:
    return MADE in frame and NEXT not in frame


def _check(part: Part, before: Head, restoration_id: UUID, run_id: UUID) -> None:
    row = Restoration.objects.get(id=restoration_id)
    head = queries.head(before.workspace_id, before.state_id)
    if row.status != "done" or row.problem or head.digest != before.digest:
        part.faults.append(f"A rollback ended as {row.status}. {row.problem}")
    if Run.objects.get(id=run_id).status != "superseded":
        part.faults.append("A run went on over a State that was rolled back.")
