"""Which moves are legal for a proposal, and for an execution?"""

PROPOSAL_MOVES: dict[str, frozenset[str]] = {
    "pending": frozenset({"approved", "rejected", "expired", "stale", "withdrawn", "invalidated"}),
    # Back from approved only while the execution is held: somebody recalled it.
    "approved": frozenset({"pending", "stale", "withdrawn", "invalidated"}),
    "rejected": frozenset(),
    "expired": frozenset(),
    "stale": frozenset(),
    "withdrawn": frozenset(),
    "invalidated": frozenset(),
}
PROPOSAL_STATUSES = sorted(PROPOSAL_MOVES)
OPEN = "pending"

EXECUTION_MOVES: dict[str, frozenset[str]] = {
    "held": frozenset({"succeeded", "recalled", "failed"}),
    "succeeded": frozenset(),
    "recalled": frozenset(),
    "failed": frozenset(),
}
EXECUTION_STATUSES = sorted(EXECUTION_MOVES)


def may_move(status: str, to: str) -> bool:
    """Say whether a proposal in `status` may become `to`."""
    return to in PROPOSAL_MOVES.get(status, frozenset())


def is_open(status: str) -> bool:
    """Say whether a person can still decide."""
    return status == OPEN
