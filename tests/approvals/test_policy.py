"""The policy's tables: who must agree, who may decide, and what the decisions add up to."""

from dataclasses import replace

import pytest

from approvals import policy
from approvals.policy import REVIEW_BY_TWO, Choice, Outcome, Rule, Terms

TERMS = Terms("payments", 3, 2, 2, 2, ("reviewer", "controller"), 3_600, 90)


def rule(name: str, *patterns: str) -> Rule:
    return Rule(patterns, replace(TERMS, policy=name))


RULES = [rule("big", "pay_large_*"), rule("pay", "pay_*", "refund"), rule("rest", "note")]


@pytest.mark.parametrize(
    ("action_type", "matched"),
    [
        ("pay_large_sum", "big"),
        ("pay_large_", "big"),
        ("pay_small", "pay"),
        ("refund", "pay"),
        ("refund_all", REVIEW_BY_TWO.policy),
        ("note", "rest"),
        ("Note", REVIEW_BY_TWO.policy),
        ("pay", REVIEW_BY_TWO.policy),
        ("prepay_x", REVIEW_BY_TWO.policy),
        ("", REVIEW_BY_TWO.policy),
    ],
)
def test_the_first_rule_that_matches_wins_and_no_match_asks_two(
    action_type: str, matched: str
) -> None:
    assert policy.terms_for(RULES, action_type).policy == matched


def test_without_any_rule_two_people_must_agree_with_reasons() -> None:
    terms = policy.terms_for([], "anything")
    assert (terms.approvals, terms.denials, terms.level, terms.hold_seconds) == (2, 1, 2, 0)


def test_terms_are_kept_and_read_back_unchanged() -> None:
    assert Terms.from_json(TERMS.to_json()) == TERMS


PEOPLE_ONLY = "Only people decide; a program or an agent cannot."
LINEAGE = "You took part in making this proposal, so somebody else has to decide."
ROLE = "This decision needs the role reviewer or controller."


@pytest.mark.parametrize(
    ("kind", "ref", "roles", "objection"),
    [
        ("person", "person:ana", {"reviewer"}, None),
        ("person", "person:ana", {"controller", "auditor"}, None),
        ("person", "person:eve", {"reviewer"}, LINEAGE),
        ("person", "person:cleo", {"auditor"}, ROLE),
        ("person", "person:cleo", set(), ROLE),
        ("person", "person:eve", set(), LINEAGE),
        ("client", "client:7", {"reviewer"}, PEOPLE_ONLY),
        ("agent", "agent:scout", {"reviewer"}, PEOPLE_ONLY),
        ("system", "system:timer", {"reviewer"}, PEOPLE_ONLY),
        ("", "person:ana", {"reviewer"}, PEOPLE_ONLY),
    ],
)
def test_only_people_with_the_role_and_without_a_part_in_it_decide(
    kind: str, ref: str, roles: set[str], objection: str | None
) -> None:
    lineage = ["agent:scout", "person:eve"]
    found = policy.objection_to(kind=kind, ref=ref, roles=roles, terms=TERMS, lineage=lineage)
    assert found == objection


@pytest.mark.parametrize(
    ("approvals", "denials", "choices", "outcome"),
    [
        (1, 1, "", "pending"),
        (1, 1, "a", "approved"),
        (1, 1, "r", "rejected"),
        (2, 1, "a", "pending"),
        (2, 1, "aa", "approved"),
        (2, 1, "ar", "rejected"),
        (2, 1, "aar", "rejected"),
        (2, 2, "r", "pending"),
        (2, 2, "ra", "pending"),
        (2, 2, "raa", "approved"),
        (2, 2, "raar", "rejected"),
        (2, 2, "rr", "rejected"),
        (3, 2, "ara", "pending"),
        (3, 2, "araa", "approved"),
    ],
)
def test_decisions_add_up_and_a_denial_wins(
    approvals: int, denials: int, choices: str, outcome: Outcome
) -> None:
    names: dict[str, Choice] = {"a": "approve", "r": "reject"}
    terms = replace(TERMS, approvals=approvals, denials=denials)
    assert policy.outcome(terms, [names[letter] for letter in choices]) == outcome


WHY_REJECT = "Say why you reject, so that the agent and your colleagues can learn from it."
A_REASON = "This level asks for a reason."
A_TICK = "Tick what you have checked yourself: The vendor is trusted"


@pytest.mark.parametrize(
    ("level", "choice", "reason", "unticked", "missing"),
    [
        (1, "approve", "", [], None),
        (1, "approve", "", ["The vendor is trusted"], None),
        (1, "reject", "", [], WHY_REJECT),
        (1, "reject", " \n\t", [], WHY_REJECT),
        (1, "reject", "no", ["The vendor is trusted"], None),
        (2, "approve", "", [], A_REASON),
        (2, "approve", "  ", [], A_REASON),
        (2, "approve", "ok", [], None),
        (2, "approve", "ok", ["The vendor is trusted", "Other"], A_TICK),
        (2, "approve", "", ["The vendor is trusted"], A_REASON),
        (2, "reject", "", [], WHY_REJECT),
        (2, "reject", "no", ["The vendor is trusted"], None),
    ],
)
def test_a_decision_says_what_its_level_asks_for(
    level: int, choice: Choice, reason: str, unticked: list[str], missing: str | None
) -> None:
    terms = replace(TERMS, level=level)
    assert policy.missing_from(terms, choice, reason, unticked) == missing


def test_the_queue_shows_high_risk_first_and_then_the_nearest_deadline() -> None:
    soon, late = 1_700_000_000, 4_000_000_000
    order = [(3, soon), (3, late), (2, soon), (2, late), (1, soon), (1, late)]
    assert sorted(order, key=lambda each: policy.rank(*each)) == order
    assert all(0 < policy.rank(*each) < 2**63 for each in order)
