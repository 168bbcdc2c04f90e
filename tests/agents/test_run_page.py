"""The page of a run: guards, budgets, windows, where values came from, two runs side by side."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest

from agents import queries
from agents.journal import digest_of
from agents.models import Draft, Job, Run, Step
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.operations.waking import wake_run
from agents.packs import attacked, attacks
from agents.showing import filling
from agents.verdicts import Verdict
from approvals.operations.registering import declare
from console.ids import new_id
from snapshots.operations.creating import create_state
from tests.agents.test_pages import (
    _workflows,  # noqa: F401  (the programs of those pages)
    page,
    queries_of,
    settle,
    start,
    submitted,
    words,
)
from tests.house import House, now

ATTACKS = Path(__file__).parents[3] / "shared" / "data" / "injection" / "banking.json"
EVIL = "US133000000121212121212"
HOSTILE = '<img src=x onerror="alert(1)">'
pytestmark = pytest.mark.django_db


def add(run_id: UUID, kind: str, name: str, asked: Any, answered: Any = None, **more: Any) -> int:
    """Write one more step into the journal of a run."""
    run = Run.objects.get(id=run_id)
    Step.objects.create(
        run=run,
        index=run.next_step,
        kind=kind,
        name=name,
        agent=more.get("agent", "clerk"),
        input=asked,
        input_digest=digest_of(asked),
        output=answered,
        error=more.get("error", ""),
        fence=0,
        started_at=now(),
        ended_at=now(),
    )
    Run.objects.filter(id=run_id).update(next_step=run.next_step + 1)
    return run.next_step


def verdict(rule: str, strength: Any, sentence: str, began_at: int = 1) -> Any:
    return Verdict(rule, strength, sentence, began_at, (began_at,), "clerk").to_json()


class TestGuards:
    """What they said, how strongly, since when, and what a person answered."""

    def test_are_told_in_a_sentence_with_the_step_that_began_it(self, house: House) -> None:
        run_id = start(house, "many", n=3)
        add(
            run_id,
            "guard",
            "identical_call",
            verdict("identical_call", "pause", f"3 times {HOSTILE}"),
        )
        answered = {"status": "continued", "by": "Ana", "reason": "It is slow.", "raised": {}}
        add(run_id, "guard", "answer", {"pause": str(new_id())}, answered)
        raised = {**answered, "status": "raised", "raised": {"identical_call": 9}}
        add(run_id, "guard", "answer", {"pause": str(new_id())}, raised)
        html = page(house.client("cleo"), house.url("runs", run_id))
        said = words(html)
        assert "A guard paused the run: Identical call" in said
        assert "Ana let it go on It is slow." in said
        assert "Ana let it go on with a higher limit Identical call 9 · It is slow." in said
        assert f'href="/w/acme/runs/{run_id}/steps/1/">It began at step 1</a>' in html
        assert HOSTILE not in html

    def test_say_at_the_end_what_was_expected_and_not_proposed(self, house: House) -> None:
        run_id = start(house, "many", n=1)
        add(
            run_id, "guard", "not_proposed", verdict("not_proposed", "note", "No payment for 4711.")
        )
        said = words(page(house.client("ana"), house.url("runs", run_id)))
        assert "Expected, and not proposed: No payment for 4711." in said

    def test_and_what_may_have_started_it_is_called_an_inference(self, house: House) -> None:
        run_id = start(house, "broken")
        for turn in range(3):
            add(run_id, "tool_call", "get_order", {"id": "W1"}, error=f"no such order {turn}")
        add(run_id, "guard", "errors_in_a_row", verdict("errors_in_a_row", "terminate", "Three."))
        html = page(house.client("ana"), house.url("runs", run_id))
        said = words(html)
        assert "What may have started this Inference, not fact" in said
        assert f"/w/acme/runs/{run_id}/steps/" in html.partition('id="suspects"')[2]

    def test_suspect_nothing_in_a_run_that_went_well(self, house: House) -> None:
        run_id = start(house, "many", n=3)
        assert 'id="suspects"' not in page(house.client("ana"), house.url("runs", run_id))


class TestWhatItUsed:
    """Budgets and shares."""

    def test_is_shown_beside_its_limits_and_by_agent(self, house: House) -> None:
        run_id = start(house, "many", n=3)
        add(run_id, "model_call", "m", {"instructions": "I", "content": "C"}, {"tokens": 500})
        add(run_id, "model_call", "m", {}, {"tokens": "many"})
        Job.objects.filter(current_run=run_id).update(budget={"tokens": 1000, "seconds": 120})
        Run.objects.filter(id=run_id).update(tokens=500, money=Decimal("0.25"))
        said = words(page(house.client("ana"), house.url("runs", run_id)))
        assert "Calls per run 3 of 40" in said
        assert "Tokens per job 500 of 1,000" in said
        assert "clerk 3 2 500" in said
        assert "too few turns to say" in said


class TestAModelStep:
    """What filled its window, and what it is writing."""

    ASKED: ClassVar[Any] = {
        "instructions": "x" * 100,
        "content": "y" * 50,
        "turns": [
            {"role": "user", "content": "j" * 100, "filled_by": "job"},
            {"role": "tool", "content": "r" * 200, "filled_by": "result"},
            {"role": "tool", "content": "r" * 50, "filled_by": "repeat"},
        ],
    }

    def test_shows_its_window_as_a_bar_and_in_words(self, house: House) -> None:
        run_id = start(house, "many", n=1)
        index = add(run_id, "model_call", "m", self.ASKED, {"text": "ok", "tokens": 3})
        html = page(house.client("ana"), house.url("runs", run_id, "steps", index))
        said = 'aria-label="Instructions 20%, Job 20%, Results 40%, Repeats 10%, Words 10%"'
        assert said in html
        assert 'x="400.0" width="400.0"' in html
        assert "Where its values came from" in words(html)

    def test_says_what_it_wants_called(self, house: House) -> None:
        run_id = start(house, "many", n=1)
        wanted = {"text": "", "calls": [{"id": "1", "tool": "look_up_item", "args": {}}]}
        add(run_id, "model_call", "m", {}, wanted)
        add(run_id, "model_call", "m", {}, {"calls": ["unheard of"]})
        add(run_id, "handoff", "", {"content": ""})
        said = words(page(house.client("ana"), house.url("runs", run_id)))
        assert "Asked the model m wants look up item" in said
        assert "Handed in the result" in said

    @pytest.mark.parametrize(
        "asked",
        [{}, {"turns": 5}, {"turns": [1, {}], "content": None}, {"turns": [{"calls": [1]}]}],
    )
    def test_of_somebody_else_need_not_say_anything(self, house: House, asked: Any) -> None:
        run_id = start(house, "many", n=1)
        index = add(run_id, "model_call", "m", asked, {"window": "full"})
        step = queries.step(house.workspace.id, run_id, index)
        assert filling.window(step) is None or filling.window(step)
        page(house.client("ana"), house.url("runs", run_id, "steps", index))

    def test_is_shown_while_it_is_written(self, house: House) -> None:
        run_id = submitted(house, "many", n=1)
        Run.objects.filter(id=run_id).update(status="running", lease_until=now(), started_at=now())
        Draft.objects.create(run_id=run_id, index=0, agent="clerk", text=f"So {HOSTILE}", at=now())
        html = page(house.client("ana"), house.url("runs", run_id))
        assert "clerk is writing…" in words(html)
        assert "So &lt;img src=x" in html


class TestWhereAValueCameFrom:
    """From a value back to the request or the tool's result, and forwards from a result."""

    def test_shows_each_place_and_the_values_beside_it(self, house: House) -> None:
        run_id = start(house, note=f"Remind {HOSTILE}")
        steps = Step.objects.filter(run=run_id, kind="proposal")
        index = steps.values_list("index", flat=True)[0]
        browser = house.client("cleo")
        url = house.url("runs", run_id, "steps", index, "origin")
        html = page(browser, f"{url}?side=input&path=/params/note")
        assert "First The job's request , /note" in words(html).replace("&#x27;", "'")
        assert HOSTILE not in html
        whole = words(page(browser, url))
        assert "/params/vendor" in whole
        for bad in ("?side=elsewhere", "?path=/nothing", "?path=nothing", "?path=/params/~9"):
            assert browser.get(url + bad).status_code == 404

    def test_leaves_out_what_a_workflow_declares(self, house: House) -> None:
        run_id = start(house, "many", n=1)
        tools = [{"name": "look", "description": "Look at what is there."}]
        asked = {"instructions": "Be careful.", "content": "Vendor V-4711?", "tools": tools}
        index = add(run_id, "model_call", "m", asked, {"text": "Yes."})
        url = house.url("runs", run_id, "steps", index, "origin")
        said = words(page(house.client("cleo"), url))
        assert "Vendor V-4711?" in said
        assert "Look at what is there." not in said
        assert "Be careful." not in said

    def test_and_what_came_of_a_step_are_for_people_of_the_workspace(
        self, house: House, elsewhere: House
    ) -> None:
        run_id = start(house)
        stranger = elsewhere.client("zoe")
        for name in ("origin", "effects"):
            inside = elsewhere.url("runs", run_id, "steps", 0, name)
            assert stranger.get(inside).status_code == 404
            assert stranger.get(house.url("runs", run_id, "steps", 0, name)).status_code == 404
        assert house.client("ana").get(
            house.url("runs", run_id, "steps", 99, "origin")
        ).status_code == 404  # fmt: skip

    @pytest.mark.data
    @pytest.mark.skipif(not ATTACKS.exists(), reason="the folder ../shared/data is not here")
    def test_of_an_attack_is_the_file_that_planted_it(self, house: House) -> None:
        attacked.register()
        found = attacks.read(ATTACKS)
        [case] = [each for each in found.cases if each.name == "user_task_0+injection_task_0"]
        for spec in found.action_types:
            declare(house.setup, spec)
        state = create_state(
            actor=house.setup, key=case.name, document=case.document, reason="", now=now()
        )
        wanted: Any = {"instruction": case.instruction, "calls": case.calls}
        request = JobRequest("attacked", state.key, wanted, case.name)
        job_id, _ = submit(actor=house.actor("eve"), request=request, now=now())
        run = queries.current_run(queries.job(house.workspace.id, job_id))
        work()
        while waiting := queries.waiting_of(run.id):
            house.decide("ana", waiting[0][1], "reject", "Nobody asked for it.")
            wake_run(run.id)
            work()
        steps = list(Step.objects.filter(run=run.id).order_by("index"))
        [index] = [
            each.index
            for each in steps
            if each.kind == "proposal" and EVIL in json.dumps(each.input["params"])
        ][:1]
        reading = next(each.index for each in steps if each.name == "read_file")
        browser = house.client("ana")
        url = house.url("runs", run.id, "steps", index, "origin")
        html = page(browser, f"{url}?side=input&path=/params/recipient")
        said = words(html)
        assert EVIL in said
        assert f"/steps/{reading}/" in html
        assert "Read file" in said
        forwards = page(browser, house.url("runs", run.id, "steps", reading, "effects"))
        assert f"/steps/{index}/" in forwards
        assert "/params/recipient" in words(forwards)


