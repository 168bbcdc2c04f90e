"""Every field of a proposal says where the run saw its value, and leads to the step that did."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from approvals.operations.proposing import Request, propose
from approvals.showing.sourcing import parameters, source, sources
from console.actors import agent
from tests.agents.test_pages import page, words
from tests.house import NEW_IBAN, VENDORS, House, now

RUN = "0190aaaa-0000-7000-8000-000000000001"
MAIL: dict[str, Any] = {
    "path": "params/iban",
    "from": "tool",
    "label": "read_mail",
    "step": 3,
    "field": "line 4",
    "quote": "our new account <b>LT12",
    "drives": True,
}
ASKED: dict[str, Any] = {"path": "params/vendor", "from": "request", "quote": ""}


def proposed(house: House, *kept: dict[str, Any], run: bool = True, **more: Any) -> UUID:
    request = Request(
        state_key=VENDORS,
        action_type="change_bank",
        params={"vendor": "V-1", "iban": NEW_IBAN, **more},
        origin=f"run:{RUN}" if run else "client:till",
        origin_step=str(uuid4()),
        sources=kept,
    )
    scout = agent("scout", house.workspace.id, f"person:{house.people['eve'].id}")
    return propose(actor=scout, request=request, now=now())


def shown(house: House, proposal_id: UUID) -> str:
    return page(house.client("ana"), house.url("proposals", proposal_id))


def part(html: str, begin: str, end: str = "</table>") -> str:
    return html.partition(begin)[2].partition(end)[0]


@pytest.mark.django_db
class TestTheDiff:
    def test_leads_to_the_step_that_brought_the_value(self, house: House) -> None:
        table = part(shown(house, proposed(house, ASKED, MAIL)), 'id="diff"')
        assert f'href="{house.url("runs", RUN, "steps", 3)}"' in table
        assert "From read_mail, line 4, step 3: not from the request" in table
        assert "&lt;b&gt;LT12" in table
        assert "source--odd" in table

    def test_leads_nowhere_where_the_record_itself_has_it(self, house: House) -> None:
        record = {**MAIL, "label": "the record", "step": None, "field": "/V-1/iban"}
        table = part(shown(house, proposed(house, ASKED, record)), 'id="diff"')
        assert "From the record, /V-1/iban" in table
        assert "/steps/" not in table

    def test_says_plainly_that_nobody_saw_it(self, house: House) -> None:
        lost = {**MAIL, "from": "nowhere", "quote": "", "step": None}
        table = part(shown(house, proposed(house, ASKED, lost)), 'id="diff"')
        assert "Not seen anywhere" in table
        assert "/steps/" not in table

    def test_says_what_the_action_sets_by_itself(self, house: House) -> None:
        html = shown(house, proposed(house, ASKED))
        assert "Set by the action itself" in part(html, 'id="diff"')

    def test_leads_nowhere_where_no_run_was_asked(self, house: House) -> None:
        html = shown(house, proposed(house, MAIL, run=False))
        assert "From read_mail" in html
        assert "/steps/" not in html


@pytest.mark.django_db
class TestTheParameters:
    def test_are_all_listed_with_where_they_came_from(self, house: House) -> None:
        html = shown(house, proposed(house, ASKED, MAIL, urgent=True, lines=[{"n": 1}]))
        said = words(part(html, 'id="parameters"', "</details>"))
        assert "4 values" in said
        assert "vendor V-1 From the request" in said
        assert "From read_mail, line 4, step 3" in said
        assert "urgent true Not traced" in said
        assert "lines/0/n 1 Not traced" in said

    def test_show_hostile_values_as_text(self, house: House) -> None:
        html = shown(house, proposed(house, ASKED, memo="<script>\u202e"))
        assert "<script>\u202e" not in html
        assert "&lt;script&gt;" in part(html, 'id="parameters"', "</details>")

    def test_are_left_out_where_nothing_was_traced(self, house: House) -> None:
        assert 'id="parameters"' not in shown(house, proposed(house))


@pytest.mark.parametrize(
    ("kept", "says", "odd", "step"),
    [
        (ASKED, "From the request", False, None),
        (MAIL, "From read_mail, line 4, step 3: not from the request", True, 3),
        ({**MAIL, "from": "nowhere"}, "Not seen anywhere", True, None),
    ],
)
def test_one_origin(kept: dict[str, Any], says: str, odd: bool, step: int | None) -> None:
    found = source(kept, RUN)
    assert found.says.startswith(says)
    assert (found.is_odd, found.step) == (odd, step)
    assert source(kept).step is None


def test_a_value_is_that_of_its_own_place() -> None:
    assert sources([{**MAIL, "path": "/V-1/iban"}], "/V-1/iban", RUN)
    assert not sources([{**MAIL, "path": "/V-10/iban"}], "/V-1/iban", RUN)


def test_parameters_within_lists_are_found_by_their_place() -> None:
    kept = [{**MAIL, "path": "params/lines/1/iban"}]
    rows = parameters({"lines": [{"iban": "A"}, {"iban": "B"}], "kind": "x"}, kept, RUN)
    assert [(row["path"], row["source"].step) for row in rows] == [
        ("lines/0/iban", None),
        ("lines/1/iban", 3),
        ("kind", None),
    ]
    assert rows[2]["source"].says == "One of the words that the action allows"
    assert parameters({"a": "b"}, [], RUN) == []
