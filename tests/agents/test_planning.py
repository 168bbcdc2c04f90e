"""Planning: everything is shown before anything happens, and nothing happens by planning."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from agents.models import Drift, Restoration, Step
from agents.operations.planning import (
    NoSaneSnapshot,
    NothingToRestore,
    NotRestorable,
    PlanSettled,
    discard,
    plan,
    replan,
)
from agents.operations.restoring import (
    EffectInFlight,
    NotTyped,
    PlanExpired,
    PlanOutdated,
    RestorationUnderWay,
    carry_on,
    confirm,
)
from agents.queries import affected, restorations
from agents.restoring import Wanted
from agents.showing.restorations import moved
from console.actors import Actor
from console.errors import Forbidden, Invalid, NotFound, Refused
from snapshots import queries as snapshots
from snapshots.diff import Change
from snapshots.models import Snapshot
from snapshots.queries import Gone
from tests.agents.turning_back import SCOUT, WIRED, Scene
from tests.story import BOOK, now, opening

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene.build()


def test_changes_nothing(scene: Scene) -> None:
    scene.pay(70)
    run, before = scene.job(5), scene.cast.head()
    planned = scene.read(scene.plan(1))
    assert scene.cast.head() == before
    assert scene.run(run.id).status == "waiting"
    assert (planned.status, planned.reason, planned.confirmer) == ("planned", "", None)
    assert scene.cast.said(f"restoration:{planned.id}") == ["restoration.planned"]
    assert planned.expires_at - planned.created_at == timedelta(minutes=10)


def test_says_where_each_state_goes_the_anchor_first(scene: Scene) -> None:
    scene.pay(70)
    memory = scene.memory("early")
    scene.pay(30)
    scene.memory("late")
    other = scene.memory("elsewhere", key="ledger/acme2")
    [book, mind] = scene.read(scene.plan(2)).plan["states"]
    assert (book["key"], book["kind"], book["from"], book["to"]) == (BOOK, "record", 3, 2)
    assert (book["changes"], book["by_reference"]) == (2, True)
    wanted = snapshots.snapshot(scene.cast.workspace.id, scene.book, 2)
    assert (book["to_digest"], book["result_bytes"]) == (wanted.digest, wanted.document_bytes)
    assert (mind["state_id"], mind["kind"], mind["from"]) == (str(memory.state_id), "memory", 3)
    assert (mind["to"], mind["changes"]) == (None, 2)
    assert str(other.state_id) not in str(scene.read(scene.plan(2)).plan)


def test_memories_go_to_what_they_were_when_the_record_was_as_it_will_be(scene: Scene) -> None:
    scene.memory("early")
    scene.pay(70)
    scene.memory("late")
    [_, mind] = scene.read(scene.plan(2)).plan["states"]
    assert (mind["from"], mind["to"]) == (3, 2)
    [_] = scene.read(scene.plan(2 - 1, below=False)).plan["states"]
    [_] = scene.read(scene.plan(1, paths=("/balance",))).plan["states"]


def test_shows_what_is_newer_and_whether_it_can_be_kept(scene: Scene) -> None:
    paid = scene.pay(70)
    scene.cast.move_world(Change("add", "/note", value="seen"))
    scene.pay(30)
    lines = scene.read(scene.plan(1)).plan["newer"]
    assert scene.numbers(lines) == [4, 3, 2]
    last, event, first = lines
    assert (first["cause"], first["by"], first["proposal_id"]) == ("proposal", "Ana", str(paid))
    assert (event["cause"], event["reason"], event["changes"]) == ("outside", "outside", 1)
    assert [line["can_keep"] for line in lines] == [False, True, True]
    assert last["why_not"] == "At /balance the record says 1000, the change expects 930."
    lines = scene.read(scene.plan(1, keep=(2,))).plan["newer"]
    assert [line["can_keep"] for line in lines] == [True, True, True]
    assert [line["kept"] for line in lines] == [False, False, True]


def test_what_retention_let_go_can_neither_be_gone_back_to_nor_kept(scene: Scene) -> None:
    scene.pay(70)
    scene.pay(30)
    scene.back(1)
    scene.pay(5)
    assert Snapshot.objects.filter(state=scene.book, number__in=[2, 3]).update(data=None) == 2
    with pytest.raises(Gone, match="snapshot 2 was let go"):
        scene.plan(2)
    lines = scene.read(scene.plan(1)).plan["newer"]
    assert [line["can_keep"] for line in lines] == [True, False, False, False]
    assert lines[-1]["why_not"] == "What it changed was let go by retention."
    assert scene.back(1).status == "done"


def test_the_preview_is_what_a_page_shows_as_before_and_after(scene: Scene) -> None:
    scene.pay(70)
    scene.cast.move_world(Change("add", "/note", value="seen"))
    row = scene.read(scene.plan(1, keep=(3,)))
    place = restorations.planned(row.workspace_id, row.plan["states"][0])
    book = restorations.outcome_at(place, Wanted.from_json(row.wanted), is_anchor=True)
    assert book.before == scene.cast.content()
    assert book.after == {**opening(), "note": "seen"}
    assert book.digest == row.plan["states"][0]["to_digest"]
    assert [change.path for change in book.changes] == ["/balance", "/payments/0"]


def test_shows_what_falls_and_who_starts_anew(scene: Scene) -> None:
    scene.pay(70)
    run = scene.job(5)
    mine = scene.cast.ask(11, origin="client:2")
    shown = scene.read(scene.plan(1)).plan
    assert {line["id"] for line in shown["proposals"]} == {str(mine), str(scene.waits_for(run))}
    assert shown["proposals"][0]["by"] == SCOUT
    [line] = shown["runs"]
    assert (line["run_id"], line["status"], line["workflow"]) == (str(run.id), "waiting", "payer")
    assert shown["agents"] == [SCOUT]
    assert shown["to_type"] == BOOK


def test_shows_what_has_left_the_house(scene: Scene) -> None:
    scene.pay(70)
    wired = scene.pay(30, "wire")
    [line] = scene.read(scene.plan(2)).plan["outside"]
    assert (line["proposal_id"], line["number"], line["reversibility"]) == (str(wired), 3, WIRED)
    assert line["title"] == "Wire 30 to Northwind"
    assert scene.read(scene.plan(2, keep=(), paths=("/balance",))).plan["outside"] == [line]
    scene.cast.move_world(Change("add", "/note", value="seen"))
    assert scene.read(scene.plan(2, paths=("/note",))).plan["outside"] == []
    assert scene.read(scene.plan(2, keep=(3,))).plan["outside"] == []
    assert scene.read(scene.plan(3)).plan["outside"] == []


def test_what_was_rolled_away_before_is_not_lost_twice(scene: Scene) -> None:
    scene.pay(30, "wire")
    assert len(scene.back(1).plan["outside"]) == 1
    scene.pay(5)
    assert scene.read(scene.plan(1)).plan["outside"] == []
    scene.back(2)
    assert len(scene.read(scene.plan(1)).plan["outside"]) == 1


def test_shows_what_is_on_its_way_and_does_not_let_it_be_overtaken(scene: Scene) -> None:
    scene.pay(70)
    scene.cast.policy(hold_seconds=60)
    held = scene.cast.ask(30)
    scene.cast.decide(scene.cast.ana, held)
    planned = scene.plan(1)
    [line] = scene.read(planned).plan["held"]
    assert (line["proposal_id"], line["title"]) == (str(held), "Pay 30 to Northwind")
    with pytest.raises(EffectInFlight, match="Pay 30 to Northwind"):
        scene.confirm(planned)
    assert scene.read(planned).status == "planned"


@pytest.mark.parametrize(
    ("wanted", "refusal", "says"),
    [
        ({"to": 2}, NothingToRestore, "nothing to restore"),
        ({"to": 9}, NotFound, "no such snapshot"),
        ({"to": 0}, NotFound, "no such snapshot"),
        ({"to": None}, NotRestorable, "to which snapshot"),
        ({"to": "clean"}, NotRestorable, "Only a memory"),
        ({"to": 1, "keep": (1,)}, NotRestorable, "not among"),
        ({"to": 1, "keep": (7,)}, NotRestorable, "not among"),
        ({"to": 1, "keep": (2,)}, NothingToRestore, "nothing to restore"),
        ({"to": 1, "paths": ("/vendors",)}, NotRestorable, "Nothing differs at /vendors"),
        ({"to": 1, "paths": ("/a\x00",)}, NotRestorable, "NUL"),
        ({"to": 1, "state": uuid4()}, NotFound, "nothing here"),
        ({"to": 1, "state": None}, NotRestorable, "Name a State"),
        ({"kind": "reinitialise", "agent": "nobody"}, NothingToRestore, "nothing to"),
        ({"kind": "reinitialise", "state": None}, NotRestorable, "Name a State"),
        ({"kind": "reinitialise", "run": uuid4()}, NotFound, "nothing here"),
    ],
)
def test_refuses_what_makes_no_sense(
    scene: Scene, wanted: dict[str, Any], refusal: type[Refused], says: str
) -> None:
    scene.pay(70)
    with pytest.raises(refusal, match=says):
        scene.plan(**wanted)
    assert not Restoration.objects.exists()


def test_refuses_whoever_may_not_restore(scene: Scene) -> None:
    scene.pay(70)
    for who in (scene.cast.ana, scene.cast.cleo, scene.cast.eve, scene.cast.scout):
        with pytest.raises(Forbidden):
            scene.plan(1, who)


def test_finds_nothing_in_another_workspace(scene: Scene) -> None:
    scene.pay(70)
    planned = scene.plan(1)
    zoe = scene.cast.zoe
    with pytest.raises(NotFound):
        scene.plan(1, zoe)
    for act in (
        lambda: discard(actor=zoe, restoration_id=planned, now=now()),
        lambda: replan(actor=zoe, restoration_id=planned, now=now()),
        lambda: scene.confirm(planned, who=zoe),
        lambda: restorations.detail(scene.cast.other.id, planned),
    ):
        with pytest.raises(NotFound):
            act()
    assert not restorations.listed(scene.cast.other.id).exists()
    assert scene.read(planned).status == "planned"


def test_a_discarded_plan_is_neither_confirmed_nor_discarded_again(scene: Scene) -> None:
    scene.pay(70)
    planned = scene.plan(1)
    discard(actor=scene.cast.ada, restoration_id=planned, now=now())
    assert scene.read(planned).status == "discarded"
    with pytest.raises(PlanSettled, match="discarded already"):
        scene.confirm(planned)
    with pytest.raises(PlanSettled):
        discard(actor=scene.cast.ada, restoration_id=planned, now=now())


def test_planning_again_puts_the_old_plan_away(scene: Scene) -> None:
    scene.pay(70)
    old = scene.plan(1)
    scene.pay(30)
    with pytest.raises(PlanOutdated):
        scene.confirm(old)
    new = replan(actor=scene.cast.ada, restoration_id=old, now=now())
    assert scene.read(old).status == "discarded"
    assert scene.read(new).plan["states"][0]["from"] == 3
    scene.confirm(new)


def test_a_plan_that_cannot_be_made_again_stays(scene: Scene) -> None:
    scene.pay(70)
    old = scene.plan(1)
    scene.back(1)
    with pytest.raises(NothingToRestore):
        replan(actor=scene.cast.ada, restoration_id=old, now=now())
    assert scene.read(old).status == "planned"


def confirming(scene: Scene, planned: UUID, **more: Any) -> None:
    values: dict[str, Any] = {"reason": "It went astray.", "typed": BOOK, "now": now()}
    actor: Actor = more.pop("actor", scene.cast.ada)
    confirm(actor=actor, restoration_id=planned, **{**values, **more})


@pytest.mark.parametrize(
    ("more", "refusal", "says"),
    [
        ({"typed": ""}, NotTyped, f"Type {BOOK} to confirm"),
        ({"typed": "Ledger/Acme"}, NotTyped, "Nothing was confirmed"),
        ({"reason": ""}, Invalid, "Say why"),
        ({"reason": " .\u200b "}, Invalid, "Say why"),
        ({"reason": "a\x00"}, Invalid, "NUL"),
        ({"reason": "a" * 501}, Invalid, "500"),
        ({"now": now() + timedelta(days=1)}, PlanExpired, "ten minutes"),
    ],
)
def test_confirming_refuses_what_is_not_meant(
    scene: Scene, more: dict[str, Any], refusal: type[Refused], says: str
) -> None:
    scene.pay(70)
    planned = scene.plan(1)
    with pytest.raises(refusal, match=says):
        confirming(scene, planned, **more)
    assert scene.read(planned).status == "planned"


def test_confirming_is_for_people_with_the_right(scene: Scene) -> None:
    scene.pay(70)
    planned = scene.plan(1)
    cast = scene.cast
    client = Actor("client", str(uuid4()), "robot", cast.workspace.id, behind=cast.ada.ref)
    for who in (cast.ana, cast.cleo, cast.eve, cast.scout, cast.setup, client):
        with pytest.raises(Forbidden):
            confirming(scene, planned, actor=who)


def test_confirming_happens_once(scene: Scene) -> None:
    scene.pay(70)
    planned, other = scene.plan(1), scene.plan(1)
    scene.confirm(planned)
    with pytest.raises(PlanSettled, match="confirmed already"):
        scene.confirm(planned)
    with pytest.raises(PlanSettled):
        scene.confirm(planned, who=scene.cast.enlist("Abe", "admin"))
    with pytest.raises(RestorationUnderWay):
        scene.confirm(other)
    with pytest.raises(PlanSettled):
        discard(actor=scene.cast.ada, restoration_id=planned, now=now())
    assert restorations.unfinished(confirmed_before=now() + timedelta(days=1)) == [planned]


def test_a_memory_that_moves_on_does_not_outdate_the_plan_of_its_record(scene: Scene) -> None:
    early = scene.memory("early")
    scene.pay(70)
    planned = scene.plan(1)
    assert [line["firm"] for line in scene.read(planned).plan["states"]] == [True, False]
    scene.memory("late")
    assert moved(scene.read(planned)) == []
    scene.pay(5)
    assert moved(scene.read(planned)) == [BOOK]
    with pytest.raises(PlanOutdated, match="plan again"):
        scene.confirm(planned)
    scene.confirm(planned := scene.plan(1))
    scene.memory("later")
    assert carry_on(planned, now=now()) == "done"
    row = scene.read(planned)
    assert (scene.words(early), row.problem) == ([], "")
    assert row.plan["states"][1]["from"] == 4


def test_a_memory_that_was_as_it_should_be_goes_back_where_it_moved_on(scene: Scene) -> None:
    memory = scene.memory("early")
    scene.pay(70)
    scene.pay(30)
    planned = scene.plan(2)
    assert scene.read(planned).plan["states"][1]["changes"] == 0
    scene.memory("late")
    scene.go(planned)
    assert scene.words(memory) == ["early"]


def test_a_memory_that_is_itself_brought_back_outdates_its_plan(scene: Scene) -> None:
    memory = scene.memory("early", "late")
    planned = scene.plan(2, state=memory.state_id)
    scene.memory("later")
    assert moved(scene.read(planned)) == [memory.key]
    with pytest.raises(PlanOutdated):
        scene.confirm(planned)


def test_a_restoration_of_a_memory_outdates_the_plan_of_its_record(scene: Scene) -> None:
    memory = scene.memory("early")
    scene.pay(70)
    planned = scene.plan(1)
    scene.back("clean", state=memory.state_id)
    assert moved(scene.read(planned)) == [memory.key]
    with pytest.raises(PlanOutdated):
        scene.confirm(planned)


def test_takes_no_memory_of_a_record_below_along(scene: Scene) -> None:
    scene.memory("mine")
    scene.memory("theirs", key=f"{BOOK}/travel")
    scene.memory("odd", key=f"{BOOK}/agents/scout")
    scene.pay(70)
    keys = [line["key"] for line in scene.read(scene.plan(1)).plan["states"]]
    assert keys == [BOOK, f"{BOOK}/agents/scout"]


def test_says_so_where_more_memories_are_concerned_than_it_can_take(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(affected, "MEMORIES_AT_MOST", 1)
    memory = scene.memory("one")
    scene.memory("two", agent="clerk")
    scene.memory("three", key="ledger/other")
    scene.pay(70)
    with pytest.raises(NotRestorable, match="More than 1 memories"):
        scene.plan(1)
    with pytest.raises(NotRestorable, match="More than 1 memories"):
        astray(scene, source="clean")
    shown = scene.read(astray(scene, source="clean", state=scene.book)).plan
    assert [line["key"] for line in shown["states"]] == [memory.key]
    assert scene.read(scene.plan(1, below=False)).plan["states"][0]["key"] == BOOK


def guard(run_id: UUID, agent: str = SCOUT, index: int = 50) -> None:
    """Let a guard speak in a run."""
    at = now()
    Step.objects.create(
        run_id=run_id,
        index=index,
        kind="guard",
        name="no progress",
        agent=agent,
        input={},
        input_digest="0" * 64,
        fence=1,
        started_at=at,
        ended_at=at,
    )


def astray(scene: Scene, **more: Any) -> UUID:
    values = {"kind": "reinitialise", "state": None, "agent": SCOUT, "source": "last_sane", **more}
    return plan(actor=scene.cast.ada, wanted=Wanted(**values), now=now())


def test_the_last_sane_snapshot_is_proposed_with_its_reason(scene: Scene) -> None:
    run, memory = scene.job(5), scene.memory("good")
    with pytest.raises(NoSaneSnapshot, match="No guard has found fault with scout"):
        astray(scene)
    guard(run.id, agent="somebody else")
    with pytest.raises(NoSaneSnapshot):
        astray(scene)
    guard(run.id, index=51)
    scene.memory("bad", "worse")
    shown = scene.read(astray(scene)).plan
    assert (shown["states"][0]["from"], shown["states"][0]["to"]) == (4, 2)
    assert shown["why"].startswith("Snapshot 2 is the newest before the first verdict: the guard")
    assert shown["to_type"] == SCOUT
    assert shown["states"][0]["state_id"] == str(memory.state_id)


def test_drift_over_its_limit_is_a_verdict(scene: Scene) -> None:
    memory = scene.memory("good")
    Drift.objects.create(
        workspace_id=scene.cast.workspace.id,
        state_id=memory.state_id,
        agent=SCOUT,
        number=2,
        document_bytes=10,
        over=["stale_share"],
        measured_at=now(),
    )
    scene.memory("bad")
    shown = scene.read(astray(scene)).plan
    assert shown["states"][0]["to"] == 2
    assert "drift was over its limit (stale share)" in shown["why"]


def test_a_memory_begun_after_the_first_verdict_starts_clean(scene: Scene) -> None:
    run = scene.job(5)
    guard(run.id)
    memory, other = scene.memory("bad"), scene.memory("fine", key="ledger/other")
    shown = scene.read(astray(scene)).plan
    [line] = shown["states"]
    assert (line["key"], line["to"]) == (memory.key, None)
    assert "so it starts clean: the guard" in shown["why"]
    scene.go(astray(scene))
    assert (scene.words(memory), scene.words(other)) == ([], ["fine"])


def test_what_was_found_before_the_last_return_is_over(scene: Scene) -> None:
    run = scene.job(5)
    scene.memory("good")
    guard(run.id)
    scene.memory("bad")
    scene.go(astray(scene))
    scene.memory("again")
    with pytest.raises(NoSaneSnapshot):
        astray(scene)


def test_an_agent_with_several_memories_names_the_state_for_a_snapshot(scene: Scene) -> None:
    scene.memory("one")
    scene.memory("two", key="ledger/other")
    with pytest.raises(NotRestorable, match="several memories"):
        astray(scene, source="snapshot", to=1)
    with pytest.raises(NotRestorable, match="from where"):
        astray(scene, source="")
    shown = scene.read(astray(scene, source="snapshot", to=1, state=scene.book)).plan
    assert [line["to"] for line in shown["states"]] == [1]
    shown = scene.read(astray(scene, source="clean")).plan
    assert [(line["key"], line["to"]) for line in shown["states"]] == [
        (f"{BOOK}/agents/scout", None),
        ("ledger/other/agents/scout", None),
    ]


def test_all_agents_of_a_record_start_from_when_it_was_at_a_snapshot(scene: Scene) -> None:
    scene.memory("one")
    scene.pay(70)
    scene.memory("two")
    scene.memory("late", agent="clerk")
    shown = scene.read(astray(scene, agent="", state=scene.book, source="snapshot", to=2)).plan
    assert [(line["key"], line["to"]) for line in shown["states"]] == [
        (f"{BOOK}/agents/clerk", None),
        (f"{BOOK}/agents/scout", 2),
    ]
    assert shown["to_type"] == BOOK
    with pytest.raises(NotRestorable, match="Name the agent"):
        astray(scene, agent="", state=scene.memory().state_id, source="clean")
