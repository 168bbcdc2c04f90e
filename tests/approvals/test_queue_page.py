"""The queue page: what a row says, what filters leave, who holds what, and several at once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from approvals.models import Delegation, Proposal
from approvals.operations.claiming import claim
from approvals.operations.snoozing import snooze
from approvals.rulebook import Rule
from approvals.showing import waiting
from approvals.showing.cards import Card
from tests.house import House, now
from tests.terms import asking, matching, set_rules

QUERIES_AT_MOST = 26
FILTERS = [
    "",
    "assignee=me",
    "eligible=me",
    "risk_gte=2",
    "due_before=1d&sort=deadline",
    "status=pending&state=vendors&action_type=set_note&level=1&q=note",
]


def page(browser: Client, address: str, status: int = 200) -> str:
    """Open an address and return the HTML of its main part."""
    answer = browser.get(address)
    assert answer.status_code == status, answer.content.decode()
    return answer.content.decode().partition("<main")[2].partition("</main>")[0]


def row(html: str, proposal: UUID) -> str:
    """Return the words of one proposal's row."""
    found = html.partition(f'id="proposal-{proposal}"')[2].partition('<li class="row')[0]
    assert found, f"{proposal} is not on the page"
    return " ".join(found.split())


def shown(house: House, name: str, query: str = "") -> set[UUID]:
    """Return the proposals that somebody sees among all there are."""
    html = page(house.client(name), f"{house.url('queue')}?{query}")
    head = html.partition('id="settled-title"')[0]
    known = Proposal.objects.values_list("id", flat=True)
    return {each for each in known if f'id="proposal-{each}"' in head}


def change(proposal: UUID, **values: Any) -> None:
    """Let a proposal be otherwise than it was made."""
    Proposal.objects.filter(id=proposal).update(**values)


class TestRows:
    """A row says how risky, what, how much, how long, and whose turn."""

    def test_says_level_and_risk_in_words(self, house: House) -> None:
        proposal = house.propose()
        said = row(page(house.client("ana"), house.url("queue")), proposal)
        risk = {1: "Low", 2: "Medium", 3: "High"}[Proposal.objects.get(id=proposal).risk]
        assert f"{risk} risk" in said
        assert "Level 2" in said

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"status": "info_requested", "paused_at": now()}, "Question asked"),
            ({"status": "changes_requested"}, "Changes requested"),
            ({"escalated_at": now()}, "Escalated"),
        ],
    )
    def test_says_what_holds_it_up(self, house: House, values: dict[str, Any], words: str) -> None:
        proposal, other = house.propose("set_note"), house.propose("set_note", note="plain")
        change(proposal, **values)
        html = page(house.client("ana"), house.url("queue"))
        assert words in row(html, proposal)
        assert words not in row(html, other)

    def test_stops_the_clock_while_a_question_waits(self, house: House) -> None:
        proposal = house.propose("set_note")
        change(proposal, status="info_requested", paused_at=now())
        said = row(page(house.client("ana"), house.url("queue")), proposal)
        assert "Clock stopped" in said
        assert "data-how" not in said
        assert "Your turn" not in said

    def test_alarms_when_nobody_is_left_who_may_decide(self, house: House) -> None:
        set_rules(house.setup, Rule(matching("*"), asking(roles=("admin",))))
        fine, stuck = house.propose("set_note"), house.propose("set_note", note="x", behind="ada")
        html = page(house.client("ana"), house.url("queue"))
        assert "Nobody may decide" in row(html, stuck)
        assert "Nobody may decide" not in row(html, fine)

    def test_does_not_alarm_for_whoever_has_a_stand_in(self, house: House) -> None:
        set_rules(house.setup, Rule(matching("*"), asking(roles=("admin",))))
        stand_in(house, "ada", "ben")
        proposal = house.propose("set_note")
        assert "Your turn" in row(page(house.client("ben"), house.url("queue")), proposal)
        assert "Your turn" not in row(page(house.client("ana"), house.url("queue")), proposal)

    def test_keeps_from_the_second_signer_what_the_first_said(self, house: House) -> None:
        proposal = house.propose()
        house.decide("ana", proposal)
        change(proposal, level=3)
        seen_by_ben = row(page(house.client("ben"), house.url("queue")), proposal)
        assert "Ana" not in seen_by_ben
        assert "1 of 2" not in seen_by_ben
        assert "2 sign blind" in seen_by_ben
        assert "1 of 2: Ana" in row(page(house.client("cleo"), house.url("queue")), proposal)

    def test_names_what_else_touches_the_same_place(self, house: House) -> None:
        one, two = house.propose(), house.propose("set_note")
        three = house.propose(iban="DE02120300000000202051", vendor="V-1")
        alone = house.propose(vendor="V-2")
        html = page(house.client("ana"), house.url("queue"))
        assert "1 other touches this" in row(html, one)
        assert f"/proposals/{three}/" in row(html, one)
        assert "1 other touches this" in row(html, three)
        for proposal in (two, alone):
            assert "touch" not in row(html, proposal)
        change(three, status="withdrawn", settled_at=now())
        assert "touch" not in row(page(house.client("ana"), house.url("queue")), one)

    def test_writes_the_amount_from_what_limits_look_at(self, house: House) -> None:
        proposal = house.propose("set_note")
        change(proposal, amount="48200.000000", currency="EUR")
        assert "EUR 48,200.00" in row(page(house.client("ana"), house.url("queue")), proposal)


