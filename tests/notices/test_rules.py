"""What is told, when, and what of it may leave the house: tables."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from console.canonical import Json
from console.notices.events import EVENTS, GROUPS, how_of, tellable, unknown
from console.notices.relays import BadRelay, Relay, relay
from console.notices.schedule import (
    MAIL_RETRIES,
    RETRIES,
    has_failed_for_too_long,
    mail_retry_after,
    retry_after,
    slot,
)
from console.notices.signing import SECRET_BYTES, new_secret, signed
from console.notices.wording import Item, Place, digest, one


def test_every_event_belongs_to_a_group_and_no_group_is_empty() -> None:
    assert {event.group for event in EVENTS.values()} == set(GROUPS)


@pytest.mark.parametrize(
    ("event", "chosen", "how"),
    [
        ("proposal.made", {}, "digest"),
        ("proposal.made", {"new": "immediate"}, "immediate"),
        ("proposal.made", {"new": "off"}, "off"),
        ("proposal.assigned", {"new": "off"}, "immediate"),
        ("glass.broken", {"alarm": "digest"}, "digest"),
        ("glass.broken", {"alarm": "off"}, "immediate"),
        ("question.asked", {"talk": "by pigeon"}, "immediate"),
    ],
)
def test_is_told_as_chosen_but_an_alarm_is_never_silent(
    event: str, chosen: dict[str, str], how: str
) -> None:
    assert how_of(event, chosen) == how


def test_only_what_is_known_to_be_harmless_leaves_the_house() -> None:
    data: dict[str, Json] = {
        "level": 2,
        "status": "approved",
        "due_at": "2026-03-01T09:30:00+00:00",
        "revision": True,
        "needed": -1,
        "outcome": "Ana Belmonte",
        "at": "tomorrow <b>",
        "amount": "48200.00",
        "title": "Pay Nordlicht",
    }
    assert tellable(data) == {
        "due_at": "2026-03-01T09:30:00+00:00",
        "level": 2,
        "status": "approved",
    }


def test_unknown_events_are_named() -> None:
    assert unknown(["proposal.made", "proposal.eaten"]) == ["proposal.eaten"]


def test_tries_ten_times_over_a_little_more_than_three_days() -> None:
    waits = [retry_after(number) for number in range(1, 11)]
    assert waits == [*RETRIES, None]
    assert timedelta(days=3) < sum(RETRIES, timedelta()) < timedelta(days=3.5)
    assert waits[0] == timedelta(seconds=5)
    assert waits[8] == timedelta(hours=24)


def test_a_mail_is_tried_for_less_than_a_day() -> None:
    assert [mail_retry_after(number) for number in (1, 6, 7)] == [
        timedelta(minutes=1),
        timedelta(hours=12),
        None,
    ]
    assert sum(MAIL_RETRIES, timedelta()) < timedelta(days=1)


@pytest.mark.parametrize(
    ("hours", "too_long"), [(None, False), (0, False), (71.99, False), (72, True), (100, True)]
)
def test_three_days_without_one_success_are_too_long(hours: float | None, too_long: bool) -> None:
    now = datetime(2026, 3, 4, tzinfo=UTC)
    since = None if hours is None else now - timedelta(hours=hours)
    assert has_failed_for_too_long(since, now) is too_long


@pytest.mark.parametrize(
    ("now", "hour", "zone", "day", "at"),
    [
        ("2026-03-01T08:00", 8, "UTC", "2026-03-01", "2026-03-01T08:00"),
        ("2026-03-01T07:59", 8, "UTC", "2026-02-28", "2026-02-28T08:00"),
        ("2026-03-01T07:30", 8, "Europe/Berlin", "2026-03-01", "2026-03-01T07:00"),
        ("2026-03-01T06:30", 8, "Europe/Berlin", "2026-02-28", "2026-02-28T07:00"),
        # In Auckland it is tomorrow already.
        ("2026-03-01T20:00", 8, "Pacific/Auckland", "2026-03-02", "2026-03-01T19:00"),
        # The night in which Berlin has no 02:30: clocks go from 02:00 to 03:00.
        ("2026-03-29T01:30", 2, "Europe/Berlin", "2026-03-29", "2026-03-29T01:00"),
        ("2026-03-01T09:00", 8, "Nowhere/AtAll", "2026-03-01", "2026-03-01T08:00"),
    ],
)
def test_a_digest_is_due_at_its_hour_where_the_person_is(
    now: str, hour: int, zone: str, day: str, at: str
) -> None:
    due = slot(datetime.fromisoformat(f"{now}+00:00"), hour, zone)
    assert (due.day, due.at) == (date.fromisoformat(day), datetime.fromisoformat(f"{at}+00:00"))


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("", None),
        ("smtp://mail.example", Relay("mail.example", 587, starttls=True)),
        ("smtp://mail.example:2525?starttls=0", Relay("mail.example", 2525)),
        ("smtp://127.0.0.1:1025", Relay("127.0.0.1", 1025)),
        ("smtp://localhost", Relay("localhost", 25)),
        (
            "smtps://us%40er:p%3Aw@mail.example",
            Relay("mail.example", 465, user="us@er", password="p:w", tls=True),
        ),
    ],
)
def test_a_mail_server_is_spoken_with_in_private(url: str, known: Relay | None) -> None:
    assert relay(url) == known


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example", "smtp://"])
def test_what_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(BadRelay):
        relay(url)


def test_two_secrets_make_two_signatures_and_never_repeat() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert 24 <= SECRET_BYTES <= 64
    headers = signed(b"{}", "m1", [first, second], datetime(2026, 3, 1, tzinfo=UTC))
    assert headers["webhook-timestamp"] == "1772323200"
    assert [each[:3] for each in headers["webhook-signature"].split(" ")] == ["v1,", "v1,"]


PLACE = Place("Acme\r\nBcc: a@b", "http://c/w/acme/queue/", "http://c/choices", ZoneInfo("UTC"))


def test_a_mail_says_kind_place_level_and_deadline() -> None:
    item = Item(
        "proposal.made",
        "http://c/p/1/",
        {"level": 2, "due_at": "2026-03-01T09:30:00+00:00", "status": "pending"},
    )
    letter = one(item, PLACE)
    assert letter.subject == "A proposal waits for you · Acme Bcc: a@b · level 2"
    assert "It has to be decided by 2026-03-01 09:30 UTC, or it expires." in letter.text
    assert "http://c/p/1/" in letter.text
    assert "http://c/choices" in letter.text


def test_a_digest_counts_and_lists_at_most_twenty_of_a_kind() -> None:
    items = [Item("proposal.made", f"http://c/p/{number}/", {}) for number in range(23)]
    letter = digest([*items, Item("proposal.settled", "http://c/p/s/", {})], PLACE)
    assert letter.subject.startswith("24 things happened · Acme")
    assert "23 proposals are waiting for people" in letter.text
    assert "A proposal was settled" in letter.text
    assert letter.text.count("http://c/p/") == 21
    assert "and 3 more" in letter.text
