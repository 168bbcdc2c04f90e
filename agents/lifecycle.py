"""Which moves are legal for a run?"""

RUN_MOVES: dict[str, frozenset[str]] = {
    "queued": frozenset({"running", "terminated"}),
    "running": frozenset({"queued", "waiting", "succeeded", "failed", "terminated"}),
    "waiting": frozenset({"queued", "terminated"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "terminated": frozenset(),
}
RUN_STATUSES = sorted(RUN_MOVES)
STEP_KINDS = ["event", "handoff", "model_call", "outcome", "proposal", "tool_call"]
FINISHED = frozenset(status for status, moves in RUN_MOVES.items() if not moves)
# A run that killed its worker this often without one step of progress is not tried again.
ATTEMPTS_WITHOUT_PROGRESS = 5


def is_finished(status: str) -> bool:
    """Say whether a run has ended."""
    return status in FINISHED
