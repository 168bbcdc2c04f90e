"""Parameters: what does not fit is named by its field, and the title says only what is known."""

import pytest

from approvals.parameters import TITLE_AT_MOST, objections_to, schema_objection, title

SCHEMA = {
    "type": "object",
    "required": ["vendor", "amount"],
    "properties": {
        "vendor": {"type": "string", "minLength": 2},
        "amount": {"type": "string", "pattern": r"^[0-9]+\.[0-9]{2}$"},
        "lines": {"type": "array", "items": {"type": "object", "required": ["account"]}},
        "note": {"type": ["string", "null"]},
    },
}


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"vendor": "V7", "amount": "40.00"}, []),
        ({"vendor": "V7", "amount": "40.00", "note": None}, []),
        ({}, ["amount", "vendor"]),
        ({"vendor": "V7"}, ["amount"]),
        ({"vendor": "V7", "amount": 40.0}, ["amount"]),
        ({"vendor": "V7", "amount": "40"}, ["amount"]),
        ({"vendor": "V", "amount": "40.00"}, ["vendor"]),
        ({"vendor": "V7", "amount": "40.00", "iban": "x"}, ["iban"]),
        ({"vendor": None, "amount": True}, ["amount", "vendor"]),
        ({"vendor": "V7", "amount": "40.00", "lines": [{}]}, ["lines.0.account"]),
        ({"vendor": "V7", "amount": "40.00", "lines": {}}, ["lines"]),
    ],
)
def test_names_each_field_that_does_not_fit(params: dict[str, object], fields: list[str]) -> None:
    assert [field for field, _ in objections_to(params, SCHEMA)] == fields


def test_says_what_is_wrong_and_never_more_than_a_person_reads() -> None:
    [(field, sentence)] = objections_to({"vendor": "V7", "amount": "40.00", "iban": 1}, SCHEMA)
    assert (field, "iban" in sentence) == ("iban", True)
    many: dict[str, object] = {"lines": [{}] * 50}
    assert len(objections_to(many, SCHEMA)) == 20


def test_lets_members_pass_that_nobody_named_only_where_the_schema_says_so() -> None:
    assert objections_to({"x": 1}, {"type": "object"})
    assert not objections_to({"x": 1}, {"type": "object", "additionalProperties": True})


@pytest.mark.parametrize(
    ("schema", "is_usable"),
    [
        (SCHEMA, True),
        ({}, True),
        ({"type": "objekt"}, False),
        ({"properties": []}, False),
        ({"required": "vendor"}, False),
    ],
)
def test_finds_a_schema_that_is_none(schema: dict[str, object], is_usable: bool) -> None:
    assert (schema_objection(schema) is None) is is_usable


@pytest.mark.parametrize(
    ("template", "words", "said"),
    [
        ("Pay {amount} to {vendor}", {"amount": "40.00", "vendor": "V7"}, "Pay 40.00 to V7"),
        ("Pay {amount} to {vendor}", {"amount": "40.00"}, "Pay 40.00 to …"),
        ("Pay {amount}", {"amount": None}, "Pay …"),
        ("Pay {amount}", {"amount": 0}, "Pay 0"),
        ("Pay {amount}", {"amount": "{vendor}", "vendor": "V7"}, "Pay {vendor}"),
        ("Pay {amount.real}", {"amount": 40}, "Pay {amount.real}"),
        ("Pay {amount!r} {0} {}", {"amount": 40}, "Pay {amount!r} … {}"),
        ("{a}{a}", {"a": "x"}, "xx"),
    ],
)
def test_fills_the_sentence_with_words_and_nothing_else(
    template: str, words: dict[str, object], said: str
) -> None:
    assert title(template, words) == said


def test_keeps_a_title_short_whatever_it_is_filled_with() -> None:
    assert len(title("{x}", {"x": "long " * 1_000})) == TITLE_AT_MOST
