"""What must be true of the database and of the static files before anything serves them?"""

import hashlib
import io
import os
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import OperationalError, connections

from console.supervision import addresses
from console.supervision.embedded import Unavailable


def prepare(*, demo: bool) -> None:
    """Bring tables, demo and static files up to date.

    Raises: Unavailable when the database does not answer.
    """
    try:
        call_command("migrate", interactive=False, verbosity=0)
        if _has_roles():
            call_command("grant_roles", verbosity=0)
        if demo:
            sends = not os.environ.get("CONNECTOR_SETTINGS")
            call_command("load_demo", sends=sends, stdout=io.StringIO())
    except OperationalError as error:
        raise Unavailable(f"The database cannot be used: {error}".strip()) from error
    finally:
        connections.close_all()
    collect_static()


def _has_roles() -> bool:
    """Say whether the processes have roles of their own, or all the operator's one."""
    return not os.environ.get("DATABASE_URL") or any(
        name.startswith(addresses.DATABASE_URL_OF) for name in os.environ
    )


def collect_static() -> bool:
    """Compress and name the static files again if any of them changed; return whether one did."""
    stamp = Path(settings.STATIC_ROOT) / ".sources"
    sources = _fingerprint()
    if stamp.exists() and stamp.read_text() == sources:
        return False
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(sources)
    return True


def _fingerprint() -> str:
    digest = hashlib.sha256(repr(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
