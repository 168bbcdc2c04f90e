"""The pages of runs and jobs: what was asked for, what it did, where it went wrong."""

import re
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents import queries
from agents.models import Run
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.operations.waking import wake_run
from agents.queries import Traced
from agents.showing import runs, trace, waterfall
from agents.showing.words import called, span
from agents.workflows import Context, Message, Reply, ToolFailed, Workflow, register_workflow
from console.actors import Actor
from console.canonical import Json
from tests.house import House, now

HOSTILE = "<script>alert(1)</script>"


class Scripted:
    """A model that always says the same."""

    name = "scripted"

    def complete(self, message: Message) -> Reply:
        return Reply(f"Nothing odd, said after {len(message.content)} letters.", tokens=312)


def errand(context: Context) -> Json:
    """Look, stumble, hand over, ask a model, propose."""
    context.read(agent="clerk")
    context.tool(agent="clerk", name="get_vendor", args={"id": "V-1"}, function=lambda: HOSTILE)
    context.handoff(from_agent="clerk", to_agent="risk", content="Is this known?")
    try:
        context.tool(agent="risk", name="check_sanctions", args={}, function=_fail)
    except ToolFailed:
        context.model(agent="risk", message=Message("Judge.", "it"), provider=Scripted())
    asked = {"vendor": "V-1", "note": context.job_input["note"]}
    outcome = context.propose(agent="clerk", action_type="set_note", params=asked)
    return {"ended": outcome.status}


def many(context: Context) -> Json:
    """Call a tool as often as the job says."""
    for number in range(context.job_input["n"]):
        context.tool(agent="clerk", name="count", args={"n": number}, function=partial(str, number))
    return None


def long(context: Context) -> Json:
    """Call a tool that says a lot."""
    return context.tool(agent="clerk", name="recite", args={}, function=lambda: "x" * 30_000)


def broken(_context: Context) -> Json:
    """Fail before the first step."""
    raise ZeroDivisionError("no divisor")


def _fail() -> Json:
    raise ToolFailed("the list did not answer")


@pytest.fixture(autouse=True)
def _workflows() -> None:
    for name, function in (
        ("errand", errand),
        ("many", many),
        ("long", long),
        ("broken", broken),
    ):
        register_workflow(Workflow(name, f"The {name}", function))


def start(house: House, workflow: str = "errand", label: str = "", **given: Any) -> UUID:
    """Let Eve submit a job, work on it, and return its run's id."""
    run_id = submitted(house, workflow, label, **given)
    work()
    return run_id


def submitted(house: House, workflow: str = "errand", label: str = "", **given: Any) -> UUID:
    """Let Eve submit a job that nobody works on yet."""
    eve: Actor = house.actor("eve")
    asked = {"note": "n", **given} if workflow == "errand" else given
    request = JobRequest(workflow, house.book.key, asked, f"key-{uuid4()}", label)
    job_id, _ = submit(actor=eve, request=request, now=now())
    return queries.current_run(queries.job(house.workspace.id, job_id)).id


def settle(house: House, run_id: UUID, choice: Any = "approve") -> None:
    """Let Ana decide what the run waits for, and let the run go on."""
    [(_, proposal_id)] = queries.waiting_of(run_id)
    house.decide("ana", proposal_id, choice, "Called back.")
    wake_run(run_id)
    work()


def page(browser: Client, address: str, status: int = 200, **more: Any) -> str:
    """Return the main part of a page, or the whole of a fragment, with single spaces."""
    answer = browser.get(address, **more)
    assert answer.status_code == status, answer.content.decode()
    html = answer.content.decode()
    return " ".join((html.partition("<main")[2].partition("</main>")[0] or html).split())


