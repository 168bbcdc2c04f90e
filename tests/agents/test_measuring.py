"""Measuring: drift is kept as a series, and pauses who works on what has drifted too far."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import override_settings

from agents import queries
from agents.drifting import Limits
from agents.models import Agent, Drift, DriftLimit
from agents.operations.limiting import LimitInvalid, limit
from agents.operations.measuring import look, measure, measure_some
from agents.operations.pausing import resume
from agents.operations.running import work
from agents.operations.sweeping import sweep
from agents.queries import drift
from agents.workflows import Context, Workflow, register_workflow
from console.access.operations.granting import found
from console.actors import Actor, system
from console.canonical import Json
from console.errors import Forbidden, NotFound
from console.ledger import queries as ledger
from snapshots import queries as snapshots
from snapshots.diff import Change
from snapshots.models import State
from snapshots.queries import Head
from tests.agents import minds
from tests.agents.stage import Stage, now

pytestmark = pytest.mark.django_db(transaction=True)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
# Ten of twelve expire: 83 % are stale, far above what is allowed.
NOTES: list[dict[str, Any]] = [
    *(minds.short(f"s{number}") for number in range(10)),
    {"subject": "stays"},
    {"subject": "stays too"},
]


@pytest.fixture
def stage() -> Stage:
    return Stage.build()


@pytest.fixture
def mind(stage: Stage) -> Head:
    """Return a memory of which most will be stale in two hours."""
    return minds.keep(stage.setup, stage.book, NOTES, now())


@pytest.fixture
def ada(stage: Stage) -> Actor:
    return Actor("person", "ada", "Ada", stage.setup.workspace_id, frozenset({"admin"}))


def later(hours: float = 2) -> datetime:
    return now() + timedelta(hours=hours)


def guard(stage: Stage) -> Actor:
    return system("drift-guard", stage.setup.workspace_id)


def status(name: str = minds.CLERK) -> str:
    return Agent.objects.get(name=name).status


def waits(context: Context) -> Json:
    """Propose, and wait for a decision that nobody makes."""
    context.propose(agent="scout", action_type="set", params={})
    return None


def test_keeps_what_it_found_with_the_snapshot_it_looked_at(stage: Stage, mind: Head) -> None:
    done = measure(actor=guard(stage), state_id=mind.state_id, now=now())
    row = Drift.objects.get()
    assert done.kept
    assert (row.agent, row.number, row.entries, row.stale) == ("clerk", mind.number, 12, 0)
    assert (
        row.document_bytes
        == snapshots.snapshot(mind.workspace_id, mind.state_id, mind.number).document_bytes
    )
    assert (row.jobs, row.growth, row.differing, row.over) == (1, None, None, [])


def test_counts_what_the_record_contradicts(stage: Stage) -> None:
    head = minds.keep(
        stage.setup,
        stage.book,
        [{"subject": "n", "derived_from": ["/n"]}, {"subject": "log", "derived_from": ["/log"]}],
        now(),
    )
    minds.move(stage.setup, stage.book.state_id, Change("replace", "/n", 0, 4))
    seen = look(workspace_id=head.workspace_id, state_id=head.state_id, now=now()).found.figures
    assert (seen.contradicting, seen.contradicting_share, seen.stale) == (1, 0.5, 0)


def test_writes_a_row_only_when_something_changed_or_a_day_passed(stage: Stage, mind: Head) -> None:
    start = now()
    kept = [
        measure(actor=guard(stage), state_id=mind.state_id, now=start + passed).kept
        for passed in (MINUTE, 2 * MINUTE, 30 * MINUTE, 90 * MINUTE, 100 * MINUTE, 2 * DAY)
    ]
    assert kept == [True, False, False, True, False, True]


def test_is_never_changed(stage: Stage, mind: Head) -> None:
    measure(actor=guard(stage), state_id=mind.state_id, now=now())
    with pytest.raises(DatabaseError, match="append-only"):
        Drift.objects.update(stale=0)


def test_pauses_the_agent_whose_memory_crosses_a_limit_and_says_with_which_numbers(
    stage: Stage, mind: Head
) -> None:
    measure(actor=guard(stage), state_id=mind.state_id, now=now())
    done = measure(actor=guard(stage), state_id=mind.state_id, now=later())
    says = "10 of 12 entries are stale (83.3 %); the limit is 50 %."
    held = Agent.objects.get(name="clerk")
    assert (held.status, held.status_by) == ("paused", "Drift guard")
    assert held.status_reason == f"book/agents/clerk has drifted. {says}"
    assert done.paused == ("clerk",)
    line = ledger.entries(mind.workspace_id).get(verb="drift.crossed")
    assert (line.subject, line.body["says"], line.body["paused"]) == (
        f"state:{mind.state_id}",
        [says],
        ["clerk"],
    )
    row = drift.newest(mind.workspace_id, mind.state_id)
    assert row is not None
    assert [each["says"] for each in row.over] == [says]
    assert ledger.verify(mind.workspace_id).objection is None


def test_does_not_pause_again_what_a_person_resumed_until_it_crosses_again(
    stage: Stage, mind: Head, ada: Actor
) -> None:
    measure(actor=guard(stage), state_id=mind.state_id, now=later())
    assert status() == "paused"
    resume(actor=ada, name="clerk", now=later())
    for hours in (3, 40):
        measure(actor=guard(stage), state_id=mind.state_id, now=later(hours))
    assert status() == "active"
    sweep(actor=guard(stage), state_id=mind.state_id, now=later(41))
    assert not measure(actor=guard(stage), state_id=mind.state_id, now=later(42)).over
    minds.keep(stage.setup, stage.book, NOTES, now())
    measure(actor=guard(stage), state_id=mind.state_id, now=later(43))
    assert status() == "paused"
    assert ledger.entries(mind.workspace_id).filter(verb="drift.crossed").count() == 2


def test_pauses_who_works_on_a_record_that_left_its_limits(stage: Stage, ada: Actor) -> None:
    register_workflow(Workflow("waits", "Waits", waits))
    run = stage.submit("waits")
    minds.keep(stage.setup, stage.book, [{"subject": "x"}], now())
    work()
    Drift.objects.create(
        workspace_id=stage.setup.workspace_id,
        state_id=stage.book.state_id,
        number=1,
        document_bytes=0,
        measured_at=now() - DAY,
    )
    limit(actor=ada, state_id=stage.book.state_id, limits=Limits(growth=100), now=now())
    for number in range(19):
        stage.submit("waits", key=f"more {number}")
    done = measure(actor=guard(stage), state_id=stage.book.state_id, now=now())
    figures = done.found.figures
    assert (figures.jobs, figures.growth) == (21, figures.document_bytes * 1000 / 21)
    assert done.paused == ("scout",)
    assert (stage.run(run.id).status, status("scout"), status()) == ("paused", "paused", "active")


def test_tells_growth_over_the_last_thousand_jobs(stage: Stage) -> None:
    def earlier(jobs: int, size: int, minutes: int) -> None:
        Drift.objects.create(
            workspace_id=stage.setup.workspace_id,
            state_id=stage.book.state_id,
            number=1,
            jobs=jobs,
            document_bytes=size,
            measured_at=now() - minutes * MINUTE,
        )

    earlier(-5_000, 1_000_000, 50)
    earlier(-1_200, 4_000, 40)
    earlier(-900, 90_000, 30)
    seen = look(
        workspace_id=stage.setup.workspace_id, state_id=stage.book.state_id, now=now()
    ).found.figures
    assert seen.growth == (seen.document_bytes - 4_000) * 1000 / 1_200


@override_settings(
    DRIFT_LIMITS={
        **dict.fromkeys(["differing", "growth"], float("inf")),
        "stale_share": 0.9,
        "contradicting_share": float("inf"),
    }
)
def test_follows_the_settings_unless_a_state_has_limits_of_its_own(
    stage: Stage, mind: Head, ada: Actor
) -> None:
    assert drift.limits(mind.workspace_id, mind.state_id) == Limits(stale_share=0.9)
    assert not measure(actor=guard(stage), state_id=mind.state_id, now=later()).over
    limit(actor=ada, state_id=mind.state_id, limits=Limits(stale_share=0.8), now=now())
    again = measure(actor=guard(stage), state_id=mind.state_id, now=later())
    assert (again.kept, again.paused) == (True, ("clerk",))
    limit(actor=ada, state_id=mind.state_id, limits=None, now=now())
    assert drift.limits(mind.workspace_id, mind.state_id) == Limits(stale_share=0.9)
    said = ledger.entries(mind.workspace_id).filter(verb="drift.limited").order_by("seq")
    assert [line.body for line in said] == [{"limits": {"stale_share": "0.8"}}, {"limits": None}]


@pytest.mark.parametrize(
    "limits",
    [
        Limits(stale_share=1.01),
        Limits(contradicting_share=-0.1),
        Limits(differing=1.5),
        Limits(differing=2.0**31),
        Limits(growth=float("nan")),
        Limits(growth=float("inf")),
        Limits(growth=-1),
    ],
)
def test_refuses_limits_that_are_none(stage: Stage, ada: Actor, limits: Limits) -> None:
    with pytest.raises(LimitInvalid):
        limit(actor=ada, state_id=stage.book.state_id, limits=limits, now=now())
    assert not DriftLimit.objects.exists()


def test_lets_only_admins_limit_and_only_operators_measure(stage: Stage, mind: Head) -> None:
    for role in ("reviewer", "auditor", "engineer"):
        who = Actor("person", "p", "P", stage.setup.workspace_id, frozenset({role}))
        with pytest.raises(Forbidden):
            limit(actor=who, state_id=mind.state_id, limits=Limits(), now=now())
    who = Actor("person", "p", "P", stage.setup.workspace_id, frozenset({"auditor"}))
    with pytest.raises(Forbidden):
        measure(actor=who, state_id=mind.state_id, now=now())


def test_finds_nothing_of_another_workspace(mind: Head, ada: Actor) -> None:
    stranger = system("drift-guard", found("other", "Other").id)
    with pytest.raises(NotFound):
        measure(actor=stranger, state_id=mind.state_id, now=now())
    other = Actor("person", "z", "Zoe", stranger.workspace_id, frozenset({"admin"}))
    with pytest.raises(NotFound):
        limit(actor=other, state_id=mind.state_id, limits=Limits(), now=now())


def test_walks_through_all_states_and_past_those_that_cannot_be_read(
    stage: Stage, mind: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = snapshots.content

    def damaged(state_id: Any, number: int) -> Json:
        if state_id == mind.state_id:
            raise snapshots.Corrupt(number)
        return plain(state_id, number)

    monkeypatch.setattr(snapshots, "content", damaged)
    ids = sorted(State.objects.exclude(kind="policies").values_list("id", flat=True))
    assert measure_some(after=None, at_most=1, now=now()) == ids[0]
    assert measure_some(after=ids[0], at_most=5, now=now()) is None
    assert set(Drift.objects.values_list("state", flat=True)) == {stage.book.state_id}


def test_does_not_mind_a_memory_whose_agent_never_worked(stage: Stage, mind: Head) -> None:
    State.objects.filter(id=mind.state_id).update(key="book/agents/ghost")
    done = measure(actor=guard(stage), state_id=mind.state_id, now=later())
    assert (len(done.crossed), done.paused) == (1, ())
    assert queries.runs(mind.workspace_id).exclude(status="succeeded").count() == 0
