"""The rulebook's tables: which rule is an action's, what is no rule, and what a change makes."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from approvals import amending, rulebook
from approvals.amending import Amendment, Outdated, amended
from approvals.effects import CannotDo, Measure
from approvals.policy import REVIEW_BY_TWO, Limit, Terms, Threshold
from approvals.rulebook import About, Rule, judge, values_of
from approvals.rulecheck import BadRule, checked, in_words

ABOUT = About("pay", "ledger/acme", "scout", 2, leaves_house=True, tainted=False)
AT = datetime(2026, 11, 21, 17, 5, tzinfo=UTC)
VALUES = values_of(
    ABOUT, {"vendor": "V7"}, [], 1, Measure(Decimal("70.50"), "EUR", "V7", "book 3"), AT
)
TERMS = Terms("pay", 3, 2, (Threshold(2, 3, ("admin",), '"x" in reviewer.roles'),), 3_600, 90)


NO_MATCH = (REVIEW_BY_TWO.policy, "enforced", "review")


def rule(name: str, match: str = "true", **more: Any) -> Rule:
    mode = more.pop("mode", "enforced")
    return Rule(match, replace(TERMS, policy=name, clause=match, **more), mode)


def kept(**more: Any) -> dict[str, Any]:
    return {**rule("pay").to_json(), **more}


def test_the_values_are_those_that_expressions_may_speak_of() -> None:
    assert VALUES == {
        "action": "pay",
        "params": {"vendor": "V7"},
        "fields": [],
        "amount": 70.5,
        "currency": "EUR",
        "counterparty": "V7",
        "subject": "book 3",
        "state": "ledger/acme",
        "agent": "scout",
        "risk": 2,
        "leaves_house": True,
        "failed_checks": 1,
        "tainted": False,
        "false_authority": False,
        "hour": 17,
        "weekday": 6,
    }


@pytest.mark.parametrize(
    ("rules", "policy", "problem", "said"),
    [
        ([], REVIEW_BY_TWO.policy, False, [NO_MATCH]),
        ([rule("a", "false")], REVIEW_BY_TWO.policy, False, [NO_MATCH]),
        ([rule("a", "amount > 70.4"), rule("b")], "a", False, [("a", "enforced", "review")]),
        ([rule("a", "amount > 70.6"), rule("b")], "b", False, [("b", "enforced", "review")]),
        (
            [rule("a", mode="shadow", level=0), rule("b")],
            "b",
            False,
            [("a", "shadow", "auto"), ("b", "enforced", "review")],
        ),
        ([rule("a", "params.none > 1.0"), rule("b")], "a", True, [("a", "enforced", "deny")]),
        (
            [rule("a", "params.none > 1.0", mode="draft"), rule("b")],
            "b",
            False,
            [("b", "enforced", "review")],
        ),
        (
            [rule("a", "params.none > 1.0", mode="shadow"), rule("b")],
            "b",
            False,
            [("a", "shadow", "deny"), ("b", "enforced", "review")],
        ),
        ([rule("a"), rule("b", mode="shadow")], "a", False, [("a", "enforced", "review")]),
        ([rule("a", level=0)], "a", False, [("a", "enforced", "auto")]),
        ([rule("a", "nonsense(")], "a", True, [("a", "enforced", "deny")]),
    ],
)
def test_the_first_rule_in_force_that_matches_sets_the_terms(
    rules: list[Rule], policy: str, problem: bool, said: list[tuple[str, str, str]]
) -> None:
    found = judge(rules, VALUES)
    assert (found.terms.policy, bool(found.problem)) == (policy, problem)
    assert [(one.rule, one.mode, one.would) for one in found.said] == said


def test_what_denies_brings_no_terms_of_its_own() -> None:
    easy = rule("easy", "params.none > 1.0", level=0, thresholds=())
    terms = judge([easy], VALUES).terms
    assert (terms.level, terms.thresholds) == (2, (Threshold(2),))


def test_a_rule_is_kept_and_read_back_unchanged() -> None:
    limit = Limit(("counterparty", "agent"), "30000.00", "EUR", 86_400, "raise", 2, (Threshold(2),))
    whole = rule("whole", limits=(limit,), escalate_to=(Threshold(1),), then="escalate")
    assert Rule.from_json(whole.to_json()) == whole
    assert Rule.from_json(whole.to_json(), 7).terms.number == 7


@pytest.mark.parametrize(
    ("more", "place", "sentence"),
    [
        ({"level": 4}, "level", "This should be less than or equal to 3."),
        ({"level": "2"}, "level", "This should be a valid integer."),
        ({"colour": "red"}, "colour", "Extra inputs are not permitted."),
        ({"name": ""}, "name", "String should have at least 1 character."),
        ({"name": " pay"}, "name", "A name consists of characters that can be seen."),
        ({"name": "p\u202eay"}, "name", "A name consists of characters that can be seen."),
        ({"mode": "off"}, "mode", "This should be 'draft', 'shadow' or 'enforced'."),
        ({"thresholds": []}, "thresholds", "Say how many must agree."),
        (
            {"thresholds": [{"approve": 0}]},
            "thresholds/0/approve",
            "This should be greater than or equal to 1.",
        ),
        (
            {"thresholds": [{"approve": 1}, {"approve": 1, "roles": ["auditor"]}]},
            "thresholds/1/roles/0",
            "This should be 'reviewer' or 'admin'.",
        ),
        (
            {
                "thresholds": [
                    {"approve": 1, "filter": "reviewer.email"},
                    {"approve": 1, "filter": "amount > 5.0"},
                ]
            },
            "thresholds/1/filter",
            "Undeclared reference to 'amount'.",
        ),
        (
            {"level": 3, "thresholds": [{"approve": 1}]},
            "thresholds/0/approve",
            "Level 3 takes two people or more.",
        ),
        (
            {"level": 0, "sample": 0.1},
            "thresholds",
            "Level 0 asks nobody; leave the alternatives out.",
        ),
        (
            {"level": 0, "thresholds": []},
            "sample",
            "Level 0 needs a sample that people look at afterwards.",
        ),
        ({"sample": 1.01}, "sample", "This should be less than or equal to 1."),
        ({"expires_seconds": 59}, "expires_seconds", "This should be greater than or equal to 60."),
        ({"then": "approve"}, "then", "This should be 'expire' or 'escalate'."),
        (
            {"then": "escalate"},
            "then",
            "Say whom it goes to after the deadline, and how long they have.",
        ),
        ({"match": "amount >"}, "match", "The expression ends too early."),
        ({"match": "amount"}, "match", "An expression has to be true or false."),
    ],
)
def test_what_is_no_rule_says_at_which_place(
    more: dict[str, Any], place: str, sentence: str
) -> None:
    with pytest.raises(BadRule) as bad:
        checked(kept(**more))
    assert [(fault.place, fault.sentence) for fault in bad.value.faults] == [(place, sentence)]


LIMIT = {"per": ["counterparty"], "amount": "30000.00", "currency": "EUR", "window_seconds": 86_400}
ASKS_TWO = [{"approve": 2}]


@pytest.mark.parametrize(
    ("more", "place", "sentence"),
    [
        ({}, "limits/0/thresholds", "Say how many must agree beyond the limit."),
        (
            {"level": 1, "thresholds": ASKS_TWO},
            "limits/0/level",
            "Beyond a limit more is asked for, not less.",
        ),
        (
            {"thresholds": [{"approve": 1}]},
            "limits/0/thresholds/0/approve",
            "Level 3 takes two people or more.",
        ),
        (
            {"then": "deny", "amount": "-1"},
            "limits/0/amount",
            "An amount is a decimal number such as 30000.00.",
        ),
        (
            {"then": "deny", "amount": "NaN"},
            "limits/0/amount",
            "An amount is a decimal number such as 30000.00.",
        ),
        (
            {"then": "deny", "per": []},
            "limits/0/per",
            "List should have at least 1 item after validation, not 0.",
        ),
        (
            {"then": "deny", "currency": "eur"},
            "limits/0/currency",
            "String should match pattern '^[A-Z]{3}$'.",
        ),
    ],
)
def test_what_is_no_limit_says_at_which_place(
    more: dict[str, Any], place: str, sentence: str
) -> None:
    with pytest.raises(BadRule) as bad:
        checked(kept(limits=[{**LIMIT, **more}]))
    assert [(fault.place, fault.sentence) for fault in bad.value.faults] == [(place, sentence)]


def test_a_limit_that_denies_or_raises_is_one() -> None:
    denies = checked(kept(limits=[{**LIMIT, "then": "deny"}])).terms.limits[0]
    assert (denies.then, denies.amount, denies.per) == ("deny", "30000.00", ("counterparty",))
    raises = checked(kept(limits=[{**LIMIT, "thresholds": ASKS_TWO}])).terms.limits[0]
    assert (raises.level, raises.thresholds) == (3, (Threshold(2),))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("match", "Match"),
        ("thresholds/1/filter", "Alternative 2, filter"),
        ("limits/0/thresholds/2/approve", "Limit 1, alternative 3, approve"),
        ("", "The rule"),
    ],
)
def test_a_place_has_words(place: str, words: str) -> None:
    assert in_words(place) == words


BOOK = [rule("a"), rule("b"), rule("c", mode="draft")]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (Amendment("put", kept(name="d")), "a3 b3 c3 d1"),
        (Amendment("put", kept(name="d"), before="b"), "a3 d1 b3 c3"),
        (Amendment("put", kept(name="b", level=1), name="b", version=3), "a3 b4 c3"),
        (Amendment("put", kept(name="z"), name="b", version=3), "a3 z4 c3"),
        (Amendment("put", kept(name="c"), name="c", version=3, before="a"), "c4 a3 b3"),
        (Amendment("remove", name="a", version=3), "b3 c3"),
        (Amendment("move", name="c", version=3, before="a"), "c3 a3 b3"),
        (Amendment("move", name="a", version=3), "b3 c3 a3"),
        (Amendment("adopt", rules=(kept(name="x"), kept(name="y"))), "a3 b3 c3 x1 y1"),
    ],
)
def test_a_change_makes_new_rules_of_the_old_ones(change: Amendment, names: str) -> None:
    found = amended(BOOK, change)
    assert " ".join(f"{one.name}{one.terms.version}" for one in found) == names
    assert Amendment.from_params(change.to_params()) == change


WROTE, CHANGES = ("person:olga",), ("person:ana", "person:ben")
WRITTEN = [rulebook.Rule.from_json({**one.to_json(), "by": [*WROTE]}) for one in BOOK]


@pytest.mark.parametrize(
    ("wanted", "by", "name", "authors"),
    [
        (Amendment("put", kept(name="d")), CHANGES, "d", CHANGES),
        (Amendment("put", kept(name="d")), (), "d", ()),
        (Amendment("put", kept(name="d", by=["person:eve"])), CHANGES, "d", CHANGES),
        (Amendment("put", kept(name="b", level=1), name="b", version=3), CHANGES, "b", CHANGES),
        # What the system proposes, nobody wrote; who wrote it before did.
        (Amendment("put", kept(name="b", level=1), name="b", version=3), (), "b", WROTE),
        (Amendment("put", kept(name="b", level=1), name="b", version=3), CHANGES, "a", WROTE),
        (Amendment("move", name="b", version=3), CHANGES, "b", (*WROTE, *CHANGES)),
        (Amendment("move", name="b", version=3), WROTE, "b", WROTE),
        (Amendment("adopt", rules=(kept(name="x"),)), CHANGES, "x", CHANGES),
    ],
)
def test_a_rule_keeps_who_changed_it_last(
    wanted: Amendment, by: tuple[str, ...], name: str, authors: tuple[str, ...]
) -> None:
    change = replace(wanted, by=by)
    assert Amendment.from_params(change.to_params()) == change
    found = {rule.name: rule for rule in amended(WRITTEN, change)}
    assert found[name].terms.by == authors
    assert Rule.from_json(found[name].to_json()) == found[name]


def test_another_author_alone_is_no_change_of_a_rule() -> None:
    same = Amendment("put", WRITTEN[1].to_json(), name="b", version=3, by=CHANGES)
    with pytest.raises(CannotDo, match="says already"):
        amended(WRITTEN, same)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (Amendment("put", kept(name="b")), CannotDo, "There are two policies “b”"),
        (
            Amendment("put", kept(name="a"), name="b", version=3),
            CannotDo,
            "There are two policies “a”",
        ),
        (Amendment("put", kept(name="b"), name="b", version=3), CannotDo, "says already"),
        (Amendment("put", kept(name="b", level=1), name="b", version=2), Outdated, "version 3 now"),
        (Amendment("remove", name="b", version=4), Outdated, "version 3 now"),
        (Amendment("remove", name="x", version=3), CannotDo, "There is no policy “x”"),
        (Amendment("move", name="a", version=3, before="x"), CannotDo, "There is no policy “x”"),
        (Amendment("put", kept(name="d", level=7)), BadRule, "Level: This should be less"),
        (Amendment("put"), BadRule, "Field required"),
        (Amendment("adopt", rules=(kept(name="a"),)), CannotDo, "There are two policies “a”"),
    ],
)
def test_a_change_that_does_not_fit_says_why(
    change: Amendment, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        amended(BOOK, change)


def test_there_is_an_end_to_how_many_rules() -> None:
    full = [rule(f"rule {n}") for n in range(amending.RULES_AT_MOST)]
    assert len(amended(full[1:], Amendment("put", kept(name="one more")))) == len(full)
    with pytest.raises(CannotDo, match="at most 500"):
        amended(full, Amendment("put", kept(name="one more")))


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (rule("a", level=2), rule("a", level=1), "“a” goes from level 2 to level 1."),
        (rule("a"), rule("a", thresholds=(Threshold(1),)), "“a” needs 1 instead of 2 to agree."),
        (rule("a"), rule("a", mode="shadow"), "“a” is no longer in force."),
        (
            rule("a", hold_seconds=90),
            rule("a", hold_seconds=89),
            "“a” leaves less time to recall: 89 s.",
        ),
        (rule("a"), rule("a", level=3), "No policy asks for less than before."),
        (
            rule("a", mode="draft", level=3),
            rule("a", mode="draft", level=1),
            "No policy asks for less than before.",
        ),
    ],
)
def test_whoever_agrees_is_told_when_less_is_asked_for(
    before: Rule, after: Rule, says: str
) -> None:
    params = Amendment("put", after.to_json(), name="a", version=3).to_params()
    checks = amending._checks(rulebook.document([before]), params)
    found = {check.name: check.sentence for check in checks}
    assert found["Nobody is asked for less"] == says


def test_the_preview_leaves_the_document_alone_and_numbers_the_version() -> None:
    book = rulebook.document(BOOK)
    params = Amendment("put", kept(name="b", level=1, version=77), name="b", version=3).to_params()
    after: Any = amending._preview(book, params)
    assert book == rulebook.document(BOOK)
    assert [one["version"] for one in after["rules"]] == [3, 4, 3]
