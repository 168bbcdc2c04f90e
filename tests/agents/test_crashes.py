"""Crashing: a worker killed anywhere leaves a run that another one finishes, nothing doubled."""

import os
import subprocess
import sys
import time
from collections import Counter

import pytest
from django.db import connection

from agents import queries
from agents.models import Run
from agents.operations.running import work
from agents.operations.waking import wake_run
from approvals.models import Execution, Proposal
from console.ledger import queries as ledger
from tests.agents import programs
from tests.agents.stage import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

# (answers given before, writes of that worker): a turn of `count` reads, proposes, waits; then it
# takes in the answer and an event; the last one also ends the run.
PLACES = [(turn, n) for turn, writes in ((0, 4), (1, 7), (2, 4)) for n in range(1, writes + 1)]
LEASE_SECONDS = 0.3


def worker(*args: str) -> int:
    """Run a worker in a process of its own on this test's database."""
    settings = connection.settings_dict
    url = f"postgresql://{settings['USER']}@/{settings['NAME']}?host={settings['HOST']}"
    command = [sys.executable, "-m", "tests.agents.dying_worker", *args]
    environment = {**os.environ, "DATABASE_URL": url, "RUN_LEASE_SECONDS": str(LEASE_SECONDS)}
    return subprocess.run(command, env=environment, timeout=60, check=False).returncode


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("turn", "place"), PLACES)
def test_a_killed_worker_costs_time_and_nothing_else(moment: str, turn: int, place: int) -> None:
    programs.register()
    stage = Stage.build()
    run = stage.submit("count")
    for _ in range(turn):
        work()
        answer(stage, run)
    assert worker(moment, str(place)) == -9
    finish(stage, run)
    assert [step.index for step in queries.steps(run.id)] == list(range(8))
    assert stage.content() == {"n": 2, "log": [0, 1]}
    assert all(count == 1 for count in proposals_per_step().values())
    assert Execution.objects.filter(status="succeeded").count() == 2
    assert ledger.verify(stage.setup.workspace_id).objection is None


def answer(stage: Stage, run: Run) -> None:
    """Approve what the run waits for, if it waits, and ring."""
    if queries.waiting_of(run.id):
        stage.decide(run.id, "approve")
        wake_run(run.id)


def finish(stage: Stage, run: Run) -> None:
    """Let other workers finish what a killed one left, with a person who says yes."""
    for _ in range(4):
        time.sleep(LEASE_SECONDS)
        work()
        answer(stage, run)
    ended = stage.run(run.id)
    assert (ended.status, ended.result) == ("succeeded", {"ends": ["approved", "approved"]})


def proposals_per_step() -> Counter[tuple[str, str]]:
    return Counter(Proposal.objects.values_list("origin", "origin_step"))
