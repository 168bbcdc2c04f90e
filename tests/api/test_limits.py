"""Limits of the API: each token, address and workspace may ask for so much, and is told so."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.operations.submitting import TooMuchWaiting
from console.rates import Rate
from tests.api.robots import JOBS, PROPOSALS, Robot, robot_of
from tests.story import BOOK, Cast

pytestmark = pytest.mark.django_db
PAY = {"state": BOOK, "action_type": "pay", "params": {"vendor": "V7", "amount": 70}}
# So slow that nothing comes back while a test runs.
SLOW = 0.0001


@pytest.fixture
def rates(settings: Any) -> dict[str, Rate | None]:
    """No limit but those that a test sets."""
    settings.RATES = dict.fromkeys(settings.RATES)
    found: dict[str, Rate | None] = settings.RATES
    return found


def test_the_api_says_how_much_is_left_and_refuses_with_429(
    robot: Robot, rates: dict[str, Rate | None]
) -> None:
    rates["token"] = Rate(SLOW, 5)
    first = robot.get(PROPOSALS)
    assert first["RateLimit-Policy"] == '"token";q=5;w=50000'
    assert first["RateLimit"].startswith('"token";r=4;t=')
    # A call that writes costs two.
    assert robot.post(PROPOSALS, PAY).status_code == 201
    assert robot.get(PROPOSALS)["RateLimit"].startswith('"token";r=1;')
    refused = robot.post(PROPOSALS, PAY)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused["Content-Type"] == "application/problem+json"
    assert int(refused["Retry-After"]) == refused.json()["retry_after"] > 1000
    assert robot.get(PROPOSALS).status_code == 200


def test_another_token_has_its_own_limit_within_that_of_the_workspace(
    cast: Cast, robot: Robot, rates: dict[str, Rate | None]
) -> None:
    rates |= {"token": Rate(SLOW, 2), "workspace": Rate(SLOW, 3)}
    stranger = robot_of(cast, cast.zoe)
    other = robot_of(cast, cast.eve)
    assert [robot.get(PROPOSALS).status_code for _ in range(3)] == [200, 200, 429]
    # The refused call did not pass, yet was counted where there was room.
    assert [other.get(PROPOSALS).status_code for _ in range(2)] == [429, 429]
    assert stranger.get(PROPOSALS).status_code == 200


def test_limits_cost_one_statement_a_call(robot: Robot, rates: dict[str, Rate | None]) -> None:
    robot.get(PROPOSALS)
    with CaptureQueriesContext(connection) as without:
        robot.get(PROPOSALS)
    rates |= dict.fromkeys(("token", "address", "workspace"), Rate(100, 100))
    with CaptureQueriesContext(connection) as within:
        robot.get(PROPOSALS)
    assert len(within) == len(without) + 1


def test_a_workspace_in_which_too_much_waits_takes_no_more_jobs(
    robot: Robot, settings: Any
) -> None:
    settings.JOBS_WAITING_AT_MOST = 2
    job = {"workflow": "pay", "state": BOOK, "input": {"amount": 70}}
    answers = [robot.post(JOBS, job, key=str(uuid4())) for _ in range(4)]
    assert [answer.status_code for answer in answers[:2]] == [202, 202]
    assert answers[3].json()["code"] == TooMuchWaiting.code
    assert answers[3]["Retry-After"] == "10"
    settings.JOBS_WAITING_AT_MOST = 20
    assert robot.post(JOBS, job, key="again").status_code == 202
