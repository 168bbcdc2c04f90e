"""Which moves are legal for a run?"""

RUN_MOVES: dict[str, frozenset[str]] = {
    "queued": frozenset({"running", "paused", "terminated", "superseded"}),
    "running": frozenset(
        {"queued", "waiting", "paused", "succeeded", "failed", "terminated", "superseded"}
    ),
    "waiting": frozenset({"queued", "paused", "terminated", "superseded"}),
    "paused": frozenset({"queued", "waiting", "terminated", "superseded"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "terminated": frozenset(),
    # Its job goes on with another run, after a rollback or a re-initialisation.
    "superseded": frozenset(),
}
RUN_STATUSES = sorted(RUN_MOVES)
STEP_KINDS = [
    "event",
    "guard",
    "handoff",
    "memory",
    "model_call",
    "outcome",
    "proposal",
    "reply",
    "tool_call",
]
AGENT_MOVES: dict[str, frozenset[str]] = {
    "active": frozenset({"paused", "stopped"}),
    "paused": frozenset({"active", "stopped"}),
    # A stopped agent has lost its runs; it comes back only by a person's hand.
    "stopped": frozenset({"active"}),
}
AGENT_STATUSES = sorted(AGENT_MOVES)
RESTORATION_KINDS = ["rollback", "reinitialise"]
RESTORATION_MOVES: dict[str, frozenset[str]] = {
    "planned": frozenset({"confirmed", "discarded"}),
    # Refused: when its turn came, the world was not the one that was planned for.
    "confirmed": frozenset({"restored", "refused"}),
    # The States are back; what follows (reading back, new runs) is taken up again after a crash.
    "restored": frozenset({"done"}),
    "done": frozenset(),
    "refused": frozenset(),
    "discarded": frozenset(),
}
RESTORATION_STATUSES = sorted(RESTORATION_MOVES)
PAUSE_MOVES: dict[str, frozenset[str]] = {
    # Void: the run ended while it waited.
    "open": frozenset({"continued", "raised", "terminated", "restored", "void"}),
    "continued": frozenset(),
    "raised": frozenset(),
    "terminated": frozenset(),
    # Its State was rolled back or its agent re-initialised, so another run goes on.
    "restored": frozenset(),
    "void": frozenset(),
}
PAUSE_STATUSES = sorted(PAUSE_MOVES)
# Open and not held: what a pause holds.
MOVING = ["queued", "running", "waiting"]
FINISHED = frozenset(status for status, moves in RUN_MOVES.items() if not moves)
OPEN = tuple(status for status in RUN_STATUSES if status not in FINISHED)
# A run that killed its worker this often without one step of progress is not tried again.
ATTEMPTS_WITHOUT_PROGRESS = 5


def is_finished(status: str) -> bool:
    """Say whether a run has ended."""
    return status in FINISHED


def held_because(agent: str, status: str, by: str, reason: str) -> str | None:
    """Say why an agent may not work, or nothing if it may."""
    if status == "active":
        return None
    return told(f"{by} {status} {agent}", reason)


def told(what: str, reason: str) -> str:
    """Say what somebody did and for which reason, as a run keeps it."""
    return f"{what}: {reason}"[:300]
