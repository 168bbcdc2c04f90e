"""What a proposal's page shows beyond the diff: sources, odd characters, much, and what stays."""

from dataclasses import replace
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from approvals.operations.proposing import Request, propose
from approvals.showing.difference import Record, groups, sections, table
from console.actors import agent
from snapshots.diff import diff
from tests.approvals.deciders import HTMX
from tests.approvals.test_pages import main_of, page
from tests.house import E_MAIL, NEW_IBAN, VENDOR, VENDORS, House, now

pytestmark = pytest.mark.django_db
QUOTE = "our new account LT12 1000 0111 0100 1000"
SOURCE = {
    "path": "params/iban",
    "from": "tool",
    "label": "read_file",
    "step": 3,
    "field": "line 4",
    "quote": QUOTE,
    "drives": True,
}


def proposed(house: House, *sources: dict[str, Any]) -> object:
    """Let Scout propose with a trace of where its values come from."""
    scout = agent("scout", house.workspace.id, f"person:{house.people['eve'].id}")
    request = Request(
        state_key=VENDORS,
        action_type="change_bank",
        params={"vendor": "V-1", "iban": NEW_IBAN},
        origin=f"client:{house.people['eve'].id}",
        origin_step="traced",
        sources=sources,
    )
    return propose(actor=scout, request=request, now=now())


class TestSources:
    """The Why column says where a value came from."""

    def test_quotes_the_result_that_a_value_was_read_from(self, house: House) -> None:
        html = page(house.client("ana"), house.url("proposals", proposed(house, SOURCE)))
        table = html.partition('id="diff"')[2].partition("</table>")[0]
        assert "From read_file, line 4, step 3: not from the request" in table
        assert f"<mark>{QUOTE}" in " ".join(table.split())
        assert "source--odd" in table
        assert 'id="sources-legend"' in html

    @pytest.mark.parametrize(
        ("came", "says"),
        [
            ("request", "From the request"),
            ("nowhere", "Not seen anywhere: neither in the request nor in what a tool returned"),
        ],
    )
    def test_says_so_of_the_others(self, house: House, came: str, says: str) -> None:
        kept = {**SOURCE, "from": came, "quote": "", "drives": came == "nowhere"}
        html = page(house.client("ana"), house.url("proposals", proposed(house, kept)))
        assert says in html
        assert ("source--odd" in html) == (came == "nowhere")

    def test_says_nothing_where_nothing_was_traced(self, house: House) -> None:
        html = page(house.client("ana"), house.url("proposals", house.propose()))
        assert 'id="sources-legend"' not in html


class TestDeceptiveText:
    """What deceives the eye stands under its name, and what cannot be shown is not approved."""

    def test_shows_chips_with_a_legend(self, house: House) -> None:
        proposal = house.propose("set_note", note="pay \u202e4711\u202c now")
        html = page(house.client("ana"), house.url("proposals", proposal))
        assert 'id="chips-legend"' in html
        assert "RIGHT-TO-LEFT OVERRIDE" in html

    def test_has_no_legend_without_a_chip(self, house: House) -> None:
        html = page(house.client("ana"), house.url("proposals", house.propose("set_note")))
        assert 'id="chips-legend"' not in html

    def test_offers_no_approval_of_what_cannot_be_shown(self, house: House) -> None:
        proposal = house.propose("set_note", note="pay \u202e4711 now")
        html = page(house.client("ana"), house.url("proposals", proposal))
        assert 'id="unshowable"' in html
        assert 'value="approve"' not in html
        assert 'value="reject"' in html
        form = house.form(proposal, ticked=["Text can be read safely"])
        answer = house.client("ana").post(
            house.url("proposals", proposal, "decide"), form, headers=HTMX
        )
        assert answer.status_code in {409, 422}
        assert not house.detail(proposal).decisions


class TestImpact:
    """Money comes right under the sentence."""

    def test_says_how_much(self, house: House) -> None:
        proposal = house.propose("pay", paid="1310.20")
        html = main_of(page(house.client("ana"), house.url("proposals", proposal)))
        impact = html.partition('id="impact"')[2].partition("</p>")[0]
        assert "EUR 1,310.20" in impact
        assert html.index('id="impact"') < html.index('id="checks"')

    def test_says_nothing_where_nothing_is_measured(self, house: House) -> None:
        html = page(house.client("ana"), house.url("proposals", house.propose("set_note")))
        assert 'id="impact"' not in html


class TestUnchanged:
    """What stays is counted, and loaded when somebody asks."""

    def test_counts_it_and_loads_it_on_demand(self, house: House) -> None:
        proposal, browser = house.propose(), house.client("ana")
        html = page(browser, house.url("proposals", proposal))
        assert f"Show {len(VENDOR) - 1} unchanged fields" in html
        assert "Called back on 3 March." not in main_of(html)
        address = house.url("proposals", proposal, "unchanged")
        part = browser.get(address, headers=HTMX).content.decode()
        assert part.lstrip().startswith('<dl class="facts"')
        assert "Called back on 3 March." in part
        assert "LT12" not in part
        assert "<main" in page(browser, address)


class TestMuch:
    """Above 500 rows a reader first learns which groups there are."""

    def rows(self, house: House, number: int) -> list[dict[str, Any]]:
        """Lay out so many changed notes, and one account."""
        found = house.detail(house.propose())
        before: Any = {f"V-{n}": {**VENDOR} for n in range(1, number + 1)}
        after: Any = {key: {**vendor, "note": "new"} for key, vendor in before.items()}
        after["V-1"]["iban"] = NEW_IBAN
        changes = [change.to_json() for change in diff(before, after, keys={})]
        found.revision.changes = changes
        return table(replace(found), Record(before, after))

    def test_cuts_it_into_sections_of_100(self, house: House) -> None:
        cut = sections(self.rows(house, 250))
        assert [len(section["rows"]) for section in cut] == [1, 100, 100, 50]
        assert [section["group"] for section in cut] == ["Payee", "Notes", "Notes", "Notes"]
        assert [(group["name"], group["rows"], group["risky"]) for group in groups(cut)] == [
            ("Payee", 1, 1),
            ("Notes", 250, 0),
        ]
        assert [group["first"] for group in groups(cut)] == [1, 2]

    def test_shows_the_groups_first(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("approvals.showing.proposal.SUMMARY_ABOVE", 0)
        html = page(house.client("ana"), house.url("proposals", house.propose()))
        assert 'id="groups"' in html
        assert html.index('id="groups"') < html.index('id="rows-1"')


class TestCost:
    """A page costs the same for much as for little."""

    def test_asks_as_often_for_much_talk_as_for_none(
        self, house: House, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        browser = house.client("ana")
        quiet, loud = house.propose("set_note"), house.propose(evidence=(E_MAIL,) * 20)
        for number in range(15):
            house.client("cleo").post(
                house.url("proposals", loud, "comment"), {"text": f"Comment {number}"}
            )
        house.client("ben").post(house.url("proposals", loud, "ask"), {"question": "Who?"})
        house.client("eve").post(house.url("proposals", loud, "answer"), {"text": "We did."})
        for proposal in (quiet, loud):
            page(browser, house.url("proposals", proposal))
        for proposal in (quiet, loud):
            with django_assert_num_queries(30):
                page(browser, house.url("proposals", proposal))
