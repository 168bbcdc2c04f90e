"""Runs of outside agents: brought in once, looked at like ours, never worked on."""

import json
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, transaction

from agents import otlp, queries, store
from agents.models import Job, Run, Step, Usage
from agents.operations.cancelling import cancel
from agents.operations.importing import STATE, bring_in
from agents.operations.planning import NotRestorable, plan
from agents.operations.restarting import start_again
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.queries import stories
from agents.restoring import Wanted
from agents.showing import runs
from console.database.privileges import WEB
from console.errors import KeyReused
from console.ledger.models import Entry as Line
from tests.agents.test_otlp import document, span, story
from tests.agents.test_pages import (
    _workflows,  # noqa: F401  (the programs of those pages)
    page,
    settle,
    start,
    words,
)
from tests.house import House, now
from tests.roles import acting_as, ask

DATA = Path(__file__).parents[3] / "shared" / "data"
RUNS = DATA / "breaker" / "runs.json"
NAUGHTY = DATA / "naughty_strings" / "blns.json"
pytestmark = pytest.mark.django_db


def imported(house: House, *, source: Any = "otlp", **more: Any) -> Run:
    """Let Eve bring in the story of the tests of spans."""
    told = more.pop("story", None) or story(**more)
    [made] = bring_in(
        actor=house.actor("eve"), stories=[told], source=source, state_key="", now=now()
    )
    return Run.objects.get(id=made.run_id)


class TestAnImportedRun:
    """It has ended, and stays so."""

    def test_is_a_run_with_its_steps_under_a_job_that_says_whence(self, house: House) -> None:
        run = imported(house, asked={"n": 1}, result="done")
        assert (run.source, run.status, run.next_step) == ("otlp", "succeeded", 7)
        assert (run.job.workflow, run.job.label) == ("imported", "Invoice run")
        assert run.job.state.key == STATE
        assert run.job.input["trace_id"] == "a" * 32
        assert run.job.submitter == house.actor("eve").ref
        kinds = list(Step.objects.filter(run=run).order_by("index").values_list("kind", flat=True))
        assert kinds == [each.kind for each in story().entries]
        assert run.tokens == 12
        assert Line.objects.filter(verb="run.imported").count() == 1

    def test_belongs_to_the_state_that_is_named(self, house: House) -> None:
        [made] = bring_in(
            actor=house.actor("eve"),
            stories=[story()],
            source="otlp",
            state_key=house.book.key,
            now=now(),
        )
        assert Job.objects.get(id=made.job_id).state_id == house.book.state_id

    def test_comes_in_once(self, house: House) -> None:
        first, second = imported(house), imported(house)
        assert first.id == second.id
        assert Run.objects.filter(source="otlp").count() == 1
        with pytest.raises(KeyReused, match="told something else"):
            imported(house, problem="Now it failed.")

    def test_is_refused_where_its_key_stands_for_another_job(self, house: House) -> None:
        eve, key = house.actor("eve"), f"trace:{'a' * 32}"
        submit(actor=eve, request=JobRequest("errand", house.book.key, {}, key), now=now())
        with pytest.raises(KeyReused, match="another job"):
            imported(house)
        assert not Run.objects.filter(source="otlp").exists()

    def test_is_never_claimed_cancelled_begun_anew_or_counted(self, house: House) -> None:
        run = imported(house, problem="It broke.")
        assert store.claim(10) == []
        assert work() == 0
        eve, ada = house.actor("eve"), house.actor("ada")
        assert cancel(actor=eve, job_id=run.job_id, now=now()) == "failed"
        assert start_again(actor=ada, job_id=run.job_id, now=now()) is None
        with pytest.raises(NotRestorable, match="ended"):
            plan(actor=ada, wanted=Wanted("reinitialise", run=run.id), now=now())
        assert Run.objects.get(id=run.id).status == "failed"
        assert not Usage.objects.exists()

    def test_cannot_even_by_hand_become_one_of_ours(self, house: House) -> None:
        run = imported(house)
        with pytest.raises(DatabaseError, match="whose run it is"), transaction.atomic():
            Run.objects.filter(id=run.id).update(source="")
        with pytest.raises(IntegrityError, match="an_imported_run_has_ended"), transaction.atomic():
            Run.objects.filter(id=run.id).update(status="queued", finished_at=None)

    def test_is_all_that_the_web_writes_steps_of(self, house: House) -> None:
        ours = start(house, "many", n=1)
        with acting_as(WEB, house.workspace.id):
            run = imported(house)
        assert Step.objects.filter(run=run).count() == 7
        forged = "UPDATE agents_step SET error = 'x' WHERE run_id = %s"
        with pytest.raises(DatabaseError), acting_as(WEB, house.workspace.id):
            ask(forged, run.id)
        step = Step.objects.get(run=ours, index=0)
        step.index = 1
        with pytest.raises(DatabaseError, match="row-level"), acting_as(WEB, house.workspace.id):
            step.save(force_insert=True)

    def test_says_on_its_page_that_nothing_of_it_was_done_here(self, house: House) -> None:
        run = imported(house)
        html = page(house.client("ada"), house.url("runs", run.id))
        said = words(html)
        assert "Brought in from elsewhere; nothing of it was done here" in said
        assert "OpenTelemetry spans by Eve" in said
        assert "A guard told risk: The same call failed again Twice." in said
        assert "Re-initialise" not in said
        assert "Brought in" in words(page(house.client("ana"), house.url("runs")))


