"""What would these rules have asked for, had they been in force for the last proposals?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db.models import F

from approvals import authority_claims, rulebook
from approvals.effects import Measure
from approvals.grounding import is_tainted
from approvals.models import Revision
from approvals.policy import Terms
from approvals.rulebook import About, Judgement, Rule

ASKED_AT_MOST: Final = 5_000
SHOWN_AT_MOST: Final = 50
DAYS_AT_MOST: Final = 365
DENIED: Final = "denied"


@dataclass(frozen=True, slots=True)
class Difference:
    """One past proposal of which other rules would have asked something else."""

    proposal_id: UUID
    title: str
    status: str
    at: datetime
    before: Terms
    after: Terms
    was: str
    would: str


@dataclass(slots=True)
class Backtest:
    """What two sets of rules say of the same past proposals.

    `before` and `after` count proposals by level (`0` to `3`, or `denied`); `hits` is how often the
    rule in question sets the terms; `let_through` how many it would approve by itself that people
    rejected.
    """

    days: int
    asked: int = 0
    is_cut: bool = False
    hits: int = 0
    differing: int = 0
    let_through: int = 0
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)


def backtest(
    workspace_id: UUID,
    rules: tuple[Sequence[Rule], Sequence[Rule]],
    *,
    name: str,
    days: int,
    now: datetime,
) -> Backtest:
    """Ask two sets of rules, those in force and a draft, about the newest proposals of some days.

    Each is judged in its current wording, as of when that was made. `name` is the rule in
    question. Limits are not summed up again: they depend on everything around a proposal.
    """
    found = Backtest(min(days, DAYS_AT_MOST))
    since = now - timedelta(days=found.days)
    rows = Revision.objects.filter(
        workspace=workspace_id, number=F("proposal__revision"), proposal__created_at__gte=since
    ).exclude(proposal__action_type__effect=rulebook.EFFECT)
    rows = rows.select_related("proposal__action_type", "proposal__state")
    newest = rows.defer("sealed", "stated", "rationale").order_by("-proposal__created_at")
    for revision in newest[: ASKED_AT_MOST + 1].iterator(chunk_size=500):
        if found.asked == ASKED_AT_MOST:
            found.is_cut = True
            break
        _add(found, revision, rules, name)
    return found


def _add(
    found: Backtest, revision: Revision, rules: tuple[Sequence[Rule], Sequence[Rule]], name: str
) -> None:
    values = _values(revision)
    before, after = (rulebook.judge(each, values) for each in rules)
    was, would = _outcome(before), _outcome(after)
    proposal = revision.proposal
    found.asked += 1
    found.before[was] += 1
    found.after[would] += 1
    found.hits += after.terms.policy == name
    found.let_through += would == "0" and proposal.status == "rejected"
    if was == would and before.terms.same_demands(after.terms):
        return
    found.differing += 1
    if len(found.differences) < SHOWN_AT_MOST:
        found.differences.append(
            Difference(
                proposal_id=proposal.id,
                title=proposal.title,
                status=proposal.status,
                at=proposal.created_at,
                before=before.terms,
                after=after.terms,
                was=was,
                would=would,
            )
        )


def _outcome(judged: Judgement) -> str:
    return DENIED if judged.problem else str(judged.terms.level)


def _values(revision: Revision) -> dict[str, object]:
    """Return what expressions may know of a wording, from what its rows keep."""
    proposal = revision.proposal
    about = About(
        action=proposal.action_type.name,
        state=proposal.state.key,
        agent=proposal.agent,
        risk=proposal.risk,
        leaves_house=proposal.action_type.leaves_house,
        tainted=is_tainted(revision.sources),
        false_authority=bool(revision.false_authority),
    )
    failed = sum(
        not check["passed"] and check["name"] != authority_claims.CHECK for check in revision.checks
    )
    return rulebook.values_of(
        about, revision.params, revision.changes, failed, _measure(revision), revision.created_at
    )


def _measure(revision: Revision) -> Measure:
    kept = revision.measure
    amount = kept.get("amount")
    return Measure(
        amount=None if amount is None else Decimal(amount),
        currency=kept.get("currency", ""),
        counterparty=kept.get("counterparty", ""),
        subject=kept.get("subject", ""),
    )
