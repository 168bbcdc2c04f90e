"""Forms: which inputs the parameters of an action have, and what is read from them."""

from typing import Any

import pytest

from approvals import forms
from approvals.fields import Field
from approvals.forms import Input, inputs, read

AMOUNT = {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,11})\.[0-9]{2}$"}
IBAN = {"type": "string", "pattern": "^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$"}
DAY = {"type": "string", "pattern": "^20[0-9]{2}-[0-9]{2}-[0-9]{2}$"}
PAYMENT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount", "iban", "value_date", "days", "method"],
    "properties": {
        "amount": AMOUNT,
        "iban": IBAN,
        "value_date": DAY,
        "days": {"type": "integer", "minimum": 0, "maximum": 365},
        "method": {"enum": ["sepa", "wire"]},
        "urgent": {"type": "boolean"},
        "memo": {"type": "string", "maxLength": 20},
        "lines": {"type": "array"},
    },
}
PAID: dict[str, Any] = {
    "amount": "48200.00",
    "iban": "DE89370400440532013000",
    "value_date": "2026-11-30",
    "days": 30,
    "method": "sepa",
    "lines": [1, 2, 3],
}


def named(found: list[Input]) -> dict[str, Input]:
    return {item.name: item for item in found}


@pytest.mark.parametrize(
    ("schema", "value", "kind"),
    [
        ({"type": "string"}, "x", "text"),
        ({"type": ["string", "null"]}, None, "text"),
        (AMOUNT, "1.00", "decimal"),
        ({"type": "string", "pattern": r"^\d+\.\d{4}$"}, "1.0000", "decimal"),
        ({"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}, "1", "decimal"),
        (IBAN, "DE89", "text"),
        ({"type": "string", "pattern": "[A-Z]{3}"}, "EUR", "text"),
        ({"type": "string", "pattern": "("}, "x", "text"),
        (DAY, "2026-11-30", "date"),
        ({"type": "string", "format": "date"}, "2026-11-30", "date"),
        ({"type": "integer"}, 1, "integer"),
        ({"type": "number"}, 1.5, "number"),
        ({"type": "boolean"}, True, "boolean"),
        ({"enum": ["a", "b"]}, "a", "choice"),
        ({"enum": [1, 2]}, 1, "choice"),
        ({"const": "a"}, "a", "fixed"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "a", "fixed"),
        ({"type": ["string", "integer"]}, "a", "fixed"),
        ({"type": "array"}, [], "fixed"),
        ({"type": "object"}, {"a": 1}, "fixed"),
        ({}, "x", "text"),
        ({}, 7, "integer"),
        ({}, True, "boolean"),
        ({}, 1.5, "number"),
        ({}, None, "fixed"),
        (True, "x", "text"),
    ],
)
def test_the_schema_says_what_can_be_typed(schema: Any, value: Any, kind: str) -> None:
    [item] = inputs({"properties": {"a": schema}}, {"a": value})
    assert item.kind == kind


def test_a_name_with_a_dot_is_only_shown() -> None:
    assert inputs({}, {"a.b": "x"})[0].kind == "fixed"


def test_inputs_come_in_the_order_of_the_schema_with_what_stands_there() -> None:
    found = inputs(PAYMENT, PAID)
    assert [(item.name, item.kind, item.text) for item in found] == [
        ("amount", "decimal", "48200.00"),
        ("iban", "text", "DE89370400440532013000"),
        ("value_date", "date", "2026-11-30"),
        ("days", "integer", "30"),
        ("method", "choice", "sepa"),
        ("urgent", "boolean", ""),
        ("memo", "text", ""),
        ("lines", "fixed", "3 items"),
    ]
    by_name = named(found)
    assert [item.name for item in found if item.required] == PAYMENT["required"]
    assert by_name["method"].choices == (("sepa", "sepa"), ("wire", "wire"))
    assert by_name["urgent"].choices == (("true", "Yes"), ("false", "No"))
    assert by_name["memo"].at_most == 20


def test_labels_are_those_of_the_schema_or_of_the_field_or_the_name_in_words() -> None:
    schema = {"properties": {"iban": {"title": "Paid to"}, "amount": {}, "value_date": {}}}
    fields = (Field("/payments/*/amount", "Amount due", "money", "EUR"),)
    found = inputs(schema, {"iban": "x", "amount": "1.00", "value_date": "y"}, fields)
    assert [item.label for item in found] == ["Paid to", "Amount due", "Value date"]


def test_what_is_inside_an_object_is_typed_in_place() -> None:
    payee = {"properties": {"iban": IBAN, "name": {"type": "string"}}, "required": ["iban"]}
    params = {"payee": {"iban": "DE89370400440532013000", "name": "Nordlicht"}}
    schema = {"properties": {"payee": payee}}
    assert [(item.name, item.label) for item in inputs(schema, params)] == [
        ("payee.iban", "Payee · Iban"),
        ("payee.name", "Payee · Name"),
    ]
    found = read(schema, params, {"payee.name": "Südlicht"})
    assert found.params == {"payee": {**params["payee"], "name": "Südlicht"}}
    assert params["payee"]["name"] == "Nordlicht"
    assert read(schema, params, {"payee.iban": "x"}).errors.keys() == {"payee.iban"}


def test_an_object_that_is_not_there_is_not_typed() -> None:
    schema = {"properties": {"payee": {"properties": {"iban": IBAN}}}}
    assert [(item.name, item.kind) for item in inputs(schema, {})] == [("payee", "fixed")]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("amount", "48100.50", "48100.50"),
        ("amount", " 48100.50 ", "48100.50"),
        ("value_date", "2026-12-01", "2026-12-01"),
        ("days", "14", 14),
        ("days", "+14", 14),
        ("method", "wire", "wire"),
        ("urgent", "true", True),
        ("urgent", "false", False),
        ("memo", "two\r\nlines", "two\nlines"),
        ("memo", " kept as typed ", " kept as typed "),
    ],
)
def test_what_was_typed_becomes_a_value(name: str, text: str, value: Any) -> None:
    found = read(PAYMENT, PAID, {name: text})
    assert found.errors == {}
    assert found.params == {**PAID, name: value}
    assert type(found.params[name]) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("amount", "48.200,00", "An amount with a point and without separators, such as 48200.00."),
        ("amount", "48,200.00", "An amount with a point and without separators, such as 48200.00."),
        ("amount", "1e5", "An amount with a point and without separators, such as 48200.00."),
        ("amount", "٤٨", "An amount with a point and without separators, such as 48200.00."),
        ("amount", "1.5", "This has not the form that is asked for: " + AMOUNT["pattern"]),
        ("amount", "", "This cannot be left out."),
        ("days", "1.5", "A whole number in digits, such as 1200."),
        ("days", "thirty", "A whole number in digits, such as 1200."),
        ("days", "9" * 16, "A whole number in digits, such as 1200."),
        ("days", "366", "At most 365."),
        ("days", "-1", "At least 0."),
        ("value_date", "30.11.2026", "A day as year-month-day, such as 2026-11-30."),
        ("value_date", "2026-02-30", "A day as year-month-day, such as 2026-11-30."),
        ("value_date", "2026-W48-1", "A day as year-month-day, such as 2026-11-30."),
        ("method", "cash", "Choose one of those that are offered."),
        ("urgent", "on", "Choose yes or no."),
        ("memo", "a" * 21, "At most 20 characters."),
    ],
)
def test_what_is_no_such_value_is_said_at_its_input(name: str, text: str, sentence: str) -> None:
    found = read(PAYMENT, PAID, {name: text})
    assert found.errors == {name: sentence}
    shown = named(inputs(PAYMENT, PAID, typed={name: text}, errors=found.errors))[name]
    assert (shown.text, shown.error) == (text, sentence)


