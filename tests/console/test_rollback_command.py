"""`manage.py rollback` and the replay's returns: what the shell may do, in whose name."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agents.models import Restoration
from console.management.returning import itinerary
from snapshots.diff import Change
from snapshots.models import Mark
from tests.agents.turning_back import WIRED, Scene
from tests.story import BOOK, now, opening

pytestmark = pytest.mark.django_db
ADA = "ada@acme.example"


@pytest.fixture
def scene() -> Scene:
    found = Scene.build()
    found.pay(30, "wire")
    return found


def rollback(*options: str) -> str:
    out = StringIO()
    call_command("rollback", BOOK, "--workspace", "acme", *options, stdout=out)
    return out.getvalue()


def test_without_a_person_it_only_plans(scene: Scene) -> None:
    said = rollback("--to", "1")
    assert said.startswith("Planned:")
    assert f"{BOOK}: from snapshot 2 to snapshot 1, 2 changes" in said
    assert "newer: snapshot 2, proposal by Ana: can be kept" in said
    assert f"has left the house: Wire 30 to Northwind. {WIRED}" in said
    assert scene.cast.head().number == 2


def test_a_person_who_may_goes_back(scene: Scene) -> None:
    said = rollback("--to", "1", "--as", ADA, "--reason", "It went astray.", "--yes")
    assert said.startswith("Restored:")
    assert "what snapshot 1 was again, as snapshot 3" in said
    assert scene.cast.content() == opening()
    assert scene.cast.cause()[3] == "Ada"


def test_only_plans_when_told_so(scene: Scene) -> None:
    rollback("--to", "1", "--as", ADA, "--reason", "x", "--yes", "--plan")
    assert scene.cast.head().number == 2


def test_a_name_is_as_good_as_a_number(scene: Scene) -> None:
    Mark.objects.create(
        workspace=scene.cast.workspace,
        state_id=scene.book,
        number=1,
        kind="name",
        name="before",
        actor=scene.cast.ada.to_json(),
        created_at=now(),
    )
    told: Any = json.loads(rollback("--to", "before", "--json"))
    assert (told["status"], told["plan"]["states"][0]["to"]) == ("planned", 1)
    assert Restoration.objects.count() == 1


def test_keeps_and_chooses(scene: Scene) -> None:
    scene.cast.move_world(Change("add", "/note", value="seen"))
    options = ("--as", ADA, "--reason", "x", "--yes")
    rollback("--to", "1", "--keep", "3", *options)
    assert scene.cast.content() == {**opening(), "note": "seen"}
    rollback("--to", "3", "--paths", "/balance", *options)
    assert scene.cast.content() == {**opening(), "note": "seen", "balance": 970}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--to", "1", "--yes"), "a person answers"),
        (("--to", "1", "--as", "ana@acme.example", "--reason", "x", "--yes"), "Only an admin"),
        (("--to", "1", "--as", "zoe@zenith.example", "--reason", "x", "--yes"), "Nobody with"),
        (("--to", "1", "--as", ADA, "--yes"), "Say why"),
        (("--to", "2"), "nothing to restore"),
        (("--to", "nobody's"), "No snapshot"),
        (("--to", "clean"), "Only a memory"),
    ],
)
def test_refuses_with_a_sentence(scene: Scene, options: tuple[str, ...], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        rollback(*options)
    assert scene.cast.head().number == 2


@pytest.mark.parametrize(
    ("versions", "stops"),
    [(0, []), (1, []), (2, [1, 0, 1]), (3, [1, 0, 1, 2, 0, 2, 1, 2])],
)
def test_the_replay_goes_from_each_version_to_every_earlier_one(
    versions: int, stops: list[int]
) -> None:
    assert list(itinerary(versions)) == stops


@pytest.mark.parametrize("number", ["²", "-1", ""])
def test_what_only_looks_like_a_number_is_a_name_that_nothing_has(
    scene: Scene, number: str
) -> None:
    with pytest.raises(CommandError, match="No snapshot of"):
        rollback(f"--to={number}")
