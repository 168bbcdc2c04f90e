"""Asking too much: of a burst exactly as many pass as there are tokens, whoever asks how often."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from console.limiting.models import Bucket
from console.limiting.operations.charging import RateLimited, charge, forget, insist
from console.rates import Charge, Left, Rate, headers_of, read_rate
from tests.api.robots import PROPOSALS
from tests.house import ROLES, House

# So slow that nothing comes back while a test runs.
SLOW = 0.0001


@pytest.fixture
def rates(settings: Any) -> dict[str, Rate | None]:
    """No limit but those that a test sets."""
    settings.RATES = dict.fromkeys(settings.RATES)
    found: dict[str, Rate | None] = settings.RATES
    return found


@pytest.mark.parametrize(
    ("text", "rate"), [("50:200", Rate(50, 200)), ("0.2:30", Rate(0.2, 30)), ("off", None)]
)
def test_a_rate_is_read(text: str, rate: Rate | None) -> None:
    assert read_rate(text) == rate


@pytest.mark.parametrize("text", ["", "5", "0:5", "5:0", "a:b", "-1:5"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (float says it in its own words)
        read_rate(text)


def test_what_is_left_is_said_of_the_tightest_limit() -> None:
    token = Left(Charge("token", "token a", Rate(50, 200)), 150.5, is_allowed=True)
    address = Left(Charge("address", "address b", Rate(10, 400)), 40, is_allowed=True)
    assert headers_of([token, address]) == {
        "RateLimit-Policy": '"address";q=400;w=40',
        "RateLimit": '"address";r=40;t=36',
    }


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_a_parallel_burst_exactly_the_allowed_count_passes() -> None:
    workers, each = 8, 25
    barrier = Barrier(workers)

    def burst(_number: int) -> int:
        barrier.wait()
        try:
            wanted = [
                Charge("token", "token t", Rate(SLOW, 70)),
                Charge("address", "address a", Rate(SLOW, 90)),
            ]
            return sum(charge(wanted)[0].is_allowed for _ in range(each))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(workers) as pool:
        passed = sum(pool.map(burst, range(workers)))
    assert passed == 70
    left = dict(Bucket.objects.values_list("key", "tokens"))
    assert left["token t"] == pytest.approx(0, abs=0.1)
    assert left["address a"] == pytest.approx(0, abs=0.1)


@pytest.mark.django_db
def test_a_bucket_fills_with_time_and_never_beyond_its_size() -> None:
    wanted = [Charge("token", "token t", Rate(2, 10), cost=4)]
    assert [charge(wanted)[0].is_allowed for _ in range(3)] == [True, True, False]
    for seconds, tokens in ((1.5, 5), (1000, 10)):
        Bucket.objects.update(tokens=2, at=datetime.now(UTC) - timedelta(seconds=seconds))
        assert charge(wanted)[0].tokens == pytest.approx(tokens - 4, abs=0.2)


@pytest.mark.django_db
def test_a_refusal_costs_nothing_and_says_when_to_come_back() -> None:
    wanted = [Charge("token", "token t", Rate(0.5, 10), cost=8)]
    charge(wanted)
    charge(wanted)
    for left in [charge(wanted)]:
        assert left[0].tokens == pytest.approx(2, abs=0.1)
    with pytest.raises(RateLimited) as refused:
        insist(left)
    assert refused.value.details == {"limit": "token", "retry_after": 12}


@pytest.mark.django_db
def test_buckets_that_nobody_uses_are_forgotten() -> None:
    charge([Charge("token", name, Rate(1, 5)) for name in ("a", "b")])
    Bucket.objects.filter(key="a").update(at=datetime.now(UTC) - timedelta(hours=2))
    assert forget(now=datetime.now(UTC)) == 1
    assert [*Bucket.objects.values_list("key", flat=True)] == ["b"]


@pytest.mark.django_db
def test_an_unknown_token_is_charged_to_where_it_came_from(rates: dict[str, Rate | None]) -> None:
    rates["address"] = Rate(SLOW, 2)
    headers: Any = {"Authorization": "Bearer csg_none"}
    answers = [Client().get(PROPOSALS, headers=headers).status_code for _ in range(3)]
    assert answers == [401, 401, 429]


@pytest.mark.django_db
def test_signing_in_is_tried_only_so_often_from_one_address(rates: dict[str, Rate | None]) -> None:
    rates["sign_in"] = Rate(SLOW, 2)
    House.build("acme", ROLES)

    def attempt(number: int, address: str) -> int:
        form = {"username": f"{number}@acme.example", "password": "wrong"}
        return Client(REMOTE_ADDR=address).post("/sign-in/", form).status_code

    assert [attempt(number, "192.0.2.1") for number in range(3)] == [200, 200, 429]
    assert attempt(4, "192.0.2.2") == 200


@pytest.mark.django_db
def test_downloads_have_a_limit_of_their_own(rates: dict[str, Rate | None]) -> None:
    rates["downloads"] = Rate(SLOW, 1)
    house = House.build("acme", ROLES)
    ana = house.client("ana")
    proposal = house.propose()
    address = house.url("proposals", proposal, "evidence.json").rstrip("/")
    answers = [ana.get(address) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1]["Retry-After"]
