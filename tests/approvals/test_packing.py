"""What is signed: the same values are the same bytes, and one other value makes other bytes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from approvals import packing
from approvals.fields import Field, rows
from approvals.packing import MEANING_LABELS, MEANINGS, SIGNED_CHOICES, Shown, Signing, Wording
from approvals.policy import Terms, Threshold
from console.canonical import sha256
from snapshots.diff import Change
from tests.terms import asking

ONE, OTHER = UUID(int=1), UUID(int=2)
DIGEST = "9f" * 32
AT = datetime(2026, 11, 20, 13, 2, 11, 5, tzinfo=UTC)
WORDING = Wording(ONE, 3, DIGEST)
SIGNING = Signing(
    person=OTHER,
    printed_name="Ana Árvai",
    at=AT,
    meaning=MEANINGS["reviewed"]["approve"],
    choice="approve",
    wording=WORDING,
    render_digest="ab" * 32,
    nonce="00ff",
)
SHOWN = Shown(
    title="Pay EUR 70 to Northwind",
    base={"state": str(ONE), "number": 4, "digest": DIGEST, "epoch": 1},
    checks=[{"name": "Trusted", "passed": True, "sentence": "It is.", "more": "not shown"}],
    rows=rows(
        [Change("replace", "/balance", 1000, 930), Change("add", "/odd", value="a\u202eb")],
        [Field("/balance", "Balance", "money", unit="EUR")],
        None,
        None,
    ),
    evidence=[{"number": 1, "label": "Mail", "source": "4711", "digest": DIGEST}],
    terms=asking("Bank", level=3, approvals=2, hold_seconds=600),
)


def stated(signing: Signing) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(packing.statement(signing))
    return found


def test_a_statement_says_who_when_what_and_over_which_bytes() -> None:
    assert stated(SIGNING) == {
        "format": "countersign-signature/1",
        "signer": {"id": str(OTHER), "printed_name": "Ana Árvai"},
        "signed_at": "2026-11-20T13:02:11.000005Z",
        "meaning": "I reviewed this change and approve it",
        "choice": "approve",
        "proposal": str(ONE),
        "revision": 3,
        "revision_digest": DIGEST,
        "render_digest": "ab" * 32,
        "nonce": "00ff",
    }


@pytest.mark.parametrize(
    "other",
    [
        {"person": ONE},
        {"printed_name": "Ana Arvai"},
        {"at": AT + timedelta(microseconds=1)},
        {"meaning": MEANINGS["verified"]["approve"]},
        {"choice": "reject"},
        {"wording": Wording(OTHER, 3, DIGEST)},
        {"wording": Wording(ONE, 4, DIGEST)},
        {"wording": Wording(ONE, 3, "90" * 32)},
        {"render_digest": "ac" * 32},
        {"nonce": "00fe"},
    ],
)
def test_one_other_value_is_another_statement(other: dict[str, Any]) -> None:
    changed: Signing = replace(SIGNING, **other)
    assert sha256(packing.statement(changed)) != sha256(packing.statement(SIGNING))


def test_a_statement_is_in_utc_wherever_the_clock_stands() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert packing.statement(replace(SIGNING, at=elsewhere)) == packing.statement(SIGNING)


def test_a_rendering_says_what_a_reviewer_read() -> None:
    said = json.loads(packing.rendering(WORDING, SHOWN))
    assert said["title"] == "Pay EUR 70 to Northwind"
    assert (said["proposal"], said["revision"], said["revision_digest"]) == (str(ONE), 3, DIGEST)
    assert said["checks"] == [{"name": "Trusted", "passed": True, "sentence": "It is."}]
    balance, odd = said["rows"]
    assert (balance["label"], balance["before"], balance["after"]) == (
        "Balance",
        "EUR 1,000.00",
        "EUR 930.00",
    )
    assert odd["before"] is None
    assert odd["after"] == "a[U+202E RIGHT-TO-LEFT OVERRIDE]b"
    assert said["terms"][1].startswith("2 people with the role reviewer or admin must agree")
    assert said["terms"][2] == "Held for 10 minutes before it is carried out."
    assert said["base"]["number"] == 4
    assert said["evidence"][0]["digest"] == DIGEST


@pytest.mark.parametrize(
    "other",
    [
        {"title": "Pay EUR 71 to Northwind"},
        {"base": {**SHOWN.base, "epoch": 2}},
        {"checks": [{"name": "Trusted", "passed": False, "sentence": "It is."}]},
        {"rows": SHOWN.rows[:1]},
        {"rows": SHOWN.rows[::-1]},
        {"evidence": []},
        {"terms": asking("Bank", level=3, approvals=1, hold_seconds=600)},
    ],
)
def test_something_else_on_the_page_is_another_rendering(other: dict[str, Any]) -> None:
    changed: Shown = replace(SHOWN, **other)
    assert packing.rendering(WORDING, changed) != packing.rendering(WORDING, SHOWN)


def test_a_purpose_is_one_decision_on_one_wording() -> None:
    purposes = {
        packing.purpose(proposal, digest, choice)
        for proposal in (ONE, OTHER)
        for digest in (DIGEST, "90" * 32)
        for choice in ("approve", "reject", "break_glass")
    }
    assert len(purposes) == 12
    assert {len(purpose) for purpose in purposes} == {64}


def test_every_meaning_is_worded_for_both_choices_and_names_its_own() -> None:
    assert set(MEANING_LABELS) == set(MEANINGS)
    for word in MEANINGS:
        for choice in SIGNED_CHOICES:
            sentence = packing.meaning_of(word, choice)
            assert sentence is not None
            assert choice in sentence


@pytest.mark.parametrize(
    ("word", "choice"), [("", "approve"), ("read", "approve"), ("reviewed", "request_changes")]
)
def test_there_is_no_other_meaning(word: str, choice: str) -> None:
    assert packing.meaning_of(word, choice) is None


@pytest.mark.parametrize(
    ("level", "choice", "signed"),
    [
        (3, "approve", True),
        (3, "reject", True),
        (3, "request_changes", False),
        (2, "approve", False),
        (0, "approve", False),
    ],
)
def test_what_takes_a_signature(level: int, choice: str, signed: bool) -> None:
    assert packing.is_signed(level, choice) == signed


def test_terms_say_each_alternative_in_words() -> None:
    terms = Terms(
        policy="Bank",
        version=1,
        level=3,
        thresholds=(
            Threshold(approve=2, deny=2),
            Threshold(approve=1, deny=3, roles=("admin",), filter='reviewer.email == "a@b"'),
        ),
        expires_seconds=60,
    )
    said = packing.in_words(terms)
    assert said[1] == (
        "2 people with the role reviewer or admin, or 1 person with the role admin of whom holds:"
        ' reviewer.email == "a@b" must agree; 2 rejections end it.'
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(45, "45 seconds"), (60, "1 minute"), (90, "90 seconds"), (7200, "2 hours"), (86400, "1 day")],
)
def test_a_duration_in_words(seconds: int, words: str) -> None:
    assert packing.duration(seconds) == words
