"""Remembering: an agent keeps what it learned in a State of its own, and is given it again."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import override_settings

from agents import memory, queries, store
from agents.memory import Note
from agents.models import MemoryUse, Run, Step
from agents.operations import remembering
from agents.operations.cancelling import cancel
from agents.operations.ending import Outdated
from agents.operations.remembering import Place
from agents.operations.running import lead, work
from agents.store import Fenced
from agents.workflows import Context, ToolFailed, Workflow, register_workflow
from console.actors import agent
from console.canonical import Json
from snapshots import queries as snapshots
from snapshots.diff import Change
from snapshots.models import State
from snapshots.operations.creating import create_state
from snapshots.operations.observing import observe
from tests.agents.stage import BOOK, Stage, now
from tests.racing import race

pytestmark = pytest.mark.django_db(transaction=True)
MEMORY = f"{BOOK}/agents/clerk"


@pytest.fixture
def stage() -> Stage:
    return Stage.build()


def runs(stage: Stage, program: Callable[[Context], Json], key: str = "one", **given: Any) -> Run:
    """Let a program run as far as it goes."""
    register_workflow(Workflow("mind", "Mind", program))
    run = stage.submit("mind", key=key, **given)
    work()
    return stage.run(run.id)


def kept(stage: Stage, key: str = MEMORY) -> Any:
    """Return what a memory holds now."""
    head = snapshots.named(stage.setup.workspace_id, key)
    return snapshots.content(head.state_id, head.number)


def place(stage: Stage, step: int = 7, **more: Any) -> Place:
    """Return a step of a run that a worker has just claimed."""
    register_workflow(Workflow("idle", "Idle", lambda _: None))
    stage.submit("idle", key=f"place-{step}-{len(more)}")
    [claimed] = store.claim(1)
    return Place(claimed, stage.book.state_id, BOOK, step, **more)


def clerk(stage: Stage) -> Any:
    return agent("clerk", stage.setup.workspace_id, behind=stage.setup.ref)


def learn(context: Context) -> Json:
    """Read the record and keep what it says."""
    context.read(agent="clerk")
    return context.remember(
        agent="clerk",
        subject="balance",
        value={"n": 0},
        confidence=0.75,
        expires_in=timedelta(days=2),
        derived_from=["/n"],
    )


def test_keeps_an_entry_with_its_origin_expiry_and_the_values_seen(stage: Stage) -> None:
    run = runs(stage, learn)
    assert run.result == f"{run.id}:1"
    [(entry_id, entry)] = kept(stage)["entries"].items()
    [held] = memory.entries(kept(stage))
    assert entry_id == run.result
    assert entry["from"] == {"/n": 0}
    assert entry["origin"] == {
        "job": str(run.job_id),
        "run": str(run.id),
        "step": 1,
        "agent": "clerk",
    }
    assert (held.value, held.confidence) == ({"n": 0}, 0.75)
    assert held.expires_at == held.recorded_at + timedelta(days=2)


def test_makes_the_memory_a_state_of_its_own_below_the_record(stage: Stage) -> None:
    run = runs(stage, learn)
    row = State.objects.get(key=MEMORY)
    newest = snapshots.snapshot(row.workspace_id, row.id, row.number)
    assert (row.kind, row.number) == ("memory", 2)
    assert (newest.cause, newest.cause_id) == ("memory", f"{run.id}:1")
    assert (newest.actor["kind"], newest.actor["name"]) == ("agent", "clerk")
    assert newest.reason == "Remembered: balance"
    assert snapshots.head(stage.setup.workspace_id, stage.book.state_id).number == 1


def test_keeps_the_values_as_the_run_saw_them_not_as_they_are_now(stage: Stage) -> None:
    def slow(context: Context) -> Json:
        context.read(agent="clerk")
        observe(
            actor=stage.setup,
            state_id=stage.book.state_id,
            changes=[Change("replace", "/n", 0, 5)],
            cause_id="meanwhile",
            reason="",
            now=now(),
        )
        return context.remember(agent="clerk", subject="n", value=0, derived_from=["/n"])

    runs(stage, slow)
    [held] = memory.entries(kept(stage))
    assert held.seen == {"/n": 0}


def test_writes_once_when_the_step_was_done_but_not_journaled(stage: Stage) -> None:
    here, note = place(stage), Note("x", 1)
    first = remembering.remember(actor=clerk(stage), place=here, note=note, now=now())
    again = remembering.remember(actor=clerk(stage), place=here, note=note, now=now())
    assert first == again
    assert len(kept(stage)["entries"]) == 1


def test_writes_nothing_on_replay_and_gives_the_same_entries(stage: Stage) -> None:
    given: list[list[str]] = []

    def twice(context: Context) -> Json:
        context.remember(agent="clerk", subject="a", value=1)
        given.append([each.id for each in context.recall(agent="clerk")])
        context.propose(agent="clerk", action_type="set", params={})
        return None

    run = runs(stage, twice)
    other = place(stage)
    remembering.remember(actor=clerk(stage), place=other, note=Note("b", 2), now=now())
    stage.decide(run.id, "approve")
    Run.objects.filter(id=run.id).update(status="queued", waiting_for=None)
    work()
    assert given == [[f"{run.id}:0"]] * 2
    assert len(kept(stage)["entries"]) == 2


def test_gives_older_entries_only_for_a_reason(stage: Stage) -> None:
    runs(stage, learn, key="first")

    def ask(context: Context) -> Json:
        plain = context.recall(agent="clerk", subject="bal")
        why = context.recall(agent="clerk", subject="bal", why="The balance rarely moves.")
        return [len(plain), len(why)]

    run = runs(stage, ask, key="second")
    assert run.result == [0, 1]
    left = [step.output["left_out"] for step in queries.steps(run.id) if step.output]
    assert left == [1, 0]


def test_gives_only_what_begins_so_and_never_what_has_expired(stage: Stage) -> None:
    def several(context: Context) -> Json:
        for subject, hours in (("bank V7", 3), ("bank V9", 9), ("terms V7", 9), ("bank V8", 1)):
            context.remember(
                agent="clerk", subject=subject, value=1, expires_in=timedelta(hours=hours)
            )
        return None

    runs(stage, several)
    here = place(stage)
    names = []
    for hours in (0, 2, 4, 10):
        at = now() + timedelta(hours=hours)
        found = remembering.recall(
            actor=clerk(stage), place=here, subject="bank", since=None, now=at
        )
        names.append([each.subject for each in remembering.recalled({**found})])
    assert names == [["bank V8", "bank V9", "bank V7"], ["bank V9", "bank V7"], ["bank V9"], []]


def test_reads_its_memory_as_it_found_it_whatever_others_write_meanwhile(stage: Stage) -> None:
    def teach(context: Context) -> Json:
        return context.remember(agent="clerk", subject=f"V-{context.job_input['n']}", value=1)

    def other(number: int) -> None:
        register_workflow(Workflow("teach", "Teach", teach))
        run = stage.submit("teach", key=f"teach {number}", n=number)
        [claimed] = store.claim(1)
        lead(claimed)
        assert stage.run(run.id).status == "succeeded"

    seen: list[list[str]] = []

    def look(context: Context) -> None:
        known = context.recall(agent="clerk", subject="V-", why="to compare")
        seen.append([each.subject for each in known])

    def reader(context: Context) -> Json:
        look(context)
        other(2)
        look(context)
        context.remember(agent="clerk", subject="V-mine", value=1)
        other(3)
        look(context)
        context.forget(agent="clerk", entry="nothing of this name")
        look(context)
        return None

    other(1)
    run = runs(stage, reader)
    assert run.status == "succeeded", run.problem
    mine = ["V-mine", "V-2", "V-1"]
    assert seen == [["V-1"], ["V-1"], mine, mine]
    steps = Step.objects.filter(run=run.id, name="recall").order_by("index")
    read = [step.output["snapshot"] for step in steps if step.output]
    assert read[0] == read[1] < read[2] == read[3]
    assert len(kept(stage)["entries"]) == 4


def test_finds_nothing_later_in_a_memory_that_it_found_missing(stage: Stage) -> None:
    def reader(context: Context) -> Json:
        first = context.recall(agent="clerk")
        mind = agent("clerk", stage.setup.workspace_id, "system:setup")
        here = place(stage)
        note = Note("V-1", 1)
        remembering.remember(actor=mind, place=here, note=note, now=now())
        return [len(first), len(context.recall(agent="clerk", why="again"))]

    assert runs(stage, reader).result == [0, 0]


def test_notes_no_use_of_what_was_swept_meanwhile(stage: Stage) -> None:
    def reader(context: Context) -> Json:
        context.remember(agent="clerk", subject="V-1", value=1)
        head = snapshots.named(stage.setup.workspace_id, MEMORY)
        observe(
            actor=stage.setup,
            state_id=head.state_id,
            changes=[
                Change("remove", f"/entries/{each}", old=entry)
                for each, entry in kept(stage)["entries"].items()
            ],
            cause_id="sweep",
            reason="Swept",
            now=now(),
        )
        return len(context.recall(agent="clerk"))

    assert runs(stage, reader).result == 1
    assert MemoryUse.objects.count() == 0


def test_notes_when_an_entry_was_given_and_keeps_the_later_time(stage: Stage) -> None:
    runs(stage, learn)
    here, late = place(stage), now() + timedelta(hours=1)
    for at in (late, now()):
        remembering.recall(actor=clerk(stage), place=here, subject="", since=None, now=at)
    [use] = MemoryUse.objects.all()
    assert use.used_at == late


def test_is_empty_before_anything_was_kept(stage: Stage) -> None:
    run = runs(stage, lambda context: len(context.recall(agent="clerk")))
    assert run.result == 0
    assert not State.objects.filter(key=MEMORY).exists()


def test_lets_an_entry_go_and_does_not_mind_if_it_is_gone(stage: Stage) -> None:
    def change_mind(context: Context) -> Json:
        entry = context.remember(agent="clerk", subject="a", value=1)
        context.remember(agent="clerk", subject="b", value=2)
        context.forget(agent="clerk", entry=entry)
        context.forget(agent="clerk", entry=entry)
        return None

    run = runs(stage, change_mind)
    assert run.status == "succeeded"
    assert [each.subject for each in memory.entries(kept(stage))] == ["b"]


def test_makes_no_memory_only_to_forget(stage: Stage) -> None:
    run = runs(stage, lambda context: context.forget(agent="clerk", entry="x"))
    assert run.status == "succeeded"
    assert not State.objects.filter(key=MEMORY).exists()


def test_keeps_the_memories_of_two_agents_apart(stage: Stage) -> None:
    def both(context: Context) -> Json:
        context.remember(agent="clerk", subject="a", value=1)
        context.remember(agent="critic", subject="a", value=2)
        return [each.value for each in context.recall(agent="critic")]

    assert runs(stage, both).result == [2]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"value": "x" * 9_000}, "8,000 bytes"),
        ({"value": 1, "subject": ""}, "subject"),
        ({"value": 1, "derived_from": ["/nothing"]}, "nothing at /nothing"),
        ({"value": 1, "derived_from": ["n"]}, "begins with a slash"),
        ({"value": 1, "confidence": 2}, "between 0 and 1"),
    ],
)
def test_refuses_what_cannot_be_kept_in_words_the_agent_gets(
    stage: Stage, asked: dict[str, Any], says: str
) -> None:
    def try_it(context: Context) -> Json:
        try:
            context.remember(**{"agent": "clerk", "subject": "x", **asked})
        except ToolFailed as failed:
            return str(failed)
        return None

    run = runs(stage, try_it)
    assert says in str(run.result)
    assert says in Step.objects.get(run=run.id).error
    assert not State.objects.filter(key=MEMORY).exists()


@override_settings(MEMORY_ENTRIES_AT_MOST=2)
def test_takes_no_more_than_twice_the_cap_before_a_sweep(stage: Stage) -> None:
    def hoard(context: Context) -> Json:
        for number in range(5):
            context.remember(agent="clerk", subject=f"s{number}", value=number)
        return None

    run = runs(stage, hoard)
    assert run.status == "failed"
    assert "only after a sweep" in run.problem
    assert len(kept(stage)["entries"]) == 4


def test_refuses_to_take_a_record_for_a_memory(stage: Stage) -> None:
    create_state(actor=stage.setup, key=MEMORY, document={}, reason="", now=now())
    run = runs(stage, learn)
    assert "There is a record under" in run.problem


def test_refuses_a_writer_whose_run_was_ended_meanwhile(stage: Stage) -> None:
    here = place(stage)
    cancel(actor=stage.setup, job_id=here.claimed.job_id, now=now())
    with pytest.raises(Fenced):
        remembering.remember(actor=clerk(stage), place=here, note=Note("x", 1), now=now())
    assert not State.objects.filter(key=MEMORY).exists()


def test_refuses_a_writer_whose_record_was_brought_back(stage: Stage) -> None:
    here = place(stage)
    State.objects.filter(id=stage.book.state_id).update(epoch=1)
    with pytest.raises(Outdated):
        remembering.remember(actor=clerk(stage), place=here, note=Note("x", 1), now=now())
    assert not State.objects.filter(key=MEMORY).exists()


def test_refuses_a_writer_whose_memory_was_brought_back(stage: Stage) -> None:
    first = place(stage)
    met = remembering.remember(actor=clerk(stage), place=first, note=Note("x", 1), now=now())
    State.objects.filter(key=MEMORY).update(epoch=1)
    late = replace(first, step=8, memory_epoch=int(str(met["epoch"])))
    with pytest.raises(Outdated):
        remembering.remember(actor=clerk(stage), place=late, note=Note("y", 2), now=now())
    fresh = replace(first, step=9, memory_epoch=None)
    remembering.remember(actor=clerk(stage), place=fresh, note=Note("z", 3), now=now())
    assert [each.subject for each in memory.entries(kept(stage))] == ["x", "z"]


def test_reads_on_where_it_was_after_something_could_not_be_kept(stage: Stage) -> None:
    def somebody_else() -> None:
        register_workflow(Workflow("other", "Other", learn))
        stage.submit("other", key="other")
        [claimed] = store.claim(1)
        lead(claimed)

    def failing(context: Context) -> Json:
        context.remember(agent="clerk", subject="mine", value=1)
        context.tool(agent="scout", name="wait", args={}, function=somebody_else)
        with suppress(ToolFailed):
            context.remember(agent="clerk", subject="", value=2)
        return [each.subject for each in context.recall(agent="clerk", why="All of it")]

    assert runs(stage, failing).result == ["mine"]
    assert [each.subject for each in memory.entries(kept(stage))] == ["mine", "balance"]


def test_sets_a_run_aside_that_wakes_up_after_its_memory_was_brought_back(stage: Stage) -> None:
    def late(context: Context) -> Json:
        context.remember(agent="clerk", subject="a", value=1)
        State.objects.filter(key=MEMORY, epoch=0).update(epoch=1)
        context.remember(agent="clerk", subject="b", value=2)
        return "kept"

    register_workflow(Workflow("mind", "Mind", late))
    run = stage.submit("mind")
    [claimed] = store.claim(1)
    lead(claimed)
    assert stage.run(run.id).status == "superseded"
    assert [each.subject for each in memory.entries(kept(stage))] == ["a"]


@pytest.mark.race
def test_keeps_what_two_runs_of_an_agent_write_at_the_same_instant(stage: Stage) -> None:
    with race() as races:
        for step in range(100, 120):
            key = f"book-{step}"
            head = create_state(actor=stage.setup, key=key, document={}, reason="", now=now())
            both = [
                replace(place(stage, step + more), record_id=head.state_id, record_key=key)
                for more in (0, 1_000)
            ]
            races.run(
                *[
                    partial(
                        remembering.remember,
                        actor=clerk(stage),
                        place=each,
                        note=Note(f"s{each.step}", each.step),
                        now=now(),
                    )
                    for each in both
                ]
            )
            held = memory.entries(kept(stage, f"{key}/agents/clerk"))
            assert {each.value for each in held} == {step, step + 1_000}
