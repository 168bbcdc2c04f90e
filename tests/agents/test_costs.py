"""What limits cost on recorded runs: counted rightly, and what ships is what was measured."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from agents import costs
from agents.costs import fires, measure, measured
from agents.guards import RULES
from agents.trail import Event
from console.canonical import Json

SHARED = Path(__file__).parents[3] / "shared" / "data" / "breaker" / "runs.json"


def calls(*tools: str, answer: Json = "the same") -> list[Event]:
    """Return calls one after the other, each answered."""
    events = []
    for number, tool in enumerate(tools):
        step, call_id = 2 * number, str(number)
        events += [
            Event(step, "call", "agent", tool, {}, call_id=call_id),
            Event(step + 1, "result", "tool", tool, content=answer, call_id=call_id),
        ]
    return events


@pytest.mark.parametrize(
    ("rule", "limit", "caught", "near"),
    [
        ("identical_call", 3, calls("look", "look", "look"), calls("look", "see", "look")),
        ("calls", 2, calls("a", "b", "c"), calls("a", "b")),
        ("reads_of_one_tool", 2, calls("a", "a", "a"), calls("a", "b", "a")),
    ],
)
def test_counts_the_runs_that_a_limit_would_have_halted(
    rule: str, limit: int, caught: list[Event], near: list[Event]
) -> None:
    assert fires(caught, rule, limit)
    assert not fires(near, rule, limit)


def test_asks_one_rule_at_a_time() -> None:
    assert not fires(calls(*["look"] * 50), "errors_in_a_row", 1)


def test_tells_runs_that_did_well_from_others() -> None:
    found = measure([calls("a"), calls(*["a"] * 12)], [calls(*["a"] * 25)])
    assert (found["good"], found["bad"]) == (2, 1)
    rules = found["rules"]
    assert isinstance(rules, dict)
    assert rules["calls"] == [[10, 1, 1], [20, 0, 1], [30, 0, 0], [40, 0, 0], [60, 0, 0]]


def test_knows_nothing_of_what_was_not_measured() -> None:
    assert measured().of("guard_failed") == costs.Cost()
    assert measured().of("seconds").at == ()
    assert "300 seconds" in measured().of("seconds").published


def test_speaks_only_of_rules_that_there_are() -> None:
    assert set(measured().costs) <= set(RULES)
    assert set(costs.TRIED) <= set(RULES)
    for rule, tried in costs.TRIED.items():
        default = RULES[rule].limit
        assert default is None or default in tried


def test_a_higher_limit_never_halts_more_runs() -> None:
    for cost in measured().costs.values():
        assert [each.good for each in cost.at] == sorted((e.good for e in cost.at), reverse=True)
        assert all(each.good <= measured().good for each in cost.at)


@pytest.mark.data
@pytest.mark.skipif(not SHARED.exists(), reason="the recorded runs are not here")
def test_what_ships_is_what_was_measured() -> None:
    out = StringIO()
    call_command("measure_costs", str(SHARED), stdout=out)
    assert json.loads(out.getvalue()) == json.loads(costs.MEASURED.read_text())


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs.json").write_text('{"a": 1}')
    for name in ("runs.json", "nothing.json"):
        with pytest.raises(CommandError):
            call_command("measure_costs", str(tmp_path / name))
