"""Which moves are legal for a proposal, and for an execution?"""

# Recalled, stale, withdrawn or invalidated is reached from approved only while it is held.
PROPOSAL_MOVES: dict[str, frozenset[str]] = {
    "pending": frozenset(
        {
            "approved",
            "rejected",
            "info_requested",
            "changes_requested",
            "expired",
            "stale",
            "withdrawn",
            "invalidated",
        }
    ),
    # Somebody asked the proposer; the clock stands still.
    "info_requested": frozenset({"pending", "stale", "withdrawn", "invalidated"}),
    # It went back to the proposer, who words it anew or lets it go.
    "changes_requested": frozenset({"pending", "expired", "stale", "withdrawn", "invalidated"}),
    "approved": frozenset({"pending", "stale", "withdrawn", "invalidated"}),
    "rejected": frozenset(),
    # Refused by a policy when it was made; nobody was asked.
    "denied": frozenset(),
    "expired": frozenset(),
    "stale": frozenset(),
    "withdrawn": frozenset(),
    "invalidated": frozenset(),
}
PROPOSAL_STATUSES = sorted(PROPOSAL_MOVES)
# What can be decided on now, and what is not settled yet.
PENDING = "pending"
OPEN = ("pending", "info_requested", "changes_requested")
# What a proposer waits for; when changes are requested it is the proposer's turn.
UNANSWERED = ("pending", "info_requested")

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
    """Say whether a proposal is not settled: a person, or its proposer, still has a say."""
    return status in OPEN


def is_decidable(status: str) -> bool:
    """Say whether people can decide at this moment."""
    return status == PENDING
