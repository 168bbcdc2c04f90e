"""The pages of agents: seen, paused, resumed, stopped and halted, through every door."""

import asyncio
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents import consumers, queries
from agents.models import Agent, Halt, Run
from agents.operations.pausing import pause, resume
from agents.operations.restarting import start_again, supersede
from agents.operations.running import work
from agents.operations.stopping import stop
from agents.operations.submitting import JobRequest, submit
from agents.workflows import Context, Workflow, register_workflow
from console import regions
from console.canonical import Json
from tests.agents.test_live import act, closes, opened, shows
from tests.agents.test_pages import page, words
from tests.api.robots import Robot, code_of, robot_of
from tests.house import ROLES, House, now
from tests.story import Cast

HOSTILE = "<script>alert(1)</script>"
NAME = "clerk <b>\u202e"
API = "/api/v1/agents"
pytestmark = pytest.mark.django_db


def note(context: Context) -> Json:
    """Look and propose."""
    context.tool(agent="clerk", name="get_mail", args={}, function=lambda: True)
    asked = {"vendor": "V-1", "note": context.job_input.get("note", "n")}
    return context.propose(agent=NAME, action_type="set_note", params=asked).status


def pay(context: Context) -> Json:
    """Propose one payment."""
    params = {"vendor": "V7", "amount": 70}
    return context.propose(agent="scout", action_type="pay", params=params).status


@pytest.fixture(autouse=True)
def _workflows() -> None:
    register_workflow(Workflow("note", "Take a note", note))
    register_workflow(Workflow("pay", "Pay", pay))


def start(house: House, label: str = "The note") -> Run:
    request = JobRequest("note", house.book.key, {"note": str(uuid4())}, str(uuid4()), label)
    job_id, _ = submit(actor=house.actor("eve"), request=request, now=now())
    work()
    return queries.current_run(queries.job(house.workspace.id, job_id))


def agent(house: House, name: str = "clerk") -> Agent:
    return Agent.objects.get(workspace=house.workspace.id, name=name)


def paused(house: House, name: str = "clerk", who: str = "ada") -> None:
    pause(actor=house.actor(who), name=name, reason=f"odd {HOSTILE}", now=now())


class TestTheBoard:
    def test_says_what_to_do_when_no_agent_has_worked_yet(self, house: House) -> None:
        assert "No agent has worked here yet" in page(house.client("cleo"), house.url("agents"))

    def test_links_what_an_agent_waits_for(self, house: House) -> None:
        run = start(house)
        html = page(house.client("cleo"), house.url("agents"))
        assert "Waiting" in words(html)
        assert house.url("proposals", run.waiting_for) in html
        assert house.url("runs", run.id) in html
        assert "1 run" in words(html)

    def test_shows_names_of_agents_and_reasons_as_text(self, house: House) -> None:
        start(house)
        paused(house, NAME)
        for address in (house.url("agents"), house.url("agents", agent(house, NAME).id)):
            html = page(house.client("ada"), address)
            assert "clerk &lt;b&gt;" in html
            assert "\u202e" not in html
            assert HOSTILE not in html
            assert "odd &lt;script&gt;" in html

    def test_offers_acts_only_to_who_may_do_them(self, house: House) -> None:
        start(house)
        pausing = house.url("agents", agent(house).id, "pause")
        assert pausing in page(house.client("eve"), house.url("agents"))
        assert pausing not in page(house.client("ana"), house.url("agents"))
        assert house.client("ana").post(pausing, {"reason": "x"}).status_code == 403
        assert agent(house).status == "active"

    def test_is_not_there_for_strangers(self, house: House, elsewhere: House) -> None:
        start(house)
        known = agent(house).id
        zoe = elsewhere.client("zoe")
        assert zoe.get(house.url("agents")).status_code == 404
        for address in (("agents", known), ("agents", known, "pause"), ("agents", known, "stop")):
            verb = zoe.get if len(address) == 2 else zoe.post
            assert verb(elsewhere.url(*address)).status_code == 404
        assert Client().get(house.url("agents")).status_code == 302

    @pytest.mark.parametrize("asked", ["which=none", "which=held%00", "cursor=x"])
    def test_refuses_an_address_that_nobody_made(self, house: House, asked: str) -> None:
        answer = house.client("cleo").get(f"{house.url('agents')}?{asked}")
        assert answer.status_code in {400, 404}

    def test_costs_the_same_however_many_wait(self, house: House) -> None:
        start(house)
        browser, counts = house.client("ada"), []
        for _ in range(2):
            with CaptureQueriesContext(connection) as seen:
                page(browser, house.url("agents"))
            counts.append(len(seen))
            for _ in range(4):
                start(house)
        assert counts[0] == counts[1]


