"""What tests of restorations share: payments from the book, a run that pays, Ada who goes back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agents import memory, queries
from agents.models import Restoration, Run
from agents.operations.planning import plan
from agents.operations.restoring import carry_on, confirm
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.operations.waking import wake_run
from agents.queries import restorations
from agents.restoring import Wanted
from agents.workflows import Context, Workflow, register_workflow
from approvals.operations.registering import ActionTypeSpec, declare
from console.actors import Actor, system
from console.canonical import Json
from snapshots import queries as snapshots
from snapshots.operations.committing import Cause, commit
from snapshots.operations.creating import create_state
from snapshots.queries import Head
from tests.story import BOOK, NORTHWIND, PAY_SCHEMA, Cast, now

SCOUT = "scout"
ADMIN = frozenset({"admin"})
WIRED = "The bank can be asked to send it back within a day."


def register() -> None:
    """Make the workflow known in this process."""
    register_workflow(Workflow("payer", "Payer", payer))


def payer(context: Context) -> Json:
    """Pay what the job says, one after the other, reading the book before each."""
    ends: list[Json] = []
    for amount in context.job_input["amounts"]:
        seen: Any = context.read(agent=SCOUT)
        outcome = context.propose(
            agent=SCOUT,
            action_type=context.job_input.get("action", "pay"),
            params={"vendor": NORTHWIND, "amount": amount},
        )
        ends.append([seen["balance"], outcome.status])
    return {"ends": ends}


def confirm_as_planner(row: Restoration) -> None:
    """Let whoever planned confirm, in a process that knows nobody else."""
    who = Actor("person", row.planner["id"], row.planner["name"], row.workspace_id, ADMIN)
    confirm(
        actor=who, restoration_id=row.id, reason="Astray.", typed=row.plan["to_type"], now=now()
    )


@dataclass(slots=True)
class Scene:
    """The cast with its book, and what one does to it here."""

    cast: Cast

    @classmethod
    def build(cls) -> "Scene":
        """Set the scene; a wire is a payment that leaves the house."""
        register()
        cast = Cast.build()
        wire = ActionTypeSpec(
            "wire",
            "Wire",
            "Wire {amount} to {name}",
            PAY_SCHEMA,
            "tests.pay",
            reversibility=WIRED,
            leaves_house=True,
        )
        declare(cast.setup, wire)
        return cls(cast)

    @property
    def book(self) -> UUID:
        """Return the book's id."""
        return self.cast.book.state_id

    def pay(self, amount: int, action: str = "pay") -> UUID:
        """Pay something from the book, with Ana's approval; return the proposal."""
        proposal_id = self.cast.ask(amount, action_type=action, origin="client:1")
        self.cast.decide(self.cast.ana, proposal_id)
        return proposal_id

    def job(self, *amounts: int, action: str = "pay") -> Run:
        """Submit a job that pays, and lead its run to the first wait."""
        run = self.submit(*amounts, action=action)
        work()
        return self.run(run.id)

    def submit(self, *amounts: int, workflow: str = "payer", **asked: Any) -> Run:
        """Submit a job, one that pays if nothing else is said."""
        key = f"job-{next(self.cast._steps)}"
        request = JobRequest(workflow, BOOK, {"amounts": list(amounts), **asked}, key)
        job_id, _ = submit(actor=self.cast.eve, request=request, now=now())
        return self.run_of(job_id)

    def run_of(self, job_id: UUID) -> Run:
        """Return the run that stands for a job now."""
        return queries.current_run(queries.job(self.cast.workspace.id, job_id))

    def run(self, run_id: UUID) -> Run:
        """Read a run again."""
        return queries.run(self.cast.workspace.id, run_id)

    def waits_for(self, run: Run) -> UUID:
        """Return the proposal that a run waits for."""
        [(_, proposal_id)] = queries.waiting_of(run.id)
        return proposal_id

    def finish(self, run: Run) -> Run:
        """Let Ana approve whatever a run asks for until it has ended."""
        for _ in range(10):
            work()
            if not queries.waiting_of(run.id):
                break
            self.cast.decide(self.cast.ana, self.waits_for(run))
            wake_run(run.id)
        return self.run(run.id)

    def memory(self, *words: str, agent: str = SCOUT, key: str = BOOK) -> Head:
        """Give an agent a memory of the book, one snapshot for each word it learns."""
        where = memory.key_of(key, agent)
        head = snapshots.find(self.cast.workspace.id, where) or create_state(
            actor=self.cast.setup,
            key=where,
            document={"entries": {}},
            reason="",
            now=now(),
            kind="memory",
        )
        for word in words:
            document = snapshots.content(head.state_id, head.number)
            entry: Json = {"subject": word, "value": word}
            commit(
                actor=self.cast.scout,
                base=head,
                changes=memory.adding(document, word, entry),
                cause=Cause("memory", f"{head.state_id}:{word}"),
                reason=word,
                now=now(),
            )
            head = snapshots.head(self.cast.workspace.id, head.state_id)
        return head

    def words(self, head: Head) -> list[str]:
        """Return what an agent has in mind."""
        here = snapshots.head(self.cast.workspace.id, head.state_id)
        document: Any = snapshots.content(here.state_id, here.number)
        return sorted(document["entries"])

    def plan(self, to: Any = None, who: Actor | None = None, **more: Any) -> UUID:
        """Let Ada plan to take the book back to a snapshot."""
        values = {"kind": "rollback", "state": self.book, "to": to, **more}
        return plan(actor=who or self.cast.ada, wanted=Wanted(**values), now=now())

    def confirm(self, planned: UUID, typed: str = "", who: Actor | None = None) -> None:
        """Let Ada confirm, with the word that the plan asks for."""
        word = typed or self.read(planned).plan["to_type"]
        confirm(
            actor=who or self.cast.ada,
            restoration_id=planned,
            reason="The agent went astray.",
            typed=word,
            now=now(),
        )

    def read(self, restoration_id: UUID) -> Restoration:
        """Read a restoration."""
        return restorations.detail(self.cast.workspace.id, restoration_id)

    def go(self, planned: UUID) -> Restoration:
        """Confirm a plan and carry it out as the worker does."""
        self.confirm(planned)
        carry_on(planned, now=now())
        return self.read(planned)

    def back(self, to: Any = None, **more: Any) -> Restoration:
        """Plan, confirm and carry out."""
        return self.go(self.plan(to, **more))

    def numbers(self, lines: Sequence[dict[str, Any]]) -> list[int]:
        """Return the numbers in some lines of a plan."""
        return [line["number"] for line in lines]

    def worker(self) -> Actor:
        """Return the actor of a worker."""
        return system("worker", self.cast.workspace.id)
