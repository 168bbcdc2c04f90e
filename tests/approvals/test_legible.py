"""Legible: a reviewer is told what deceives the eye, and approves nothing that cannot be shown."""

# ruff: noqa: RUF001  (look-alikes are what this file is about)

import pytest

from approvals.effects import Measure
from approvals.fields import Field
from approvals.legible import READABLE, Wording, cannot_be_shown, check
from approvals.models import Decision
from approvals.operations.deciding import Unshowable
from approvals.operations.previewing import SOMETHING
from console.canonical import Json
from snapshots.diff import ABSENT, Change
from tests.story import NORTHWIND, Cast

TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "yes")
FIELDS = (Field("/vendors/*/iban", "IBAN", "iban"), Field("/vendors/*/name", "Name", "text"))
FOUND = [
    (Change("replace", "/vendors/V7/name", "a", "p\u0430ypal"), {}, "Name: One word mixes Latin"),
    (Change("add", "/x", value={"a": ["\u202eb"]}), {}, "/x/a/0: It contains a mark that turns"),
    (Change("add", "/n\u200bote", value=1), {}, "/n[U+200B ZERO WIDTH SPACE]ote: It contains"),
    (None, {"memo": f"ok{TAGS}"}, "Parameter memo: It hides 'yes'"),
    (None, {"lines": [{"no\u00adte": 1}]}, "Parameter lines/0: It contains a character that"),
]


def worded(change: Change | None, params: dict[str, Json], title: str = "Pay") -> Wording:
    changes = [change] if change else []
    return Wording(changes, FIELDS, dict(params), title, Measure(counterparty="Аcme"))


@pytest.mark.parametrize(("change", "params", "said"), FOUND)
def test_names_the_field_that_deceives(
    change: Change | None, params: dict[str, Json], said: str
) -> None:
    found = check(worded(change, params))
    assert found is not None
    assert (found.name, found.passed) == (READABLE, False)
    assert found.sentence.startswith(said)


def test_reads_the_title_too() -> None:
    found = check(worded(None, {}, "Pay\u200b"))
    assert found is not None
    assert found.sentence.startswith("Title: ")


@pytest.mark.parametrize(
    "change",
    [
        Change("replace", "/vendors/V7/name", "p\u0430ypal", "Paypal"),
        Change("remove", "/n\u200bote", "\u202e"),
        Change("replace", "/vendors/V7/name", "a", "Łódź Wełna\nsp. z o.o."),
        Change("replace", "/vendors/V7/n", 1, 2),
    ],
)
def test_says_nothing_of_what_was_there_before_or_reads_as_it_is(change: Change) -> None:
    assert check(worded(change, {"note": "fine"})) is None


@pytest.mark.parametrize(
    ("change", "params", "said"),
    [
        (Change("add", "/vendors/V7/iban", ABSENT, "DE89\u200b3704"), {}, "IBAN: It contains"),
        (None, {"payee": "Аcme"}, "Parameter payee: One word mixes"),
        (None, {"memo": "\u202eabc"}, "Parameter memo: It turns the reading direction"),
        (Change("add", "/memo", value="x" * 20_001), {}, "/memo: It has 20,001 characters"),
        (Change("add", "/memo", value="Z" + "\u0335" * 9), {}, "/memo: It stacks more than 8"),
    ],
)
def test_says_what_cannot_be_shown(
    change: Change | None, params: dict[str, Json], said: str
) -> None:
    assert cannot_be_shown(worded(change, params)).startswith(said)


@pytest.mark.parametrize(("change", "params", "said"), [each for each in FOUND if each[0] is None])
def test_lets_be_shown_what_stands_under_its_name(
    change: Change | None, params: dict[str, Json], said: str
) -> None:
    assert cannot_be_shown(worded(change, params)) == ""


def paying(memo: str) -> dict[str, Json]:
    return {"vendor": NORTHWIND, "amount": 70, "memo": memo}


@pytest.mark.django_db(transaction=True)
class TestDeciding:
    """What the page shows, and what a reviewer may still do."""

    def test_a_deceptive_parameter_fails_a_check(self) -> None:
        cast = Cast.build()
        checks = cast.look(cast.ask(params=paying("inv\u200boice"))).revision.checks
        [found] = [each for each in checks if each["name"] == READABLE]
        assert found["sentence"].startswith("Parameter memo: It contains a character")

    def test_an_effect_that_is_none_fails_a_check(self) -> None:
        cast = Cast.build()
        checks = cast.look(cast.state_change()).revision.checks
        assert [each["sentence"] for each in checks if each["name"] == SOMETHING] == [
            "The record stays as it is."
        ]
        assert SOMETHING not in {each["name"] for each in cast.look(cast.ask()).revision.checks}

    def test_what_cannot_be_shown_is_not_approved_but_can_be_rejected(self) -> None:
        cast = Cast.build()
        proposal_id = cast.ask(params=paying("\u202einvoice"))
        with pytest.raises(Unshowable) as refused:
            cast.decide(cast.ana, proposal_id)
        assert (refused.value.code, refused.value.status) == ("cannot_be_shown", 409)
        assert "never turns it back" in refused.value.sentence
        assert not Decision.objects.exists()
        assert cast.decide(cast.ana, proposal_id, "reject") == "rejected"
