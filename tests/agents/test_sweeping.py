"""Sweeping: what should not be in a memory goes, in one snapshot that says why."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from agents import memory
from agents.models import MemoryUse
from agents.operations.sweeping import MemoryHeld, look, sweep, sweep_some
from agents.queries import memory as memories
from console.access.operations.granting import found
from console.actors import Actor, system
from console.canonical import Json
from console.errors import Forbidden, NotFound
from console.ledger import queries as ledger
from snapshots import queries as snapshots
from snapshots.content import content_bytes
from snapshots.diff import Change
from snapshots.models import Mark, Snapshot
from snapshots.operations.creating import create_state
from snapshots.queries import Head
from tests.agents import minds
from tests.agents.stage import Stage, now

pytestmark = pytest.mark.django_db(transaction=True)
LATER = timedelta(hours=2)


@pytest.fixture
def stage() -> Stage:
    return Stage.build()


@pytest.fixture
def full(stage: Stage) -> Head:
    """Return a memory with one entry of each kind that a sweep takes, and one that stays."""
    notes: list[dict[str, Any]] = [
        minds.short("gone"),
        {"subject": "bank", "value": "old"},
        {"subject": "bank", "value": "new"},
        {"subject": "first line", "derived_from": ["/log/0"]},
        {"subject": "balance", "derived_from": ["/n"]},
    ]
    minds.move(stage.setup, stage.book.state_id, Change("add", "/log/0", value="x"))
    head = minds.keep(stage.setup, stage.book, notes, now())
    minds.move(
        stage.setup,
        stage.book.state_id,
        Change("remove", "/log/0", "x"),
        Change("replace", "/n", 0, 4),
    )
    return head


def swept_by(stage: Stage, *roles: str) -> Actor:
    return Actor("person", "p", "Eve", stage.setup.workspace_id, frozenset(roles))


def test_takes_what_is_expired_orphaned_superseded_and_contradicted(
    stage: Stage, full: Head
) -> None:
    done = sweep(actor=stage.setup, state_id=full.state_id, now=now() + LATER)
    assert sorted(each.reason for each in done.verdicts.values()) == [
        "contradicted",
        "expired",
        "orphaned",
        "superseded",
    ]
    left = minds.entries(full)
    assert {name: each["value"] for name, each in left.items()} == {"bank": "new"}


def test_is_one_snapshot_that_says_what_went_and_one_line_of_the_ledger(
    stage: Stage, full: Head
) -> None:
    done = sweep(actor=stage.setup, state_id=full.state_id, now=now() + LATER)
    row = snapshots.snapshot(stage.setup.workspace_id, full.state_id, full.number + 1)
    assert done.snapshot == row.number
    assert (row.cause, row.change_count) == ("sweep", 4)
    assert row.reason == ("Swept 4 entries: 1 expired, 1 orphaned, 1 superseded, 1 contradicted")
    line = ledger.entries(stage.setup.workspace_id).get(verb="memory.swept")
    assert line.subject == f"state:{full.state_id}"
    assert line.body["taken"] == dict.fromkeys(
        ["expired", "orphaned", "superseded", "contradicted"], 1
    )
    assert set(line.body["entries"]) == set(done.verdicts)
    assert ledger.verify(stage.setup.workspace_id).objection is None


def test_says_beforehand_what_would_go_in_the_same_words(stage: Stage, full: Head) -> None:
    at = now() + LATER
    said = look(workspace_id=stage.setup.workspace_id, state_id=full.state_id, now=at)
    assert (said.snapshot, said.held, len(minds.entries(full))) == (None, 5, 4)
    done = sweep(actor=stage.setup, state_id=full.state_id, now=at)
    assert said.verdicts == done.verdicts


def test_writes_nothing_where_nothing_is_to_be_taken(stage: Stage) -> None:
    head = minds.keep(stage.setup, stage.book, [{"subject": "a"}], now())
    assert sweep(actor=stage.setup, state_id=head.state_id, now=now()).snapshot is None
    assert snapshots.head(head.workspace_id, head.state_id).number == head.number


def test_keeps_what_was_used_lately_when_there_is_too_much(stage: Stage) -> None:
    head = minds.keep(stage.setup, stage.book, [{"subject": f"s{n}"} for n in range(5)], now())
    ids = {each.subject: each.id for each in memories.review(head, now=now()).entries}
    for number in (0, 3):
        MemoryUse.objects.create(
            state_id=head.state_id, entry=ids[f"s{number}"], used_at=now() + LATER
        )
    with override_settings(MEMORY_ENTRIES_AT_MOST=3):
        done = sweep(actor=stage.setup, state_id=head.state_id, now=now() + LATER)
    assert set(minds.entries(head)) == {"s0", "s3", "s4"}
    assert memory.counts(done.verdicts) == {"unused": 2}


def test_forgets_when_swept_entries_were_used(stage: Stage) -> None:
    head = minds.keep(stage.setup, stage.book, [minds.short("a"), {"subject": "b"}], now())
    for each in memories.review(head, now=now()).entries:
        MemoryUse.objects.create(state_id=head.state_id, entry=each.id, used_at=now())
    sweep(actor=stage.setup, state_id=head.state_id, now=now() + LATER)
    [left] = memories.review(minds.mind(stage.setup, stage.book), now=now()).entries
    assert list(memories.uses(head.state_id)) == [left.id]


def test_takes_nothing_from_a_memory_under_a_legal_hold(stage: Stage, full: Head) -> None:
    Mark.objects.create(
        workspace_id=full.workspace_id,
        state_id=full.state_id,
        kind="hold",
        actor={},
        created_at=now(),
    )
    with pytest.raises(MemoryHeld):
        sweep(actor=stage.setup, state_id=full.state_id, now=now() + LATER)
    assert sweep_some(after=None, now=now() + LATER) is None
    assert len(minds.entries(full)) == 4
    Mark.objects.update(removed_at=now(), removed_by={})
    assert sweep(actor=stage.setup, state_id=full.state_id, now=now() + LATER).snapshot


@pytest.mark.parametrize("role", ["engineer", "admin"])
def test_lets_those_who_operate_agents_sweep(stage: Stage, full: Head, role: str) -> None:
    done = sweep(actor=swept_by(stage, role), state_id=full.state_id, now=now() + LATER)
    row = snapshots.snapshot(full.workspace_id, full.state_id, done.snapshot or 0)
    assert row.actor["name"] == "Eve"


@pytest.mark.parametrize("role", ["reviewer", "auditor"])
def test_refuses_whoever_may_not_operate_agents(stage: Stage, full: Head, role: str) -> None:
    with pytest.raises(Forbidden):
        sweep(actor=swept_by(stage, role), state_id=full.state_id, now=now())


def test_finds_no_memory_in_a_record_or_in_another_workspace(stage: Stage, full: Head) -> None:
    with pytest.raises(NotFound):
        sweep(actor=stage.setup, state_id=stage.book.state_id, now=now())
    stranger = system("memory-sweep", found("other", "Other").id)
    with pytest.raises(NotFound):
        sweep(actor=stranger, state_id=full.state_id, now=now())


def memories_of(stage: Stage, names: str) -> Iterator[Head]:
    """Make a memory with one expired entry for each agent."""
    for name in names:
        entry: Json = {
            "subject": "x",
            "value": 1,
            "confidence": 1,
            "recorded_at": now().isoformat(),
            "expires_at": now().isoformat(),
            "origin": {"job": "j", "run": "r", "step": 1, "agent": name},
            "from": {},
        }
        yield create_state(
            actor=stage.setup,
            key=f"book/agents/{name}",
            document={"entries": {"r:1": entry}},
            reason="",
            now=now(),
            kind="memory",
        )


def test_goes_on_where_the_last_batch_ended_and_leaves_records_alone(stage: Stage) -> None:
    heads = list(memories_of(stage, "abc"))
    after = sweep_some(after=None, at_most=2, now=now())
    numbers = [snapshots.head(h.workspace_id, h.state_id).number for h in heads]
    assert (after, numbers) == (heads[1].state_id, [2, 2, 1])
    assert sweep_some(after=after, at_most=2, now=now()) is None
    assert snapshots.head(heads[2].workspace_id, heads[2].state_id).number == 2


def test_is_not_held_up_by_a_memory_that_cannot_be_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = list(memories_of(stage, "abc"))
    plain = snapshots.content

    def damaged(state_id: Any, number: int) -> Json:
        if state_id == heads[0].state_id:
            raise snapshots.Corrupt(number)
        return plain(state_id, number)

    monkeypatch.setattr(snapshots, "content", damaged)
    assert sweep_some(after=None, now=now()) is None
    numbers = [snapshots.head(h.workspace_id, h.state_id).number for h in heads]
    assert numbers == [1, 2, 2]


def test_leaves_what_came_before_it_as_it_was(stage: Stage, full: Head) -> None:
    before = snapshots.content(full.state_id, full.number)
    sweep(actor=stage.setup, state_id=full.state_id, now=now() + LATER)
    assert content_bytes(snapshots.content(full.state_id, full.number)) == content_bytes(before)
    assert Snapshot.objects.filter(state=full.state_id, cause="sweep").count() == 1
