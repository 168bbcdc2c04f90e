"""How many actions a second find their policy among 200 of which only the last one matches?

Two yardsticks stand in the same run: the same 200 expressions, compiled once and asked without our
rules around them, and the same predicates as plain Python functions, which no reader of a policy
could be shown.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from approvals.cel import _compiled, given
from approvals.effects import Measure
from approvals.policy import Terms, Threshold
from approvals.rulebook import About, Rule, judge, values_of
from benchmarks.figures import Part, in_turns

RULES: Final = 200
SECONDS, QUICK_SECONDS = 3.0, 0.5
# Around the library stand a loop, a dictionary and a look at the mode: not half as much again.
AT_LEAST_OF_BARE: Final = 0.66
_AT: Final = datetime(2026, 11, 21, 17, 5, tzinfo=UTC)
_ABOUT: Final = About("send_payment", "ledger/acme", "clerk", 2, leaves_house=True, tainted=False)
_VALUES: Final = values_of(
    _ABOUT,
    {"vendor": "V-1007", "amount": "48200.00", "memo": "Invoice 4711"},
    [{"op": "replace", "path": "/vendors/V-1007/open", "old": "0.00", "value": "48200.00"}],
    0,
    Measure(Decimal("48200.00"), "EUR", "V-1007", "4711"),
    _AT,
)


def measure(*, rounds: int, quick: bool) -> Part:
    """Return evaluations a second of the whole set."""
    part = Part("policies")
    rules = [_rule(number) for number in range(RULES)]
    if judge(rules, _VALUES).terms.policy != f"rule {RULES - 1}":
        part.faults.append("not the last rule matched")
    seconds = QUICK_SECONDS if quick else SECONDS
    found = in_turns(
        rounds,
        {
            "ours": partial(_per_second, lambda: judge(rules, _VALUES), seconds),
            "bare": partial(_per_second, _bare(rules), seconds),
            "python": partial(_per_second, _python(), seconds),
        },
    )
    bare = part.add(f"{RULES} bare CEL evaluations", "/s", found["bare"], called="bare CEL")
    python = part.add(f"{RULES} Python functions", "/s", found["python"], called="Python")
    label = f"policy of an action among {RULES}"
    part.add(f"{label}, to bare CEL", "/s", found["ours"], against=bare, at_least=AT_LEAST_OF_BARE)
    part.add(f"{label}, to Python", "/s", found["ours"], against=python)
    return part


def _rule(number: int) -> Rule:
    vendor = "V-1007" if number == RULES - 1 else f"V-{number}"
    match = (
        f'action == "send_payment" && amount >= {number}.5 && currency == "EUR" '
        f'&& params.vendor == "{vendor}" && !tainted'
    )
    asked = (Threshold(approve=1),)
    return Rule(match, Terms(f"rule {number}", 1, 2, asked, 3_600, clause=match))


def _bare(rules: list[Rule]) -> Callable[[], object]:
    compiled = [_compiled(rule.match, "action") for rule in rules]

    def ask() -> object:
        values = given("action", _VALUES).activation
        return next(each for each in compiled if each.eval(values).value())

    return ask


def _python() -> Callable[[], object]:
    def predicate(number: int, values: Mapping[str, Any]) -> bool:
        vendor = "V-1007" if number == RULES - 1 else f"V-{number}"
        return (
            values["action"] == "send_payment"
            and values["amount"] >= number + 0.5
            and values["currency"] == "EUR"
            and values["params"]["vendor"] == vendor
            and not values["tainted"]
        )

    predicates = [partial(predicate, number) for number in range(RULES)]
    return lambda: next(each for each in predicates if each(_VALUES))


def _per_second(ask: Callable[[], object], seconds: float) -> float:
    ask()
    asked, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        ask()
        asked += 1
    return asked / (time.perf_counter() - began)
