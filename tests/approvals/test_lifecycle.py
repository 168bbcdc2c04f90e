"""The moves of a proposal and of an execution, as a table."""

from itertools import product

import pytest

from approvals import lifecycle

ENDED = ["denied", "expired", "invalidated", "rejected", "stale", "withdrawn"]
WAITING = ["changes_requested", "info_requested", "pending"]
STATUSES = sorted([*ENDED, *WAITING, "approved"])
LEGAL = {
    ("pending", "approved"),
    ("pending", "rejected"),
    ("pending", "info_requested"),
    ("pending", "changes_requested"),
    ("pending", "expired"),
    ("info_requested", "pending"),
    ("changes_requested", "pending"),
    ("changes_requested", "expired"),
    *((status, to) for status in WAITING for to in ("stale", "withdrawn", "invalidated")),
    # While it is held: recalled, overtaken by the world, taken back, or rolled back.
    ("approved", "pending"),
    ("approved", "stale"),
    ("approved", "withdrawn"),
    ("approved", "invalidated"),
}


@pytest.mark.parametrize(("status", "to"), list(product(STATUSES, STATUSES)))
def test_a_move_is_legal_exactly_where_the_table_has_it(status: str, to: str) -> None:
    assert lifecycle.may_move(status, to) is ((status, to) in LEGAL)


def test_the_table_knows_every_status() -> None:
    assert lifecycle.PROPOSAL_STATUSES == STATUSES
    assert {to for moves in lifecycle.PROPOSAL_MOVES.values() for to in moves} <= set(STATUSES)


@pytest.mark.parametrize("status", [*STATUSES, "", "PENDING", "unheard of"])
def test_people_decide_only_while_it_is_pending(status: str) -> None:
    assert lifecycle.is_decidable(status) is (status == "pending")


@pytest.mark.parametrize("status", [*STATUSES, "unheard of"])
def test_is_open_while_somebody_has_a_say(status: str) -> None:
    assert lifecycle.is_open(status) is (status in WAITING)
    assert (status in lifecycle.UNANSWERED) is (status in {"pending", "info_requested"})


def test_unheard_of_statuses_go_nowhere() -> None:
    assert not lifecycle.may_move("unheard of", "approved")
    assert not lifecycle.may_move("pending", "unheard of")


@pytest.mark.parametrize("status", ENDED)
def test_what_ended_without_approval_never_becomes_approved(status: str) -> None:
    assert lifecycle.PROPOSAL_MOVES[status] == frozenset()


@pytest.mark.parametrize(
    ("status", "moves"),
    [
        ("held", {"succeeded", "recalled", "failed"}),
        ("succeeded", set()),
        ("recalled", set()),
        ("failed", set()),
    ],
)
def test_an_execution_ends_once(status: str, moves: set[str]) -> None:
    assert lifecycle.EXECUTION_MOVES[status] == moves
