"""What tests of pausing, stopping and halting share: an admin, and agents that work in a team."""

from uuid import UUID

from agents.models import Agent, Run
from agents.workflows import Context, Workflow, register_workflow
from approvals import queries as approvals
from approvals.operations.deciding import Act, Seen, decide
from console.access.models import User
from console.access.operations.granting import grant
from console.access.queries import person_as_actor
from console.actors import Actor
from console.canonical import Json
from console.ledger import queries as ledger
from tests.agents import programs
from tests.agents.stage import Stage, now

BECAUSE = "it books twice"


def build() -> Stage:
    """Found the stage, with the workflows of these tests."""
    programs.register()
    programs.CALLS.clear()
    register_workflow(Workflow("team", "Team", team))
    return Stage.build()


def team(context: Context) -> Json:
    """Let Scout look, Clerk propose, and Scout look again."""
    context.tool(agent="scout", name="look", args={"n": 1}, function=lambda: 1)
    context.handoff(from_agent="scout", to_agent="clerk", content="Please book it.")
    outcome = context.propose(agent="clerk", action_type="set", params={"by": "clerk"})
    context.tool(agent="scout", name="look", args={"n": 2}, function=lambda: 2)
    return outcome.status


def member(stage: Stage, name: str, role: str) -> Actor:
    """Let somebody join in this role."""
    workspace_id = stage.setup.workspace_id
    person = User.objects.create_user(f"{name.lower()}@stage.example", name=name)
    grant(stage.setup, workspace_id, person, role)
    return person_as_actor(person, workspace_id, {role})


def agent(stage: Stage, name: str = "scout") -> Agent:
    """Read an agent's row."""
    return Agent.objects.get(workspace=stage.setup.workspace_id, name=name)


def said(stage: Stage, subject: str) -> list[str]:
    """Return the verbs of the ledger about a subject, oldest first."""
    rows = ledger.entries(stage.setup.workspace_id).filter(subject=subject)
    return list(rows.order_by("seq").values_list("verb", flat=True))


def stands(stage: Stage, run: Run) -> tuple[str, UUID | None]:
    """Return a run's status and what it waits for."""
    row = stage.run(run.id)
    return row.status, row.waiting_for


def approve(stage: Stage, proposal_id: UUID) -> None:
    """Let Ana approve a proposal, whatever its run does meanwhile."""
    detail = approvals.detail(stage.setup.workspace_id, proposal_id)
    decide(
        proposal_id=proposal_id,
        seen=Seen(detail.revision.number, detail.revision.digest),
        actor=stage.ana,
        act=Act("approve"),
        now=now(),
    )