class TestActs:
    def test_pause_and_resume_in_the_browser(self, house: House) -> None:
        run, browser = start(house), house.client("eve")
        known = agent(house)
        answer = browser.post(
            house.url("agents", known.id, "pause"),
            {"reason": "look at it"},
            headers={"HX-Request": "true"},
        )
        assert "clerk is paused" in answer.content.decode()
        html = page(browser, house.url("runs", run.id))
        assert "Eve paused clerk: look at it" in words(html)
        assert "#paused" in html
        assert house.url("agents", known.id) in html
        answer = browser.post(house.url("agents", known.id, "resume"), follow=True)
        assert "clerk goes on" in answer.content.decode()
        assert "was so already" in str(
            browser.post(house.url("agents", known.id, "resume"), follow=True).content
        )
        assert queries.run(house.workspace.id, run.id).status == "waiting"

    def test_an_act_without_a_reason_is_refused_with_a_card(self, house: House) -> None:
        start(house)
        answer = house.client("ada").post(
            house.url("agents", agent(house).id, "stop"), headers={"HX-Request": "true"}
        )
        assert answer.status_code == 422
        assert "Say why" in answer.content.decode()

    def test_stop_ends_the_run_and_says_why_on_its_page(self, house: House) -> None:
        run = start(house)
        house.client("ada").post(house.url("agents", agent(house).id, "stop"), {"reason": "rogue"})
        html = words(page(house.client("cleo"), house.url("runs", run.id)))
        assert "It was ended Ada stopped clerk: rogue" in html
        shown = words(page(house.client("cleo"), house.url("agents", agent(house).id)))
        assert "Stopped by Ada" in shown
        assert "agent stopped" in shown

    def test_a_superseded_run_links_to_the_one_that_follows(self, house: House) -> None:
        run, ada = start(house), house.actor("ada")
        supersede(actor=ada, run_id=run.id, reason="Rolled back.", now=now())
        new = start_again(actor=ada, job_id=run.job_id, now=now())
        html = page(house.client("cleo"), house.url("runs", run.id))
        assert "It was set aside Rolled back." in words(html)
        assert house.url("runs", new) in html
        assert "#superseded" in html
        assert "attempt 2" in words(page(house.client("cleo"), house.url("jobs")))
        listed = page(house.client("cleo"), f"{house.url('runs')}?status=superseded")
        assert house.url("runs", run.id) in listed


class TestStoppingAll:
    def halted(self, house: House, **typed: str) -> Any:
        form = {"reason": f"loop {HOSTILE}", "typed": house.workspace.slug, **typed}
        return house.client("ada").post(house.url("agents", "halt"), form)

    def test_is_one_click_away_on_every_page_for_admins(self, house: House) -> None:
        for address in (house.url("queue"), house.url("runs"), house.url("ledger")):
            for name, offered in (("ada", True), ("eve", False), ("ana", False)):
                html = house.client(name).get(address).content.decode()
                assert (house.url("agents", "halt") in html) == offered

    def test_asks_for_a_reason_and_the_typed_name(self, house: House) -> None:
        assert "Type <b" in page(house.client("ada"), house.url("agents", "halt"))
        answer = self.halted(house, typed="wrong")
        assert answer.status_code == 422
        assert "Type acme to stop all agents." in answer.content.decode()
        assert "loop &lt;script" in answer.content.decode()
        assert self.halted(house, reason=" ").status_code == 422
        assert not Halt.objects.exists()

    def test_is_said_on_every_page_until_it_is_lifted(self, house: House) -> None:
        assert self.halted(house).status_code == 302
        for address in (house.url("queue"), house.url("states"), house.url("agents")):
            html = house.client("ana").get(address).content.decode()
            assert "All agents are stopped by Ada: loop &lt;script" in html
            assert HOSTILE not in html
        assert house.client("eve").post(house.url("agents", "lift")).status_code == 403
        house.client("ada").post(house.url("agents", "lift"))
        assert "All agents are stopped" not in str(house.client("ana").get(house.url("queue")))

    def test_costs_every_page_one_statement(self, house: House) -> None:
        browser = house.client("ana")
        with CaptureQueriesContext(connection) as seen:
            browser.get(house.url("jobs"))
        asked = [each["sql"] for each in seen if "agents_halt" in each["sql"]]
        assert len(asked) == 1

    def test_is_not_for_others(self, house: House, elsewhere: House) -> None:
        form = {"reason": "x", "typed": house.workspace.slug}
        assert house.client("eve").post(house.url("agents", "halt"), form).status_code == 403
        zoe = elsewhere.client("zoe")
        assert zoe.post(house.url("agents", "halt"), form).status_code == 404
        assert "Only an admin" in page(house.client("ana"), house.url("agents", "halt"))
        assert not Halt.objects.exists()

    def test_jobs_are_still_taken_in(self, house: House) -> None:
        self.halted(house)
        run = start(house)
        assert queries.run(house.workspace.id, run.id).status == "queued"
        html = page(house.client("cleo"), house.url("runs", run.id))
        assert "waits in the queue until an admin lets the agents work again" in words(html)


