"""Going back in recorded runs: every version of every job is got back to, to the byte."""

from uuid import UUID

import pytest

from agents import queries as agents
from agents.operations.planning import NothingToRestore, plan
from agents.operations.restoring import carry_on, confirm
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.operations.waking import wake_run
from agents.packs import recordings
from agents.packs.recordings import RecordedJob, Recording
from agents.queries import restorations
from agents.restoring import Wanted
from approvals import queries as approvals
from approvals.operations.deciding import Act, Seen, decide
from console.access.operations.granting import enrol, grant
from console.access.queries import person_as_actor
from console.actors import Actor
from console.ledger import queries as ledger
from console.management.returning import itinerary
from snapshots.operations.creating import create_state
from tests.agents.test_recorded import (  # noqa: F401  (fixtures)
    DATA,
    ana,
    digest_of,
    now,
    play,
    recording,
    setup,
)

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.exists(), reason="the folder ../shared/data is not here"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(1_200),
]
ALL = 10**6
# All of them are more than a thousand ways back and forth; a few are for every push.
JOBS = pytest.mark.parametrize("jobs", [4, pytest.param(ALL, marks=pytest.mark.nightly)])


@pytest.fixture
def ada(setup: Actor) -> Actor:  # noqa: F811
    person = enrol("ada@example.org", "Ada", "a long password")
    grant(setup, setup.workspace_id, person, "admin")
    return person_as_actor(person, setup.workspace_id, {"admin"})


def go(ada: Actor, state_id: UUID, number: int) -> None:
    """Take a State to a snapshot by the path that people take."""
    try:
        planned = plan(actor=ada, wanted=Wanted("rollback", state_id, number), now=now())
    except NothingToRestore:
        return
    typed = restorations.detail(ada.workspace_id, planned).plan["to_type"]
    confirm(actor=ada, restoration_id=planned, reason="because", typed=typed, now=now())
    assert carry_on(planned, now=now()) == "done"


@JOBS
def test_every_version_is_got_back_to_from_every_later_one(
    recording: Recording,  # noqa: F811
    setup: Actor,  # noqa: F811
    ana: Actor,  # noqa: F811
    ada: Actor,
    jobs: int,
) -> None:
    for job in recording.jobs[:jobs]:
        state_id = play(job, recording, setup, ana, limit=ALL)
        versions = job.versions(job.start(recording.document))
        expected = [recordings.digest(each) for each in versions]
        assert expected[-1] == job.final_sha256
        for version in itinerary(len(expected)):
            go(ada, state_id, version + 1)
            assert digest_of(setup, state_id) == expected[version], (job.job_id, version)
        assert digest_of(setup, state_id) == job.final_sha256
    assert ledger.verify(setup.workspace_id).objection is None


@JOBS
def test_a_job_taken_back_to_its_beginning_starts_anew_and_ends_as_recorded(
    recording: Recording,  # noqa: F811
    setup: Actor,  # noqa: F811
    ana: Actor,  # noqa: F811
    ada: Actor,
    jobs: int,
) -> None:
    for job in [each for each in recording.jobs if len(each.writes()) > 1][:jobs]:
        state_id, job_id = begin(job, recording, setup)
        approve(setup, ana, job_id, at_most=1)
        work()
        go(ada, state_id, 1)
        assert digest_of(setup, state_id) == job.initial_sha256
        approve(setup, ana, job_id, at_most=ALL)
        run = agents.current_run(agents.job(setup.workspace_id, job_id))
        assert (run.number, run.status) == (2, "succeeded"), job.job_id
        assert digest_of(setup, state_id) == job.final_sha256, job.job_id


def begin(job: RecordedJob, recording: Recording, setup: Actor) -> tuple[UUID, UUID]:  # noqa: F811
    """Submit a job on a copy of its State."""
    start = job.start(recording.document)
    state = create_state(actor=setup, key=job.job_id, document=start, reason="", now=now())
    request = JobRequest("recorded", state.key, job.job_input(), job.job_id)
    return state.state_id, submit(actor=setup, request=request, now=now())[0]


def approve(setup: Actor, ana: Actor, job_id: UUID, *, at_most: int) -> None:  # noqa: F811
    """Say yes to what a job asks for, so many times."""
    for _ in range(at_most):
        work()
        run = agents.current_run(agents.job(setup.workspace_id, job_id))
        waiting = agents.waiting_of(run.id)
        if not waiting:
            return
        detail = approvals.detail(setup.workspace_id, waiting[0][1])
        decide(
            proposal_id=detail.proposal.id,
            seen=Seen(detail.revision.number, detail.revision.digest),
            actor=ana,
            act=Act("approve", "because"),
            now=now(),
        )
        wake_run(run.id)