def words(html: str) -> str:
    """Return what a reader reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def queries_of(browser: Client, address: str) -> int:
    """Return how many statements a page costs."""
    with CaptureQueriesContext(connection) as seen:
        page(browser, address)
    return len(seen)


class TestRuns:
    """The list of runs tells how each stands."""

    def test_teaches_when_nothing_has_run(self, house: House) -> None:
        html = page(house.client("cleo"), house.url("runs"))
        assert "Nothing has run yet" in html
        assert "/api/docs" in html

    def test_shows_job_state_steps_and_what_each_waits_for(self, house: House) -> None:
        run_id = start(house, label="Mail of Nordlicht")
        html = page(house.client("ana"), house.url("runs"))
        assert f'href="/w/acme/runs/{run_id}/"' in html
        [(_, proposal_id)] = queries.waiting_of(run_id)
        assert f'href="/w/acme/proposals/{proposal_id}/"' in html
        said = words(html)
        assert "Waiting for a decision Mail of Nordlicht" in said
        assert "waits for Note on Nordlicht GmbH: n" in said
        assert "vendors" in said

    def test_filters_by_status_and_says_when_none_has_it(self, house: House) -> None:
        start(house, "broken", label="Broken one")
        start(house, label="Waiting one")
        browser = house.client("ana")
        failed = words(page(browser, house.url("runs") + "?status=failed"))
        assert "Broken one" in failed
        assert "ZeroDivisionError: no divisor" in failed
        assert "Waiting one" not in failed
        assert "No such run" in page(browser, house.url("runs") + "?status=running")
        page(browser, house.url("runs") + "?status=sleeping", status=404)

    def test_costs_the_same_for_one_run_and_for_nine(self, house: House) -> None:
        start(house)
        browser = house.client("ana")
        few = queries_of(browser, house.url("runs"))
        for _ in range(8):
            start(house)
        assert queries_of(browser, house.url("runs")) == few

    def test_turns_pages_without_losing_or_doubling_a_run(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(runs, "PAGE_SIZE", 2)
        made = [str(submitted(house)) for _ in range(5)]
        browser, address, seen = house.client("ana"), house.url("runs"), []
        while address:
            html = page(browser, address)
            seen += re.findall(r'<tr id="run-([^"]+)"', html)
            found = re.search(r'href="([^"]+)" rel="next"', html)
            address = found[1].replace("&amp;", "&") if found else ""
        assert seen == made[::-1]
        page(browser, house.url("runs") + "?cursor=nonsense", status=400)

    def test_announces_newer_runs_instead_of_moving_the_older(self, house: House) -> None:
        first = submitted(house, label="Known")
        seen_at = now()
        assert runs.run_list(house.workspace, since=seen_at)["newer"] == 0
        second = submitted(house, label="Later")
        shown = runs.run_list(house.workspace, since=seen_at)
        assert [row.run.id for row in shown["rows"]] == [first]
        assert shown["newer"] == 1
        whole = runs.run_list(house.workspace, since=first_of_all())
        assert [row.run.id for row in whole["rows"]] == [second, first]


def first_of_all() -> Any:
    """Return a time before every test."""
    return now() - timedelta(days=1)


class TestOneRun:
    """A run's page tells what it did, what it saw, and where it went wrong."""

    def test_says_that_it_has_not_reported_yet(self, house: House) -> None:
        html = page(house.client("ana"), house.url("runs", submitted(house)))
        assert "This run has not reported yet" in html

    def test_tells_each_step_in_one_sentence(self, house: House) -> None:
        html = page(house.client("ana"), house.url("runs", start(house)))
        said = words(html)
        for sentence in (
            "Read the State vendors snapshot 1 · clerk",
            "Looked up vendor V-1 clerk",
            "Handed over to risk Is this known? · clerk",
            "Checked sanctions failed: the list did not answer · risk",
            "Asked the model scripted 312 tokens · Nothing odd, said after 2 letters. · risk",
            "Proposed: Note on Nordlicht GmbH: n",
            "Waiting for a decision on Note on Nordlicht GmbH: n",
        ):
            assert sentence in said
        assert 'class="step step--failed" id="step-3"' in html
        assert 'href="#step-3"' in html

    def test_puts_what_follows_a_handoff_below_it(self, house: House) -> None:
        html = page(house.client("ana"), house.url("runs", start(house)))
        below = html.partition('id="step-2"')[2].partition('id="step-5"')[0]
        assert '<ol class="trace">' in below
        assert 'id="step-4"' in below
        assert below.rstrip().endswith('</ol> </li> <li class="step"')

    def test_draws_when_it_worked_without_any_style_attribute(self, house: House) -> None:
        html = page(house.client("ana"), house.url("runs", start(house)))
        assert re.search(r'<rect x="[\d.]+" width="[\d.]+" height="6" />', html)
        assert ">risk</text>" in html
        assert "style=" not in html

    def test_tells_what_happened_and_what_did_not(self, house: House) -> None:
        approved, rejected = start(house), start(house, note="m")
        settle(house, approved)
        settle(house, rejected, "reject")
        browser = house.client("ana")
        said = words(page(browser, house.url("runs", approved)))
        assert "Succeeded" in said
        assert "1 proposal was approved." in said
        assert "Ana approved Called back." in said
        assert "&quot;ended&quot;: &quot;approved&quot;" in said
        said = words(page(browser, house.url("runs", rejected)))
        assert "1 proposal was rejected: not carried out." in said
        assert "Ana rejected Called back." in said

    def test_tells_why_it_failed(self, house: House) -> None:
        said = words(page(house.client("ana"), house.url("runs", start(house, "broken"))))
        assert "It failed ZeroDivisionError: no divisor workflow_failed" in said
        assert "It proposed nothing, so nothing was changed by it." in said

    def test_says_how_long_people_let_it_wait(self, house: House) -> None:
        run_id = start(house)
        with time_machine.travel(now() + timedelta(minutes=17, seconds=40)):
            settle(house, run_id)
        said = words(page(house.client("ana"), house.url("runs", run_id)))
        assert re.search(r"waited 17 min 4\d s for a decision", said)
        assert re.search(r"Waited for people 17 min 4\d s", said)

    def test_shows_input_and_output_when_a_step_is_opened(self, house: House) -> None:
        run_id = start(house)
        browser, address = house.client("ana"), house.url("runs", run_id, "steps", 1)
        fragment = page(browser, address, headers={"HX-Request": "true"})
        assert fragment.startswith("<div")
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in fragment
        assert HOSTILE not in fragment
        assert "<h1>Step 1: " in page(browser, address)
        page(browser, house.url("runs", run_id, "steps", 99), status=404)
        page(browser, house.url("runs", run_id, "steps", 10**30), status=404)

    def test_shortens_what_is_long_and_shows_it_whole_when_asked(self, house: House) -> None:
        run_id = start(house, "long")
        browser, address = house.client("ana"), house.url("runs", run_id, "steps", 0)
        assert "10,002 characters more" in page(browser, address)
        assert "x" * 30_000 in page(browser, address + "?whole")

    def test_shows_the_last_steps_and_earlier_ones_when_asked(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(runs, "SHOWN_STEPS", 4)
        run_id = start(house, "many", n=10)
        browser = house.client("ana")

        def shown(address: str, **more: Any) -> list[str]:
            return re.findall(r'id="step-(\d+)"', page(browser, address, **more))

        assert shown(house.url("runs", run_id)) == ["6", "7", "8", "9"]
        earlier = house.url("runs", run_id, "earlier")
        by_htmx = partial(shown, headers={"HX-Request": "true"})
        assert by_htmx(earlier + "?before=6") == ["2", "3", "4", "5"]
        assert by_htmx(earlier + "?before=2") == ["0", "1"]
        assert shown(earlier + "?before=99") == ["6", "7", "8", "9"]
        assert shown(earlier + "?before=x") == []

    def test_costs_the_same_for_three_steps_and_for_thirty(self, house: House) -> None:
        browser = house.client("ana")
        few, many = (start(house, "many", n=n) for n in (3, 30))
        asked = [queries_of(browser, house.url("runs", run_id)) for run_id in (few, many)]
        assert asked[0] == asked[1]


class TestJobs:
    """The list of jobs shows what was asked for, and how a program would ask."""

    def test_shows_key_submitter_and_status(self, house: House) -> None:
        run_id = start(house, label="Mail")
        job = Run.objects.get(id=run_id).job
        said = words(page(house.client("ana"), house.url("jobs")))
        for text in ("Mail", "The errand on", "by Eve", job.idempotency_key, "Waiting for a"):
            assert text in said

    def test_costs_the_same_for_one_job_and_for_nine(self, house: House) -> None:
        start(house)
        browser = house.client("ana")
        few = queries_of(browser, house.url("jobs"))
        for _ in range(8):
            start(house)
        assert queries_of(browser, house.url("jobs")) == few

    def test_gives_the_calls_that_a_program_would_make(self, house: House) -> None:
        job = Run.objects.get(id=submitted(house, note="it's")).job
        html = page(house.client("ana"), house.url("jobs", job.id, "calls"))
        assert f"http://testserver/api/v1/jobs/{job.id}" in html
        assert "Authorization: Bearer $TOKEN" in words(html).replace("&quot;", '"')
        assert "&#x27;&quot;&#x27;&quot;&#x27;" in html  # the quote in the input is quoted

    def test_cancels_for_whoever_may_and_withdraws_what_waits(self, house: House) -> None:
        run_id = start(house)
        [(_, proposal_id)] = queries.waiting_of(run_id)
        address = house.url("jobs", Run.objects.get(id=run_id).job_id, "cancel")
        assert house.client("ana").post(address).status_code == 403
        assert house.client("eve").get(address).status_code == 405
        assert house.client("eve").post(address).status_code == 302
        assert queries.run(house.workspace.id, run_id).status == "terminated"
        assert house.detail(proposal_id).proposal.status == "withdrawn"
        said = words(page(house.client("eve"), house.url("runs", run_id)))
        assert "It was ended Cancelled by Eve." in said
        assert "1 proposal was withdrawn: not carried out." in said

    def test_says_that_an_ended_job_was_left_as_it_is(self, house: House) -> None:
        run_id = start(house, "many", n=1)
        address = house.url("jobs", Run.objects.get(id=run_id).job_id, "cancel")
        answer = house.client("eve").post(address, headers={"HX-Request": "true"})
        assert "had ended before: succeeded. Nothing was changed." in answer.content.decode()

    def test_offers_to_cancel_only_to_those_who_may(self, house: House) -> None:
        submitted(house)
        for name, offered in (("ana", False), ("cleo", False), ("eve", True), ("ada", True)):
            html = page(house.client(name), house.url("jobs"))
            assert ("Cancel this job" in html) is offered

    def test_needs_a_csrf_token(self, house: House) -> None:
        job_id = Run.objects.get(id=submitted(house)).job_id
        browser = house.client("eve", enforce_csrf_checks=True)
        assert browser.post(house.url("jobs", job_id, "cancel")).status_code == 403


def test_nobody_sees_runs_and_jobs_of_another_workspace(house: House, elsewhere: House) -> None:
    run_id = start(house)
    job_id = Run.objects.get(id=run_id).job_id
    addresses = [
        ("runs", run_id),
        ("runs", run_id, "earlier"),
        ("runs", run_id, "steps", 0),
        ("jobs", job_id, "calls"),
    ]
    zoe = elsewhere.client("zoe")
    for parts in addresses:
        assert house.client("ana").get(house.url(*parts)).status_code == 200
        assert zoe.get(elsewhere.url(*parts)).status_code == 404
        assert zoe.get(house.url(*parts)).status_code == 404
    assert zoe.post(elsewhere.url("jobs", job_id, "cancel")).status_code == 404
    assert queries.run(house.workspace.id, run_id).status == "waiting"
    for place in ("runs", "jobs"):
        assert str(run_id) not in page(zoe, elsewhere.url(place))
    assert Client().get(house.url("runs", run_id)).status_code == 302


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(microseconds=300), "<1 ms"),
        (timedelta(milliseconds=42), "42 ms"),
        (timedelta(milliseconds=940), "0.9 s"),
        (timedelta(seconds=59.6), "1 min"),
        (timedelta(minutes=17, seconds=40), "17 min 40 s"),
        (timedelta(hours=2, minutes=5, seconds=9), "2 h 5 min"),
        (timedelta(days=3, hours=4), "3 days"),
        (timedelta(seconds=-1), "<1 ms"),
    ],
)
def test_a_span_is_said_with_its_unit(length: timedelta, said: str) -> None:
    assert span(length) == said


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("get_vendor", {"id": "V-17"}, "Looked up vendor V-17"),
        (
            "check_sanctions",
            {"name": "Holt", "deep": True, "at": {"x": 1}},
            "Checked sanctions Holt",
        ),
        ("transfer", {"amount": 12}, "Called transfer 12"),
        ("get_vendor", None, "Looked up vendor"),
        ("find_note", {"text": "a\nb " + "c" * 90}, f"Looked for note a b {'c' * 56}…"),
    ],
)
def test_a_call_is_told_by_its_name_and_plain_arguments(
    name: str, arguments: Json, said: str
) -> None:
    assert called(name, arguments) == said


