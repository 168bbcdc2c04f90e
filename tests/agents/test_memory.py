"""Memory: what an agent may keep, what it is given, and why a sweep takes an entry."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents import memory
from agents.memory import Note, Origin
from console.canonical import Json
from snapshots.diff import ABSENT, apply

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
RECORD: Any = {"vendors": {"V7": {"iban": "DE89", "open": 3}}}
IBAN = "/vendors/V7/iban"


def holding(**entries: Any) -> Any:
    """Return a memory whose entries were written in the order given, an hour apart."""
    members = {
        f"run:{number}": {**_plain(number), **changed}
        for number, changed in enumerate(entries.values())
    }
    return {"entries": members}


def _plain(number: int) -> dict[str, Any]:
    at = NOON - timedelta(hours=100 - number)
    origin = {"job": "j", "run": "run", "step": number, "agent": "clerk"}
    return {
        "subject": f"s{number}",
        "value": number,
        "confidence": 0.5,
        "recorded_at": at.isoformat(),
        "expires_at": None,
        "origin": origin,
        "from": {},
    }


def judged(document: Any, record: Any = RECORD, at_most: int = 9, **used: Any) -> dict[str, str]:
    """Return the reasons by the number of the entry."""
    uses = {f"run:{name[1:]}": at for name, at in used.items()}
    found = memory.verdicts(
        memory.entries(document), record=record, used=uses, at_most=at_most, now=NOON
    )
    return {name.removeprefix("run:"): verdict.reason for name, verdict in found.items()}


@pytest.mark.parametrize(
    ("entry", "record", "reason"),
    [
        ({}, RECORD, None),
        ({"expires_at": "2026-03-02T12:00:01+00:00"}, RECORD, None),
        ({"expires_at": "2026-03-02T12:00:00+00:00"}, RECORD, "expired"),
        ({"expires_at": "2026-03-02T13:00:00+02:00"}, RECORD, "expired"),
        ({"from": {IBAN: "DE89"}}, RECORD, None),
        ({"from": {IBAN: "LT12"}}, RECORD, "contradicted"),
        ({"from": {"/vendors/V7/open": 3.0}}, RECORD, "contradicted"),
        ({"from": {"/vendors/V7/open": True}}, {"vendors": {"V7": {"open": 1}}}, "contradicted"),
        ({"from": {"/vendors/V8/iban": "DE89"}}, RECORD, "orphaned"),
        ({"from": {IBAN: "DE89"}}, ABSENT, "orphaned"),
        ({"from": {IBAN: "LT12", "/vendors/V8/iban": "DE89"}}, RECORD, "orphaned"),
        ({"from": {"/vendors/V8": 1}, "expires_at": "2026-03-01T00:00:00Z"}, RECORD, "expired"),
    ],
)
def test_says_why_one_entry_goes(entry: dict[str, Any], record: Any, reason: str | None) -> None:
    assert judged(holding(a=entry), record) == ({"0": reason} if reason else {})


def test_takes_all_but_the_newest_entry_about_a_subject() -> None:
    about = {"subject": "bank of V7"}
    assert judged(holding(a=about, b=about, c={}, d=about)) == {
        "0": "superseded",
        "1": "superseded",
    }


def test_knows_the_newer_of_two_entries_of_one_moment_by_their_steps() -> None:
    at = {"subject": "s", "recorded_at": NOON.isoformat()}
    members = holding(a={}, b={})["entries"]
    late = {**members["run:1"], **at, "origin": {**members["run:1"]["origin"], "step": 10}}
    early = {**members["run:0"], **at, "origin": {**members["run:0"]["origin"], "step": 9}}
    assert judged({"entries": {"run:10": late, "run:9": early}}) == {"9": "superseded"}


def test_takes_what_was_used_least_recently_beyond_the_cap() -> None:
    just_now = NOON - timedelta(minutes=1)
    assert judged(holding(a={}, b={}, c={}, d={}), at_most=2, u0=just_now) == {
        "1": "unused",
        "2": "unused",
    }


def test_counts_only_what_stays_against_the_cap() -> None:
    gone = {"expires_at": "2026-03-01T00:00:00+00:00"}
    assert judged(holding(a={}, b=gone, c={}), at_most=2) == {"1": "expired"}


def test_tells_what_the_record_says_now_and_what_it_said() -> None:
    found = memory.verdicts(
        memory.entries(holding(a={"from": {IBAN: "LT12"}})),
        record=RECORD,
        used={},
        at_most=9,
        now=NOON,
    )
    assert found["run:0"].sentence == (
        'At /vendors/V7/iban the record says "DE89"; the entry was made when it said "LT12".'
    )


def test_sums_a_sweep_up_in_one_line() -> None:
    gone, about = {"expires_at": "2026-03-01T00:00:00+00:00"}, {"subject": "x"}
    document = holding(a=gone, b=about, c=about, d=gone)
    found = memory.verdicts(memory.entries(document), record=RECORD, used={}, at_most=9, now=NOON)
    assert memory.told(found) == "3 entries: 2 expired, 1 superseded"
    assert memory.counts(found) == {"expired": 2, "superseded": 1}


def test_gives_the_last_word_on_each_subject_newest_first_and_in_time() -> None:
    about, gone = {"subject": "x"}, {"expires_at": "2026-03-01T00:00:00+00:00"}
    held = memory.entries(holding(a=about, b={}, c=gone, d=about, e={"subject": "y", **gone}))
    assert [each.value for each in memory.live(held, now=NOON)] == [3, 1]


def test_does_not_bring_an_old_word_back_when_the_last_one_expires() -> None:
    gone = {"subject": "x", "expires_at": "2026-03-01T00:00:00+00:00"}
    held = memory.entries(holding(a={"subject": "x"}, b=gone))
    assert memory.live(held, now=NOON) == []


@pytest.mark.parametrize(
    ("note", "says"),
    [
        (Note("x", 1), None),
        (Note("x" * 200, None, 0.0, timedelta(seconds=1), ["/a"] * 20), None),
        (Note(" ", 1), "subject of at most 200"),
        (Note("x" * 201, 1), "subject of at most 200"),
        (Note("a\x00b", 1), "NUL"),
        (Note("x", 1, 1.01), "between 0 and 1"),
        (Note("x", 1, float("nan")), "between 0 and 1"),
        (Note("x", 1, expires_in=timedelta()), "later than now"),
        (Note("x", 1, expires_in=timedelta(days=3_651)), "3650 days"),
        (Note("x", 1, derived_from=["/a"] * 21), "at most 20 places"),
    ],
)
def test_says_what_objects_to_a_note(note: Note, says: str | None) -> None:
    objection = memory.objection_to(note)
    assert (objection is None) if says is None else says in (objection or "")


def test_refuses_an_entry_that_is_too_large_with_what_it_comes_from() -> None:
    origin = Origin("j", "r", 1, "clerk")
    fits = memory.written(Note("x", "v"), origin=origin, seen={"/a": "x" * 7_700}, now=NOON)
    large = memory.written(Note("x", "v"), origin=origin, seen={"/a": "x" * 7_900}, now=NOON)
    assert memory.objection_to_size(fits) is None
    assert "8,000 bytes" in (memory.objection_to_size(large) or "")


def test_takes_nothing_more_at_twice_the_cap() -> None:
    document = holding(a={}, b={}, c={}, d={})
    assert memory.objection_to_count(document, 3) is None
    assert "holds 4 entries" in (memory.objection_to_count(document, 2) or "")


@pytest.mark.parametrize("document", [{"entries": {}}, {}, {"entries": [1]}, None, "x", {"a": 1}])
def test_finds_room_for_an_entry_in_whatever_a_memory_holds(document: Json) -> None:
    origin = Origin("j", "r", 4, "clerk")
    entry = memory.written(Note("x", 7), origin=origin, seen={}, now=NOON)
    held = memory.entries(apply(document, memory.adding(document, "r:4", entry)))
    assert [(each.id, each.subject, each.value, each.origin) for each in held] == [
        ("r:4", "x", 7, origin)
    ]


def test_takes_out_only_what_is_there() -> None:
    document = holding(a={}, b={})
    after: Any = apply(document, memory.removing(document, ["run:1", "run:7"]))
    assert list(after["entries"]) == ["run:0"]


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        {"recorded_at": "yesterday"},
        {"recorded_at": "2026-03-01T00:00:00"},
        {"origin": None},
        {"from": 3},
        {"confidence": "high"},
    ],
)
def test_leaves_alone_what_is_no_entry(broken: Any) -> None:
    document = holding(a={})
    document["entries"]["run:9"] = {**_plain(9), **broken} if broken else broken
    assert [each.id for each in memory.entries(document)] == ["run:0"]


def test_keeps_the_memory_below_the_record_it_is_about() -> None:
    key = memory.key_of("ledger/acme", "clerk")
    assert key == "ledger/acme/agents/clerk"
    assert memory.parents_of(key) == ("ledger/acme", "clerk")
