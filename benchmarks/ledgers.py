"""How many entries of a ledger a second does a verifier go through, with and without a database?

Both recompute every digest and hold the chain against its signed checkpoints. The yardstick hashes
the same lines as bytes, and does nothing else; the promise is an absolute one.
"""

import functools
import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks import world
from benchmarks.figures import Part, in_turns
from benchmarks.keeping import timed
from console.ledger.auditing import audit, exported, header
from console.ledger.chain import GENESIS, Line, Seal
from console.ledger.checkpoints import Checkpoint, Signed, fingerprint, sign
from console.ledger.models import Chain, Entry
from console.ledger.queries import verify

ENTRIES, QUICK_ENTRIES = 100_000, 20_000
EVERY, BATCH = 500, 2_000
# Twenty thousand in a second are promised, on whatever machine this runs.
PROMISED_PER_SECOND = 20_000
KEY = Ed25519PrivateKey.generate()
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def measure(*, rounds: int, quick: bool) -> Part:
    """Return how long checking a ledger takes, and the entries a second."""
    part = Part("ledgers")
    count = QUICK_ENTRIES if quick else ENTRIES
    place = world.workspace("ledgers")
    lines, signed = _filled(place.id, count)
    subjects = {
        "hash": functools.partial(_hashed, lines),
        "offline": functools.partial(_audited, part, lines, signed),
        "online": functools.partial(_verified, part, place.id, signed),
    }
    found = in_turns(rounds, subjects)
    floor = part.add(f"hash {count:,} lines", "s", found["hash"], called="hashing alone")
    within = count / PROMISED_PER_SECOND
    for name in ("offline", "online"):
        label = f"verify {count:,} entries {name}"
        figure = part.add(label, "s", found[name], against=floor, within=within)
        part.remarks.append(f"{label}: {count / figure.value:,.0f} entries/s")
    return part


def _filled(workspace_id: UUID, count: int) -> tuple[list[bytes], list[Signed]]:
    """Write a ledger as `append` would, many lines at once, and sign it now and then."""
    first = Entry.objects.filter(workspace=workspace_id).order_by("seq")
    rows = [_row(each) for each in first]
    previous = rows[-1][1].digest if rows else GENESIS
    for seq in range(len(rows) + 1, count + 1):
        line = _line(str(workspace_id), seq)
        seal = Seal(previous, line.digest(previous))
        rows.append((line, seal))
        previous = seal.digest
    new = (_entry(workspace_id, line, seal) for line, seal in rows[len(first) :])
    Entry.objects.bulk_create(new, batch_size=BATCH)
    Chain.objects.filter(workspace=workspace_id).update(seq=count, digest=previous)
    world.tidy()
    written = [header(str(workspace_id)), *(exported(line, seal) for line, seal in rows)]
    return written, _signed(rows)


def _signed(rows: list[tuple[Line, Seal]]) -> list[Signed]:
    found: list[Signed] = []
    for line, seal in rows[EVERY - 1 :: EVERY]:
        statement = Checkpoint(
            workspace=line.workspace,
            number=len(found) + 1,
            seq=line.seq,
            digest=seal.digest,
            at=line.at,
            previous=found[-1].checkpoint.seal() if found else GENESIS,
            key=fingerprint(KEY.public_key()),
        )
        found.append(sign(statement, KEY))
    return found


def _line(workspace: str, seq: int) -> Line:
    """Return a line as long as that of a decision."""
    return Line(
        workspace=workspace,
        seq=seq,
        at=BEGIN + timedelta(seconds=seq),
        actor={"kind": "person", "id": str(UUID(int=seq % 7)), "name": "Zoë", "behind": ""},
        verb="proposal.decided",
        subject=f"proposal:{UUID(int=seq)}",
        body={"choice": "approve", "revision": 2, "digest": "ab" * 32, "reason": "Call-back ok."},
    )


def _row(each: Entry) -> tuple[Line, Seal]:
    line = Line(
        str(each.workspace_id), each.seq, each.at, each.actor, each.verb, each.subject, each.body
    )
    return line, Seal(each.previous, each.digest)


def _entry(workspace_id: UUID, line: Line, seal: Seal) -> Entry:
    return Entry(
        workspace_id=workspace_id,
        seq=line.seq,
        at=line.at,
        actor=line.actor,
        verb=line.verb,
        subject=line.subject,
        body=line.body,
        previous=seal.previous,
        digest=seal.digest,
    )


def _hashed(lines: list[bytes]) -> float:
    return timed(lambda: [hashlib.sha256(line).hexdigest() for line in lines])[0] / 1000


def _audited(part: Part, lines: list[bytes], signed: list[Signed]) -> float:
    kept = b"".join(each.line() for each in signed)
    keys = {fingerprint(KEY.public_key()): KEY.public_key()}
    took, report = timed(lambda: audit(lines, lambda _name: kept, keys))
    part.faults += [fault.says for fault in report.faults]
    if report.entries != len(lines) - 1:
        part.faults.append(f"{report.entries} of {len(lines) - 1} entries were checked offline.")
    return took / 1000


def _verified(part: Part, workspace_id: UUID, signed: list[Signed]) -> float:
    took, verdict = timed(lambda: verify(workspace_id, [each.checkpoint for each in signed]))
    if verdict.objection:
        part.faults.append(verdict.objection)
    return took / 1000
