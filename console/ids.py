"""How rows are named: UUIDs that sort by the time they were made."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new identifier; later ones sort after earlier ones, so indexes grow at one end."""
    return uuid7()
