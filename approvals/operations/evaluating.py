"""Find what the policies set for an action, and note what those in the shadow would have said."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from approvals import authority_claims, queries, rulebook
from approvals.grounding import is_tainted
from approvals.models import ActionType, Proposal, Revision, Verdict
from approvals.operations.previewing import Preview
from approvals.policy import AUTO, REVIEW_BY_TWO, Terms, Threshold
from approvals.rulebook import Judgement, Said
from console.errors import Forbidden

logger = logging.getLogger(__name__)

DENIED = "The policies gave no answer for this action, so it is denied."


class DeniedByPolicy(Forbidden):
    """The policies deny this action."""

    code = "denied_by_policy"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the policies say of an action: its terms, or why it is denied at once.

    `said` is what the rule in force and every shadow rule that matched would do.
    """

    terms: Terms
    denied: str = ""
    said: tuple[Said, ...] = ()


def evaluate(
    workspace_id: UUID,
    action_type: ActionType,
    shown: Preview,
    params: dict[str, Any],
    *,
    agent: str,
    tainted: bool,
    now: datetime,
) -> Evaluation:
    """Return the terms that the policies set as they are now.

    Whatever goes wrong while they are asked denies; a change of the policies themselves has terms
    that no policy sets. What is said to be approved and was not is asked about one level higher.
    """
    try:
        found = queries.policies(workspace_id)
        if action_type.effect == rulebook.EFFECT:
            return _lifted(Evaluation(replace(rulebook.POLICY_CHANGE, number=found.number)), shown)
        values = _values(action_type, shown, params, agent=agent, tainted=tainted, now=now)
        judged = rulebook.judge(found.rules, values)
    except Exception:
        logger.exception("policies of workspace %s could not be evaluated", workspace_id)
        return Evaluation(REVIEW_BY_TWO, DENIED)
    return _lifted(_evaluation(judged, found.number), shown)


def evaluate_waiting(
    proposal: Proposal, current: Revision, shown: Preview, params: dict[str, Any], now: datetime
) -> Evaluation:
    """Return what the policies ask of an action that waits for people already.

    What they would let through by themselves takes one click then: it is before people.
    Raises: DeniedByPolicy (403).
    """
    found = evaluate(
        proposal.workspace_id,
        proposal.action_type,
        shown,
        params,
        agent=proposal.agent,
        tainted=is_tainted(shown.sources),
        now=now,
    )
    if found.denied:
        raise DeniedByPolicy(found.denied)
    return asked_of_people(found)


def asked_of_people(found: Evaluation) -> Evaluation:
    """Return an evaluation by which a person is asked, be it for one click."""
    if found.terms.level > AUTO:
        return found
    asked = found.terms.thresholds or (Threshold(approve=1),)
    return replace(found, terms=replace(found.terms, level=1, thresholds=asked))


def record(proposal: Proposal, revision_number: int, evaluation: Evaluation, now: datetime) -> None:
    """Write down what every rule said of a revision; part of the caller's transaction."""
    Verdict.objects.bulk_create(
        Verdict(
            workspace_id=proposal.workspace_id,
            proposal=proposal,
            revision=revision_number,
            rule=said.rule,
            version=said.version,
            number=evaluation.terms.number,
            mode=said.mode,
            level=said.level,
            would=said.would,
            why=said.why[:500],
            at=now,
        )
        for said in evaluation.said
    )


def _lifted(found: Evaluation, shown: Preview) -> Evaluation:
    return replace(found, terms=authority_claims.lifted(found.terms)) if shown.claims else found


def _evaluation(judged: Judgement, number: int) -> Evaluation:
    if judged.problem:
        logger.error("policy %r gave no answer: %s", judged.terms.policy, judged.problem)
    terms = replace(judged.terms, number=number)
    return Evaluation(terms, judged.problem, judged.said)


def _values(
    action_type: ActionType,
    shown: Preview,
    params: dict[str, Any],
    *,
    agent: str,
    tainted: bool,
    now: datetime,
) -> dict[str, Any]:
    about = rulebook.About(
        action=action_type.name,
        state=shown.base.key,
        agent=agent,
        risk=risk_of(action_type, shown),
        leaves_house=action_type.leaves_house,
        tainted=tainted,
        false_authority=bool(shown.claims),
    )
    changes = [change.to_json() for change in shown.changes]
    failed = sum(not check.passed for check in shown.checks)
    return rulebook.values_of(about, params, changes, failed, shown.measure, now)


def risk_of(action_type: ActionType, shown: Preview) -> int:
    """Return 1 to 3: as declared, one more for what nobody described, one for a failed check."""
    failed = any(not check.passed for check in shown.checks)
    return min(3, action_type.risk + (not shown.is_described) + failed)
