"""Bring a backup back into an empty database, and say what is there afterwards.

Roles, grants and policies of rows are not in it: they belong to a server, and `grant_roles` makes
them there. Everything else is, the triggers that refuse changes among it.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from console.backups import manifest
from console.backups.databases import CannotCopy, Database
from console.backups.manifest import DUMP, Manifest
from console.backups.taking import contents_of
from console.supervision import addresses

# Lines of a dump's table of contents that speak of the roles of the server it came from.
_OF_ROLES = re.compile(r"\d+; \d+ \d+ (?:COMMENT \S+ )?(?:POLICY|ROW SECURITY|ACL|DEFAULT ACL) ")
# Of the process that restores, and not of the one that looks at the result.
_NOT_HANDED_ON = ("COUNTERSIGN_PROCESS", "DATABASE_URL")


def bring_back(folder: Path, target: Database) -> Manifest:
    """Restore a backup into a database that is empty, or does not exist yet.

    Raises: CannotCopy, NotABackup. What failed half way is rolled back, and the database is empty.
    """
    found = manifest.read(folder)
    _refuse_full(target)
    contents = target.run("pg_restore", "--list", str(folder / DUMP))
    wanted = [line for line in contents.splitlines() if not _OF_ROLES.match(line)]
    with tempfile.NamedTemporaryFile("w", suffix=".list") as chosen:
        chosen.write("\n".join(wanted) + "\n")
        chosen.flush()
        target.run(
            "pg_restore",
            f"--dbname={target.name}",
            f"--use-list={chosen.name}",
            *("--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"),
            str(folder / DUMP),
        )
    _analyze(target)
    return found


def differences(found: Manifest, target: Database) -> list[str]:
    """Say where the database differs from what the manifest counted."""
    with target.connect() as connection:
        return manifest.differences(found.contents, contents_of(connection))


def verify(target: Database, *, checkpoints: Path, keys: Path) -> tuple[bool, str]:
    """Run `manage.py verify` there; return whether everything holds, and what it said."""
    done = _manage(target, "verify", "--checkpoints", str(checkpoints), "--public-key", str(keys))
    return not done.returncode, f"{done.stdout}{done.stderr}".strip()


def grant(target: Database) -> None:
    """Give the roles of the processes what they need there. Raises: CannotCopy."""
    done = _manage(target, "grant_roles")
    if done.returncode:
        raise CannotCopy(f"The roles could not be granted: {done.stderr.strip()}")


def _manage(target: Database, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=addresses.REPOSITORY,
        env={**kept, "DATABASE_URL": target.url()},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _refuse_full(target: Database) -> None:
    target.create()
    with target.connect() as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace LIMIT 1"
        ).fetchone()
    if found:
        raise CannotCopy(f"{target.name} is not empty: it has {found[0]}. Nothing was changed.")


def _analyze(target: Database) -> None:
    with target.connect(autocommit=True) as connection:
        connection.execute("ANALYZE")
