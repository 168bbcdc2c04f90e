"""What may a role do? One table, read by pages, API and operations alike."""

from typing import Literal

Right = Literal[
    "see",
    "decide",
    "submit",
    "cancel",
    "tokens",
    "administer",
    "operate",  # pause, resume and stop agents
    "restore",  # roll States back, re-initialise agents
    "mark",  # name and pin snapshots
    "hold",  # put on and lift a legal hold
    "import",  # bring documents under version control
    "policies",  # propose changes of policies
    "authority",  # say how much somebody may approve, and who stands in for whom
    "break_glass",  # have something carried out before enough people agreed
    "webhooks",  # have events sent elsewhere
    "resolve",  # say what became of an effect in doubt
    "connect",  # test the ways out of the house, compare with what is outside, stop the sender
]

ROLES: dict[str, frozenset[Right]] = {
    "reviewer": frozenset({"see", "decide", "mark", "resolve"}),
    "admin": frozenset(
        {
            "see",
            "decide",
            "cancel",
            "tokens",
            "administer",
            "operate",
            "restore",
            "mark",
            "hold",
            "import",
            "policies",
            "authority",
            "break_glass",
            "webhooks",
            "resolve",
            "connect",
        }
    ),
    "auditor": frozenset({"see", "mark", "hold"}),
    "engineer": frozenset(
        {
            "see",
            "submit",
            "cancel",
            "tokens",
            "operate",
            "mark",
            "import",
            "policies",
            "webhooks",
        }
    ),
}

SCOPES: dict[str, str] = {
    "jobs:read": "See jobs, their runs and results",
    "jobs:write": "Submit and cancel jobs",
    "proposals:read": "See proposals and what became of them",
    "proposals:write": "Make, revise and withdraw proposals, answer questions (never decide)",
    "policies:read": "See policies, what they said, and figures about decisions",
    "states:read": "See States, their snapshots and contents",
    "states:write": "Import States, name and pin snapshots, report outside records, plan rollbacks",
    "agents:read": "See agents and how they are",
    "agents:write": "Pause and stop agents",
    "traces:write": "Bring in runs of agents elsewhere, to be looked at",
}


def allows(roles: frozenset[str], right: Right) -> bool:
    """Say whether any of the roles carries the right."""
    return any(right in ROLES.get(role, frozenset()) for role in roles)


def unknown_scopes(scopes: list[str]) -> list[str]:
    """Return the scopes that do not exist, in the order given."""
    return [scope for scope in scopes if scope not in SCOPES]
