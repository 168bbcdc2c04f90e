"""Playing recorded runs: every write waits for a person, and the digests come out right."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from agents import queries as agents
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.packs import recordings
from agents.packs.recordings import RecordedJob, Recording
from approvals import queries as approvals
from approvals.operations.deciding import Act, Seen, decide
from approvals.operations.registering import declare
from approvals.policy import Choice
from approvals.rulebook import Rule
from console.access.operations.granting import enrol, found, grant
from console.access.queries import person_as_actor
from console.actors import Actor, system
from console.ledger import queries as ledger
from snapshots import queries as snapshots
from snapshots.operations.creating import create_state
from tests.terms import asking, reason_code_for, set_rules

DATA = Path(__file__).parents[3] / "shared" / "data"
FOLDERS = ["bank", "telehealth"]
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.exists(), reason="the folder ../shared/data is not here"),
    pytest.mark.django_db(transaction=True),
]
ONE = asking(roles=("reviewer",))


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(params=FOLDERS)
def recording(request: pytest.FixtureRequest) -> Recording:
    return recordings.read(DATA / request.param)


@pytest.fixture
def setup(recording: Recording) -> Actor:
    workspace = found("replay", "Replay")
    actor = system("replay", workspace.id)
    for spec in recording.action_types:
        declare(actor, spec)
    set_rules(actor, Rule("true", ONE))
    return actor


@pytest.fixture
def ana(setup: Actor) -> Actor:
    person = enrol("ana@example.org", "Ana", "a long password")
    grant(setup, setup.workspace_id, person, "reviewer")
    return person_as_actor(person, setup.workspace_id, {"reviewer"})


def play(job: RecordedJob, recording: Recording, setup: Actor, ana: Actor, limit: int) -> UUID:
    """Play one job, approving the first `limit` proposals; return its State."""
    start = job.start(recording.document)
    assert recordings.digest(start) == job.initial_sha256
    state = create_state(actor=setup, key=job.job_id, document=start, reason="", now=now())
    request = JobRequest("recorded", state.key, job.job_input(), job.job_id)
    job_id, _ = submit(actor=setup, request=request, now=now())
    run_id = agents.current_run(agents.job(setup.workspace_id, job_id)).id
    recorded = {c["n"]: c["changes"] for c in job.calls}
    decided = 0
    while work():
        waiting = agents.waiting_of(run_id)
        if not waiting:
            break
        detail = approvals.detail(setup.workspace_id, waiting[0][1])
        if decided < limit:
            assert_shows(detail.revision.changes, recorded[job.writes()[decided]])
        choice: Choice = "approve" if decided < limit else "reject"
        decide(
            proposal_id=detail.proposal.id,
            seen=Seen(1, detail.revision.digest),
            actor=ana,
            act=Act(choice, "because", reason_code_for(choice)),
            now=now(),
        )
        decided += 1
        assert agents.waiting_of(run_id)
        from agents.operations.waking import wake_run  # noqa: PLC0415

        assert wake_run(run_id) == 1
    assert agents.run(setup.workspace_id, run_id).status == "succeeded"
    return state.state_id


def assert_shows(shown: list[dict[str, object]], recorded: list[dict[str, object]]) -> None:
    def order(change: dict[str, object]) -> str:
        return str(change["path"])

    assert sorted(shown, key=order) == sorted(recorded, key=order)


def digest_of(setup: Actor, state_id: UUID) -> str:
    head = snapshots.head(setup.workspace_id, state_id)
    return recordings.digest(snapshots.content(state_id, head.number))


def test_approving_everything_ends_on_the_recorded_state(
    recording: Recording, setup: Actor, ana: Actor
) -> None:
    for job in recording.jobs:
        state_id = play(job, recording, setup, ana, limit=10**6)
        assert digest_of(setup, state_id) == job.final_sha256, job.job_id
    assert ledger.verify(setup.workspace_id).objection is None


@pytest.mark.parametrize("limit", [0, pytest.param(1, marks=pytest.mark.nightly)])
def test_what_was_not_approved_never_happened(
    recording: Recording, setup: Actor, ana: Actor, limit: int
) -> None:
    for job in recording.jobs:
        state_id = play(job, recording, setup, ana, limit=limit)
        approved = dict.fromkeys(job.writes()[:limit], "approved")
        expected = job.end(job.start(recording.document), approved)
        assert digest_of(setup, state_id) == recordings.digest(expected), job.job_id