class TestTheSameStory:
    """A run of ours that was exported and brought in elsewhere reads the same."""

    def test_of_a_run_with_a_handoff_a_failure_and_a_decision(
        self, house: House, elsewhere: House
    ) -> None:
        run_id = start(house, label="Mail of Nordlicht")
        settle(house, run_id)
        told = json.loads(json.dumps(otlp.told(stories.story(house.workspace.id, run_id))))
        [made] = bring_in(
            actor=elsewhere.actor("zoe"),
            stories=otlp.stories(told),
            source="otlp",
            state_key="",
            now=now(),
        )
        before, after = _told(house, run_id), _told(elsewhere, made.run_id)
        assert len(before) == len(after) > 6
        for ours, theirs in zip(before, after, strict=True):
            # A proposal is known by its title only where it was made.
            assert theirs == ours or ours[0].startswith("Proposed:")
        run = queries.run(elsewhere.workspace.id, made.run_id)
        assert run.result == queries.run(house.workspace.id, run_id).result


def _told(house: House, run_id: UUID) -> list[tuple[str, str, str]]:
    last = queries.run(house.workspace.id, run_id).next_step
    flat = runs.steps(run_id, [], first=0, before=last)["flat"]
    return [(each.said.what, each.said.more, each.step.agent) for each in flat]


class TestTheCommand:
    """Files are brought in by somebody who may."""

    def test_takes_spans(self, house: House, tmp_path: Path) -> None:
        file = tmp_path / "spans.json"
        value = span(1, gen_ai__operation__name="chat", gen_ai__request__model="m-1")
        file.write_text(json.dumps(document(value)))
        out = run_command(file)
        assert "brought in: span 1, 1 steps" in out
        assert "was here before" in run_command(file)

    @pytest.mark.data
    @pytest.mark.skipif(not RUNS.exists(), reason="the folder ../shared/data is not here")
    def test_takes_recorded_runs_and_says_what_guards_would_have_said(
        self, house: House, tmp_path: Path
    ) -> None:
        records = json.loads(RUNS.read_text())
        longest = sorted(records, key=lambda each: -len(each["steps"]))[:3]
        file = tmp_path / "runs.json"
        file.write_text(json.dumps(longest))
        assert run_command(file).count("brought in") == 3
        assert run_command(file).count("was here before") == 3
        for run in Run.objects.filter(source="recorded"):
            said = words(page(house.client("ana"), house.url("runs", run.id)))
            assert "as a recorded run by Eve" in said
            assert "our guards" in said.casefold()

    @pytest.mark.parametrize("written", ["", "{", "[1]", '{"resourceSpans": 1}', "[{}]"])
    def test_refuses_what_is_no_run(self, house: House, tmp_path: Path, written: str) -> None:
        file = tmp_path / "wrong.json"
        file.write_text(written)
        with pytest.raises(CommandError):
            run_command(file)
        assert not Run.objects.exists()

    def test_refuses_a_file_that_is_not_there_and_people_who_may_not(
        self, house: House, tmp_path: Path
    ) -> None:
        with pytest.raises(CommandError, match="cannot be read"):
            run_command(tmp_path / "none.json")
        with pytest.raises(CommandError, match="may not import"):
            run_command(tmp_path / "none.json", "ana@acme.example")
        with pytest.raises(CommandError, match="does not belong"):
            run_command(tmp_path / "none.json", "zoe@zenith.example")


def run_command(path: Path, person: str = "eve@acme.example") -> str:
    out = StringIO()
    options: dict[str, Any] = {"workspace": "acme", "person": person}
    call_command("import_runs", str(path), stdout=out, **options)
    return out.getvalue()


@pytest.mark.data
@pytest.mark.skipif(not NAUGHTY.exists(), reason="the folder ../shared/data is not here")
def test_hostile_words_of_spans_stay_words(house: House) -> None:
    naughty = [text for text in json.loads(NAUGHTY.read_text()) if "\x00" not in text]
    spans = [
        span(n, gen_ai__operation__name="execute_tool", gen_ai__tool__name=text or "x",
             gen_ai__agent__name=text, gen_ai__tool__call__arguments=json.dumps({text: text}),
             gen_ai__tool__call__result=text)
        for n, text in enumerate(naughty[:150], start=1)
    ]  # fmt: skip
    [told] = otlp.stories(json.loads(json.dumps(document(*spans))))
    run = imported(house, story=told)
    browser = house.client("ana")
    for parts in ([], ["steps", 0], ["steps", 90, "origin"], ["steps", 90, "effects"]):
        html = page(browser, house.url("runs", run.id, *parts))
        assert "<script>alert" not in html
        assert "onerror=" not in html.replace("&quot;", '"').split("<main")[0]
        assert "<img src=x" not in html
    assert browser.get(house.url("runs", run.id, "trace") + "?format=otlp").status_code == 200
