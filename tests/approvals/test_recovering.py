"""Noting what a rollback could not take back: each record's notes stand in a State of its own."""

import pytest

from approvals import effects, recovering
from console.canonical import Json

PARAMS = {"proposal": "p1", "title": "Pay Nordlicht", "snapshot": 7}
NOTED = {"p1": {"title": "Pay Nordlicht", "snapshot": 7}}


def noted(document: Json) -> Json:
    """Return what the State says after a recovery was noted in it."""
    return effects.resolve(recovering.EFFECT, []).preview(document, PARAMS)


@pytest.mark.parametrize("found", [[], [1], "text", None, 7, {}, {"recoveries": [1]}])
def test_whatever_stands_under_the_key_keeps_nobody_from_noting(found: Json) -> None:
    assert noted(found) == {"recoveries": NOTED}


def test_what_was_noted_before_and_beside_it_stays() -> None:
    before: Json = {"recoveries": {"p0": {}}, "owner": "Ana"}
    assert noted(before) == {"recoveries": {"p0": {}, **NOTED}, "owner": "Ana"}


def test_a_short_key_is_kept_whole() -> None:
    assert recovering.key_of("ledger/acme") == "ledger/acme/recoveries"
    assert recovering.key_of("k" * 189) == "k" * 189 + "/recoveries"


def test_two_long_keys_do_not_meet_in_one_state() -> None:
    keys = {recovering.key_of("k" * 195 + end) for end in ("a", "b", "")}
    assert len(keys) == 3
    assert {len(key) for key in keys} == {200}
    assert all(key.endswith("/recoveries") for key in keys)
