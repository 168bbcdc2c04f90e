"""Lists of proposals over HTTP: filters, orders, counts; what is mine only for people."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client

from approvals.models import Proposal
from approvals.operations.claiming import claim
from tests.api.robots import PROPOSALS, Robot, code_of
from tests.story import BOOK, QUICKFIX, Cast, now

pytestmark = pytest.mark.django_db
COUNTS = f"{PROPOSALS}/counts"


class Person:
    """Somebody who uses the API with the browser's session."""

    def __init__(self, cast: Cast, who: Any) -> None:
        """Sign in."""
        self.client = Client(raise_request_exception=False)
        self.client.force_login(cast.user(who), settings.AUTHENTICATION_BACKENDS[1])
        self.headers = {"Countersign-Workspace": cast.workspace.slug}

    def get(self, path: str, **query: str) -> Any:
        """Read."""
        return self.client.get(path, query, headers=self.headers)


def asked(robot: Robot, query: dict[str, str]) -> Any:
    return robot.client.get(PROPOSALS, query, headers=robot.headers)


def ids(answer: Any) -> list[UUID]:
    assert answer.status_code == 200, answer.content
    return [UUID(item["id"]) for item in answer.json()["items"]]


def change(proposal: UUID, **values: Any) -> None:
    Proposal.objects.filter(id=proposal).update(**values)


@pytest.fixture
def three(cast: Cast) -> list[UUID]:
    """Three payments: the first risky and large, the second rejected, the third due soon."""
    made = [cast.ask(70), cast.ask(80), cast.ask(90, QUICKFIX)]
    change(made[0], risk=3, rank=1, amount="70.5", currency="EUR", counterparty="V7", subject="R1")
    cast.decide(cast.ana, made[1], "reject")
    change(made[2], agent="other", level=2, policy="P", due_at=now() + timedelta(minutes=5), rank=9)
    return made


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ({}, [2, 1, 0]),
        ({"status": "open"}, [2, 0]),
        ({"status": "rejected"}, [1]),
        ({"sort": "queue"}, [0, 2]),
        ({"sort": "deadline"}, [2, 0]),
        ({"risk_gte": "3"}, [0]),
        ({"level": "2"}, [2]),
        ({"policy": "P"}, [2]),
        ({"amount_gte": "70", "currency": "EUR"}, [0]),
        ({"amount_gte": "71", "currency": "EUR"}, []),
        ({"agent": "scout"}, [1, 0]),
        ({"agent": "scout", "status": "pending"}, [0]),
        ({"counterparty": "V7"}, [0]),
        ({"subject": "R1"}, [0]),
        ({"state": BOOK}, [2, 1, 0]),
        ({"state": "ledger/none"}, []),
        ({"action_type": "pay"}, [2, 1, 0]),
        ({"action_type": "adjust"}, []),
        ({"due_before": "10m"}, [2]),
        ({"q": "quickfix"}, [2]),
        ({"assignee": "none"}, [2, 0]),
    ],
)
def test_a_filter_leaves_what_it_says(
    robot: Robot, three: list[UUID], query: dict[str, str], left: list[int]
) -> None:
    assert ids(asked(robot, query)) == [three[index] for index in left]


def test_a_time_with_its_zone_is_a_deadline(robot: Robot, three: list[UUID]) -> None:
    at = (now() + timedelta(minutes=10)).isoformat()
    assert ids(robot.get(PROPOSALS, due_before=at)) == [three[2]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "done"}, "status"),
        ({"risk_gte": "high"}, "risk_gte"),
        ({"amount_gte": "1"}, "currency"),
        ({"due_before": "2026-11-21T10:00"}, "due_before"),
        ({"sort": "rank"}, "sort"),
        ({"status": "approved", "level": "1"}, "level"),
    ],
)
def test_a_filter_that_cannot_be_used_is_named(
    robot: Robot, query: dict[str, str], field: str
) -> None:
    answer = asked(robot, query)
    assert code_of(answer) == "422 invalid"
    assert answer.json()["field"] == field


@pytest.mark.parametrize("name", ["assignee", "claimed", "eligible", "snoozed"])
def test_a_token_is_nobody(cast: Cast, robot: Robot, name: str) -> None:
    answer = asked(robot, {name: "me"})
    assert code_of(answer) == "403 people_only"
    assert "A token is nobody" in answer.json()["detail"]


def test_a_person_sees_what_is_theirs(cast: Cast, three: list[UUID]) -> None:
    ana, eve = Person(cast, cast.ana), Person(cast, cast.eve)
    change(three[0], assignee=cast.user(cast.ana))
    claim(actor=cast.ana, proposal_id=three[2], now=now())
    assert ids(ana.get(PROPOSALS, assignee="me")) == [three[2], three[0]]
    assert ids(ana.get(PROPOSALS, claimed="me")) == [three[2]]
    assert ids(ana.get(PROPOSALS, eligible="me")) == [three[2], three[0]]
    assert ids(eve.get(PROPOSALS, eligible="me")) == []
    [shown] = ana.get(PROPOSALS, claimed="me").json()["items"]
    assert (shown["claimed_by"], shown["assignee"], shown["level"]) == ("Ana", None, 2)


@pytest.mark.parametrize("sort", ["queue", "newest", "deadline"])
def test_pages_lose_and_double_nothing(cast: Cast, robot: Robot, sort: str) -> None:
    made = {cast.ask(amount) for amount in range(1, 8)}
    seen, cursor = [], ""
    while True:
        answer = robot.get(PROPOSALS, sort=sort, limit=2, cursor=cursor)
        seen += ids(answer)
        if not (cursor := answer.json()["next_cursor"]):
            break
    assert len(seen) == len(made)
    assert set(seen) == made


def test_counts_say_how_many_of_which_kind(cast: Cast, robot: Robot, three: list[UUID]) -> None:
    change(three[2], status="info_requested", paused_at=now())
    change(three[0], escalated_at=now(), assignee=cast.user(cast.ben))
    found = robot.get(COUNTS).json()
    assert found == {
        "open": 2,
        "pending": 1,
        "info_requested": 1,
        "changes_requested": 0,
        "high_risk": 1,
        "due_within_an_hour": 2,
        "unassigned": 1,
        "escalated": 1,
        "mine": None,
        "claimed": None,
    }
    assert Person(cast, cast.ben).get(COUNTS).json()["mine"] == 1


def test_the_other_workspace_counts_and_lists_nothing(cast: Cast, three: list[UUID]) -> None:
    stranger = Robot(cast.token(cast.zoe))
    assert stranger.get(COUNTS).json()["open"] == 0
    assert ids(stranger.get(PROPOSALS, state=BOOK)) == []
    zoe = Person(cast, cast.zoe)
    assert zoe.get(PROPOSALS).status_code == 404
