"""Sign where every ledger ends now and then, and keep that in a second place.

Nobody acts here but the clock, and nothing of it is written to the ledger, which it would only
make longer. What is signed has been recomputed from the checkpoint before, so a signature never
vouches for what does not hold. The second place may fail: the row is there, and the line follows.
"""

import logging
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from console.access.models import Workspace
from console.access.queries import people_with_role
from console.ledger.auditing import Walk
from console.ledger.chain import GENESIS
from console.ledger.checkpoints import (
    Checkpoint as Statement,
)
from console.ledger.checkpoints import (
    Signed,
    Unusable,
    fingerprint,
    from_line,
    new_private_pem,
    private_key,
    public_keys,
    public_pem,
    sign,
)
from console.ledger.models import Checkpoint
from console.ledger.queries import checkpoints as queries
from console.ledger.queries import reading
from console.notices.operations.noticing import notify
from console.supervision import addresses

logger = logging.getLogger(__name__)

STEP = 2000
# Longer than any line, so that the last whole one is in it.
TAIL_BYTES = 4096
EVENT = "ledger.checkpoint_failed"


class NotSealed(Exception):
    """A checkpoint was not made or not kept; the message says why, and people are told."""


def checkpoint_due(now: datetime) -> Iterator[None]:
    """Make every checkpoint that is due, and bring the second place up to date, in small steps.

    What fails for one workspace is told to its admins, at most once an hour, and tried again.
    """
    due = set(queries.due(now - settings.CHECKPOINT))
    for workspace in Workspace.objects.order_by("id"):
        try:
            if workspace.id in due:
                yield from _make(workspace.id, _key(), now)
            _keep(workspace.id)
        except (NotSealed, Unusable, OSError) as error:
            _tell(workspace, f"{type(error).__name__}: {error}", now)
        yield


def _make(workspace_id: UUID, key: Ed25519PrivateKey, now: datetime) -> Iterator[None]:
    """Recompute what was written since the last checkpoint, and sign where that ends."""
    last = queries.last(workspace_id)
    _refuse_behind(workspace_id, last)
    end = reading.end(workspace_id)
    walk = Walk(seq=last.seq, previous=last.digest) if last else Walk()
    for line, seal in reading.lines(workspace_id, after=walk.seq, up_to=end.seq):
        if fault := walk.step(line.seq, line.canonical(), seal):
            raise NotSealed(f"{fault.says}; run manage.py verify")
        if not walk.seq % STEP:
            yield
    if (end.seq, end.digest) != (walk.seq, walk.previous):
        raise NotSealed(f"the chain says {end.seq} entries, {walk.seq} hold; run manage.py verify")
    statement = Statement(
        workspace=str(workspace_id),
        number=last.number + 1 if last else 1,
        seq=end.seq,
        digest=end.digest,
        at=now,
        previous=queries.as_signed(last).checkpoint.seal() if last else GENESIS,
        key=fingerprint(key.public_key()),
    )
    _write(workspace_id, sign(statement, key))


def _write(workspace_id: UUID, signed: Signed) -> None:
    said = signed.checkpoint
    row = Checkpoint(
        workspace_id=workspace_id,
        number=said.number,
        seq=said.seq,
        digest=said.digest,
        at=said.at,
        previous=said.previous,
        key=said.key,
        signature=signed.signature,
    )
    with transaction.atomic():
        # Another timer may have been first; then there is nothing left to do.
        Checkpoint.objects.bulk_create([row], ignore_conflicts=True)


def _keep(workspace_id: UUID) -> None:
    """Append what the second place does not have yet; nothing there is ever written over."""
    path = settings.CHECKPOINT_FOLDER / f"{workspace_id}.jsonl"
    last, is_torn = _last_kept(path)
    missing = queries.signed(workspace_id, after=last.checkpoint.number if last else 0)
    if not missing and not is_torn:
        return
    is_new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        # What was torn stays, as the beginning of the line that is written again behind it.
        file.write(b"\n" * is_torn + b"".join(each.line() for each in missing))
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


def _refuse_behind(workspace_id: UUID, last: Checkpoint | None) -> None:
    """Refuse to go on where the second place knows more, or something else: that forks it."""
    kept, _ = _last_kept(settings.CHECKPOINT_FOLDER / f"{workspace_id}.jsonl")
    if kept is None:
        return
    if last is None or kept.checkpoint.number > last.number:
        raise NotSealed(
            f"the second place has checkpoint {kept.checkpoint.number}, the database "
            f"{last.number if last else 'none'}: it was brought back from an older backup"
        )
    row = Checkpoint.objects.get(workspace=workspace_id, number=kept.checkpoint.number)
    if queries.as_signed(row).line() != kept.line():
        raise NotSealed(f"checkpoint {row.number} says otherwise in the second place")


def _last_kept(path: Path) -> tuple[Signed | None, bool]:
    """Return the last whole line, and whether half of one stands behind it. Raises: Unusable."""
    if not path.exists():
        return None, False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        *whole, rest = file.read().split(b"\n")
    if not whole:
        return None, bool(rest)
    return from_line(whole[-1]), bool(rest)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _key() -> Ed25519PrivateKey:
    """Return the key that signs, and see to it that its public half is in the list."""
    key = private_key(_private_pem().encode())
    path = settings.CHECKPOINT_PUBLIC_KEYS
    known = public_keys(path.read_bytes()) if path.exists() else {}
    if fingerprint(key.public_key()) not in known:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(public_pem([key.public_key()]))
            file.flush()
            os.fsync(file.fileno())
    return key


def _private_pem() -> str:
    if settings.CHECKPOINT_KEY:
        return Path(settings.CHECKPOINT_KEY).read_text()
    return addresses.kept_secret(settings.VAR_DIR / "checkpoint_key.pem", new_private_pem)


def _tell(workspace: Workspace, why: str, now: datetime) -> None:
    logger.error("checkpoint of %s: %s", workspace.slug, why)
    admins = [person.id for person, _ in people_with_role(workspace.id, ["admin"])]
    with transaction.atomic():
        notify(
            workspace_id=workspace.id,
            event=EVENT,
            subject_ref="ledger",
            title=f"No checkpoint could be made or kept: {why}",
            path=reverse("ledger:entries", args=[workspace.slug]),
            people=admins,
            now=now,
            data={},
            occasion=f"checkpoint:{now:%Y-%m-%dT%H}",
        )
