"""What a guard has paused waits among the queue, and people say on its page what becomes of it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents import queries
from agents.models import Pause, Run
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.workflows import Context, ToolFailed, Workflow, register_workflow
from console import regions
from console.access.operations.keying import make_token
from console.canonical import Json
from console.ledger import queries as ledger
from tests.agents.test_live import act, closes, opened, shows
from tests.agents.test_pages import page, words
from tests.api.robots import Robot, code_of
from tests.house import ROLES, House, now

API = "/api/v1/pauses"
HOSTILE = "<script>alert(1)</script>\u202e"
pytestmark = pytest.mark.django_db


def fail(_context: Context) -> Json:
    """Answer with words that somebody wrote to do harm."""
    raise ToolFailed(f"no such account {HOSTILE}")


def circle(context: Context) -> Json:
    """Ask for what is not there, again and again."""
    for account in range(9):
        try:
            context.tool(
                agent="scout",
                name="get_account",
                args={"account": account},
                function=lambda: fail(context),
            )
        except ToolFailed:
            continue
    return "done"


@pytest.fixture(autouse=True)
def _workflows() -> None:
    register_workflow(Workflow("circle", "Go in circles", circle))


def start(house: House, label: str = "The account") -> Run:
    request = JobRequest("circle", house.book.key, {}, str(uuid4()), label)
    job_id, _ = submit(actor=house.actor("eve"), request=request, now=now())
    work()
    return queries.current_run(queries.job(house.workspace.id, job_id))


def paused(house: House, label: str = "The account") -> Pause:
    return Pause.objects.get(run=start(house, label).id)


def answer(house: House, name: str, pause: Pause, **typed: Any) -> Any:
    form = {"choice": "continue", "reason": "go on", **typed}
    return house.client(name).post(house.url("pauses", pause.id, "answer"), form)


class TestTheQueue:
    def test_shows_what_a_guard_has_paused_after_the_proposals(self, house: House) -> None:
        pause = paused(house)
        asked = house.propose()
        html = page(house.client("ana"), house.url("queue"))
        assert house.url("pauses", pause.id) in html
        assert html.index(f"proposal-{asked}") < html.index(f"paused-{pause.id}")
        said = words(html)
        assert "1 paused by a guard" in said
        assert "Errors in a row: 3 calls failed one after the other" in said
        assert "The account · scout" in said
        assert html.count("data-row") >= 2
        assert "\u202e" not in html

    def test_counts_it_in_the_navigation(self, house: House) -> None:
        paused(house)
        html = house.client("ana").get(house.url("queue")).content.decode()
        assert 'Runs <span class="count">1</span>' in html

    def test_shows_nothing_where_nothing_is_paused(self, house: House) -> None:
        html = page(house.client("ana"), house.url("queue"))
        assert "paused by a guard" not in html.casefold()
        assert "No agent has proposed anything yet" in words(html)

    def test_does_not_say_that_nothing_waits_when_a_run_does(self, house: House) -> None:
        paused(house)
        said = words(page(house.client("ana"), house.url("queue")))
        assert "No proposal waits" in said
        assert "Nothing waits" not in said

    def test_leaves_it_out_where_filters_ask_for_something_else(self, house: House) -> None:
        pause = paused(house)
        browser = house.client("ana")
        for asked, there in (("eligible=me", True), ("risk_gte=3", False), ("q=pay", False)):
            html = page(browser, f"{house.url('queue')}?{asked}")
            assert (str(pause.id) in html) is there

    def test_shows_the_first_twenty_and_where_the_others_are(self, house: House) -> None:
        for number in range(22):
            start(house, f"Job {number}")
        html = page(house.client("ana"), house.url("queue"))
        assert html.count('id="paused-') == 20
        assert "22 paused by a guard" in words(html)
        assert f'href="{house.url("pauses")}"' in html

    def test_costs_the_same_however_many_wait(self, house: House) -> None:
        start(house)
        browser, counts = house.client("ada"), []
        for address in ("queue", "pauses"):
            for _ in range(2):
                with CaptureQueriesContext(connection) as seen:
                    page(browser, house.url(address))
                counts.append(len(seen))
                for _ in range(3):
                    start(house)
        assert counts[0] == counts[1]
        assert counts[2] == counts[3]


class TestTheList:
    def test_says_why_each_waits_and_what_became_of_others(self, house: House) -> None:
        one, other = paused(house, "First"), paused(house, "Second")
        answer(house, "ana", one, choice="terminate", reason="it never ends")
        html = page(house.client("cleo"), house.url("pauses"))
        assert str(other.id) in html
        assert str(one.id) not in html
        assert "Second" in words(html)
        decided = words(page(house.client("cleo"), f"{house.url('pauses')}?tab=decided"))
        assert "Ana ended the run." in decided
        assert "it never ends" in decided

    def test_turns_its_pages(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("agents.showing.pauses.PAGE_SIZE", 2)
        made = [str(paused(house, str(number)).id) for number in range(3)]
        browser = house.client("cleo")
        first = page(browser, house.url("pauses"))
        assert [each in first for each in made] == [True, True, False]
        [following] = [
            part.split('"')[0] for part in first.split('href="') if "cursor=" in part.split('"')[0]
        ]
        assert made[2] in page(browser, following.replace("&amp;", "&"))

    @pytest.mark.parametrize("asked", ["tab=none", "cursor=x", "tab=decided%00"])
    def test_refuses_an_address_that_nobody_made(self, house: House, asked: str) -> None:
        found = house.client("cleo").get(f"{house.url('pauses')}?{asked}")
        assert found.status_code in {400, 404}

    def test_says_so_when_nothing_is_paused(self, house: House) -> None:
        browser = house.client("cleo")
        assert "No run is paused by a guard" in page(browser, house.url("pauses"))
        assert "Nobody has decided" in page(browser, f"{house.url('pauses')}?tab=decided")


class TestThePage:
    def test_lays_out_the_evidence(self, house: House) -> None:
        pause = paused(house)
        html = page(house.client("ana"), house.url("pauses", pause.id))
        said = words(html)
        assert "3 calls failed one after the other" in said
        assert "Looked up account 2" in said
        assert "began it" in said
        assert house.url("runs", pause.run_id, "steps", 0) in html
        assert "no such account &lt;script&gt;" in html
        assert HOSTILE not in html
        assert "\u202e" not in html
        assert "Limit 3 errors" in said

    def test_says_what_happens_with_each_choice(self, house: House) -> None:
        pause = paused(house)
        eve = page(house.client("eve"), house.url("pauses", pause.id))
        assert "waits here once more" in eve
        assert 'value="raise"' in eve
        assert 'value="6"' in eve
        assert "An admin may also roll back" in eve
        ada = page(house.client("ada"), house.url("pauses", pause.id))
        assert house.url("runs", pause.run_id, "reinitialise") in ada

    def test_lets_a_reviewer_answer_but_not_raise(self, house: House) -> None:
        pause = paused(house)
        html = page(house.client("ana"), house.url("pauses", pause.id))
        assert 'value="continue"' in html
        assert 'value="raise"' not in html
        assert answer(house, "ana", pause, choice="raise", raised="9").status_code == 403
        assert Pause.objects.get(id=pause.id).status == "open"

    def test_shows_an_auditor_everything_but_the_buttons(self, house: House) -> None:
        pause = paused(house)
        html = page(house.client("cleo"), house.url("pauses", pause.id))
        assert "3 calls failed" in html
        assert "pause-reason" not in html
        assert answer(house, "cleo", pause).status_code == 403

    def test_is_not_there_for_strangers(self, house: House, elsewhere: House) -> None:
        pause = paused(house)
        zoe = elsewhere.client("zoe")
        assert zoe.get(house.url("pauses")).status_code == 404
        assert zoe.get(elsewhere.url("pauses", pause.id)).status_code == 404
        there = elsewhere.url("pauses", pause.id, "answer")
        assert zoe.post(there, {"choice": "terminate", "reason": "mine"}).status_code == 404
        assert Client().get(house.url("pauses", pause.id)).status_code == 302
        assert Pause.objects.get(id=pause.id).status == "open"


class TestAnswers:
    def test_let_the_run_go_on_until_it_does_the_same_again(self, house: House) -> None:
        pause = paused(house)
        assert answer(house, "ana", pause).status_code == 302
        assert Pause.objects.get(id=pause.id).status == "continued"
        work()
        [again] = Pause.objects.filter(run=pause.run_id, status="open")
        assert again.verdict["numbers"] == pause.verdict["numbers"]
        html = page(house.client("cleo"), house.url("pauses", pause.id))
        assert "Errors in a row: say what is to become of it" in words(html)
        assert f'href="{house.url("pauses", again.id)}"' in html

    def test_are_asked_for_on_the_page_of_the_run(self, house: House) -> None:
        pause = paused(house)
        run_url = house.url("runs", pause.run_id)
        html = page(house.client("cleo"), run_url)
        assert f'href="{house.url("pauses", pause.id)}"' in html
        assert "A guard paused it" in words(html)
        assert "Waited for people not at all" not in words(html)
        answer(house, "ana", pause, choice="terminate")
        said = words(page(house.client("cleo"), run_url))
        assert "A guard paused it" not in said

    def test_raise_the_limit_for_this_run(self, house: House) -> None:
        pause = paused(house)
        assert answer(house, "eve", pause, choice="raise", raised="20").status_code == 302
        assert Pause.objects.get(id=pause.id).raised == {"errors_in_a_row": 20}
        said = words(page(house.client("eve"), house.url("pauses", pause.id)))
        assert "Eve let it go on with a higher limit." in said

    def test_end_the_run(self, house: House) -> None:
        pause = paused(house)
        answer(house, "ana", pause, choice="terminate")
        assert Run.objects.get(id=pause.run_id).status == "terminated"
        entry = ledger.entries(house.workspace.id).get(verb="pause.terminated")
        assert entry.body["reason"] == "go on"

    @pytest.mark.parametrize(
        ("typed", "says"),
        [
            ({"choice": "", "reason": "x"}, "Say what is to become of the run."),
            ({"choice": "raise", "raised": "2", "reason": "x"}, "a number above 3"),
            ({"choice": "raise", "raised": "many", "reason": "x"}, "is a number"),
            ({"choice": "continue", "reason": " "}, "eason"),
        ],
    )
    def test_that_cannot_be_say_what_is_wrong_and_keep_what_was_typed(
        self, house: House, typed: dict[str, str], says: str
    ) -> None:
        pause = paused(house)
        found = answer(house, "eve", pause, **typed)
        assert found.status_code == 422
        said = words(found.content.decode())
        assert says in said
        assert "Nothing was changed" in said
        assert Pause.objects.get(id=pause.id).status == "open"

    def test_are_heard_once_when_clicked_twice(self, house: House) -> None:
        pause = paused(house)
        assert [answer(house, "ana", pause).status_code for _ in range(2)] == [302, 302]
        assert ledger.entries(house.workspace.id).filter(verb="pause.continued").count() == 1

    def test_that_come_after_somebody_elses_say_whose(self, house: House) -> None:
        pause = paused(house)
        answer(house, "ana", pause)
        late = answer(house, "ben", pause, choice="terminate")
        assert late.status_code == 409
        assert "Ana let it go on. Nothing was changed by you." in words(late.content.decode())

    def test_of_htmx_lead_back_to_the_page(self, house: House) -> None:
        pause = paused(house)
        address = house.url("pauses", pause.id, "answer")
        browser = house.client("ana", headers={"HX-Request": "true"})
        refused = browser.post(address, {"choice": "continue", "reason": ""})
        assert (refused.status_code, b'id="pause-answer"' in refused.content) == (422, True)
        assert b"<html" not in refused.content
        done = browser.post(address, {"choice": "continue", "reason": "fine"})
        assert (done.status_code, done["HX-Redirect"]) == (204, house.url("pauses", pause.id))


class TestTheApi:
    def test_shows_but_takes_no_answer(self, house: House, elsewhere: House) -> None:
        pause = paused(house)
        mine, stranger = robot(house, "eve"), robot(elsewhere, "zoe")
        [found] = mine.get(API).json()["items"]
        assert (found["id"], found["rule"]) == (str(pause.id), "errors_in_a_row")
        assert found["steps"] == pause.verdict["steps"]
        assert found["sentence"] == pause.verdict["sentence"]
        assert mine.get(f"{API}/{pause.id}").json() == found
        assert mine.get(API, which="decided").json() == {"items": [], "next_cursor": ""}
        assert mine.post(f"{API}/{pause.id}", {"choice": "continue"}).status_code == 405
        assert code_of(stranger.get(f"{API}/{pause.id}")) == "404 not_found"
        assert stranger.get(API).json()["items"] == []
        assert code_of(Robot().get(API)).startswith("401")

    def test_says_what_was_answered(self, house: House) -> None:
        pause = paused(house)
        answer(house, "eve", pause, choice="raise", raised="7.5")
        found = robot(house, "eve").get(f"{API}/{pause.id}").json()
        assert (found["status"], found["by"], found["reason"]) == ("raised", "Eve", "go on")
        assert found["raised"] == {"errors_in_a_row": 7.5}

    def test_takes_no_decision_from_a_session_of_a_token(self, house: House) -> None:
        pause = paused(house)
        program = robot(house, "eve")
        there = house.url("pauses", pause.id, "answer")
        assert program.post(there, {"choice": "continue"}).status_code in {302, 403}
        assert Pause.objects.get(id=pause.id).status == "open"


class TestLive:
    @pytest.fixture
    def told(self, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> House:
        monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
        return House.build("acme", ROLES)

    async def test_the_queue_shows_a_pause_as_it_happens(self, told: House) -> None:
        async with opened(told, "ana", "queue/") as socket:
            assert "Paused by a guard" not in await shows(socket, 'id="queue"')
            pause = await act(paused, told)
            assert HOSTILE not in await shows(socket, f"paused-{pause.id}")
            await act(answer, told, "ben", pause, choice="terminate")
            assert "Paused by a guard" not in await shows(socket, 'id="queue"')

    async def test_the_list_follows(self, told: House) -> None:
        pause = await act(paused, told)
        async with opened(told, "cleo", "pauses/") as socket:
            await shows(socket, f"pause-{pause.id}")
            await act(answer, told, "ben", pause)
            await shows(socket, "No run is paused by a guard")

    async def test_the_page_says_that_somebody_else_has_answered(self, told: House) -> None:
        pause = await act(paused, told)
        async with opened(told, "ana", f"pauses/{pause.id}/") as socket:
            # What somebody types is not swapped away.
            assert "pause-answer" not in await shows(socket, "Waits for a person")
            await act(answer, told, "ben", pause, reason="seen it")
            html = await shows(socket, "Ben let it go on.")
            assert "This was answered" in html
            assert "pause-reason" not in html

    async def test_a_pause_of_another_workspace_is_not_there(self, told: House) -> None:
        async with opened(told, "cleo", f"pauses/{uuid4()}/") as socket:
            assert await closes(socket) == regions.NOT_HERE


def robot(house: House, name: str) -> Robot:
    """Return a program with a token of somebody."""
    _, secret = make_token(
        actor=house.actor(name),
        name="robot",
        scopes=["agents:read"],
        lifetime=timedelta(days=1),
        now=now(),
    )
    return Robot(secret)
