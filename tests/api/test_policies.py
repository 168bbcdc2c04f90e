"""Policies over HTTP: a program may read; a person proposes a change; nobody decides here."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from approvals import queries
from approvals.models import Proposal
from approvals.rulebook import Rule
from console.actors import Actor
from tests.api.robots import Robot, code_of, robot_of
from tests.story import Cast
from tests.terms import asking, set_rules

pytestmark = pytest.mark.django_db
POLICIES = "/api/v1/policies"
PAY = Rule('action == "pay"', asking("Payments", level=2))
NOTE = Rule('action == "note"', asking("Notes"))


@pytest.fixture(autouse=True)
def rules(cast: Cast) -> None:
    set_rules(cast.setup, PAY, NOTE)


def person(cast: Cast, who: Actor) -> Robot:
    """Let somebody of the workspace use the API from their browser."""
    robot = Robot()
    robot.client.force_login(cast.user(who), backend="django.contrib.auth.backends.ModelBackend")
    return robot


def put(**more: Any) -> dict[str, Any]:
    rule = {**PAY.to_json(), **more}
    return {"op": "put", "name": "Payments", "version": 1, "rule": rule}


def test_a_program_reads_the_policies_in_their_order(cast: Cast, robot: Robot) -> None:
    cast.ask(70)
    found = robot.get(POLICIES).json()
    shown = [(item["place"], item["name"], item["hits"]) for item in found["items"]]
    assert shown == [(1, "Payments", 1), (2, "Notes", 0)]
    assert found["number"] == queries.policies(cast.workspace.id).number
    assert found["items"][0]["rule"] == PAY.to_json()


def test_a_policy_is_shown_with_how_it_agrees_with_people(cast: Cast, robot: Robot) -> None:
    cast.decide(cast.ana, cast.ask(70))
    cast.decide(cast.ana, cast.ask(71), "reject")
    found = robot.get(f"{POLICIES}/one", name="Payments").json()
    assert found["agreement"]["matrix"] == {"review": {"approved": 1, "rejected": 1}}
    assert (found["reviews"], found["reviews_that_changed_nothing"]) == (2, 1)
    assert code_of(robot.get(f"{POLICIES}/one", name="None")) == "404 not_found"


def test_the_other_workspace_shows_nothing_of_it(cast: Cast) -> None:
    stranger = robot_of(cast, cast.zoe)
    assert stranger.get(POLICIES).json() == {"number": 0, "state": None, "items": []}
    assert code_of(stranger.get(f"{POLICIES}/one", name="Payments")) == "404 not_found"
    wanted = {**put(level=3), "reason": "mine"}
    assert code_of(person(cast, cast.zoe).post(POLICIES, wanted)) == "422 policy_invalid"


def test_a_person_proposes_a_change_that_another_one_agrees_to(cast: Cast) -> None:
    wanted = {**put(hold_seconds=7), "reason": "more time"}
    answer = person(cast, cast.eve).post(POLICIES, wanted)
    assert answer.status_code == 201, answer.content
    made = UUID(answer.json()["id"])
    assert cast.decide(cast.ada, made, ticked=["Nobody is asked for less"]) == "approved"
    [rule, _] = queries.policies(cast.workspace.id).rules
    assert (rule.terms.version, rule.terms.hold_seconds) == (2, 7)


@pytest.mark.parametrize(
    ("wanted", "code", "field"),
    [
        (put(match="amount >"), "422 policy_invalid", "match"),
        (put(level=4), "422 policy_invalid", "level"),
        (put(colour="red"), "422 policy_invalid", "colour"),
        ({**put(level=1), "version": 7}, "409 policy_outdated", ""),
        ({**put(level=1), "name": "None"}, "422 policy_invalid", ""),
        (put(), "422 policy_invalid", ""),
        ({"op": "adopt", "rules": []}, "422 invalid", ""),
        ({"op": "put", "rule": "all"}, "422 invalid", ""),
        ({"op": "remove", "name": "Notes", "version": 1, "before": "x" * 200}, "422 invalid", ""),
    ],
)
def test_what_is_no_change_says_why(
    cast: Cast, wanted: dict[str, Any], code: str, field: str
) -> None:
    ada = person(cast, cast.ada)
    for address, more in ((POLICIES, {"reason": "because"}), (f"{POLICIES}/backtest", {})):
        answer = ada.post(address, {**wanted, **more})
        assert code_of(answer) == code
        if field:
            assert answer.json()["errors"][0]["field"] == field
    assert not Proposal.objects.exists()


def test_no_token_proposes_or_tries(robot: Robot) -> None:
    for address in (POLICIES, f"{POLICIES}/backtest"):
        assert code_of(robot.post(address, put(level=3))) == "403 people_only"


def test_a_token_without_the_scope_reads_nothing(cast: Cast) -> None:
    narrow = Robot(cast.token(cast.eve, "jobs:read"))
    assert code_of(narrow.get(POLICIES)) == "403 scope_missing"


@pytest.mark.parametrize("who", ["ana", "cleo"])
def test_who_has_no_right_to_policies_reads_them(cast: Cast, who: str) -> None:
    reader = person(cast, getattr(cast, who))
    assert len(reader.get(POLICIES).json()["items"]) == 2
    for address in (POLICIES, f"{POLICIES}/backtest"):
        wanted = {**put(level=3), "reason": "mine"} if address == POLICIES else put(level=3)
        assert code_of(reader.post(address, wanted)) == "403 forbidden"


def test_a_change_is_tried_on_the_last_days(cast: Cast) -> None:
    set_rules(cast.setup, replace(PAY, match='action == "pay" && amount > 1.0'), NOTE)
    paid = cast.ask(70)
    automatic = put(match='action == "pay"', level=0, thresholds=[], sample=0.1)
    found = person(cast, cast.ada).post(f"{POLICIES}/backtest", {**automatic, "days": 7}).json()
    assert (found["asked"], found["hits"], found["differing"]) == (1, 1, 1)
    assert (found["before"], found["after"]) == ({"2": 1}, {"0": 1})
    [difference] = found["differences"]
    assert (difference["proposal"], difference["before"], difference["after"]) == (
        str(paid),
        "2",
        "0",
    )
