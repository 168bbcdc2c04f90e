"""Scoring tells how a policy agrees with people, and alarms when one approves wrongly too often."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from approvals import queries, scoring
from approvals.models import Execution, Proposal, Review
from approvals.operations.demoting import WHY, demote_drifting
from approvals.policy import REVIEW_BY_TWO, Threshold
from approvals.queries.scoring import Use, looks, uses
from approvals.rulebook import Rule
from approvals.scoring import Interval, Said, Scored, scores
from console.notices.models import Notice
from snapshots.diff import Change
from tests.story import Cast, now
from tests.terms import asking, set_rules


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (2, 3, 0.2077, 0.9385),
        (7, 50, 0.0695, 0.2619),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_a_share_has_its_interval(hits: int, of: int, low: float, high: float) -> None:
    assert Interval(hits, of).bounds == pytest.approx((low, high), abs=0.0001)


ROWS: list[tuple[Any, Said, str | None]] = [
    ("auto", "approved", "10"),
    ("auto", "approved", "20"),
    ("auto", "rejected", "-400.25"),
    ("auto", "sent_back", "3000.50"),
    ("auto", "undecided", "7"),
    ("review", "rejected", "5"),
    ("deny", "approved", "6"),
    ("deny", "rejected", None),
    ("deny", "rejected", None),
    ("deny", "sent_back", None),
]


def test_false_approvals_are_counted_and_added_up() -> None:
    rows = [Scored(would, said, Decimal(a) if a else None, "EUR") for would, said, a in ROWS]
    found = scores([*rows, Scored("auto", "rejected", Decimal(9), "CHF")])
    assert (found.seen, found.decided) == (11, 10)
    assert found.false_approvals == Interval(3, 5)
    assert found.agreed == Interval(4, 9)
    assert found.let_through == {"CHF": Decimal(9), "EUR": Decimal("3400.75")}


@pytest.mark.parametrize(
    ("hits", "of", "noisy"),
    [(45, 50, True), (44, 50, False), (49, 49, False), (0, 0, False), (900, 1000, True)],
)
def test_a_policy_is_noisy_when_its_reviews_change_nothing(hits: int, of: int, noisy: bool) -> None:
    assert scoring.is_noisy(Interval(hits, of)) is noisy


@pytest.mark.parametrize(
    ("wrong", "of", "drifted"),
    [(1, 9, False), (1, 10, True), (0, 50, False), (2, 50, False), (3, 50, True), (1, 20, False)],
)
def test_a_policy_has_drifted_when_too_many_looks_were_wrong(
    wrong: int, of: int, drifted: bool
) -> None:
    assert scoring.has_drifted(Interval(wrong, of)) is drifted


AUTOMATIC = Rule('action == "pay"', asking("By itself", level=0, sample=1.0, hold_seconds=0))
AUTOMATIC = replace(AUTOMATIC, terms=replace(AUTOMATIC.terms, thresholds=()))


@pytest.fixture
def cast(db: None) -> Cast:
    made = Cast.build()
    made.enlist("Amir", "admin")
    return made


def look_at(cast: Cast, proposal_id: UUID, verdict: str) -> None:
    """Let Ben look at what a policy approved."""
    execution = Execution.objects.get(proposal=proposal_id)
    at = {"verdict": verdict, "person_id": UUID(cast.ben.id), "at": now()}
    if Review.objects.filter(execution=execution).update(**at):
        return
    Review.objects.create(
        workspace_id=cast.workspace.id,
        execution=execution,
        cause="sample",
        number=1,
        due_at=now(),
        **at,
    )


@pytest.mark.django_db
def test_a_policy_that_approves_wrongly_is_to_ask_people_again(cast: Cast) -> None:
    set_rules(cast.setup, AUTOMATIC)
    for n in range(11):
        proposal_id = cast.ask(amount=n + 1)
        assert cast.answer(proposal_id).status == "approved"
        look_at(cast, proposal_id, "wrong" if n < 2 else "right")
    assert looks(cast.workspace.id, [("By itself", 1)]) == {("By itself", 1): Interval(2, 11)}
    assert looks(cast.other.id, [("By itself", 1)]) == {("By itself", 1): Interval(0, 0)}
    assert demote_drifting(now=now()) == 1
    [made] = Proposal.objects.filter(origin="system:policies")
    assert (made.proposer["kind"], made.status) == ("system", "pending")
    seen = cast.look(made.id)
    assert seen.revision.rationale == WHY
    assert seen.revision.params["rule"]["level"] == 1
    assert cast.said(f"proposal:{made.id}")[-1] == "policy.drifted"
    assert Notice.objects.filter(event__name="policy.alarm").count() == 2
    assert queries.policies(cast.workspace.id).rules[0].terms.level == 0


@pytest.mark.django_db
def test_the_alarm_is_raised_once_for_a_version(cast: Cast) -> None:
    set_rules(cast.setup, AUTOMATIC)
    for n in range(10):
        proposal_id = cast.ask(amount=n + 1)
        look_at(cast, proposal_id, "wrong")
    assert [demote_drifting(now=now()) for _ in range(3)] == [1, 0, 0]
    [made] = Proposal.objects.filter(origin="system:policies")
    assert cast.decide(cast.ada, made.id) == "approved"
    [rule] = queries.policies(cast.workspace.id).rules
    assert (rule.terms.level, rule.terms.thresholds) == (1, (Threshold(1),))
    assert demote_drifting(now=now()) == 0


@pytest.mark.django_db
def test_hits_and_reviews_that_changed_nothing_are_counted(cast: Cast) -> None:
    set_rules(cast.setup, Rule('action == "pay"', asking("Payments")))
    for choice in ("approve", "approve", "reject"):
        cast.decide(cast.ana, cast.ask(), choice)
    cast.ask(amount=71)
    cast.state_change(Change("add", "/memo", value="x"))
    rules = queries.policies(cast.workspace.id).rules
    found = uses(cast.workspace.id, rules, now())
    assert found["Payments"] == Use(4, Interval(2, 3))
    assert found[REVIEW_BY_TWO.policy] == Use(1, Interval(0, 0))
    nothing = Use(0, Interval(0, 0))
    assert set(uses(cast.other.id, rules, now()).values()) == {nothing}
