"""What did the policies say of the proposals, and what did people say of the same?"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from django.db.models import Case, CharField, Count, Exists, F, OuterRef, Q, QuerySet, Value, When

from approvals.models import Decision, Proposal, Review, Verdict
from approvals.policy import REVIEW_BY_TWO
from approvals.rulebook import Rule, Would
from approvals.scoring import DRIFT_LOOKS, Interval, Said, Scored

# The newest ones say how a rule does now; more would make the page slow, not the answer better.
SCORED_AT_MOST: Final = 5_000
REVIEWED_AT_MOST: Final = 20_000
WEEK: Final = timedelta(days=7)
QUARTER: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Use:
    """How much a rule in force is used, and how often the reviews it asks for change nothing."""

    hits: int
    overridden: Interval


def spoken_of(workspace_id: UUID, rule: str, mode: str) -> list[Scored]:
    """Return what a rule said of the newest wordings, each with what people said of it."""
    rows = _verdicts(workspace_id, rule, mode)[:SCORED_AT_MOST]
    found = rows.values_list("would", "said", "proposal__amount", "proposal__currency")
    return [
        Scored(cast("Would", would), cast("Said", said), amount, currency)
        for would, said, amount, currency in found
    ]


def false_approvals(workspace_id: UUID, rule: str, *, size: int = 25) -> list[Verdict]:
    """Return the newest wordings that a shadow rule would have let through and people did not."""
    rows = _verdicts(workspace_id, rule, "shadow").filter(would="auto")
    return list(rows.filter(said__in=["rejected", "sent_back"])[:size])


def uses(workspace_id: UUID, rules: Iterable[Rule], now: datetime) -> dict[str, Use]:
    """Return of each rule what it did in a week, and how its reviews of 90 days went.

    The name for what no rule matched is among them. Overridden: see `approvals.scoring.is_noisy`;
    of the newest proposals that were settled, so many at most.
    """
    names = [*(rule.name for rule in rules), REVIEW_BY_TWO.policy]
    rows = Verdict.objects.filter(workspace=workspace_id, mode="enforced", revision=1)
    recent = rows.filter(rule__in=names, at__gte=now - WEEK).values("rule").order_by()
    hits = dict(recent.annotate(n=Count("id")).values_list("rule", "n"))
    newest = Proposal.objects.filter(
        workspace=workspace_id,
        created_at__gte=now - QUARTER,
        status__in=["approved", "rejected"],
    ).order_by("-created_at")
    asked = Proposal.objects.filter(id__in=newest.values("id")[:REVIEWED_AT_MOST], level__gt=0)
    unchanged = Count("id", filter=Q(status="approved", revision=1))
    settled = asked.values("policy").order_by().annotate(n=Count("id"), same=unchanged)
    reviewed = {row["policy"]: Interval(row["same"], row["n"]) for row in settled}
    return {name: Use(hits.get(name, 0), reviewed.get(name, Interval(0, 0))) for name in names}


def looks(
    workspace_id: UUID, rules: Collection[tuple[str, int]]
) -> dict[tuple[str, int], Interval]:
    """Return how many of the newest looks at what rules approved by themselves found it wrong.

    Shape: a rule is its name and version; those of which nobody has looked at anything are in it.
    """
    taken: dict[tuple[str, int], list[str]] = {rule: [] for rule in rules}
    if not taken:
        return {}
    rows = Review.objects.filter(
        workspace=workspace_id,
        cause="sample",
        execution__proposal__policy__in={name for name, _ in taken},
    ).exclude(verdict="")
    found = rows.order_by("-at", "-id").values_list(
        "execution__proposal__policy", "execution__proposal__terms__version", "verdict"
    )
    for name, version, verdict in found[:SCORED_AT_MOST]:
        verdicts = taken.get((name, version))
        if verdicts is not None and len(verdicts) < DRIFT_LOOKS:
            verdicts.append(verdict)
    return {rule: Interval(said.count("wrong"), len(said)) for rule, said in taken.items()}


def _verdicts(workspace_id: UUID, rule: str, mode: str) -> QuerySet[Any, Any]:
    """Return verdicts, newest first, with what people said of the same wording as `said`."""
    on_it = Decision.objects.filter(proposal=OuterRef("proposal"), revision=OuterRef("revision"))
    is_last = Q(revision=F("proposal__revision"))
    cases: Mapping[str, Any] = {
        "sent_back": Exists(on_it.filter(choice="request_changes")),
        "rejected": is_last & Q(proposal__status="rejected"),
        "approved": is_last & Q(proposal__status="approved") & Exists(on_it),
    }
    said = Case(
        *(When(condition, then=Value(word)) for word, condition in cases.items()),
        default=Value("undecided"),
        output_field=CharField(),
    )
    rows = Verdict.objects.filter(workspace=workspace_id, rule=rule, mode=mode)
    return rows.annotate(said=said).select_related("proposal").order_by("-at", "-id")
