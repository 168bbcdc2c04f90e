"""Under which terms does a wording stand: what policies and limits ask, and who is left to agree?

Locks the buckets of the limits, so whoever frames a wording writes it in the same transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from approvals import authority_claims, exposing, queries
from approvals.effects import Check
from approvals.exposing import Share
from approvals.grounding import is_tainted
from approvals.models import ActionType, Proposal, Revision
from approvals.operations.evaluating import (
    DeniedByPolicy,
    Evaluation,
    evaluate,
    evaluate_waiting,
)
from approvals.operations.exposing import Buckets, lock_buckets, spent
from approvals.operations.previewing import Preview
from approvals.policy import AUTO, Question, Stake, Terms

ELIGIBILITY = "Enough people may decide"


@dataclass(frozen=True, slots=True)
class Frame:
    """The terms of a wording with what led to them.

    `checks` are those of the effect, of the limits, and of who may decide; `denied` says why
    nobody is asked; `is_stuck` that too few people are left who may decide.
    """

    terms: Terms
    evaluation: Evaluation
    checks: list[Check]
    shares: list[Share]
    buckets: Buckets
    denied: str = ""
    is_stuck: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose wording is framed: the kind of action, the agent, who had a part, and what waits."""

    action_type: ActionType
    agent: str
    lineage: Sequence[str]
    own: UUID | None = None


def frame(evaluation: Evaluation, shown: Preview, subject: Subject, now: datetime) -> Frame:
    """Return the terms of a wording that the policies were asked about.

    Locks: the buckets of its limits until the transaction ends. Raises: Busy (409).
    """
    workspace_id = subject.action_type.workspace_id
    found = shares_of(evaluation.terms, shown, subject.agent)
    buckets = lock_buckets(workspace_id, found)
    counted = spent(buckets, found, now, subject.own)
    broken = [(share, total) for share, total in counted if exposing.is_beyond(share, total)]
    terms = _raised(evaluation.terms, broken)
    few = _too_few(workspace_id, terms, shown, subject, now)
    return Frame(
        terms=terms,
        evaluation=replace(evaluation, terms=terms),
        checks=[
            *shown.checks,
            *_claimed(shown),
            *(exposing.check_of(*each) for each in counted),
            *few,
        ],
        shares=found,
        buckets=buckets,
        denied=evaluation.denied or exposing.denial(broken),
        is_stuck=bool(few),
    )


def frame_again(
    proposal: Proposal,
    current: Revision,
    shown: Preview,
    now: datetime,
    *,
    params: dict[str, Any] | None = None,
    lineage: Iterable[str] = (),
) -> Frame:
    """Return the terms under which an action that waits for people would stand if worded now.

    Locks: the buckets of its limits. Raises: DeniedByPolicy (403), Busy (409).
    """
    params = current.params if params is None else params
    evaluation = evaluate_waiting(proposal, current, shown, params, now)
    return _framed_again(proposal, evaluation, shown, now, lineage)


def frame_alone(proposal: Proposal, current: Revision, shown: Preview, now: datetime) -> Frame:
    """Return the terms of what a policy approved by itself and holds, if it were worded now.

    Locks: the buckets of its limits. Raises: DeniedByPolicy (403), Busy (409).
    """
    evaluation = evaluate(
        proposal.workspace_id,
        proposal.action_type,
        shown,
        current.params,
        agent=proposal.agent,
        tainted=is_tainted(shown.sources),
        now=now,
    )
    return _framed_again(proposal, evaluation, shown, now, ())


def _framed_again(
    proposal: Proposal,
    evaluation: Evaluation,
    shown: Preview,
    now: datetime,
    lineage: Iterable[str],
) -> Frame:
    subject = Subject(
        action_type=proposal.action_type,
        agent=proposal.agent,
        lineage=sorted({*proposal.lineage, *lineage}),
        own=proposal.id,
    )
    found = frame(evaluation, shown, subject, now)
    if found.denied:
        raise DeniedByPolicy(found.denied)
    return found


def shares_of(terms: Terms, shown: Preview, agent: str) -> list[Share]:
    """Return what an action of an agent, or of nobody's, adds to the buckets of its terms."""
    about = {
        "counterparty": shown.measure.counterparty,
        "subject": shown.measure.subject,
        "agent": agent,
        "state": shown.base.key,
    }
    return exposing.shares(terms, shown.measure, about)


def _claimed(shown: Preview) -> list[Check]:
    if not shown.claims:
        return []
    sentence = authority_claims.sentence_of(shown.claims)
    return [Check(authority_claims.CHECK, passed=False, sentence=sentence)]


def _raised(terms: Terms, broken: Sequence[tuple[Share, Decimal]]) -> Terms:
    asked = exposing.raised(terms, [share.limit for share, _ in broken])
    # What no person is asked about has no alternatives; the database takes it at its word.
    return replace(asked, thresholds=(), escalate_to=()) if asked.level == AUTO else asked


def _too_few(
    workspace_id: UUID, terms: Terms, shown: Preview, subject: Subject, now: datetime
) -> list[Check]:
    if terms.level == AUTO:
        return []
    stake = Stake(subject.action_type.name, shown.measure.amount, shown.measure.currency)
    question = Question(terms, (*subject.lineage, *terms.by), stake, now)
    left = queries.left_to_agree(workspace_id, question)
    if any(count >= item.approve for item, count in zip(terms.asked, left, strict=True)):
        return []
    sentence = f"{terms.needed} must agree, but only {max(left, default=0)} in this workspace may."
    return [Check(ELIGIBILITY, passed=False, sentence=sentence)]
