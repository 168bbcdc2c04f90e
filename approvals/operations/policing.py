"""Put a change of the policies before people: in the same queue as everything else."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from approvals import amending, queries, rulebook
from approvals.amending import Amendment, Outdated
from approvals.effects import CannotDo
from approvals.models import Proposal
from approvals.operations.fencing import authors
from approvals.operations.installing import declare_change, install
from approvals.operations.proposing import Request, propose
from approvals.rulebook import Rule
from approvals.rulecheck import BadRule
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict, Forbidden, Invalid
from console.ids import new_id

REASON_AT_MOST = 1000


class PolicyInvalid(Invalid):
    """This cannot be a policy as it is."""

    code = "policy_invalid"


class PolicyOutdated(Conflict):
    """Somebody changed this policy after you looked at it."""

    code = "policy_outdated"


def propose_change(
    *, actor: Actor, change: Amendment, reason: str, now: datetime, step: str = ""
) -> UUID:
    """Make a change of the policies wait for another admin and return the proposal's id.

    The same change twice is one proposal while it waits; a `step` of the same name always is.
    Whoever changes a rule decides on nothing that it asks people about.
    Raises: Forbidden (403), PolicyOutdated (409), PolicyInvalid (422).
    """
    if actor.kind != "system" and not allows(actor.roles, "policies"):
        raise Forbidden
    _refuse_unless_reasoned(reason)
    install(actor=actor, rules=(), now=now)
    declare_change(actor)
    change = replace(change, by=tuple(authors(actor)))
    rules = drafted(actor.workspace_id, change)
    _refuse_if_nobody_is_left(actor, rules, change)
    if known := _waiting(actor, change):
        return known
    request = Request(
        state_key=rulebook.KEY,
        action_type=rulebook.CHANGE,
        params=change.to_params(),
        origin=actor.ref,
        origin_step=step or str(new_id()),
        rationale=reason.strip(),
    )
    return propose(actor=actor, request=request, now=now)


def drafted(workspace_id: UUID, change: Amendment) -> list[Rule]:
    """Return the rules of a workspace as a change would make them.

    Raises: PolicyOutdated (409), PolicyInvalid (422); its `errors` name places.
    """
    try:
        return amending.amended(queries.policies(workspace_id).rules, change)
    except BadRule as error:
        errors: list[Json] = [fault.to_json() for fault in error.faults]
        raise PolicyInvalid(str(error), errors=errors) from error
    except Outdated as error:
        raise PolicyOutdated(str(error)) from error
    except CannotDo as error:
        raise PolicyInvalid(str(error)) from error


def _refuse_unless_reasoned(reason: str) -> None:
    if not any(letter.isalnum() for letter in reason):
        raise PolicyInvalid("Say why the policies should change.", field="reason")
    if len(reason) > REASON_AT_MOST or "\0" in reason:
        sentence = f"A reason has at most {REASON_AT_MOST} characters, none of them NUL."
        raise PolicyInvalid(sentence, field="reason")


def _refuse_if_nobody_is_left(actor: Actor, rules: list[Rule], change: Amendment) -> None:
    """Refuse a rule in force under which too few people of this workspace could agree."""
    names = {str(rule.get("name", "")) for rule in (change.rule, *change.rules) if rule}
    for rule in rules:
        if rule.name in names and rule.mode == "enforced" and rule.terms.thresholds:
            most = queries.most_who_may(actor.workspace_id, rule.terms.thresholds)
            if not any(who >= item.approve for who, item in most):
                who, item = most[0]
                raise PolicyInvalid(
                    f"Under “{rule.name}” {item.approve} must agree, but only {who} in this "
                    "workspace may, so nothing could ever be approved.",
                    field="thresholds",
                )


def _waiting(actor: Actor, change: Amendment) -> UUID | None:
    rows = Proposal.objects.filter(
        workspace_id=actor.workspace_id,
        action_type__name=rulebook.CHANGE,
        status="pending",
        proposer__id=actor.id,
        revisions__params=change.to_params(),
    )
    return rows.values_list("id", flat=True).first()
