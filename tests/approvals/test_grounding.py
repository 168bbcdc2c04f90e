"""Grounding: what the sources of values mean for the diff, the checks and the policies."""

from decimal import Decimal
from typing import Any

import pytest

from approvals.effects import Measure
from approvals.grounding import GROUNDED, REQUESTED, beside, carried, checks, is_tainted
from console.canonical import Json
from snapshots.diff import Change

SCHEMA: dict[str, Any] = {
    "properties": {"route": {"enum": ["oral", "nasal"]}, "recipient": {"type": "string"}}
}


def row(path: str, came_from: str, *, drives: bool = False, **more: Json) -> dict[str, Json]:
    found: dict[str, Json] = {"path": path, "from": came_from, "label": "read_file", "step": 3}
    return {**found, "field": "line 2", "quote": "…", "drives": drives, **more}


def test_stands_beside_every_change_that_has_the_value() -> None:
    params = {"recipient": "UK12", "amount": 98.7, "route": "oral"}
    known = [row("params/recipient", "tool", drives=True), row("params/amount", "request")]
    changes = [
        Change("add", "/payments/0", value={"to": "uk12", "sum": "98.70", "recurring": False}),
        Change("replace", "/n", 1, 2),
    ]
    found = beside(known, changes, params, SCHEMA)
    assert [(each["path"], each["from"], each.get("param")) for each in found] == [
        ("params/recipient", "tool", None),
        ("params/amount", "request", None),
        ("/payments/0/to", "tool", "params/recipient"),
        ("/payments/0/sum", "request", "params/amount"),
    ]


def test_leaves_out_what_is_chosen_from_a_list() -> None:
    assert beside([row("params/route", "tool")], [], {"route": "oral"}, SCHEMA) == []


def test_does_not_speak_twice_for_a_stated_change() -> None:
    known = [row("params/recipient", "tool"), row("/to", "request")]
    found = beside(known, [Change("add", "/to", value="UK12")], {"recipient": "UK12"}, SCHEMA)
    assert [each["path"] for each in found] == ["params/recipient", "/to"]


def test_carries_on_what_is_known_of_parameters_that_stay() -> None:
    known = [
        row("params/recipient", "tool"),
        row("params/amount", "tool"),
        row("/payments/0/to", "tool", param="params/recipient"),
        row("/stated", "tool"),
    ]
    found = carried(known, {"recipient": "a", "amount": 1}, {"recipient": "b", "amount": 1})
    assert [each["path"] for each in found] == ["params/amount", "/stated"]


@pytest.mark.parametrize(
    ("sources", "grounded", "requested"),
    [
        ([row("params/amount", "request")], True, True),
        ([row("params/amount", "nowhere")], False, True),
        # Not what is measured, and it says nothing of where anything goes.
        ([row("params/count", "nowhere")], True, True),
        ([row("params/recipient", "nowhere", drives=True)], False, True),
        ([row("params/recipient", "tool", drives=True)], True, False),
        ([row("params/recipient", "tool")], True, True),
        ([row("/to", "tool", drives=True)], True, False),
    ],
)
def test_fails_for_what_counts(
    sources: list[dict[str, Json]], grounded: bool, requested: bool
) -> None:
    params = {"amount": "12.50", "count": 3, "recipient": "UK12"}
    found = checks(sources, params, Measure(Decimal("12.5"), "EUR", "UK12"))
    assert [(each.name, each.passed) for each in found] == [
        (GROUNDED, grounded),
        (REQUESTED, requested),
    ]
    assert is_tainted(sources) is any(source["drives"] for source in sources)


def test_names_the_tool_and_its_field() -> None:
    [_, found] = checks([row("params/new_iban", "tool", drives=True)], {}, Measure())
    assert found.sentence == (
        "Read out of a text that a tool returned, not asked for: "
        "new iban (step 3, read_file, line 2)."
    )


def test_says_nothing_where_nothing_was_traced() -> None:
    assert checks([], {"amount": 3}, Measure(Decimal(3))) == []
