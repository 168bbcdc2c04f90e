"""Crashing in the middle of a restoration: all of it or none, and whoever comes next finishes."""

import os
import subprocess
import sys

import pytest
from django.db import connection

from agents.models import Run
from agents.operations.restoring import carry_on
from agents.queries import restorations
from approvals import queries as approvals
from console.doorbell.models import Ring
from snapshots import queries as snapshots
from snapshots.models import Snapshot
from snapshots.queries import Head
from tests.agents.turning_back import Scene
from tests.story import BOOK, now, opening

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

# Carrying on is fifteen calls here: two runs, two States, one effect outside, two new runs.
PLACES = range(1, 17)
CONFIRMING = 2


def restorer(*args: object) -> int:
    """Restore in a process of its own on this test's database."""
    settings = connection.settings_dict
    url = f"postgresql://{settings['USER']}@/{settings['NAME']}?host={settings['HOST']}"
    command = [sys.executable, "-m", "tests.agents.dying_restorer", *map(str, args)]
    environment = {**os.environ, "DATABASE_URL": url}
    return subprocess.run(command, env=environment, timeout=60, check=False).returncode


@pytest.fixture
def scene() -> Scene:
    return Scene.build()


def everywhere(scene: Scene, memory: Head, runs: list[Run]) -> set[str]:
    """Say for each thing that belongs together whether it is as before or as after."""
    kinds = {
        scene.cast.content() == opening(),
        scene.words(memory) == [],
        *(scene.run(run.id).status == "superseded" for run in runs),
        not approvals.open_on(scene.cast.workspace.id, [scene.book]),
        snapshots.find(scene.cast.workspace.id, f"{BOOK}/recoveries") is not None,
    }
    return {"after" if kind else "before" for kind in kinds}


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_worker_leaves_all_or_nothing_and_another_one_finishes(
    scene: Scene, place: int
) -> None:
    scene.pay(30, "wire")
    memory = scene.memory("late")
    runs = [scene.job(5), scene.job(6)]
    scene.cast.ask(11, origin="client:2")
    planned = scene.plan(1)
    scene.confirm(planned)
    code = restorer(planned, place)
    assert code == (0 if place == max(PLACES) else -9)
    status = scene.read(planned).status
    expected = "before" if status == "confirmed" else "after"
    assert everywhere(scene, memory, runs) == {expected}
    if code:
        assert restorations.unfinished(confirmed_before=now()) == [planned]
    assert carry_on(planned, now=now()) == "done"
    assert everywhere(scene, memory, runs) == {"after"}
    assert_whole(scene, runs)


def assert_whole(scene: Scene, runs: list[Run]) -> None:
    """Check that everything happened, and once."""
    assert Snapshot.objects.filter(cause="rollback").count() == 2
    assert scene.cast.head().epoch == 1
    for run in runs:
        assert list(Run.objects.filter(job=run.job_id).values_list("number", flat=True)) == [1, 2]
        assert scene.run_of(run.job_id).status == "queued"
    place = snapshots.named(scene.cast.workspace.id, f"{BOOK}/recoveries")
    assert len(approvals.open_on(scene.cast.workspace.id, [place.state_id])) == 1
    assert scene.cast.ledger_objection() is None


@pytest.mark.parametrize("place", range(1, CONFIRMING + 1))
def test_a_killed_web_process_has_confirmed_or_it_has_not(scene: Scene, place: int) -> None:
    scene.pay(70)
    planned = scene.plan(1)
    assert restorer("confirm", planned, place) == -9
    assert scene.read(planned).status == "planned"
    assert not Ring.objects.filter(key=str(planned)).exists()
    assert restorer("confirm", planned, 99) == 0
    assert carry_on(planned, now=now()) == "done"
    assert scene.cast.content() == opening()
