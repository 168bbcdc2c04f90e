"""Does a backup come back? Take one, bring it back elsewhere, look at it, and throw that away."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from console.backups import restoring
from console.backups.databases import Database
from console.backups.manifest import CHECKPOINTS, KEYS
from console.backups.taking import take

Result = TypeVar("Result")


@dataclass(slots=True)
class Drill:
    """How long each step took, how much was there, and what was not as it should be."""

    seconds: dict[str, float] = field(default_factory=dict)
    rows: int = 0
    bytes: int = 0
    said: str = ""
    faults: list[str] = field(default_factory=list)


def drill(database: Database, to: Path, *, folder: Path, keys: Path, now: datetime) -> Drill:
    """Go through all of it; the scratch database is dropped whatever happens.

    The backup stays at `to`. Raises: CannotCopy, NotABackup.
    """
    done = Drill()
    scratch = database.named(f"countersign_drill_{secrets.token_hex(4)}")
    made = _timed(done, "backup", lambda: take(database, to, folder=folder, keys=keys, now=now))
    done.bytes = sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    try:
        _timed(done, "restore", lambda: restoring.bring_back(to, scratch))
        done.faults += _timed(done, "count", lambda: restoring.differences(made, scratch))
        holds, done.said = _timed(
            done,
            "verify",
            lambda: restoring.verify(scratch, checkpoints=to / CHECKPOINTS, keys=to / KEYS),
        )
        if not holds:
            done.faults.append("verify found faults")
    finally:
        _timed(done, "drop", scratch.drop)
    done.rows = sum(made.contents.rows.values())
    return done


def _timed(done: Drill, step: str, work: Callable[[], Result]) -> Result:
    began = time.monotonic()
    try:
        return work()
    finally:
        done.seconds[step] = time.monotonic() - began