class TestTwoRuns:
    """Side by side, and where they part."""

    def test_of_the_same_job_part_where_one_did_otherwise(self, house: House) -> None:
        one = start(house, "many", n=3)
        other = start(house, "many", n=3)
        assert "They did the same" in words(compare(house, one, other))
        add(other, "tool_call", "count", {"n": 99}, answered=True)
        add(one, "tool_call", "weigh", {"n": 1}, answered=True)
        html = compare(house, one, other)
        said = words(html)
        assert "3 steps in both, 0 of them answered otherwise; the results are the same." in said
        assert html.count("They part here.") == 1
        assert html.count("Only this run") == 2
        assert 'href="#parting"' in html

    def test_that_were_answered_otherwise_part_there(self, house: House) -> None:
        one, other = start(house, note="n"), start(house, note="n")
        settle(house, one)
        settle(house, other, "reject")
        said = words(compare(house, one, other))
        assert "Ana approved" in said
        assert "Ana rejected" in said
        assert "1 of them answered otherwise; the results differ." in said

    def test_are_chosen_from_runs_of_the_same_workflow(self, house: House) -> None:
        one, other = start(house, "many", n=1), start(house, "many", n=1)
        strange = start(house, "long")
        browser = house.client("ana")
        html = page(browser, f"{house.url('runs', 'compare')}?a={one}")
        assert str(other) in html
        assert str(strange) not in html

    def test_are_never_of_another_workspace_nor_of_nobody(
        self, house: House, elsewhere: House
    ) -> None:
        one, other = start(house, "many", n=1), start(house, "many", n=1)
        stranger, address = elsewhere.client("zoe"), elsewhere.url("runs", "compare")
        for asked in ("", "?a=x", f"?a={one}", f"?a={one}&b={other}", f"?a={new_id()}"):
            assert stranger.get(address + asked).status_code == 404
        own = house.url("runs", "compare")
        for asked in (f"?a={one}&b={one}", f"?a={one}&b=x", f"?b={one}"):
            assert house.client("ana").get(own + asked).status_code == 404


