"""Housekeeping: the timer walks through all States, and commands do the same by hand."""

import io
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from agents.models import Drift
from console.access.operations.granting import found
from console.canonical import Json
from console.management.commands.timer import Walk
from console.management.commands.timer import sweep as turn
from snapshots import queries as snapshots
from snapshots.queries import Head
from tests.agents import minds
from tests.agents.stage import Stage, now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mind() -> Head:
    """Return a memory of which one entry would go."""
    stage = Stage.build()
    return minds.keep(stage.setup, stage.book, [{"subject": "a"}, {"subject": "a"}], now())


def told(command: str, *options: str) -> list[dict[str, Any]]:
    """Return what a command prints as JSON."""
    out = io.StringIO()
    call_command(command, "--json", *options, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_says_what_a_sweep_would_take_and_takes_it(mind: Head) -> None:
    [dry] = told("sweep", "--dry-run", "--workspace", "stage")
    assert (dry["key"], dry["entries"], dry["taken"]) == (mind.key, 2, {"superseded": 1})
    assert (dry["snapshot"], dry["says"]) == (None, "1 entry: 1 superseded would go")
    assert snapshots.head(mind.workspace_id, mind.state_id).number == mind.number
    [done] = told("sweep")
    assert (done["snapshot"], done["why"]) == (mind.number + 1, dry["why"])
    assert told("sweep")[0]["says"] == "no entry taken"


def test_sweeps_only_the_workspace_that_was_named(mind: Head) -> None:
    found("other", "Other")
    assert told("sweep", "--workspace", "other") == []
    with pytest.raises(CommandError, match="no workspace nowhere"):
        told("sweep", "--workspace", "nowhere")
    with pytest.raises(CommandError, match="no workspace nowhere"):
        told("measure_drift", "--workspace", "nowhere")


def test_measures_by_hand_and_keeps_nothing_on_a_dry_run(mind: Head) -> None:
    lines = {line["key"]: line for line in told("measure_drift", "--dry-run")}
    assert lines[mind.key]["stale_share"] == 0.5
    assert lines[mind.key]["says"] == "within its limits"
    assert lines["book"]["agent"] == ""
    assert not Drift.objects.exists()
    assert all(line["kept"] for line in told("measure_drift"))
    assert Drift.objects.count() == 2


@pytest.mark.parametrize(("command", "word"), [("sweep", "memories"), ("measure_drift", "State")])
def test_goes_past_what_cannot_be_read_and_says_so_at_the_end(
    mind: Head, monkeypatch: pytest.MonkeyPatch, command: str, word: str
) -> None:
    plain = snapshots.content

    def damaged(state_id: UUID, number: int) -> Json:
        if state_id == mind.state_id:
            raise snapshots.Corrupt(number)
        return plain(state_id, number)

    monkeypatch.setattr(snapshots, "content", damaged)
    out = io.StringIO()
    with pytest.raises(CommandError, match=word):
        call_command(command, stdout=out)
    assert f"stage {mind.state_id}: Snapshot {mind.number} does not match" in out.getvalue()


def test_the_timer_measures_and_then_sweeps(mind: Head) -> None:
    turn()
    row = Drift.objects.get(state=mind.state_id)
    assert (row.number, row.stale) == (mind.number, 1)
    assert snapshots.head(mind.workspace_id, mind.state_id).number == mind.number + 1


def test_walks_a_few_at_a_time_and_begins_anew_when_it_is_time() -> None:
    first, asked = uuid4(), []
    ends = iter([first, None, None])

    def step(*, after: UUID | None, now: datetime) -> UUID | None:
        asked.append(after)
        return next(ends)

    walk = Walk("test", timedelta(hours=1), step)
    for _ in range(4):
        walk.go_on()
    assert asked == [None, first]
    often = Walk("test", timedelta(0), step)
    often.go_on()
    assert asked == [None, first, None]
