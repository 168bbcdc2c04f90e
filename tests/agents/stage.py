"""A workspace in which tests run workflows: people, one State, one action type, one policy."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from agents import queries as agents
from agents.models import Run
from agents.operations.submitting import JobRequest, submit
from approvals import queries as approvals
from approvals.effects import STATED
from approvals.operations.deciding import Act, Seen, decide
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.policy import Choice, Outcome
from approvals.rulebook import Rule
from console.access.operations.granting import enrol, found, grant
from console.access.queries import person_as_actor
from console.actors import Actor, system
from snapshots import queries as snapshots
from snapshots.operations.creating import create_state
from snapshots.queries import Head
from tests.terms import asking, reason_code_for, set_rules

ONE_REVIEWER = asking(roles=("reviewer",))
BOOK = "book"
ANYTHING = {"type": "object", "additionalProperties": True}


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Stage:
    """What a test needs to submit a job and to answer for it."""

    setup: Actor
    ana: Actor
    book: Head

    @classmethod
    def build(cls, slug: str = "stage") -> "Stage":
        """Found a workspace with a reviewer and a State that holds a balance."""
        workspace = found(slug, slug.title())
        setup = system("setup", workspace.id)
        person = enrol(f"ana@{slug}.example", "Ana", "a long password")
        grant(setup, workspace.id, person, "reviewer")
        declare(setup, ActionTypeSpec("set", "Set", "Set it", ANYTHING, STATED))
        set_rules(setup, Rule("true", ONE_REVIEWER))
        book = create_state(
            actor=setup, key=BOOK, document={"n": 0, "log": []}, reason="start", now=now()
        )
        return cls(setup, person_as_actor(person, workspace.id, {"reviewer"}), book)

    def submit(self, workflow: str, key: str = "one", **job_input: object) -> Run:
        """Submit a job and return its run."""
        request = JobRequest(workflow, BOOK, dict(job_input), key)
        job_id, _ = submit(actor=self.setup, request=request, now=now())
        return agents.current_run(agents.job(self.setup.workspace_id, job_id))

    def run(self, run_id: UUID) -> Run:
        """Read a run again."""
        return agents.run(self.setup.workspace_id, run_id)

    def decide(self, run_id: UUID, choice: Choice) -> Outcome:
        """Let Ana decide what the run waits for."""
        [(_, proposal_id)] = agents.waiting_of(run_id)
        detail = approvals.detail(self.setup.workspace_id, proposal_id)
        return decide(
            proposal_id=proposal_id,
            seen=Seen(detail.revision.number, detail.revision.digest),
            actor=self.ana,
            act=Act(choice, "because", reason_code_for(choice)),
            now=now(),
        )

    def content(self) -> object:
        """Return what the State holds now."""
        head = snapshots.head(self.setup.workspace_id, self.book.state_id)
        return snapshots.content(head.state_id, head.number)