class TestHolding:
    """A claim tells the others, and keeps nobody from deciding."""

    def test_is_shown_to_all_and_let_go_again(self, house: House) -> None:
        proposal, ana = house.propose("set_note"), house.client("ana")
        answer = ana.post(f"{house.url('queue')}{proposal}/claim/")
        assert (answer.status_code, answer["Location"]) == (302, house.url("queue"))
        assert "Claimed by you" in row(page(ana, house.url("queue")), proposal)
        seen_by_ben = row(page(house.client("ben"), house.url("queue")), proposal)
        assert "Claimed by Ana" in seen_by_ben
        assert "Your turn" in seen_by_ben
        assert "Claim</button>" not in seen_by_ben.replace("\n", "")
        ana.post(f"{house.url('queue')}{proposal}/release/")
        assert "Claimed" not in row(page(house.client("ben"), house.url("queue")), proposal)

    def test_answers_a_press_with_the_row(self, house: House) -> None:
        proposal = house.propose("set_note")
        headers = {"HX-Request": "true"}
        answer = house.client("ana").post(f"{house.url('queue')}{proposal}/claim/", headers=headers)
        html = answer.content.decode()
        assert html.strip().startswith(f'<li class="row" id="proposal-{proposal}"')
        assert "Claimed by you" in html

    def test_is_over_by_itself(self, house: House) -> None:
        proposal = house.propose("set_note")
        claim(actor=house.actor("ana"), proposal_id=proposal, now=now() - timedelta(hours=3))
        assert "Claimed" not in row(page(house.client("ben"), house.url("queue")), proposal)


