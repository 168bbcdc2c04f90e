"""Take a backup: one moment of the database, and the checkpoints, while everything runs.

The dump and what the manifest counts are read in one snapshot of the database. Nothing is under
its name before all of it is written.
"""

import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import LiteralString

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from console.backups.databases import CannotCopy, Database
from console.backups.manifest import (
    CHECKPOINTS,
    DUMP,
    KEYS,
    NAME,
    Contents,
    Ledger,
    Manifest,
    digest_of,
)


def take(database: Database, to: Path, *, folder: Path, keys: Path, now: datetime) -> Manifest:
    """Write a backup under a name that is free, whole or not at all.

    Raises: CannotCopy. Locks: no row; a migration waits until it is done.
    """
    if to.exists():
        raise CannotCopy(f"{to} is there already; nothing was written.")
    draft = to.with_name(f".{to.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(mode=0o700, parents=True)
        # Before the snapshot, so that no checkpoint is newer than the copy.
        _copy_checkpoints(folder, keys, draft)
        with database.connect() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            _refuse_strangers(connection)
            program = _dump(database, connection, draft / DUMP)
            contents = contents_of(connection)
        manifest = Manifest(now.isoformat(), program, contents, _digests(draft))
        (draft / NAME).write_bytes(manifest.to_json())
        _sync(draft)
        draft.rename(to)
        _sync_path(to.parent)
    except OSError as error:
        raise CannotCopy(f"The backup cannot be written: {error}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def contents_of(connection: Connection[TupleRow]) -> Contents:
    """Count what is in a database; for the rows of each table it is read once."""
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    ).fetchall()
    migrations = connection.execute("SELECT app, name FROM django_migrations ORDER BY app, name")
    ledgers = connection.execute(
        "SELECT c.workspace_id::text, w.slug, c.seq, c.digest FROM ledger_chain c"
        " JOIN access_workspace w ON w.id = c.workspace_id ORDER BY w.slug"
    )
    return Contents(
        server=str(connection.info.parameter_status("server_version")),
        migrations=[f"{app}.{name}" for app, name in migrations],
        rows={name: _count(connection, name) for (name,) in rows},
        ledgers=[Ledger(*row) for row in ledgers],
    )


def _count(connection: Connection[TupleRow], table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    return int(str(_one(connection, query)[0]))


def _refuse_strangers(connection: Connection[TupleRow]) -> None:
    """Refuse a role that the policies of rows would show a part: that would be no backup."""
    is_owner = _one(
        connection,
        "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'ledger_entry'::regclass",
    )[0]
    if not is_owner:
        raise CannotCopy(
            "Only the owner of the tables sees all rows; take the backup as that role."
        )


def _dump(database: Database, connection: Connection[TupleRow], path: Path) -> str:
    snapshot = _one(connection, "SELECT pg_export_snapshot()")[0]
    database.run(
        "pg_dump",
        "--format=custom",
        f"--snapshot={snapshot}",
        # Whoever owns the tables sees all rows, and has just proved to own them.
        "--enable-row-security",
        f"--file={path}",
    )
    return database.run("pg_dump", "--version").strip()


def _copy_checkpoints(folder: Path, keys: Path, draft: Path) -> None:
    (draft / CHECKPOINTS).mkdir()
    for path in sorted(folder.glob("*.jsonl")):
        # A line that is being written at this moment is not copied.
        whole, newline, _ = path.read_bytes().rpartition(b"\n")
        (draft / CHECKPOINTS / path.name).write_bytes(whole + newline)
    if keys.exists():
        shutil.copyfile(keys, draft / KEYS)


def _digests(draft: Path) -> dict[str, str]:
    files = sorted(path for path in draft.rglob("*") if path.is_file())
    return {str(path.relative_to(draft)): digest_of(path) for path in files}


def _sync(draft: Path) -> None:
    for path in [*draft.rglob("*"), draft]:
        _sync_path(path)


def _sync_path(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _one(connection: Connection[TupleRow], query: LiteralString | sql.Composed) -> Sequence[object]:
    row = connection.execute(query).fetchone()
    if row is None:
        raise CannotCopy("The database gave no answer.")
    return row