def compare(house: House, one: UUID, other: UUID) -> str:
    return page(house.client("ana"), f"{house.url('runs', 'compare')}?a={one}&b={other}")


class TestALongRun:
    """The page costs as many statements with many steps as with few."""

    def test_costs_no_more_statements(self, house: House) -> None:
        few, many = start(house, "many", n=2), start(house, "many", n=12)
        browser = house.client("ana")
        page(browser, house.url("runs", few))
        assert queries_of(browser, house.url("runs", few)) == queries_of(
            browser, house.url("runs", many)
        )
        for name in ("origin", "effects"):
            costs = {
                queries_of(browser, house.url("runs", run_id, "steps", 1, name))
                for run_id in (few, many)
            }
            assert len(costs) == 1

    def test_of_seven_hundred_steps_is_pushed_in_less_than_half(self, house: House) -> None:
        run_id = start(house, "many", n=1)
        run = Run.objects.get(id=run_id)
        Step.objects.bulk_create(
            Step(
                run=run,
                index=number,
                kind="tool_call",
                name="get_order",
                agent="clerk",
                input={"id": number},
                input_digest="0" * 64,
                output={"id": number},
                fence=0,
                started_at=now(),
                ended_at=now(),
            )
            for number in range(1, 700)
        )
        Run.objects.filter(id=run_id).update(next_step=700)
        html = page(house.client("ana"), house.url("runs", run_id))
        assert len(html) < 300_000
        assert "500 steps before this" in words(html)


class TestTakingItAlong:
    """A run as a file."""

    def test_as_our_json_or_as_spans(self, house: House, elsewhere: House) -> None:
        run_id = start(house, "many", n=2)
        browser = house.client("cleo")
        address = house.url("runs", run_id, "trace")
        ours = browser.get(address)
        assert ours["Content-Disposition"].startswith("attachment")
        assert [each["name"] for each in ours.json()["steps"]] == ["count", "count"]
        assert "resourceSpans" in browser.get(f"{address}?format=otlp").json()
        assert browser.get(f"{address}?format=xml").status_code == 404
        there = elsewhere.url("runs", run_id, "trace")
        assert elsewhere.client("zoe").get(there).status_code == 404