class TestFilters:
    """Filters leave what they say, in the address, on the next page, and in the socket."""

    @pytest.mark.parametrize(
        ("query", "left"),
        [
            ("", {"bank", "note", "pay"}),
            ("action_type=pay", {"pay"}),
            ("policy=Small+things", {"note"}),
            ("level=2", {"bank"}),
            ("state=vendors", {"bank", "note", "pay"}),
            ("state=elsewhere", set()),
            ("q=nordlicht+gmbh%3A", {"note"}),
            ("agent=nobody", set()),
            ("due_before=3h", {"bank", "note", "pay"}),
            ("due_before=90m", {"bank", "pay"}),
            ("due_before=90m&q=note", set()),
            ("amount_gte=100&currency=EUR", {"pay"}),
            ("amount_gte=100&currency=GBP", set()),
            ("amount_gte=1000&currency=EUR", set()),
            ("counterparty=Nordlicht", {"bank"}),
            ("subject=R-7", {"bank"}),
            ("status=info_requested", {"note"}),
            ("sort=newest", {"bank", "note", "pay"}),
        ],
    )
    def test_leave_what_they_say(self, house: House, query: str, left: set[str]) -> None:
        made = {
            "bank": house.propose(),
            "note": house.propose("set_note"),
            "pay": house.propose("pay"),
        }
        change(made["bank"], counterparty="Nordlicht", subject="R-7")
        change(made["note"], status="info_requested", paused_at=now())
        change(made["pay"], amount="310.20", currency="EUR")
        assert shown(house, "ana", query) == {made[name] for name in left}

    def test_mine_is_what_is_given_to_me_or_whom_i_stand_in_for_and_what_i_hold(
        self, house: House
    ) -> None:
        given, held, adas, nobodys = (house.propose("set_note", note=f"note {n}") for n in range(4))
        change(given, assignee=house.people["ana"])
        change(adas, assignee=house.people["ada"])
        claim(actor=house.actor("ana"), proposal_id=held, now=now())
        assert shown(house, "ana", "assignee=me") == {given, held}
        assert shown(house, "ana", "claimed=me") == {held}
        assert shown(house, "ana", "assignee=none") == {held, nobodys}
        stand_in(house, "ada", "ana")
        assert shown(house, "ana", "assignee=me") == {given, held, adas}

    def test_what_i_may_decide_leaves_out_my_own_and_what_i_said(self, house: House) -> None:
        free, said, own = house.propose(), house.propose(vendor="V-2"), house.propose(behind="ada")
        house.decide("ada", said)
        assert shown(house, "ada", "eligible=me") == {free}
        assert shown(house, "ben", "eligible=me") == {free, said, own}
        assert shown(house, "cleo", "eligible=me") == set()

    def test_what_i_may_decide_is_found_far_down(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("approvals.showing.waiting.PAGE_SIZE", 2)
        set_rules(
            house.setup,
            Rule(matching("change_bank"), asking(filter='reviewer.email.startsWith("ben")')),
            Rule("true", asking()),
        )
        for number in range(1, 6):
            house.propose(vendor=f"V-{number}")
        mine = house.propose("set_note")
        assert shown(house, "ana", "eligible=me") == {mine}

    def test_what_was_put_off_is_gone_from_ones_own_queue_until_then(self, house: House) -> None:
        later, stays = house.propose("set_note"), house.propose()
        until = now() + timedelta(minutes=30)
        snooze(actor=house.actor("ana"), proposal_id=later, until=until, now=now())
        assert shown(house, "ana") == {stays}
        assert shown(house, "ana", "snoozed=me") == {later}
        assert shown(house, "ben") == {later, stays}

    def test_go_along_to_the_next_page_and_into_the_socket(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("approvals.showing.waiting.PAGE_SIZE", 1)
        notes = {house.propose("set_note", note=f"note {n}") for n in range(3)}
        house.propose()
        browser, seen = house.client("ana"), []
        address = f"{house.url('queue')}?level=1&q=note"
        while address:
            html = browser.get(address).content.decode()
            assert "/ws/w/acme/queue/?q=note&amp;level=1&amp;" in html
            seen += [each for each in notes if f'id="proposal-{each}"' in html]
            query = html.partition('rel="next"')[0].rpartition('href="?')[2].partition('"')[0]
            query = query.replace("&amp;", "&") if 'rel="next"' in html else ""
            address = f"{house.url('queue')}?{query}" if query else ""
        assert len(seen) == len(notes)
        assert set(seen) == notes

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("risk_gte=9", "risk_gte is one of 1, 2, 3."),
            ("amount_gte=5", "Say in which currency"),
            ("due_before=soon", "Say a time with its zone"),
            ("status=approved", "What was settled stands under Settled"),
        ],
    )
    def test_that_cannot_be_used_are_named_and_leave_nothing_out(
        self, house: House, query: str, sentence: str
    ) -> None:
        proposal = house.propose()
        html = page(house.client("ana"), f"{house.url('queue')}?{query}", status=422)
        assert sentence in html
        assert row(html, proposal)

    @pytest.mark.parametrize("query", FILTERS)
    def test_cost_as_many_queries_for_thirty_as_for_three(
        self, house: House, django_assert_num_queries: DjangoAssertNumQueries, query: str
    ) -> None:
        browser, address = house.client("ana"), f"{house.url('queue')}?{query}"
        for number in range(3):
            propose_mine(house, number)
        house.decide("ana", house.propose("set_note", note="settled"))
        page(browser, address)
        with CaptureQueriesContext(connection) as few:
            page(browser, address)
        for number in range(3, 30):
            propose_mine(house, number)
        with django_assert_num_queries(len(few)):
            page(browser, address)
        assert len(few) < QUERIES_AT_MOST


class TestEmptiness:
    """A page with nothing on it says why, and what to do."""

    def test_tells_when_nothing_is_mine_and_what_is_next(self, house: House) -> None:
        house.decide("ana", house.propose("set_note"))
        left = house.propose()
        html = " ".join(page(house.client("ana"), f"{house.url('queue')}?assignee=me").split())
        assert "Nothing waits for you" in html
        assert "You decided 1 in the last day" in html
        due_at = Proposal.objects.get(id=left).due_at
        assert due_at.strftime("%Y-%m-%dT%H:%M") in html
        assert "See everything that waits" in html

    def test_tells_when_no_row_fits(self, house: House) -> None:
        house.propose()
        html = page(house.client("ana"), f"{house.url('queue')}?q=unheard-of")
        assert "Nothing that waits fits these filters" in html

    def test_offers_nobody_a_filter_for_an_empty_house(self, house: House) -> None:
        html = page(house.client("ana"), f"{house.url('queue')}?assignee=me")
        assert "No agent has proposed anything yet" in html


