"""Expressions of policies: what can be read, what holds, and where a bad one goes wrong."""

from typing import Any

import pytest

from approvals import cel

VALUES: dict[str, Any] = {
    "action": "pay",
    "params": {"vendor": "V7", "lines": [{"amount": "3.50"}, {"amount": "4.25"}]},
    "fields": [{"op": "replace", "path": "/balance", "old": 900, "value": 830}],
    "amount": 70.5,
    "currency": "EUR",
    "counterparty": "V7",
    "subject": "",
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
    ("text", "holds"),
    [
        ("true", True),
        ('action == "pay"', True),
        ('action in ["refund", "note"]', False),
        ("amount >= 70.5 && amount < 70.6", True),
        ('amount > 70.5 || currency != "EUR"', False),
        ('params.vendor.startsWith("V")', True),
        ('params.lines.exists(line, line.amount == "4.25")', True),
        ('params.lines.all(line, line.amount == "4.25")', False),
        ("has(params.memo)", False),
        ("has(params.memo) && params.memo == 7", False),
        ('fields.exists(field, field.path == "/balance" && field.value == 830)', True),
        ("fields.size() == 1", True),
        ("risk >= 2 && failed_checks == 1 && leaves_house && !tainted", True),
        ("weekday >= 6 || hour < 7", True),
        ('state.matches("^ledger/[a-z]+$") && agent == "scout"', True),
        ('counterparty == "V7" && subject == ""', True),
    ],
)
def test_an_expression_holds_or_does_not(text: str, holds: bool) -> None:
    assert cel.holds(text, "action", VALUES) is holds


@pytest.mark.parametrize(
    ("text", "sentence", "line", "column"),
    [
        ("", "The expression ends too early.", 1, 1),
        ('action == "pay" &&', "The expression ends too early.", 1, 19),
        ('action == "pay"\n  && amont > 5.0', "Undeclared reference to 'amont'.", 2, 6),
        ("reviewer.email == 'x'", "Undeclared reference to 'reviewer.email'.", 1, 9),
        (
            "amount > 5000",
            "Found no matching overload for '_>_' applied to '(double, int)'; an amount is "
            "compared with a number that has a point, such as 5000.0.",
            1,
            8,
        ),
        ("amount + 1.0", "An expression has to be true or false.", 1, 1),
        ('"yes"', "An expression has to be true or false.", 1, 1),
        ("true || " * 300 + "true", "An expression has at most 2000 characters.", 1, 2000),
    ],
)
def test_a_bad_expression_says_where(text: str, sentence: str, line: int, column: int) -> None:
    with pytest.raises(cel.BadExpression) as bad:
        cel.check(text, "action")
    assert (bad.value.sentence, bad.value.line, bad.value.column) == (sentence, line, column)


def doubled(by: str, steps: int) -> str:
    """Return an expression that puts a value together with itself at each step."""
    inner = f"v{steps} == v{steps}"
    for step in range(steps, 0, -1):
        inner = f"[{by.format(v=f'v{step - 1}')}].all(v{step}, {inner})"
    return f'["{"a" * 10}"].all(v0, {inner})'


@pytest.mark.parametrize(
    "text",
    [
        doubled("{v} + {v}", 26),
        doubled("[{v}, {v}]", 24),
        "fields.map(f, {'a': f, 'b': f}) == []",
        "fields.map(f, [f, f]).map(f, [f, f]) == []",
        "fields.all(f, 1 in[f.value, f.value])",
    ],
)
def test_nothing_can_be_doubled_until_a_machine_is_full(text: str) -> None:
    with pytest.raises(cel.BadExpression, match="nothing is put together anew"):
        cel.check(text, "action")


@pytest.mark.parametrize(
    "text",
    [
        'fields.exists(f, f.path in ["/a+b", "/{x}"] && f.op == "add") // + [',
        "fields.all(f, f.value in [1, -2.5, true]) || amount + 1.0 > 2.0",
        'params.lines.exists(line, line["amount"] == fields[0].path)',
        "size(params.lines + fields) > 3 && {'a': 1}.size() == 1",
    ],
)
def test_plain_lists_and_sums_elsewhere_are_fine(text: str) -> None:
    cel.check(text, "action")


@pytest.mark.parametrize(
    "text",
    [
        "params.nothing_there > 5.0",
        "params.vendor > 5",
        "params.vendor",
        "fields[7].op == 'add'",
        "risk / 0 == 1",
        "params.lines.map(line, double(line.amount))[2] > 1.0",
    ],
)
def test_what_cannot_be_answered_is_neither_yes_nor_no(text: str) -> None:
    cel.check(text, "action")
    with pytest.raises(cel.Unanswered):
        cel.holds(text, "action", VALUES)


def test_a_number_that_no_computer_word_holds_gives_no_answer() -> None:
    huge = {**VALUES, "params": {"huge": 10**30}}
    with pytest.raises(cel.Unanswered, match="out of range"):
        cel.holds("params.huge > 5", "action", huge)
    assert cel.holds('action == "pay"', "action", huge)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('reviewer.email.endsWith("@acme.example")', True),
        ('"admin" in reviewer.roles', False),
        ('"reviewer" in reviewer.roles && reviewer.ref == "person:ana"', True),
    ],
)
def test_a_filter_speaks_of_the_reviewer(text: str, holds: bool) -> None:
    ana = {"ref": "person:ana", "email": "ana@acme.example", "roles": ["reviewer"]}
    assert cel.holds(text, "reviewer", {"reviewer": ana}) is holds
