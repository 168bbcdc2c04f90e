"""Drafting: what a model says is seen while it speaks, kept once, and counted once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection
from pytest_django.fixtures import Settings

from agents import queries, store
from agents.journal import Entry
from agents.models import Draft, Run, Step, Usage
from agents.operations import drafting
from agents.operations.cancelling import cancel
from agents.operations.running import work
from agents.providers import Recorded
from agents.queries import used as using
from agents.store import Claim, Fenced
from agents.workflows import Message, Reply
from console.canonical import Json
from console.database.privileges import SENDER, WEB, WORKER
from console.locking import Busy
from tests.agents import speaking
from tests.agents.openai_server import KEY, MODEL, Answer, Server, serving
from tests.agents.stage import Stage, now
from tests.roles import acting_as

pytestmark = pytest.mark.django_db(transaction=True)

ASKED = Message("Be brief.", "What?")
PRICES = f"{MODEL}=1000/2000"
LEASE_SECONDS = 1.0


@pytest.fixture
def stage(settings: Settings) -> Stage:
    """Have a workspace whose model is a local one."""
    settings.MODEL = f"local:{MODEL}"
    settings.MODEL_KEY = KEY
    settings.MODEL_PRICES = PRICES
    speaking.register()
    return Stage.build()


@contextmanager
def worker(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker in a process of its own on this test's database and this server."""
    settings = connection.settings_dict
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql://{settings['USER']}@/{settings['NAME']}"
        f"?host={settings['HOST']}",
        "RUN_LEASE_SECONDS": str(LEASE_SECONDS),
        "COUNTERSIGN_MODEL": f"local:{MODEL}",
        "COUNTERSIGN_MODEL_URL": server.url,
        "COUNTERSIGN_MODEL_KEY": KEY,
        "MODEL_PRICES": PRICES,
    }
    process = subprocess.Popen([sys.executable, "-m", "tests.agents.speaking"], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(found: Callable[[], Any]) -> Any:
    """Wait for something that will come."""
    while not (what := found()):
        time.sleep(0.05)
    return what


def draft(run: Run) -> Draft | None:
    run.refresh_from_db()
    return using.draft(run.id, run.next_step) if run.status == "running" else None


def said(stage: Stage, run: Run) -> list[dict[str, Any]]:
    result: Any = stage.run(run.id).result
    return list(result["said"])


def used(run: Run) -> tuple[int, Decimal]:
    run.refresh_from_db()
    return run.tokens, run.money


def used_today(stage: Stage) -> tuple[int, Decimal]:
    days = Usage.objects.filter(workspace=stage.setup.workspace_id)
    return sum(day.tokens for day in days), sum((day.money for day in days), Decimal(0))


def claimed(stage: Stage) -> Claim:
    stage.submit("speak")
    [claim] = store.claim(1)
    store.begin(claim)
    return claim


def step(index: int = 0, kind: str = "model_call") -> Entry:
    output: Json = {"text": "Two.", "data": None, "tokens": 5}
    return Entry(index, kind, "m", "scout", {}, "", output, "", None, now())


def test_is_seen_while_the_model_speaks_and_gone_when_it_is_written_down(stage: Stage) -> None:
    run = stage.submit("speak")
    answer = Answer(["Two ", "rows."], stays_silent_after=1)
    with serving(answer) as server, worker(server) as process:
        shown = until(lambda: draft(run))
        assert (shown.text, shown.index, shown.agent) == ("Two ", 0, "scout")
        assert not Step.objects.filter(run=run).exists()
        server.go_on.set()
        assert process.wait() == 0
    assert stage.run(run.id).result == {"said": [{"text": "Two rows.", "tokens": 18}]}
    assert not Draft.objects.exists()
    assert used(run) == used_today(stage) == (18, Decimal("0.025"))


def test_a_worker_killed_while_it_listens_asks_again_and_counts_once(
    stage: Stage, settings: Settings
) -> None:
    run = stage.submit("speak", times=2)
    script = (
        Answer(["First."]),
        Answer(["Half", " gone"], stays_silent_after=1),
        Answer(["Second."]),
    )
    with serving(*script) as server:
        with worker(server) as process:
            until(lambda: (shown := draft(run)) and shown.text == "Half")
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        assert used(run) == (18, Decimal("0.025"))
        settings.MODEL_URL = server.url
        until(lambda: work() and stage.run(run.id).status == "succeeded")
        assert len(server.asked) == 3
    result = {"said": [{"text": "First.", "tokens": 18}, {"text": "Second.", "tokens": 18}]}
    assert stage.run(run.id).result == result
    assert used(run) == used_today(stage) == (36, Decimal("0.050"))
    assert not Draft.objects.exists()


def test_stops_listening_when_the_run_was_ended(stage: Stage) -> None:
    run = stage.submit("speak")
    pieces = ["Two "] + ["and more "] * 2
    with serving(Answer(pieces, stays_silent_after=1)) as server, worker(server) as process:
        until(lambda: draft(run))
        cancel(actor=stage.setup, job_id=run.job_id, now=now())
        assert draft(run) is None
        server.go_on.set()
        assert process.wait() == 0
    assert not Draft.objects.exists()
    assert (stage.run(run.id).status, used(run)) == ("terminated", (0, Decimal(0)))


def test_the_workflow_learns_what_failed_and_what_was_used_counts(
    stage: Stage, settings: Settings
) -> None:
    run = stage.submit("speak", times=2)
    with serving(Answer(["Half an"], finish="length"), Answer(["All of it."])) as server:
        settings.MODEL_URL = server.url
        work()
    failed, answered = said(stage, run)
    assert "stopped in the middle of its answer, at its length limit" in failed["failed"]
    assert answered == {"text": "All of it.", "tokens": 18}
    assert used(run) == used_today(stage) == (36, Decimal("0.050"))


def test_a_job_fails_clearly_where_no_model_is_configured(stage: Stage, settings: Settings) -> None:
    settings.MODEL = ""
    run = stage.submit("speak")
    work()
    [told] = said(stage, run)
    assert told["failed"].startswith("No model is configured: ")


def test_the_operator_may_choose_another_model_while_a_run_goes_on(
    stage: Stage, settings: Settings
) -> None:
    run = stage.submit("speak")
    with serving(Answer(["Two."])) as server:
        settings.MODEL_URL = server.url
        work()
    [kept] = queries.steps(run.id)
    output: Any = kept.output
    assert (kept.name, output["model"]) == ("default", MODEL)


@dataclass(slots=True)
class Chatty:
    """Says a hundred words in a second."""

    clock: list[float]
    name: str = "chatty"

    def complete(self, message: Message) -> Reply:
        raise AssertionError

    def stream(self, message: Message, said: Callable[[str], None]) -> Reply:
        for number in range(100):
            self.clock[0] += 0.01
            said("word " * number * 100)
        return Reply("done")


def test_writes_no_more_often_than_people_follow(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = replace(claimed(stage), taken_at=100.0)
    clock = [100.0]
    written: list[str] = []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(store, "draft", lambda *said: written.append(said[-1]))
    drafting.ask(claim, 0, "scout", ASKED, Chatty(clock))
    assert len(written) == 4
    assert [len(text) for text in written] == [0, 12_500, 20_000, 20_000]


def test_asks_a_provider_that_cannot_stream_without_a_draft(stage: Stage) -> None:
    claim = claimed(stage)
    reply = drafting.ask(claim, 0, "scout", ASKED, Recorded([Reply("Two.", tokens=3)]))
    assert (reply.text, Draft.objects.count()) == ("Two.", 0)


def test_a_turn_without_time_for_an_answer_hands_the_run_back(stage: Stage) -> None:
    claim = claimed(stage)
    late = replace(claim, taken_at=time.monotonic() - drafting.SECONDS_OF_A_RUN)
    with pytest.raises(Busy):
        drafting.ask(late, 0, "scout", ASKED, Chatty([0.0]))


def test_a_draft_is_written_by_who_holds_the_run_alone(stage: Stage) -> None:
    claim = claimed(stage)
    store.draft(claim, 0, "scout", "Two")
    for other in (replace(claim, fence=claim.fence - 1), replace(claim, fence=claim.fence + 1)):
        with pytest.raises(Fenced):
            store.draft(other, 0, "scout", "Three")
        store.drop_draft(other)
    with pytest.raises(Fenced):
        store.draft(claim, 1, "scout", "Three")
    assert Draft.objects.get().text == "Two"
    store.drop_draft(claim)
    assert not Draft.objects.exists()


def test_a_step_and_what_it_used_are_one(stage: Stage) -> None:
    claim = claimed(stage)
    run = stage.run(claim.run_id)
    store.draft(claim, 0, "scout", "Two")
    with pytest.raises(Fenced):
        store.record(replace(claim, fence=7), step(), 5, Decimal("0.5"))
    assert used(run) == used_today(stage) == (0, Decimal(0))
    assert Draft.objects.count() == 1
    store.record(claim, step(), 5, Decimal("0.5"))
    with pytest.raises(Fenced):
        store.record(claim, step(), 5, Decimal("0.5"))
    store.record(claim, step(1), 7, Decimal("0.25"))
    store.record(claim, step(2, "tool_call"))
    store.record(claim, step(3))
    assert used(run) == used_today(stage) == (12, Decimal("0.75"))
    assert (Step.objects.filter(run=run).count(), Draft.objects.count()) == (4, 0)


def test_nobody_counts_what_used_nothing(stage: Stage) -> None:
    claim = claimed(stage)
    Usage.objects.all().delete()
    store.record(claim, step())
    assert not Usage.objects.exists()


def test_a_worker_has_the_rights_that_it_needs_and_no_other_process_has(stage: Stage) -> None:
    claim = claimed(stage)
    with acting_as(WORKER, claim.workspace_id):
        store.draft(claim, 0, "scout", "Two")
        store.draft(claim, 0, "scout", "Two rows")
        store.record(claim, step(), 5, Decimal("0.5"))
        store.drop_draft(claim)
    assert used(stage.run(claim.run_id)) == (5, Decimal("0.5"))
    for role in (WEB, SENDER):
        with pytest.raises(DatabaseError), acting_as(role, claim.workspace_id):
            store.draft(claim, 1, "scout", "Two")