class TestTogether:
    """Only what one click settles is decided on together: first tried out, then one by one."""

    def test_only_what_one_click_settles_has_a_box(self, house: House) -> None:
        note, bank = house.propose("set_note"), house.propose()
        own = house.propose("set_note", note="x", behind="ana")
        html = page(house.client("ana"), house.url("queue"))
        assert f'value="{picked(house, note)}"' in row(html, note)
        for proposal in (bank, own):
            assert 'type="checkbox"' not in row(html, proposal)

    def test_a_new_wording_is_another_box(self, house: House) -> None:
        note = house.propose("set_note")
        house.move_the_world()
        before = row(page(house.client("ana"), house.url("queue")), note)
        house.client("ben").post(house.url("proposals", note, "rebase"))
        after = row(page(house.client("ana"), house.url("queue")), note)
        assert f'id="pick-{note}-1"' in before
        assert f'id="pick-{note}-2"' in after

    def test_says_what_would_happen_and_does_nothing(self, house: House) -> None:
        note, bank = house.propose("set_note"), house.propose()
        form = {"item": [picked(house, note), picked(house, bank)], "choice": "approve"}
        html = together(house, form)
        assert "Nothing is decided yet." in html
        assert "Would be approved" in html
        assert "more than one click" in html
        assert html.count('type="hidden" name="item"') == 1
        assert house.detail(note).proposal.status == "pending"
        assert "Approve 1 proposal" in html

    def test_then_does_it_and_says_of_each_what_it_did(self, house: House) -> None:
        note, late = house.propose("set_note"), house.propose("set_note", note="late")
        form = {"item": [picked(house, note), picked(house, late)], "choice": "approve"}
        html = together(house, {**form, "step": "decide"})
        assert house.detail(note).proposal.status == "approved"
        assert house.detail(late).proposal.status == "pending"
        assert "Decided on 1 proposal. 1 not decided on; see why." in html
        assert "same State" in html

    def test_asks_for_the_reason_where_one_is_needed(self, house: House) -> None:
        note = house.propose("set_note")
        html = together(house, {"item": [picked(house, note)], "choice": "reject"})
        assert "Say why you reject" in html
        assert 'id="together-reason"' in html
        assert 'name="step"' not in html

    def test_refuses_none_and_more_than_25(self, house: House) -> None:
        item = f"{house.propose('set_note')}"
        many = [f"{UUID(int=number)}.1.{'0' * 64}" for number in range(26)]
        for items in ([], many):
            form = {"item": items, "choice": "approve"}
            assert "at most 25" in together(house, form, status=422)
        for strange in (item, f"{item}.x.y", "x.1.y"):
            together(house, {"item": [strange], "choice": "approve"}, status=422)

    def test_is_for_those_who_may_decide(self, house: House) -> None:
        form = {"item": [picked(house, house.propose("set_note"))], "choice": "approve"}
        assert house.client("cleo").post(f"{house.url('queue')}decide/", form).status_code == 403


def test_a_row_that_is_no_proposal_is_sorted_in_by_its_rank_and_counted_nowhere(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    high, low = house.propose(), house.propose("set_note")
    plain = waiting.row(house.actor("ana"), low)
    assert isinstance(plain, Card)
    between = Proposal.objects.get(id=high).rank + 1
    extra = replace(plain, id=UUID(int=7), rank=between)
    monkeypatch.setattr(waiting, "extra_cards", lambda *_: [extra])
    html = page(house.client("ana"), house.url("queue"))
    places = [html.index(f'id="proposal-{each}"') for each in (high, extra.id, low)]
    assert places == sorted(places)
    assert "2 wait" in " ".join(html.split())


def propose_mine(house: House, number: int) -> None:
    """Let a note be proposed that every filter of the list above leaves."""
    note = house.propose("set_note", note=f"note {number}", vendor=f"V-{number % 5 + 1}")
    change(note, assignee=house.people["ana"], risk=2)


def stand_in(house: House, person: str, delegate: str) -> None:
    """Let somebody be away, and somebody else decide in their place."""
    Delegation.objects.create(
        workspace=house.workspace,
        person=house.people[person],
        delegate=house.people[delegate],
        begins_at=now() - timedelta(hours=1),
        ends_at=now() + timedelta(hours=1),
        made_by={"kind": "system", "id": "setup"},
        created_at=now(),
    )


def picked(house: House, proposal: UUID) -> str:
    """Return what the box of a proposal sends."""
    revision = house.detail(proposal).revision
    return f"{proposal}.{revision.number}.{revision.digest}"


def together(house: House, form: dict[str, Any], status: int = 200) -> str:
    """Send what is selected, and return the words of the answer."""
    answer = house.client("ana").post(f"{house.url('queue')}decide/", form)
    assert answer.status_code == status, answer.content.decode()
    return " ".join(answer.content.decode().split())
