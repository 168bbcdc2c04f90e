"""Say how a workspace sets the guards of a workflow, and how many of its runs work at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from agents import guards, workflows
from agents.models import WorkflowSetting
from approvals.policy import says_something
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Forbidden, Invalid, NotFound
from console.ledger.operations.appending import append
from console.live import ring

REASON_AT_MOST: Final = 500
AT_ONCE_AT_MOST: Final = 10_000


class GuardsInvalid(Invalid):
    """A guard is set with a limit that its rule may have and a strength, and with a reason."""

    code = "guards_invalid"


@dataclass(frozen=True, slots=True)
class GuardSetting:
    """How a workspace has set a workflow: a layer over what the workflow declares.

    Shape of `guards`: `{rule: {"limit"?, "strength"?}}`; what is not named is as declared.
    `at_once` is how many of its runs may work at the same time, None as declared.
    """

    guards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    at_once: int | None = None


def set_guards(
    *, actor: Actor, workflow: str, setting: GuardSetting, reason: str, now: datetime
) -> bool:
    """Set the guards of a workflow anew and say whether anything changed by that.

    A run that works goes by them from its next start or resumption on.
    Locks: the workspace. Raises: Forbidden (403), NotFound (404), GuardsInvalid (422).
    """
    if actor.kind != "person" or not _may_set(actor):
        raise Forbidden("Only engineers and admins may set guards; no token can.")
    if workflows.find(workflow) is None:
        raise NotFound
    _check(setting, reason)
    with transaction.atomic():
        # Whoever else sets them waits, also where no row is there yet.
        Workspace.objects.select_for_update(no_key=True).get(id=actor.workspace_id)
        rows = WorkflowSetting.objects.filter(workspace=actor.workspace_id, workflow=workflow)
        known = rows.first()
        before = GuardSetting(known.guards, known.at_once) if known else GuardSetting()
        if before == setting:
            return False
        values = {
            "guards": {rule: dict(kept) for rule, kept in setting.guards.items()},
            "at_once": setting.at_once,
            "actor": actor.to_json(),
            "changed_at": now,
        }
        if known:
            rows.update(**values)
        else:
            WorkflowSetting.objects.create(
                workspace_id=actor.workspace_id, workflow=workflow, **values
            )
        _note(actor, workflow, before, setting, reason.strip())
    return True


def _may_set(actor: Actor) -> bool:
    return allows(actor.roles, "operate") or allows(actor.roles, "policies")


def _check(setting: GuardSetting, reason: str) -> None:
    if not says_something(reason) or len(reason) > REASON_AT_MOST or "\x00" in reason:
        sentence = f"Say why, in at most {REASON_AT_MOST} characters, none of them NUL."
        raise GuardsInvalid(sentence, field="reason")
    if found := guards.objections(setting.guards):
        listed: list[Json] = [{"field": rule, "message": said} for rule, said in found]
        raise GuardsInvalid(found[0][1], field=found[0][0], errors=listed)
    if setting.at_once is not None and not 0 < setting.at_once <= AT_ONCE_AT_MOST:
        sentence = f"At once work at least 1 and at most {AT_ONCE_AT_MOST:,} runs."
        raise GuardsInvalid(sentence, field="at_once")


def _note(
    actor: Actor, workflow: str, before: GuardSetting, after: GuardSetting, reason: str
) -> None:
    body: dict[str, Json] = {
        "name": workflow,
        "reason": reason,
        "from": _told(before),
        "to": _told(after),
    }
    append(actor, "guards.changed", f"workflow:{workflow}", body)
    ring("runs", actor.workspace_id)


def _told(setting: GuardSetting) -> dict[str, Json]:
    # Written as people do: a ledger holds no fractions that two programs could write differently.
    told: dict[str, Json] = {rule: _in_words(kept) for rule, kept in setting.guards.items()}
    return told if setting.at_once is None else {**told, "at_once": str(setting.at_once)}


def _in_words(kept: Mapping[str, Any]) -> str:
    limit = "as declared" if "limit" not in kept else _limit(kept["limit"])
    return f"{limit}, {kept.get('strength', 'as declared')}"


def _limit(limit: Any) -> str:
    return "off" if limit is None else f"{limit:.15g}"
