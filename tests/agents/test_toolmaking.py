"""Tools: a typed function becomes one, and says clearly why it cannot."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from agents.toolmaking import Untyped, tool
from agents.workflows import ToolFailed

RECORD: Any = {"invoices": {"R-1": {"total": "3.10"}}}


class Line(BaseModel):
    """A line of an order."""

    item: str
    count: int = Field(ge=1)


@tool
def look_up_invoice(record: Any, invoice: str) -> dict[str, Any]:
    """Return one invoice by its number."""
    found: dict[str, Any] = record["invoices"][invoice]
    return found


@tool(rereads=True, max_calls=3)
def price(
    _record: Any,
    lines: list[Line],
    on: date,
    currency: Literal["EUR", "USD"] = "EUR",
    rebate: Annotated[Decimal | None, Field(description="In percent")] = None,
) -> dict[str, Any]:
    """Return what lines cost on a day.

    A rebate comes off the total.
    """
    total = sum(line.count for line in lines) * (1 - (rebate or Decimal()) / 100)
    return {"total": total, "on": on, "currency": currency, "first": lines[0]}


def test_takes_name_and_description_from_the_function() -> None:
    assert look_up_invoice.name == "look_up_invoice"
    assert look_up_invoice.description == "Return one invoice by its number."
    assert (look_up_invoice.rereads, look_up_invoice.max_calls) == (False, None)
    assert price.description.endswith("A rebate comes off the total.")
    assert (price.rereads, price.max_calls) == (True, 3)


def test_describes_its_arguments_without_the_record() -> None:
    assert look_up_invoice.schema == {
        "type": "object",
        "properties": {"invoice": {"type": "string"}},
        "required": ["invoice"],
        "additionalProperties": False,
    }
    Draft202012Validator.check_schema(dict(price.schema))
    assert price.schema["required"] == ["lines", "on"]
    assert price.schema["properties"]["rebate"]["description"] == "In percent"


def test_gives_the_function_what_it_asks_for_and_returns_plain_json() -> None:
    asked = {"lines": [{"item": "pen", "count": 4}], "on": "2026-11-20", "rebate": "50"}
    assert price.function(RECORD, **asked) == {
        "total": "2.0",
        "on": "2026-11-20",
        "currency": "EUR",
        "first": {"item": "pen", "count": 4},
    }


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"invoice": "R-9"}, "look_up_invoice found no 'R-9'."),
        ({}, "The arguments do not fit: invoice: Field required"),
        ({"invoice": 7}, "The arguments do not fit: invoice: "),
        ({"invoice": "R-1", "sneaky": 1}, "The arguments do not fit: sneaky: "),
    ],
)
def test_fails_as_a_call_and_not_as_a_run(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        look_up_invoice.function(RECORD, **asked)
    assert str(caught.value).startswith(said)


def no_record() -> int:
    """Return."""
    return 1


def no_return(record: Any, n: int):  # type: ignore[no-untyped-def]
    """Return."""
    return n


def no_type(record: Any, n) -> int:  # type: ignore[no-untyped-def]
    """Return."""
    return 1


def no_words(record: Any, n: int) -> int:
    return n


def stars(record: Any, *n: int) -> int:
    """Return."""
    return n[0]


def unknown(record: Any, n: "Nowhere") -> int:  # type: ignore[name-defined]  # noqa: F821
    """Return."""
    return 1


def no_json(record: Any, n: Callable[[], int]) -> int:
    """Return."""
    return n()


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (no_record, "no_record takes no record"),
        (no_return, "no_return does not say what it returns"),
        (no_type, "no_type does not say of what type 'n' is"),
        (no_words, "no_words has no docstring"),
        (stars, "stars takes *n: int, which a model cannot name"),
        (unknown, "unknown names a type that is not known"),
        (no_json, "no_json has an argument that no JSON describes"),
    ],
)
def test_says_what_a_function_lacks(function: Callable[..., Any], said: str) -> None:
    with pytest.raises(Untyped) as caught:
        tool(function)
    assert str(caught.value).startswith(said)
