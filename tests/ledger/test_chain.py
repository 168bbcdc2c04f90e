"""Sealing a line: its digest holds the line, and the line before it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from console.canonical import canonical_bytes, sha256
from console.ledger.chain import GENESIS, Line, Seal, objection_to

LINE = Line(
    workspace="w1",
    seq=7,
    at=datetime(2026, 3, 1, 9, 30, 15, 123456, UTC),
    actor={"kind": "person", "id": "p1", "name": "Ana", "behind": ""},
    verb="proposal.decided",
    subject="proposal:9",
    body={"choice": "approve", "revision": 2},
)
PREVIOUS = "ab" * 32


def test_is_the_digest_of_the_one_before_and_the_canonical_line() -> None:
    value = canonical_bytes(
        {
            "workspace": "w1",
            "seq": 7,
            "at": "2026-03-01T09:30:15.123456+00:00",
            "actor": {"kind": "person", "id": "p1", "name": "Ana", "behind": ""},
            "verb": "proposal.decided",
            "subject": "proposal:9",
            "body": {"choice": "approve", "revision": 2},
        }
    )
    assert LINE.digest(PREVIOUS) == sha256(PREVIOUS.encode() + value)


@pytest.mark.parametrize(
    "other",
    [
        replace(LINE, workspace="w2"),
        replace(LINE, seq=8),
        replace(LINE, at=LINE.at + timedelta(microseconds=1)),
        replace(LINE, actor={**LINE.actor, "name": "Ben"}),
        replace(LINE, verb="proposal.approved"),
        replace(LINE, subject="proposal:8"),
        replace(LINE, body={"choice": "approve", "revision": 3}),
        replace(LINE, body={"choice": "approve", "revision": "2"}),
        replace(LINE, body={}),
    ],
)
def test_differs_with_every_part_of_the_line(other: Line) -> None:
    assert other.digest(PREVIOUS) != LINE.digest(PREVIOUS)


def test_differs_with_the_line_before() -> None:
    assert LINE.digest(GENESIS) != LINE.digest(PREVIOUS)


def test_is_the_same_in_every_time_zone_and_order_of_keys() -> None:
    elsewhere = replace(
        LINE,
        at=LINE.at.astimezone(timezone(timedelta(hours=5, minutes=45))),
        actor=dict(reversed(LINE.actor.items())),
    )
    assert elsewhere.digest(PREVIOUS) == LINE.digest(PREVIOUS)


@pytest.mark.parametrize(
    ("line", "previous", "expected", "objection"),
    [
        (LINE, PREVIOUS, 7, None),
        (LINE, PREVIOUS, 6, "entry 6 is missing; the next one found is 7"),
        (LINE, GENESIS, 7, "entry 7 was altered, or does not follow the entry before it"),
        (
            replace(LINE, verb="x"),
            PREVIOUS,
            7,
            "entry 7 was altered, or does not follow the entry before it",
        ),
    ],
)
def test_is_checked_for_its_place_and_its_words(
    line: Line, previous: str, expected: int, objection: str | None
) -> None:
    seal = Seal(previous, LINE.digest(PREVIOUS))
    assert objection_to(line, seal, previous, expected) == objection


def test_is_checked_for_the_line_that_it_says_it_follows() -> None:
    objection = objection_to(LINE, Seal(GENESIS, LINE.digest(PREVIOUS)), PREVIOUS, 7)
    assert objection == "entry 7 was altered, or does not follow the entry before it"