@pytest.mark.django_db(transaction=True)
class TestLive:
    @pytest.fixture
    def told(self, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> House:
        monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
        return House.build("acme", ROLES)

    async def test_the_board_shows_a_pause_as_it_happens(self, told: House) -> None:
        await act(start, told)
        async with opened(told, "cleo", "agents/") as socket:
            assert "Waiting" in await shows(socket, 'id="board"')
            await act(paused, told)
            html = await shows(socket, "Paused by Ada")
            assert HOSTILE not in html
            await act(resume, actor=told.actor("ada"), name="clerk", now=now())
            assert "Paused" not in await shows(socket, "Waiting")

    async def test_the_page_of_an_agent_shows_what_was_done_to_it(self, told: House) -> None:
        await act(start, told)
        known = await act(agent, told)
        async with opened(told, "cleo", f"agents/{known.id}/") as socket:
            await shows(socket, 'id="agent"')
            await act(stop, actor=told.actor("ada"), name="clerk", reason="rogue", now=now())
            assert "agent stopped" in await shows(socket, "rogue")

    async def test_the_board_beats_while_an_agent_runs(
        self, told: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert consumers.Board.heartbeat_seconds <= 15 < regions.HEARTBEAT_SECONDS
        monkeypatch.setattr(consumers.Board, "heartbeat_seconds", 0.2)
        monkeypatch.setattr(consumers.Board, "pause_seconds", 0.0)
        run = await act(start, told)
        async with opened(told, "cleo", "agents/") as socket:
            await shows(socket, "Waiting")
            await act(_run_silently, run.id)
            await shows(socket, "Lost contact")

    async def test_an_agent_of_another_workspace_is_not_there(self, told: House) -> None:
        async with opened(told, "cleo", f"agents/{uuid4()}/") as socket:
            assert await closes(socket) == regions.NOT_HERE
        await asyncio.sleep(0)


def _run_silently(run_id: UUID) -> None:
    """Let a run be in the hands of a worker that died, without anybody ringing."""
    Run.objects.filter(id=run_id).update(status="running", waiting_for=None, lease_until=now())


class TestTheApi:
    @pytest.fixture
    def cast(self) -> Cast:
        return Cast.build()

    @pytest.fixture
    def robot(self, cast: Cast) -> Robot:
        return robot_of(cast, cast.eve)

    @pytest.fixture
    def run(self, cast: Cast) -> Run:
        request = JobRequest("pay", cast.book.key, {}, "one")
        job_id, _ = submit(actor=cast.eve, request=request, now=now())
        work()
        return queries.current_run(queries.job(cast.workspace.id, job_id))

    def test_shows_agents_by_name(self, robot: Robot, run: Run) -> None:
        [shown] = robot.get(API).json()["items"]
        assert (shown["name"], shown["status"], shown["activity"]) == ("scout", "active", "waiting")
        assert (shown["run"], shown["waiting_for"]) == (str(run.id), str(run.waiting_for))
        assert robot.get(f"{API}/scout").json() == shown

    def test_pauses_and_stops(self, cast: Cast, robot: Robot, run: Run) -> None:
        answers = [
            robot.post(f"{API}/scout/{verb}", {"reason": "because"}).json()
            for verb in ("pause", "pause", "stop")
        ]
        assert [each["status"] for each in answers] == ["paused", "paused", "stopped"]
        assert [each["activity"] for each in answers] == ["held", "held", "idle"]
        assert queries.run(cast.workspace.id, run.id).status == "terminated"
        assert cast.said("agent:scout") == ["agent.paused", "agent.stopped"]

    def test_shows_jobs_whatever_their_run_is(self, cast: Cast, robot: Robot, run: Run) -> None:
        robot.post(f"{API}/scout/pause", {"reason": "because"})
        assert robot.get(f"/api/v1/jobs/{run.job_id}").json()["status"] == "paused"
        supersede(actor=cast.ada, run_id=run.id, reason="x", now=now())
        assert robot.get(f"/api/v1/jobs/{run.job_id}").json()["status"] == "superseded"

    @pytest.mark.parametrize("verb", ["pause", "stop"])
    def test_leaves_it_to_people_to_resume(self, robot: Robot, run: Run, verb: str) -> None:
        robot.post(f"{API}/scout/{verb}", {"reason": "because"})
        answer = robot.post(f"{API}/scout/resume", {"reason": "because"})
        assert code_of(answer) == "404 not_found"
        assert robot.get(f"{API}/scout").json()["activity"] != "waiting"

    def test_asks_for_the_scope_and_the_reason(self, cast: Cast, robot: Robot, run: Run) -> None:
        reader = robot_of(cast, cast.eve, "agents:read")
        assert code_of(reader.post(f"{API}/scout/pause", {"reason": "x"})) == "403 scope_missing"
        assert code_of(robot.post(f"{API}/scout/pause", {"reason": ""})) == "422 invalid"
        assert code_of(robot.post(f"{API}/scout/pause", {"reason": "  "})) == "422 reason_required"
        assert robot.get(f"{API}/scout").json()["status"] == "active"

    def test_knows_no_agent_of_another_workspace(self, cast: Cast, run: Run) -> None:
        stranger = robot_of(cast, cast.zoe)
        assert stranger.get(API).json() == {"items": [], "next_cursor": ""}
        assert code_of(stranger.get(f"{API}/scout")) == "404 not_found"
        answer = stranger.post(f"{API}/scout/stop", {"reason": "mine"})
        assert code_of(answer) == "404 not_found"


class TestTheCommand:
    def run(self, *args: str) -> str:
        out = StringIO()
        call_command("agents", *args, stdout=out)
        return out.getvalue()

    def test_lists_and_holds_as_a_named_person(self, house: House) -> None:
        start(house)
        assert "acme: clerk · Waiting" in self.run()
        who = ("--workspace", "acme", "--as", "ada@acme.example")
        told = self.run("pause", "clerk", *who, "--reason", "look")
        assert "Done.\n" in told
        assert "clerk · Paused by Ada · look" in told
        assert "nothing was changed" in self.run("pause", "clerk", *who, "--reason", "look")
        self.run("resume", "clerk", *who)
        assert "acme: all stopped by Ada: loop" in self.run("halt", *who, "--reason", "loop")
        self.run("lift", *who)
        assert not Halt.objects.filter(lifted_at=None).exists()

    def test_says_what_is_missing(self, house: House) -> None:
        here, eve = ("--workspace", "acme"), ("--as", "eve@acme.example")
        for args, said in (
            (("pause", "clerk"), "Name the workspace"),
            (("--workspace", "nowhere"), "no workspace"),
            (("pause", "clerk", *here), "--as EMAIL"),
            (("pause", "clerk", *here, "--as", "x@y.example"), "does not belong"),
            (("pause", *here, *eve), "Name the agent"),
            (("pause", "clerk", *here, *eve, "--reason", "x"), "No agent of this name"),
            (("halt", *here, *eve, "--reason", "x"), "Only admins"),
        ):
            with pytest.raises(CommandError, match=said):
                self.run(*args)