class TestWaterfall:
    """Places on the line keep the order, and long waits do not push work out of sight."""

    def test_a_wait_of_days_takes_little_room(self) -> None:
        start = now()
        first = (start, start + timedelta(seconds=3))
        second = (start + timedelta(days=2), start + timedelta(days=2, seconds=1))
        one, two = waterfall.bars([first, second])
        assert (one.x, one.width, one.is_after_wait) == (0.0, 712.5, False)
        assert (two.x, two.width, two.is_after_wait) == (762.5, 237.5, True)

    def test_many_waits_share_a_part_of_the_line(self) -> None:
        start = now()
        steps = [(start + timedelta(hours=n), start + timedelta(hours=n)) for n in range(400)]
        placed = waterfall.bars(steps)
        assert [bar.x for bar in placed] == sorted(bar.x for bar in placed)
        assert max(bar.x + bar.width for bar in placed) <= waterfall.WIDTH

    def test_clocks_that_disagree_do_not_turn_the_line_around(self) -> None:
        start = now()
        placed = waterfall.bars([(start, start - timedelta(seconds=9)), (start, start)])
        assert [(bar.x, bar.width) for bar in placed] == [(0.0, 2.0), (50.0, 2.0)]

    def test_nothing_is_no_trouble(self) -> None:
        assert waterfall.bars([]) == []


def test_a_tree_returns_to_an_agent_above_and_is_never_too_deep() -> None:
    at = now()

    def step(index: int, agent: str, to: str = "") -> Traced:
        kind = "handoff" if to else "tool_call"
        return Traced(index, kind, to or "look", agent, None, None, "", None, at, at)

    steps = [step(0, "a", "b"), step(1, "b", "a"), step(2, "a", "b"), step(3, "b"), step(4, "z")]
    top = trace.tree(trace.lines(steps, {}))
    assert [line.step.index for line in top] == [0, 2]
    assert [line.step.index for line in top[0].children] == [1]
    assert [line.step.index for line in top[1].children] == [3, 4]
    ladder = [step(n, f"a{n}", f"a{n + 1}") for n in range(60)]
    deepest, here = 0, trace.tree(trace.lines(ladder, {}))
    while here:
        deepest, here = deepest + 1, here[-1].children
    assert deepest == trace.DEEPEST


def test_where_a_growing_page_begins() -> None:
    assert runs.first_shown(10, None) == 0
    assert runs.first_shown(250, None) == 50
    assert runs.first_shown(450, 50) == 50
    assert runs.first_shown(460, 50) == 250
    assert runs.first_shown(10, 99) == 10
