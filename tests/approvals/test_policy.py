"""The policy's tables: who must agree, who may decide, and what the decisions add up to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from approvals import policy
from approvals.policy import (
    REVIEW_BY_TWO,
    Authority,
    Choice,
    Limit,
    Outcome,
    Question,
    Reviewer,
    Stake,
    Terms,
    Threshold,
    Vote,
)

NOW = datetime(2026, 11, 21, 17, 5, tzinfo=UTC)
STAKE = Stake("pay", Decimal("70.50"), "EUR")
CONTROLLERS = 'reviewer.email.startsWith("c")'
# Two reviewers and nobody else, or one controller; three rejections of the first kind end it.
EITHER = (Threshold(2, 3, ("reviewer",)), Threshold(1, 1, ("admin",), CONTROLLERS))
TERMS = Terms("payments", 3, 2, EITHER, 3_600, 90)


def person(name: str, *roles: str, **more: object) -> Reviewer:
    held = Reviewer("person", f"person:{name}", frozenset(roles), f"{name}@acme.example")
    return replace(held, **more)  # type: ignore[arg-type]


CAST = {
    "a": person("ana", "reviewer"),
    "b": person("ben", "reviewer"),
    "d": person("dora", "reviewer"),
    "e": person("eve", "reviewer"),
    "c": person("carla", "admin"),
    "x": person("xaver", "admin"),
    "z": person("zoe", "auditor"),
    # Fritz has no role of his own; he stands in for Ana, Gina for Carla.
    "f": person("fritz", stands_for="person:ana", lent=frozenset({"reviewer"})),
    "g": person("gina", "reviewer", stands_for="person:carla", lent=frozenset({"admin"})),
    "h": person("cora", stands_for="person:carla", lent=frozenset({"admin"})),
    # Stands in for Eve, who took part.
    "i": person("ina", "reviewer", stands_for="person:eve", lent=frozenset({"reviewer"})),
    # May approve up to 70.49, up to 70.50, and anything else than payments.
    "k": person("karl", "reviewer", authority=(Authority(("pay",), Decimal("70.49"), "EUR"),)),
    "l": person("lena", "reviewer", authority=(Authority(("p*",), Decimal("70.50"), "EUR"),)),
    "m": person("mara", "reviewer", authority=(Authority(("refund", "note_*")),)),
}
# Noa has no limits of her own; she stands in for Karl, whose limit binds her, or for Lena.
CAST["n"] = person(
    "noa",
    stands_for="person:karl",
    lent=frozenset({"reviewer"}),
    lent_authority=CAST["k"].authority,
)
CAST["o"] = replace(CAST["n"], stands_for="person:lena", lent_authority=CAST["l"].authority)
QUESTION = Question(TERMS, ("agent:scout", "person:eve"), STAKE, NOW)
CHOICES: dict[str, Choice] = {"+": "approve", "-": "reject", "?": "request_changes"}


def votes(said: str) -> list[Vote]:
    """Read `+a -b ?c`: Ana approves, Ben rejects, Carla requests changes."""
    return [Vote(CHOICES[word[0]], CAST[word[1]]) for word in said.split()]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("", "pending"),
        ("+a", "pending"),
        ("+a +b", "approved"),
        ("+c", "approved"),
        ("+x", "pending"),  # An admin, but not one whom the filter lets count.
        ("+x +a", "pending"),
        ("+a +c", "approved"),
        ("+z +a", "pending"),  # Without a role that is asked for.
        ("+e +a", "pending"),  # Took part in it.
        ("+i +a", "pending"),  # Stands in for somebody who took part.
        ("+f", "pending"),
        ("+f +b", "approved"),
        ("+f +a", "pending"),  # Ana and whoever stands in for her are one vote.
        ("+f +a +b", "approved"),
        ("+h", "approved"),
        ("+g", "pending"),  # Her place counts, but the filter looks at herself.
        ("+k +a", "pending"),  # 70.50 goes beyond 70.49.
        ("+l +a", "approved"),
        ("+m +a", "pending"),
        ("-a", "pending"),
        ("-a -b", "pending"),
        ("-a -b -d", "rejected"),
        ("-a -b -e", "pending"),
        ("-a -f -b", "pending"),
        ("-c", "rejected"),
        ("+a +b -c", "rejected"),  # A denial wins.
        ("+c -a -b", "approved"),
        ("+c -a -b -d", "rejected"),
        ("?a", "changes_requested"),
        ("?a +b +d", "changes_requested"),
        ("?a -c", "rejected"),
        ("?e +a +b", "approved"),
        ("?z", "pending"),
    ],
)
def test_decisions_add_up_and_a_denial_wins(said: str, outcome: Outcome) -> None:
    assert policy.outcome(QUESTION, votes(said)) == outcome


ESCALATED = replace(
    TERMS,
    then="escalate",
    escalate_to=(Threshold(3, 2, ("reviewer", "admin")),),
    escalate_seconds=60,
)


@pytest.mark.parametrize(
    ("said", "before", "after"),
    [
        ("+a +b", "approved", "pending"),
        ("+a +b +x", "approved", "approved"),
        ("+x", "pending", "pending"),
        ("-c", "rejected", "pending"),
        ("-c -a", "rejected", "rejected"),
        ("-a -b", "pending", "rejected"),
    ],
)
def test_after_an_escalation_others_are_asked(said: str, before: Outcome, after: Outcome) -> None:
    asked = replace(QUESTION, terms=ESCALATED)
    assert policy.outcome(asked, votes(said)) == before
    asked = replace(QUESTION, terms=replace(ESCALATED, escalated=True))
    assert policy.outcome(asked, votes(said)) == after


def test_an_escalation_to_nobody_asks_whom_it_asked_before() -> None:
    nobody = replace(TERMS, escalated=True)
    assert (nobody.asked, nobody.needed, nobody.roles) == (EITHER, 1, ("reviewer", "admin"))


def test_without_any_threshold_nobody_can_agree_or_has_to() -> None:
    terms = replace(TERMS, thresholds=())
    assert policy.outcome(replace(QUESTION, terms=terms), votes("+a +b +c")) == "pending"


PEOPLE_ONLY = "Only people decide; a program or an agent cannot."
LINEAGE = "You took part in making this proposal, so somebody else has to decide."
BEHIND = "Whom you stand in for took part in making this proposal."
ROLE = "This decision needs the role reviewer or admin."
BEYOND = "This goes beyond what you may approve; somebody with more authority has to."
BEYOND_THEM = "This goes beyond what the person you stand in for may approve."


@pytest.mark.parametrize(
    ("who", "code", "sentence"),
    [
        (CAST["a"], "", ""),
        (CAST["c"], "", ""),
        (CAST["f"], "", ""),
        (CAST["l"], "", ""),
        (CAST["e"], "lineage", LINEAGE),
        (CAST["i"], "lineage", BEHIND),
        (CAST["z"], "not_eligible", ROLE),
        (CAST["x"], "not_eligible", ROLE),
        (CAST["k"], "authority_exceeded", BEYOND),
        (CAST["m"], "authority_exceeded", BEYOND),
        (CAST["n"], "authority_exceeded", BEYOND_THEM),
        (CAST["o"], "", ""),
        (replace(CAST["o"], authority=CAST["k"].authority), "authority_exceeded", BEYOND),
        (replace(CAST["e"], roles=frozenset()), "lineage", LINEAGE),
        (replace(CAST["a"], kind="client"), "not_eligible", PEOPLE_ONLY),
        (replace(CAST["a"], kind="agent"), "not_eligible", PEOPLE_ONLY),
        (replace(CAST["a"], kind="system"), "not_eligible", PEOPLE_ONLY),
        (replace(CAST["a"], kind=""), "not_eligible", PEOPLE_ONLY),
    ],
)
def test_who_may_not_decide_learns_why(who: Reviewer, code: str, sentence: str) -> None:
    found = policy.objection_to(who, QUESTION)
    assert (found.code if found else "", found.sentence if found else "") == (code, sentence)


@pytest.mark.parametrize(
    ("authority", "stake", "covers"),
    [
        (Authority(("pay",)), STAKE, True),
        (Authority(("pay_*",)), STAKE, False),
        (Authority(("*",)), STAKE, True),
        (Authority(("note", "p?y")), STAKE, True),
        (Authority(("pay",), Decimal("70.50"), "EUR"), STAKE, True),
        (Authority(("pay",), Decimal("70.49"), "EUR"), STAKE, False),
        (Authority(("pay",), Decimal(999), "USD"), STAKE, False),
        (Authority(("pay",), Decimal("70.49"), "EUR"), Stake("pay"), True),
        (Authority(("pay",), Decimal(50), "EUR"), Stake("pay", Decimal(-51), "EUR"), False),
        (Authority(("pay",), Decimal(51), "EUR"), Stake("pay", Decimal(-51), "EUR"), True),
        (Authority(("pay",), expires_at=NOW), STAKE, False),
        (Authority(("pay",), expires_at=NOW + timedelta(seconds=1)), STAKE, True),
    ],
)
def test_authority_reaches_so_far(authority: Authority, stake: Stake, covers: bool) -> None:
    assert authority.covers(stake, NOW) is covers


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", True),
        ('reviewer.email == "ana@acme.example"', True),
        ('"admin" in reviewer.roles', False),
        ("reviewer.shoe_size > 40", False),
        ("this is nothing", False),
    ],
)
def test_a_filter_that_gives_no_answer_counts_nobody(text: str, counts: bool) -> None:
    assert policy.fits(CAST["a"], Threshold(1, filter=text)) is counts


def test_terms_are_kept_and_read_back_unchanged() -> None:
    limit = Limit(("counterparty",), "30000.00", "EUR", 86_400, "raise", 3, (Threshold(2),))
    whole = replace(ESCALATED, limits=(limit,), sample=0.25, number=7, clause="true", edits=False)
    whole = replace(whole, by=("person:ana", "person:ben"))
    assert Terms.from_json(whole.to_json()) == whole
    assert Terms.from_json(whole.to_json(), escalated=True).asked == ESCALATED.escalate_to


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (replace(TERMS, version=4), True),
        (replace(TERMS, number=9), True),
        (replace(TERMS, clause="amount > 5.0"), True),
        (replace(TERMS, policy="others"), False),
        (replace(TERMS, level=3), False),
        (replace(TERMS, hold_seconds=91), False),
        (replace(TERMS, edits=False), False),
        (replace(TERMS, thresholds=EITHER[:1]), False),
        (replace(TERMS, expires_seconds=3_601), False),
        (replace(TERMS, by=("person:ana",)), False),
    ],
)
def test_the_same_is_asked_for_whatever_the_version(other: Terms, same: bool) -> None:
    assert TERMS.same_demands(other) is same


def test_without_any_match_two_people_must_agree_with_reasons() -> None:
    terms = REVIEW_BY_TWO
    assert (terms.needed, terms.thresholds[0].deny, terms.level, terms.hold_seconds) == (2, 1, 2, 0)


WHY_REJECT = "Say why you reject, so that the agent and your colleagues can learn from it."
WHY_CHANGE = "Say what should change, so that the agent can word it anew."
A_REASON = "This level asks for a reason."
A_TICK = "Tick what you have checked yourself: The vendor is trusted"


@pytest.mark.parametrize(
    ("level", "choice", "reason", "unticked", "missing"),
    [
        (1, "approve", "", [], None),
        (1, "approve", "", ["The vendor is trusted"], None),
        (1, "reject", "", [], WHY_REJECT),
        (1, "reject", " \n\t", [], WHY_REJECT),
        (1, "reject", "\u200b\u2060", [], WHY_REJECT),
        (1, "reject", "no", ["The vendor is trusted"], None),
        (1, "request_changes", "", [], WHY_CHANGE),
        (1, "request_changes", "7 days", [], None),
        (2, "approve", "", [], A_REASON),
        (2, "approve", "  ", [], A_REASON),
        (2, "approve", "ok", [], None),
        (2, "approve", "ok", ["The vendor is trusted", "Other"], A_TICK),
        (2, "approve", "", ["The vendor is trusted"], A_REASON),
        (3, "approve", "", [], A_REASON),
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
