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

# A local effect goes from held to its end at once. One that leaves the house is claimed by the
# sender and sent; of what was sent only an answer, an observation or people say what became of it.
EXECUTION_MOVES: dict[str, frozenset[str]] = {
    "held": frozenset({"ready", "succeeded", "recalled", "failed", "quarantined"}),
    # Back in doubt when it turns out, before it is sent again, that it had happened after all.
    "ready": frozenset({"claimed", "in_doubt", "recalled", "failed", "quarantined"}),
    # Back to ready when its lease is over, or nobody answered: nothing was sent.
    "claimed": frozenset({"ready", "sent", "in_doubt", "recalled", "failed", "quarantined"}),
    "sent": frozenset({"succeeded", "failed", "in_doubt"}),
    # Ready again only where the provider itself says it is absent and a person agrees; sent again
    # only where the provider takes the same key twice for one.
    "in_doubt": frozenset({"succeeded", "failed", "ready", "sent"}),
    "quarantined": frozenset({"held", "ready", "in_doubt", "recalled", "failed"}),
    "succeeded": frozenset({"compensating"}),
    "compensating": frozenset({"compensated", "compensation_failed"}),
    # People may propose the way back again.
    "compensation_failed": frozenset({"compensating"}),
    "compensated": frozenset(),
    "recalled": frozenset(),
    "failed": frozenset(),
}
EXECUTION_STATUSES = sorted(EXECUTION_MOVES)
# Waits, and is not on its way. What has gone out before may stand here again: `may_be_taken_back`.
UNSENT = ("held", "ready", "claimed", "quarantined")
# It may have happened outside, and nobody knows yet.
IN_FLIGHT = ("sent", "in_doubt")
# What keeps everything else off its State.
UNDER_WAY = (*UNSENT, *IN_FLIGHT)
# It happened, whatever was owed for it later.
DONE = ("succeeded", "compensating", "compensated", "compensation_failed")
RETRY_CLASSES = ("local", "keyed", "queryable", "blind")
_KEEPS_OFF = {
    "sent": "was sent a moment ago",
    "in_doubt": "was sent, and nobody knows yet what became of it",
    "quarantined": "was set aside after it failed again and again",
}
# How often an execution is begun before it is set aside for people.
TRIES_AT_MOST = 3


def may_move(status: str, to: str) -> bool:
    """Say whether a proposal in `status` may become `to`."""
    return to in PROPOSAL_MOVES.get(status, frozenset())


def execution_may_move(status: str, to: str) -> bool:
    """Say whether an execution in `status` may become `to`."""
    return to in EXECUTION_MOVES.get(status, frozenset())


def may_be_taken_back(status: str, *, was_sent: bool) -> bool:
    """Say whether an execution may be recalled or dropped: not a byte of it has ever left.

    What waits to go out once more may have happened before, whatever its provider said then.
    """
    return status in UNSENT and not was_sent


def keeps_off(status: str, title: str) -> str:
    """Say what of an execution under way keeps others off its State."""
    words = _KEEPS_OFF.get(status, "is carried out on the same State in a moment")
    return f"“{title}” {words}."


def is_open(status: str) -> bool:
    """Say whether a proposal is not settled: a person, or its proposer, still has a say."""
    return status in OPEN


def is_decidable(status: str) -> bool:
    """Say whether people can decide at this moment."""
    return status == PENDING
