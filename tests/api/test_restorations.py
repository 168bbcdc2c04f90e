"""Restorations over HTTP: a program may plan and read; only people confirm."""

from typing import Any

import pytest

from agents.models import Restoration
from console.api import api
from tests.api.robots import RESTORATIONS, Robot, code_of, robot_of
from tests.story import BOOK, Cast

pytestmark = pytest.mark.django_db
BACK = {"state": BOOK, "to": 1}


@pytest.fixture
def paid(cast: Cast) -> Cast:
    """The book after a payment."""
    cast.decide(cast.ana, cast.ask(70))
    return cast


def test_a_plan_is_made_shown_and_found_again(paid: Cast, robot: Robot) -> None:
    answer = robot.post(RESTORATIONS, BACK)
    assert answer.status_code == 201
    made = answer.json()
    assert answer["Location"] == f"{RESTORATIONS}/{made['id']}"
    assert (made["status"], made["state"], made["kind"]) == ("planned", BOOK, "rollback")
    assert made["plan"]["states"][0]["from"] == 2
    assert [line["number"] for line in made["plan"]["newer"]] == [2]
    assert robot.get(answer["Location"]).json() == made
    [listed] = robot.get(RESTORATIONS).json()["items"]
    assert listed["id"] == made["id"]
    assert robot.get(f"{RESTORATIONS}?state={BOOK}").json()["items"] == [listed]
    assert paid.head().number == 2


def test_a_choice_is_taken_over(paid: Cast, robot: Robot) -> None:
    made = robot.post(RESTORATIONS, {**BACK, "paths": ["/balance"]}).json()
    assert made["wanted"]["paths"] == ["/balance"]
    assert made["plan"]["states"][0]["changes"] == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**BACK, "to": 2}, 409, "nothing_to_restore"),
        ({**BACK, "to": 9}, 404, "not_found"),
        ({**BACK, "to": 0}, 422, "invalid"),
        ({**BACK, "to": "soon"}, 422, "invalid"),
        ({**BACK, "to": "clean"}, 422, "not_restorable"),
        ({**BACK, "state": "nowhere"}, 422, "unknown_state"),
        ({**BACK, "keep": [1]}, 422, "not_restorable"),
        ({**BACK, "paths": ["balance"]}, 422, "not_restorable"),
        ({**BACK, "confirm": True}, 422, "invalid"),
        ({"kind": "reinitialise", "agent": "nobody"}, 409, "nothing_to_restore"),
    ],
)
def test_refusals_have_a_code(
    paid: Cast, robot: Robot, body: dict[str, Any], status: int, code: str
) -> None:
    answer = robot.post(RESTORATIONS, body)
    assert code_of(answer) == f"{status} {code}"
    assert not Restoration.objects.exists()


def test_no_call_of_the_api_confirms(paid: Cast) -> None:
    paths = api.get_openapi_schema()["paths"]
    calls = {path: set(methods) for path, methods in paths.items() if "/restorations" in path}
    assert calls == {
        RESTORATIONS: {"get", "post"},
        f"{RESTORATIONS}/{{restoration_id}}": {"get"},
    }


@pytest.mark.parametrize(
    ("scope", "planned", "listed"), [("states:read", 403, 200), ("states:write", 201, 403)]
)
def test_a_token_needs_the_scope(paid: Cast, scope: str, planned: int, listed: int) -> None:
    robot = robot_of(paid, paid.eve, scope)
    assert robot.post(RESTORATIONS, BACK).status_code == planned
    assert robot.get(RESTORATIONS).status_code == listed


def test_another_workspace_sees_none_of_it(paid: Cast, robot: Robot) -> None:
    made = robot.post(RESTORATIONS, BACK).json()
    stranger = robot_of(paid, paid.zoe)
    assert stranger.get(f"{RESTORATIONS}/{made['id']}").status_code == 404
    assert stranger.get(RESTORATIONS).json()["items"] == []
