"""What may a role do? One table, read by pages, API and operations alike."""

from typing import Literal

Right = Literal["see", "decide", "submit", "cancel", "tokens", "administer"]

ROLES: dict[str, frozenset[Right]] = {
    "reviewer": frozenset({"see", "decide"}),
    "admin": frozenset({"see", "decide", "cancel", "tokens", "administer"}),
    "auditor": frozenset({"see"}),
    "engineer": frozenset({"see", "submit", "cancel", "tokens"}),
}

SCOPES: dict[str, str] = {
    "jobs:read": "See jobs, their runs and results",
    "jobs:write": "Submit and cancel jobs",
    "proposals:read": "See proposals and what became of them",
    "proposals:write": "Make and withdraw proposals (never decide)",
}


def allows(roles: frozenset[str], right: Right) -> bool:
    """Say whether any of the roles carries the right."""
    return any(right in ROLES.get(role, frozenset()) for role in roles)


def unknown_scopes(scopes: list[str]) -> list[str]:
    """Return the scopes that do not exist, in the order given."""
    return [scope for scope in scopes if scope not in SCOPES]
