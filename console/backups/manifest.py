"""What does a backup say of itself, and is it still what it says?"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

FORMAT = "countersign-backup/1"
NAME, DUMP, CHECKPOINTS, KEYS = (
    "manifest.json",
    "database.dump",
    "checkpoints",
    "checkpoint_keys.pem",
)
LEFT_OUT = (
    "secret_key (or SECRET_KEY): without it sealed one-time codes are lost",
    "the key that signs checkpoints",
    "the settings and secrets of connectors",
    "the broker's queue, which holds nothing that matters",
)
CHUNK_BYTES = 1 << 20


class NotABackup(Exception):
    """A folder is no backup, or not what its manifest says; the message says which file."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where a workspace's ledger ended when the copy was made."""

    workspace: str
    slug: str
    seq: int
    digest: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in the database that was copied, read at the same moment as the copy."""

    server: str
    migrations: list[str]
    rows: dict[str, int]
    ledgers: list[Ledger]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself: times in UTC, files by their SHA-256."""

    made_at: str
    program: str
    contents: Contents
    files: dict[str, str]

    def to_json(self) -> bytes:
        """Return the text of the file."""
        value = {"format": FORMAT, **asdict(self), "left_out": LEFT_OUT}
        return orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"


def read(folder: Path) -> Manifest:
    """Return the manifest of a backup whose files are all what they were. Raises: NotABackup."""
    try:
        value = orjson.loads((folder / NAME).read_bytes())
        if value["format"] != FORMAT:
            raise NotABackup(f"{folder} is a backup of another format: {value['format']}")
        found = Manifest(
            value["made_at"], value["program"], _contents(value["contents"]), value["files"]
        )
    except OSError as error:
        raise NotABackup(f"{folder} is no backup: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise NotABackup(f"{folder / NAME} cannot be read") from error
    for name, digest in found.files.items():
        if not (folder / name).is_file():
            raise NotABackup(f"{folder / name} is missing")
        if digest_of(folder / name) != digest:
            raise NotABackup(f"{folder / name} is not the file that was written")
    return found


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file of any size."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()


def differences(said: Contents, found: Contents) -> list[str]:
    """Say where a database differs from what was copied."""
    told = [
        f"{table} has {found.rows.get(table, 0)} rows instead of {count}"
        for table, count in said.rows.items()
        if found.rows.get(table) != count
    ]
    ends = {each.workspace: (each.seq, each.digest) for each in found.ledgers}
    told += [
        f"the ledger of {each.slug} does not end at entry {each.seq} as it did"
        for each in said.ledgers
        if ends.get(each.workspace) != (each.seq, each.digest)
    ]
    if said.migrations != found.migrations:
        told.append("other migrations have run")
    return told


def _contents(value: dict[str, Any]) -> Contents:
    ledgers = [Ledger(**each) for each in value["ledgers"]]
    return Contents(value["server"], value["migrations"], value["rows"], ledgers)
