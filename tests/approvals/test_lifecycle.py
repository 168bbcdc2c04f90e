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


UNDONE = ["recalled", "failed", "quarantined"]
EXECUTION_LEGAL = {
    # What is carried out here is done at once.
    ("held", "succeeded"),
    ("held", "ready"),
    ("ready", "claimed"),
    ("claimed", "ready"),
    ("claimed", "sent"),
    *((status, to) for status in ("held", "ready", "claimed") for to in UNDONE),
    *(("quarantined", to) for to in ("held", "ready", "recalled", "failed")),
    # Only what was sent may have happened.
    ("sent", "succeeded"),
    ("sent", "failed"),
    ("sent", "in_doubt"),
    ("in_doubt", "succeeded"),
    ("in_doubt", "failed"),
    ("in_doubt", "ready"),
    ("in_doubt", "sent"),
    # It was to be sent again, and something says that it had happened after all.
    *((status, "in_doubt") for status in ("ready", "claimed", "quarantined")),
    ("succeeded", "compensating"),
    ("compensating", "compensated"),
    ("compensating", "compensation_failed"),
    ("compensation_failed", "compensating"),
}
EXECUTION_STATUSES = sorted({status for move in EXECUTION_LEGAL for status in move})


@pytest.mark.parametrize(
    ("status", "to"), list(product(EXECUTION_STATUSES, [*EXECUTION_STATUSES, "unheard of"]))
)
def test_an_execution_moves_exactly_where_the_table_has_it(status: str, to: str) -> None:
    assert lifecycle.execution_may_move(status, to) is ((status, to) in EXECUTION_LEGAL)


def test_the_table_knows_every_status_of_executions() -> None:
    assert lifecycle.EXECUTION_STATUSES == EXECUTION_STATUSES
    groups = (*lifecycle.UNDER_WAY, *lifecycle.DONE, "recalled", "failed")
    assert sorted(groups) == EXECUTION_STATUSES
    assert not lifecycle.execution_may_move("unheard of", "sent")


@pytest.mark.parametrize("status", ["failed", "recalled", "compensated"])
def test_an_execution_ends_once(status: str) -> None:
    assert lifecycle.EXECUTION_MOVES[status] == frozenset()


@pytest.mark.parametrize("status", ["held", "ready", "quarantined"])
def test_nothing_is_sent_that_was_not_claimed(status: str) -> None:
    assert not lifecycle.execution_may_move(status, "sent")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("held", "is carried out on the same State in a moment"),
        ("claimed", "is carried out on the same State in a moment"),
        ("sent", "was sent a moment ago"),
        ("in_doubt", "nobody knows yet what became of it"),
        ("quarantined", "was set aside"),
    ],
)
def test_what_keeps_others_off_says_why(status: str, words: str) -> None:
    assert words in lifecycle.keeps_off(status, "Pay 70")
    assert lifecycle.keeps_off(status, "Pay 70").startswith("“Pay 70” ")