def test_what_was_not_sent_or_cannot_be_typed_stays() -> None:
    found = read(PAYMENT, PAID, {"lines": "0 items", "unknown": "x", "days": "31"})
    assert found.params == {**PAID, "days": 31}


def test_an_empty_input_leaves_an_optional_value_out() -> None:
    paid = {**PAID, "urgent": True, "memo": "note"}
    assert "urgent" not in read(PAYMENT, paid, {"urgent": ""}).params
    assert read(PAYMENT, paid, {"memo": ""}).params["memo"] == ""
    assert read(PAYMENT, PAID, {"memo": "", "urgent": ""}).params == PAID


def test_an_empty_input_is_null_where_the_schema_has_it() -> None:
    schema = {"required": ["note"], "properties": {"note": {"type": ["integer", "null"]}}}
    assert read(schema, {"note": 7}, {"note": ""}).params == {"note": None}


def test_a_number_that_was_not_touched_stays_as_it_was() -> None:
    schema = {"properties": {"rate": {"type": "number"}}}
    for rate in (2.0, 2, 0.1):
        kept = read(schema, {"rate": rate}, {"rate": inputs(schema, {"rate": rate})[0].text})
        assert repr(kept.params["rate"]) == repr(rate)


def test_sending_a_form_back_as_it_was_changes_nothing() -> None:
    shown = {item.name: item.text for item in inputs(PAYMENT, PAID)}
    found = read(PAYMENT, PAID, shown)
    assert (found.params, found.errors) == (PAID, {})


def test_a_choice_of_numbers_is_read_as_numbers() -> None:
    schema = {"properties": {"level": {"enum": [1, 2, None]}}}
    assert read(schema, {"level": 1}, {"level": "2"}).params == {"level": 2}
    assert inputs(schema, {"level": 1})[0].choices == (("", "–"), ("1", "1"), ("2", "2"))


def test_the_rule_is_plain() -> None:
    assert "django" not in vars(forms)
