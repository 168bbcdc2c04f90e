"""The pages of proposals, as the cast sees them."""

import re
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.house import E_MAIL, NEW_IBAN, House

# The order in which a reviewer needs them: the sentence, then what is wrong, then the rest.
IN_ORDER = [
    "Change the bank account of Nordlicht GmbH",
    "Needs review",
    "2 people with the role",
    'id="checks"',
    'id="changes"',
    'id="evidence"',
    "not verified",
    'id="history"',
    'id="decision"',
]


def page(browser: Client, *address: str, status: int = 200) -> str:
    """Open an address and return its HTML."""
    answer = browser.get("".join(address))
    assert answer.status_code == status, answer.content.decode()
    return answer.content.decode()


def main_of(html: str) -> str:
    """Return the part of a page that is about its subject."""
    return html.partition("<main")[2].partition("</main>")[0]


def without_tokens(html: str) -> str:
    """Leave out what is new in every answer."""
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", html)


class TestQueue:
    """The queue tells what to decide next, and how long there is."""

    def test_teaches_when_nobody_has_proposed_anything(self, house: House) -> None:
        assert "No agent has proposed anything yet" in page(house.client("ana"), house.url("queue"))

    def test_puts_the_riskiest_first_and_then_the_nearest_deadline(self, house: House) -> None:
        house.propose("set_note")
        house.propose("change_bank")
        house.propose("pay")
        html = page(house.client("ana"), house.url("queue"))
        places = [html.index(text) for text in ("Change the bank", "Pay EUR", "Note on")]
        assert places == sorted(places)
        assert "3 wait, 3 for you" in " ".join(html.split())

    def test_shows_the_amount_with_its_unit_and_leaves_out_what_has_none(
        self, house: House
    ) -> None:
        house.propose("pay", paid="1310.20")
        assert "EUR 1,310.20" in page(house.client("ana"), house.url("queue"))

    def test_says_whose_turn_it_is_and_who_has_agreed(self, house: House) -> None:
        proposal = house.propose()
        house.decide("ana", proposal)
        assert "Your turn" not in main_of(page(house.client("ana"), house.url("queue")))
        seen_by_ben = main_of(page(house.client("ben"), house.url("queue")))
        assert "Your turn" in seen_by_ben
        assert "1 of 2: Ana" in seen_by_ben

    def test_never_calls_it_the_turn_of_an_auditor_or_of_whoever_is_behind_it(
        self, house: House
    ) -> None:
        house.propose(behind="ada")
        for name in ("cleo", "ada"):
            assert "Your turn" not in page(house.client(name), house.url("queue"))

    def test_keeps_what_was_just_settled_with_who_and_when(self, house: House) -> None:
        proposal = house.propose("set_note")
        house.decide("ana", proposal)
        html = page(house.client("ben"), house.url("queue"))
        assert "Just settled" in html
        assert "Nothing waits for you" in html
        assert "Ana" in html.partition("Just settled")[2]

    def test_costs_as_many_queries_for_thirty_as_for_three(
        self, house: House, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        browser = house.client("ana")
        for number in range(3):
            house.propose("set_note", note=f"note {number}")
        house.decide("ana", house.propose("set_note", note="settled"))
        page(browser, house.url("queue"))
        with django_assert_num_queries(25):
            page(browser, house.url("queue"))
        for number in range(27):
            house.propose("set_note", note=f"other {number}", vendor=f"V-{number % 5 + 1}")
            house.decide("ana", house.propose())
        with django_assert_num_queries(25):
            page(browser, house.url("queue"))

    def test_turns_pages_without_losing_or_doubling_a_row(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("approvals.showing.waiting.PAGE_SIZE", 2)
        proposals = {str(house.propose("set_note", note=f"note {n}")) for n in range(5)}
        browser, seen, address = house.client("ana"), [], house.url("queue")
        while address:
            html = page(browser, address)
            seen += [name for name in proposals if f"proposal-{name}" in html]
            after = html.partition('href="?cursor=')[2].partition('"')[0]
            address = f"{house.url('queue')}?cursor={after}" if after else ""
        assert sorted(seen) == sorted(proposals)

    @pytest.mark.parametrize("cursor", ["x", "%00", "WzEsMl0", "WyIyMDI0IiwgIngiXQ"])
    def test_refuses_a_cursor_that_it_did_not_make(self, house: House, cursor: str) -> None:
        page(house.client("ana"), house.url("queue"), f"?cursor={cursor}", status=400)

    def test_sends_strangers_to_the_door_and_hides_from_other_workspaces(
        self, house: House, elsewhere: House
    ) -> None:
        answer = Client().get(house.url("queue"))
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/sign-in/")
        page(elsewhere.client("zoe"), house.url("queue"), status=404)


class TestSettled:
    """The list of what no longer waits."""

    def test_says_what_became_of_each(self, house: House) -> None:
        house.decide("ana", house.propose("set_note"), "reject", "Not our vendor.")
        html = page(house.client("cleo"), house.url("settled"))
        assert "Rejected" in html
        assert "Not our vendor." in html

    def test_teaches_when_it_is_empty(self, house: House) -> None:
        assert "Nothing was settled yet" in page(house.client("cleo"), house.url("settled"))


class TestDetail:
    """The detail page answers what exactly happens, and what is wrong with it."""

    def test_tells_everything_in_the_order_in_which_it_is_needed(self, house: House) -> None:
        proposal = house.propose(evidence=(E_MAIL,), rationale="They asked nicely.")
        html = main_of(page(house.client("ana"), house.url("proposals", proposal)))
        places = [html.index(text) for text in IN_ORDER]
        assert places == sorted(places)

    def test_shows_failed_checks_before_those_that_hold(self, house: House) -> None:
        html = page(house.client("ana"), house.url("proposals", house.propose()))
        assert html.index("moves from DE to LT") < html.index("is in the master data")

    def test_shows_both_sides_of_each_change_and_links_its_evidence(self, house: House) -> None:
        proposal = house.propose(evidence=(E_MAIL,))
        html = page(house.client("ana"), house.url("proposals", proposal))
        row = html.partition('id="diff"')[2].partition("</table>")[0]
        assert ">DE89<" in row
        assert ">LT12<" in row
        assert 'href="#evidence-1"' in row
        assert 'id="evidence-1"' in html

    def test_says_in_words_that_a_value_has_no_evidence(self, house: House) -> None:
        html = page(house.client("ana"), house.url("proposals", house.propose()))
        assert "no evidence attached" in html

    def test_says_when_nothing_would_change(self, house: House) -> None:
        proposal = house.propose("set_note", note="Called back on 3 March.")
        html = page(house.client("ana"), house.url("proposals", proposal))
        assert "This action changes nothing in the State." in html

    def test_names_characters_that_nobody_can_see(self, house: House) -> None:
        proposal = house.propose(
            "set_note",
            note="pay \u202e4711 now",
            rationale="all\u200bfine",
            external_ref="a\u200bb",
        )
        html = page(house.client("ana"), house.url("proposals", proposal))
        assert not {"\u202e", "\u200b"} & set(html)
        assert "RIGHT-TO-LEFT OVERRIDE" in html
        assert "ZERO WIDTH SPACE" in html

    def test_escapes_what_an_agent_wrote(self, house: House) -> None:
        hostile = "<script>alert(1)</script><b hx-get=/x>"
        proposal = house.propose("set_note", note=hostile, rationale=hostile)
        browser = house.client("ana")
        for address in (house.url("proposals", proposal), house.url("queue"), house.url("ledger")):
            html = page(browser, address)
            assert "<script>alert" not in html
            assert "<b hx-get" not in html

    def test_tells_where_it_came_from(self, house: House) -> None:
        run = uuid4()
        proposal = house.propose(origin=f"run:{run}")
        html = page(house.client("ana"), house.url("proposals", proposal))
        assert f'href="{house.url("runs", run)}"' in html

    def test_links_to_its_lines_in_the_ledger(self, house: House) -> None:
        proposal = house.propose()
        html = page(house.client("cleo"), house.url("proposals", proposal))
        assert f"{house.url('ledger')}?subject=proposal:{proposal}" in html

    def test_offers_the_form_only_to_whoever_may_decide(self, house: House) -> None:
        proposal = house.propose(behind="ada")
        assert 'name="choice"' in page(house.client("ana"), house.url("proposals", proposal))
        for name, why in (("cleo", "needs the role"), ("ada", "took part in making")):
            html = page(house.client(name), house.url("proposals", proposal))
            assert 'name="choice"' not in html
            assert why in html

    def test_says_what_happened_and_by_whom_once_it_is_settled(self, house: House) -> None:
        proposal = house.propose("set_note")
        house.decide("ana", proposal)
        html = main_of(page(house.client("ben"), house.url("proposals", proposal)))
        assert 'name="choice"' not in html
        assert "Approved by Ana" in html
        assert "snapshot 2" in html

    def test_keeps_earlier_revisions_with_the_reason_for_the_next(self, house: House) -> None:
        proposal = house.propose()
        house.decide("ana", proposal, reason="First look ok.")
        house.move_the_world()
        browser = house.client("ben")
        browser.post(house.url("proposals", proposal, "rebase"))
        html = page(browser, house.url("proposals", proposal))
        assert "Revision 2 was made" in html
        assert "this effect is unchanged" in html
        assert "First look ok." in html
        assert "Decide on revision 2" in html

    def test_costs_as_many_queries_for_much_as_for_little(
        self, house: House, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        browser = house.client("ana")
        small, large = house.propose("set_note"), house.propose(evidence=(E_MAIL,) * 20)
        house.decide("ben", large)
        house.move_the_world()
        for proposal in (small, large):
            browser.post(house.url("proposals", proposal, "rebase"))
        house.decide("ben", large)
        for proposal in (small, large):
            page(browser, house.url("proposals", proposal))
        for proposal in (small, large):
            with django_assert_num_queries(30):
                page(browser, house.url("proposals", proposal))

    def test_is_not_there_for_another_workspace(self, house: House, elsewhere: House) -> None:
        theirs = elsewhere.propose()
        for part in ([], ["raw"]):
            page(house.client("ana"), house.url("proposals", theirs, *part), status=404)
            page(elsewhere.client("zoe"), house.url("proposals", theirs, *part), status=404)


class TestRaw:
    """The sealed JSON is there for whoever wants to compute the digest."""

    def test_shows_the_bytes_that_decisions_are_bound_to(self, house: House) -> None:
        proposal = house.propose()
        html = page(house.client("cleo"), house.url("proposals", proposal, "raw"))
        assert house.detail(proposal).revision.digest in html
        assert NEW_IBAN in html

    @pytest.mark.parametrize("revision", ["0", "7", "99999999999999999999", "x", "-1", "²"])
    def test_refuses_a_revision_that_is_not_there(self, house: House, revision: str) -> None:
        proposal = house.propose()
        answer = house.client("cleo").get(
            house.url("proposals", proposal, "raw"), {"revision": revision}
        )
        assert answer.status_code in {404, 422}


class TestDeciding:
    """Deciding goes by POST, on exactly the wording that was shown."""

    def test_carries_out_what_is_thereby_agreed_and_goes_back_to_the_page(
        self, house: House
    ) -> None:
        proposal = house.propose("set_note")
        answer = house.client("ana").post(
            house.url("proposals", proposal, "decide"), house.form(proposal), follow=True
        )
        assert answer.redirect_chain[0][0] == house.url("proposals", proposal)
        assert "Carried out as" in answer.content.decode()
        assert house.detail(proposal).proposal.status == "approved"

    def test_answers_htmx_with_what_happened_and_the_next_one(self, house: House) -> None:
        proposal, following = house.propose("set_note"), house.propose("set_note", note="next")
        html = self.decide(house, "ana", proposal, 200)
        assert html.lstrip().startswith('<section id="decision"')
        assert "Your decision is recorded" in html
        assert "snapshot 2" in html
        assert house.url("proposals", following) in html
        assert 'hx-target="#proposal"' in html

    def test_waits_for_the_second_person(self, house: House) -> None:
        proposal = house.propose()
        assert "It takes 2 people to agree" in self.decide(house, "ana", proposal, 200)
        assert "Approved by Ana and Ben" in self.decide(house, "ben", proposal, 200)

    def test_answers_a_double_click_like_the_first(self, house: House) -> None:
        proposal = house.propose()
        form = house.form(proposal)
        first = self.decide(house, "ana", proposal, 200, form)
        again = self.decide(house, "ana", proposal, 200, form)
        assert without_tokens(first) == without_tokens(again)
        assert len(house.detail(proposal).decisions) == 1

    def test_asks_for_what_is_missing_and_keeps_what_was_typed(self, house: House) -> None:
        proposal = house.propose()
        form = house.form(proposal, ticked=[], reason="I looked <twice>.")
        html = self.decide(house, "ana", proposal, 422, form)
        assert "Tick what you have checked yourself" in html
        assert "I looked &lt;twice&gt;." in html
        answer = house.client("ana").post(house.url("proposals", proposal, "decide"), form)
        assert answer.status_code == 422
        assert "<main" in answer.content.decode()
        assert "I looked &lt;twice&gt;." in answer.content.decode()

    @pytest.mark.parametrize("choice", ["", "maybe", "approved"])
    def test_never_guesses_a_choice(self, house: House, choice: str) -> None:
        proposal = house.propose()
        self.decide(house, "ana", proposal, 422, house.form(proposal, choice=choice))
        assert not house.detail(proposal).decisions

    def test_refuses_a_text_that_cannot_be_kept(self, house: House) -> None:
        proposal = house.propose()
        html = self.decide(house, "ana", proposal, 422, house.form(proposal, reason="a\0b"))
        assert "cannot hold the character NUL" in html

    @pytest.mark.parametrize("revision", ["", "x", "0", "-1", "99999999999999999999"])
    def test_refuses_a_form_without_its_revision(self, house: House, revision: str) -> None:
        proposal = house.propose()
        form = house.form(proposal, revision=revision)
        answer = house.client("ana").post(house.url("proposals", proposal, "decide"), form)
        assert answer.status_code in {412, 422}
        assert not house.detail(proposal).decisions

    def test_says_who_was_faster(self, house: House) -> None:
        proposal = house.propose("set_note")
        form = house.form(proposal)
        house.decide("ben", proposal, "reject", "No.")
        html = self.decide(house, "ana", proposal, 409, form)
        assert "This proposal is rejected (Ben)" in html
        assert "Your decision was not recorded" in html

    def test_refuses_yesterdays_diff_and_offers_the_new_one(self, house: House) -> None:
        proposal = house.propose()
        form = house.form(proposal, reason="Looked at length.")
        house.move_the_world()
        html = self.decide(house, "ana", proposal, 412, form)
        assert "Load the new diff" in html
        assert "nothing was changed" in html
        assert "Looked at length." in html
        assert 'name="choice"' not in html

    def test_refuses_a_form_that_is_older_than_the_revision(self, house: House) -> None:
        proposal = house.propose()
        form = house.form(proposal)
        house.move_the_world()
        house.client("ben").post(house.url("proposals", proposal, "rebase"))
        html = self.decide(house, "ana", proposal, 412, form)
        assert "revised after you opened it" in html

    def test_loads_the_new_diff_and_keeps_what_was_typed(self, house: House) -> None:
        proposal, browser = house.propose(), house.client("ana")
        house.move_the_world()
        answer = browser.post(
            house.url("proposals", proposal, "rebase"),
            {"reason": "Looked at length."},
            headers={"HX-Request": "true"},
        )
        assert (answer.status_code, answer["HX-Redirect"]) == (
            204,
            house.url("proposals", proposal),
        )
        html = page(browser, house.url("proposals", proposal))
        assert "Decide on revision 2" in html
        assert "Looked at length." in html
        assert "Looked at length." not in page(browser, house.url("proposals", proposal))

    def test_lets_nobody_in_who_may_not_decide(self, house: House, elsewhere: House) -> None:
        proposal = house.propose(behind="ada")
        form, address = house.form(proposal), house.url("proposals", proposal, "decide")
        for name in ("cleo", "eve", "ada"):
            assert house.client(name).post(address, form).status_code == 403
        assert elsewhere.client("zoe").post(address, form).status_code == 404
        theirs = elsewhere.url("proposals", proposal, "decide")
        assert elsewhere.client("zoe").post(theirs, form).status_code == 404
        assert not house.detail(proposal).decisions

    def test_believes_only_forms_of_its_own(self, house: House) -> None:
        proposal = house.propose()
        browser = house.client("ana", enforce_csrf_checks=True)
        for act in ("decide", "recall", "rebase"):
            answer = browser.post(house.url("proposals", proposal, act), house.form(proposal))
            assert answer.status_code == 403

    def test_never_decides_by_get(self, house: House) -> None:
        proposal, browser = house.propose(), house.client("ana")
        for act in ("decide", "recall", "rebase"):
            assert browser.get(house.url("proposals", proposal, act)).status_code == 405

    def decide(
        self,
        house: House,
        name: str,
        proposal: object,
        status: int,
        form: dict[str, object] | None = None,
    ) -> str:
        """Send the form as HTMX does and return the answer."""
        answer = house.client(name).post(
            house.url("proposals", proposal, "decide"),
            form or house.form(proposal),  # type: ignore[arg-type]
            headers={"HX-Request": "true"},
        )
        assert answer.status_code == status, answer.content.decode()
        return answer.content.decode()


class TestRecalling:
    """A held approval can be taken back until it is carried out."""

    def test_offers_it_to_whoever_approved_and_says_until_when(self, house: House) -> None:
        proposal = house.propose("pay")
        house.decide("ana", proposal)
        mine = page(house.client("ana"), house.url("proposals", proposal))
        assert "Held until" in mine
        assert "Recall" in mine
        assert "Why do you recall it" not in page(
            house.client("ben"), house.url("proposals", proposal)
        )

    def test_reopens_the_proposal_as_a_new_revision(self, house: House) -> None:
        proposal, browser = house.propose("pay"), house.client("ana")
        house.decide("ana", proposal)
        address = house.url("proposals", proposal)
        answer = browser.post(f"{address}recall/", {"reason": "Wrong month."}, follow=True)
        assert "Decide on revision 2" in answer.content.decode()
        assert "Recalled by Ana" in answer.content.decode()

    def test_says_when_it_is_too_late(self, house: House) -> None:
        proposal = house.propose("set_note")
        house.decide("ana", proposal)
        answer = house.client("ana").post(house.url("proposals", proposal, "recall"))
        assert answer.status_code == 409
        assert "carried out or sent already" in answer.content.decode()
