"""Metrics: numbers of the whole house, without a word about anybody in it."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.management.commands.timer import beat_with_gauges
from tests.house import House, now

pytestmark = pytest.mark.django_db
NAMES = (
    "countersign_http_request_seconds_bucket",
    "countersign_sockets_open",
    "countersign_sockets_dropped_total",
    "countersign_rate_limited_total",
    "countersign_database_reached",
    "countersign_database_pool",
    "countersign_heartbeat_age_seconds",
    "countersign_outbox_oldest_seconds",
    "countersign_breakers_open",
    "countersign_open_proposals",
)


def scrape(**options: Any) -> str:
    answer = Client().get("/metrics", **options)
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_number_is_there(house: House) -> None:
    house.propose()
    beat_with_gauges(now=now())
    house.client("ana").get(house.url("queue"))
    told = scrape()
    # Labels of things that have not happened yet are not there, but their names are.
    for name in NAMES:
        assert name.removesuffix("_total") in told
    assert 'countersign_open_proposals{workspace="acme"} 1.0' in told
    assert 'countersign_heartbeat_age_seconds{part="timer"}' in told
    assert re.search(
        r'http_request_seconds_count\{method="GET",route="w/<slug:workspace>/queue/",status="200"\}',
        told,
    )


def test_no_label_says_whose(house: House) -> None:
    proposal = house.propose("set_note", note="severe depressive episode")
    beat_with_gauges(now=now())
    house.client("ana").get(house.url("proposals", proposal))
    Client().get("/nothing-of-ours/csg_secret")
    told = scrape()
    for private in (str(proposal), "severe", "csg_secret", "ana@", str(house.workspace.id)):
        assert private not in told


def test_gauges_cost_a_scrape_one_query(house: House) -> None:
    beat_with_gauges(now=now())
    with CaptureQueriesContext(connection) as asked:
        scrape()
    assert len(asked) == 1


def test_a_scraper_shows_the_token_where_there_is_one(settings: Any) -> None:
    settings.METRICS_TOKEN = "a-token-of-the-scraper"
    assert Client().get("/metrics").status_code == 403
    wrong: Any = {"Authorization": "Bearer wrong"}
    assert Client().get("/metrics", headers=wrong).status_code == 403
    right: Any = {"Authorization": "Bearer a-token-of-the-scraper"}
    assert "countersign_sockets_open" in scrape(headers=right)


def test_without_a_token_only_this_machine_may_ask() -> None:
    assert Client(REMOTE_ADDR="192.0.2.1").get("/metrics").status_code == 403
    scrape(REMOTE_ADDR="::1")
