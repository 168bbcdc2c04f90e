"""The board: says of each agent what it does and when it was last alive, however many there are."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents import store
from agents.models import Agent, Participation, Run
from agents.operations.halting import halt
from agents.operations.pausing import pause
from agents.operations.running import work
from agents.queries import board as queries
from agents.showing import board
from agents.showing.board import Card
from console.access.models import Workspace
from console.actors import Actor
from console.errors import NotFound
from console.ids import new_id
from console.paging import BadCursor
from tests.agents import control
from tests.agents.control import BECAUSE, agent, member
from tests.agents.stage import Stage, now


@pytest.fixture
def stage(db: None) -> Stage:
    return control.build()


@pytest.fixture
def ada(stage: Stage) -> Actor:
    return member(stage, "Ada", "admin")


def workspace(stage: Stage) -> Workspace:
    return Workspace.objects.get(id=stage.setup.workspace_id)


def shown(stage: Stage, who: Actor, **asked: Any) -> dict[str, Any]:
    return board.agent_list(workspace(stage), who, **asked)


def card(stage: Stage, who: Actor, name: str = "scout") -> Card:
    found: list[Card] = shown(stage, who)["cards"]
    return next(each for each in found if each.agent.name == name)


def fill(stage: Stage, agents: int, runs: int, status: str = "succeeded") -> list[UUID]:
    """Write agents that each took part in some runs, past the engine."""
    workspace_id, at = stage.setup.workspace_id, now()
    template = stage.submit("steps", key=f"template {new_id()}", steps=0)
    rows = [
        Agent(
            workspace_id=workspace_id, name=f"bot-{n:05}", status_at=at, seen_at=at, created_at=at
        )
        for n in range(agents)
    ]
    Agent.objects.bulk_create(rows)
    made = [
        Run(
            workspace_id=workspace_id,
            job_id=template.job_id,
            number=n + 2 + Run.objects.count(),
            status=status,
            waiting_for=new_id() if status == "waiting" else None,
            lease_until=at + timedelta(seconds=30) if status == "running" else None,
            finished_at=None if status in {"waiting", "running"} else at,
            created_at=at,
        )
        for n in range(agents * runs)
    ]
    Run.objects.bulk_create(made)
    Participation.objects.bulk_create(
        [Participation(run=run, agent=rows[n % agents], since=at) for n, run in enumerate(made)]
    )
    return [row.id for row in rows]


def test_says_that_an_agent_waits_and_for_what(stage: Stage, ada: Actor) -> None:
    run = stage.submit("team")
    work()
    found = card(stage, ada, "clerk")
    assert (found.activity, found.label, found.more_waiting) == ("waiting", "Waiting", 0)
    assert found.run is not None
    assert found.run.run_id == run.id
    assert found.waits is not None
    assert found.waits.id == stage.run(run.id).waiting_for
    assert (found.recent.runs, found.recent.failed) == (1, 0)


def test_says_that_an_agent_runs_and_when_its_worker_was_alive(stage: Stage, ada: Actor) -> None:
    stage.submit("steps", steps=1)
    [claimed] = store.claim(1)
    store.meet(claimed, "scout")
    Agent.objects.update(seen_at=now() - timedelta(minutes=9))
    until = now() + settings.RUN_LEASE - timedelta(seconds=3)
    Run.objects.update(lease_until=until)
    found = card(stage, ada)
    assert (found.activity, found.status) == ("running", "running")
    assert found.seen_at == until - settings.RUN_LEASE


def test_says_that_a_worker_was_lost_and_since_when(stage: Stage, ada: Actor) -> None:
    stage.submit("steps", steps=1)
    [claimed] = store.claim(1)
    store.meet(claimed, "scout")
    gone = now() - timedelta(minutes=4)
    Agent.objects.update(seen_at=gone - timedelta(minutes=1))
    Run.objects.update(lease_until=gone + settings.RUN_LEASE)
    found = card(stage, ada)
    assert (found.activity, found.label, found.seen_at) == ("lost_contact", "Lost contact", gone)
    seen = shown(stage, ada, which="lost")
    assert ([each.agent.name for each in seen["cards"]], seen["lost"]) == (["scout"], 1)
    assert len(shown(stage, ada, which="running")["cards"]) == 1


def test_says_who_paused_an_agent_and_why(stage: Stage, ada: Actor) -> None:
    stage.submit("count")
    work()
    pause(actor=ada, name="scout", reason=BECAUSE, now=now())
    found = card(stage, ada)
    assert (found.status, found.label, found.activity) == ("paused", "Paused by Ada", "held")
    seen = shown(stage, ada, which="held")
    assert ([each.agent.name for each in seen["cards"]], seen["held"]) == (["scout"], 1)
    assert shown(stage, ada, which="running")["cards"] == []


def test_says_that_an_agent_is_held_by_a_pause_of_another(stage: Stage, ada: Actor) -> None:
    stage.submit("team")
    work()
    pause(actor=ada, name="clerk", reason=BECAUSE, now=now())
    found = card(stage, ada)
    assert (found.activity, found.label, found.is_held) == ("held", "Held", False)
    assert found.run is not None
    assert found.run.held_because == f"Ada paused clerk: {BECAUSE}"


def test_counts_failures_of_the_last_hour_only(stage: Stage, ada: Actor) -> None:
    [bot] = fill(stage, agents=1, runs=7, status="failed")
    old = list(Participation.objects.filter(agent=bot).values_list("run_id", flat=True))[:3]
    Participation.objects.filter(run__in=old).update(since=now() - timedelta(minutes=61))
    found = card(stage, ada, "bot-00000")
    assert (found.recent.runs, found.recent.failed, found.label) == (4, 4, "Idle")


def test_counts_up_to_a_limit(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "COUNTED_AT_MOST", 5)
    [bot] = fill(stage, agents=1, runs=8)
    assert queries.recent([bot], since=now() - timedelta(hours=1))[bot].runs == 5


def test_pages_by_name_without_losing_one(stage: Stage, ada: Actor) -> None:
    fill(stage, agents=71, runs=1)
    names, cursor = [], ""
    for _ in range(3):
        seen = shown(stage, ada, cursor=cursor)
        names += [each.agent.name for each in seen["cards"]]
        cursor = seen["next_url"].partition("cursor=")[2]
    assert names == [f"bot-{n:05}" for n in range(71)]
    assert cursor == ""


def test_finds_an_agent_by_a_part_of_its_name(stage: Stage, ada: Actor) -> None:
    fill(stage, agents=40, runs=1)
    names = [each.agent.name for each in shown(stage, ada, named="T-00007")["cards"]]
    assert names == ["bot-00007"]


@pytest.mark.parametrize("cursor", ["x", "01a1fec3-eea4-763d-981e-ed394f875eb5", "0" * 500])
def test_refuses_a_cursor_of_another_list(stage: Stage, ada: Actor, cursor: str) -> None:
    with pytest.raises(BadCursor):
        shown(stage, ada, cursor=cursor)


def test_shows_nothing_of_another_workspace(stage: Stage, ada: Actor) -> None:
    elsewhere = Stage.build("elsewhere")
    fill(elsewhere, agents=2, runs=2, status="running")
    assert shown(stage, ada)["cards"] == []
    [stranger, _] = Agent.objects.all()
    with pytest.raises(BadCursor):
        shown(stage, ada, cursor=str(stranger.id))
    with pytest.raises(NotFound):
        board.agent_detail(workspace(stage), ada, stranger.id)


def test_costs_the_same_for_three_agents_and_for_three_hundred(stage: Stage, ada: Actor) -> None:
    counts = []
    for agents in (3, 300):
        fill(stage, agents=agents, runs=3, status="waiting")
        here = workspace(stage)
        with CaptureQueriesContext(connection) as seen:
            board.agent_list(here, ada)
        counts.append(len(seen))
        Participation.objects.all().delete()
        Agent.objects.all().delete()
    assert counts == [9, 9]


def test_says_that_everything_is_stopped(stage: Stage, ada: Actor) -> None:
    assert board.halt_banner(workspace(stage)) is None
    halt(actor=ada, reason=BECAUSE, typed="stage", now=now())
    banner = board.halt_banner(workspace(stage))
    assert banner is not None
    assert banner.says == f"All agents are stopped by Ada: {BECAUSE}"
    assert shown(stage, ada)["halt"].reason == BECAUSE


def test_shows_the_runs_of_an_agent_newest_first_page_by_page(
    stage: Stage, ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "RUNS_SHOWN", 3)
    [bot] = fill(stage, agents=1, runs=7)
    wanted = list(
        Participation.objects.filter(agent=bot)
        .order_by("-since", "-run")
        .values_list("run_id", flat=True)
    )
    found, cursor = [], ""
    for _ in range(3):
        seen = board.agent_detail(workspace(stage), ada, bot, cursor=cursor)
        found += [row.run.id for row in seen["rows"]]
        cursor = seen["next_url"].partition("cursor=")[2]
    assert (found, cursor) == (wanted, "")


def test_names_what_was_done_to_an_agent(stage: Stage, ada: Actor) -> None:
    stage.submit("count")
    work()
    pause(actor=ada, name="scout", reason=BECAUSE, now=now())
    seen = board.agent_detail(workspace(stage), ada, agent(stage).id)
    assert [(line.verb, line.who) for line in seen["lines"]] == [("agent.paused", "Ada")]
