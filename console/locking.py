"""What happens when a row stays locked for longer than we wait?"""

import contextlib
from collections.abc import Iterator

from django.db import OperationalError
from psycopg.errors import LockNotAvailable

from console.errors import Conflict


class Busy(Conflict):
    """Somebody is working on the same record at this moment; nothing was changed, try again."""

    code = "state_busy"


@contextlib.contextmanager
def patiently() -> Iterator[None]:
    """Turn the database's lock timeout into a refusal. Raises: Busy (409)."""
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise Busy from error
        raise
