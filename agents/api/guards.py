"""How the guards of workflows are set, over HTTP: look. People set them in the browser."""

from datetime import datetime
from typing import Annotated, Any

from ninja import Query, Router, Schema

from agents import workflows
from agents.guards import RULES, settled
from agents.queries import guard_settings as queries
from console.access.bearer import Bearer, ClientRequest
from console.endpoints import PROBLEMS
from console.errors import NotFound

router = Router()


class RuleOut(Schema):
    """One rule: which guard it belongs to, how it is set, and whether the workspace did that.

    A `limit` of null is off; `hard` ones always end the run.
    """

    rule: str
    guard: str
    label: str
    limit: float | None
    strength: str
    hard: bool
    own: bool


class GuardsOut(Schema):
    """How the guards of a workflow are set; `changed_at` is null where all is as declared."""

    workflow: str
    rules: list[RuleOut]
    at_once: int | None
    by: str
    changed_at: datetime | None


@router.get("", auth=Bearer("agents:read"), response={200: GuardsOut, **PROBLEMS})
def get_guards(
    request: ClientRequest, workflow: Annotated[str, Query(min_length=1, max_length=80)]
) -> GuardsOut:
    """Look at how the guards of one workflow are set in this workspace."""
    known = workflows.find(workflow)
    if known is None:
        raise NotFound
    row = queries.setting(request.actor.workspace_id, workflow)
    own: dict[str, Any] = row.guards if row else {}
    found = settled(known.guards, own)
    rules = [
        RuleOut(
            rule=rule,
            guard=about.guard,
            label=about.label,
            limit=found[rule].limit,
            strength=found[rule].strength,
            hard=about.hard,
            own=rule in own,
        )
        for rule, about in RULES.items()
    ]
    at_once = row.at_once if row else None
    return GuardsOut(
        workflow=workflow,
        rules=rules,
        at_once=known.at_once if at_once is None else at_once,
        by=row.actor["name"] if row else "",
        changed_at=row.changed_at if row else None,
    )
