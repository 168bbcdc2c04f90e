"""Does a ledger hold, if nothing is believed but its lines, its checkpoints and a public key?

Needs no database and no network. The same rule checks the tables (`manage.py verify`) and a file
that was taken out of them (`manage.py verify --offline`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from console.canonical import canonical_bytes
from console.ledger.chain import GENESIS, Line, Seal, objection_to_bytes
from console.ledger.checkpoints import Checkpoint, Signed, Unusable, from_line, is_vouched_for

FORMAT = "countersign-ledger/1"
# Checkpoints are made every hour; entries that wait for one longer than this were left alone.
UNSEALED_AT_MOST = timedelta(hours=2)
_MISSHAPEN = (ValueError, TypeError, KeyError, AttributeError)
Keys = Mapping[str, Ed25519PublicKey]


@dataclass(frozen=True, slots=True)
class Fault:
    """What does not hold; `seq` is the first entry that cannot be relied on."""

    seq: int
    says: str


@dataclass(slots=True)
class Report:
    """How much was checked, and what was found."""

    workspace: str = ""
    entries: int = 0
    checkpoints: list[Checkpoint] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class Walk:
    """Goes along a ledger from its first entry, and holds it against signed checkpoints.

    Begins behind entry `seq` with its digest where what is before that has been checked.
    """

    def __init__(
        self, checkpoints: Iterable[Checkpoint] = (), *, seq: int = 0, previous: str = GENESIS
    ) -> None:
        """Stand before the first entry that is to be checked."""
        self.seq, self.previous = seq, previous
        self._newest: Checkpoint | None = None
        self._vouched = seq
        self._marks: dict[int, list[Checkpoint]] = {}
        for each in checkpoints:
            self._newest = each
            self._marks.setdefault(each.seq, []).append(each)

    def step(self, seq: int, canonical: bytes, seal: Seal) -> Fault | None:
        """Take the next entry and say what is wrong with it."""
        expected = self.seq + 1
        if objection := objection_to_bytes(seq, canonical, seal, self.previous, expected):
            return Fault(expected, objection)
        for mark in self._marks.get(seq, ()):
            if mark.digest != seal.digest:
                return self._forked(mark)
            self._vouched = seq
        self.seq, self.previous = seq, seal.digest
        return None

    def end(self, last_at: datetime | None) -> Fault | None:
        """Say what the checkpoints know that the entries do not, and the other way round."""
        newest = self._newest
        if newest is None:
            return None
        if newest.seq > self.seq:
            says = (
                f"entries {self.seq + 1} to {newest.seq} are missing: checkpoint {newest.number} "
                f"of {newest.at:%Y-%m-%d %H:%M} UTC stands at entry {newest.seq}"
            )
            return Fault(self.seq + 1, says)
        if last_at and self.seq > newest.seq and last_at - newest.at > UNSEALED_AT_MOST:
            says = (
                f"entries {newest.seq + 1} to {self.seq} have no checkpoint, the last of them was "
                f"written {_hours(last_at - newest.at)} after checkpoint {newest.number}: newer "
                "checkpoints were taken away, or none was made"
            )
            return Fault(newest.seq + 1, says)
        return None

    def _forked(self, mark: Checkpoint) -> Fault:
        first = self._vouched + 1
        says = (
            f"entry {mark.seq} is not the one that checkpoint {mark.number} signed: of the entries "
            f"{first} to {mark.seq} at least one was written anew"
        )
        return Fault(first, says)


def header(workspace: str) -> bytes:
    """Return the first line of a ledger that was taken out."""
    return canonical_bytes({"format": FORMAT, "workspace": workspace}) + b"\n"


def exported(line: Line, seal: Seal) -> bytes:
    """Return one entry as a line of such a file: canonical, so that each has one spelling."""
    return _spelled(line.canonical(), seal) + b"\n"


def audit(lines: Iterable[bytes], find: Callable[[str], bytes | None], keys: Keys) -> Report:
    """Check a ledger that was taken out, and its file of checkpoints, which `find` knows by name.

    The first line that does not hold ends it: what stands behind that cannot be relied on.
    """
    report, rest = Report(), iter(lines)
    try:
        report.workspace = _workspace_of(next(rest, b""))
    except _MISSHAPEN:
        report.faults.append(Fault(1, "the file does not begin as a ledger does"))
        return report
    signed, fault = _kept(find(f"{report.workspace}.jsonl"))
    report.checkpoints, objection = sound(signed, report.workspace, keys)
    report.faults += [each for each in (objection or fault,) if each]
    _follow(rest, report)
    return report


def sound(
    signed: Sequence[Signed], workspace: str, keys: Keys
) -> tuple[list[Checkpoint], Fault | None]:
    """Return the checkpoints up to the first that does not hold, and what is wrong with that."""
    before: list[Checkpoint] = []
    for each in signed:
        last = before[-1] if before else None
        if objection := _objection_to(each, last, workspace, keys):
            return before, Fault((last.seq if last else 0) + 1, objection)
        before.append(each.checkpoint)
    return before, None


def read_kept(raw: bytes) -> tuple[list[Signed], Fault | None]:
    """Read a file of checkpoints up to the first line that is none.

    A line that the next one begins with was torn when the machine stopped, and written again.
    """
    found: list[Signed] = []
    lines = raw.split(b"\n")
    for number, line in enumerate(lines[:-1]):
        if line and lines[number + 1].startswith(line):
            continue
        try:
            found.append(from_line(line))
        except Unusable as error:
            return found, _unreadable(found, str(error))
    if lines[-1]:
        return found, _unreadable(found, "it ends in the middle of a line")
    return found, None


def apart(table: Sequence[Signed], kept: Sequence[Signed]) -> Fault | None:
    """Say where the second place differs from the table; a table may be a checkpoint ahead."""
    last = 0
    for mine, theirs in zip(table, kept, strict=False):
        if mine.line() != theirs.line():
            number = mine.checkpoint.number
            says = f"checkpoint {number} says otherwise in the second place than in the table"
            return Fault(last + 1, says)
        last = mine.checkpoint.seq
    if len(kept) > len(table):
        newest = kept[-1].checkpoint
        says = (
            f"the second place has {len(kept)} checkpoints, the table {len(table)}: this database "
            f"is older than checkpoint {newest.number}, which stands at entry {newest.seq}"
        )
        return Fault(last + 1, says)
    if len(table) > len(kept) + 1:
        says = (
            f"the table has {len(table)} checkpoints, the second place {len(kept)}: "
            "its file was cut short, or cannot be written"
        )
        return Fault(last + 1, says)
    return None


@dataclass(frozen=True, slots=True)
class _Entry:
    seq: int
    workspace: str
    at: datetime
    canonical: bytes
    seal: Seal


def _follow(lines: Iterator[bytes], report: Report) -> None:
    walk, last = Walk(report.checkpoints), None
    for raw in lines:
        try:
            entry = _read(raw)
        except _MISSHAPEN:
            says = f"entry {walk.seq + 1} cannot be read, or is not written as an entry is"
            report.faults.append(Fault(walk.seq + 1, says))
            return
        fault = _of_another(entry, report.workspace) or walk.step(
            entry.seq, entry.canonical, entry.seal
        )
        if fault:
            report.faults.append(fault)
            return
        report.entries, last = walk.seq, entry.at
    if last is None:
        report.faults.append(Fault(1, "there is no entry, although a ledger begins with one"))
    elif fault := walk.end(last):
        report.faults.append(fault)


def _read(raw: bytes) -> _Entry:
    whole = orjson.loads(raw)
    value, seal = whole["line"], Seal(whole["previous"], whole["digest"])
    canonical = canonical_bytes(value)
    if _spelled(canonical, seal) != raw.removesuffix(b"\n"):
        raise ValueError(raw)
    at = datetime.fromisoformat(value["at"])
    return _Entry(int(value["seq"]), value["workspace"], at, canonical, seal)


def _spelled(canonical: bytes, seal: Seal) -> bytes:
    # The members in the order of RFC 8785, so that the line is not written twice to be hashed.
    return b'{"digest":"%b","line":%b,"previous":"%b"}' % (
        seal.digest.encode(),
        canonical,
        seal.previous.encode(),
    )


def _workspace_of(first: bytes) -> str:
    value = orjson.loads(first)
    if value["format"] != FORMAT:
        raise ValueError(value["format"])
    # It names a file, so it has to be an id and nothing else.
    return str(UUID(value["workspace"]))


def _of_another(entry: _Entry, workspace: str) -> Fault | None:
    if entry.workspace != workspace:
        says = f"entry {entry.seq} is of another workspace: {entry.workspace}"
        return Fault(entry.seq, says)
    return None


def _kept(raw: bytes | None) -> tuple[list[Signed], Fault | None]:
    if raw is None:
        return [], Fault(1, "there are no checkpoints of this workspace")
    return read_kept(raw)


def _unreadable(found: Sequence[Signed], why: str) -> Fault:
    last = found[-1].checkpoint if found else None
    says = f"checkpoint {last.number + 1 if last else 1} cannot be relied on: {why}"
    return Fault((last.seq if last else 0) + 1, says)


def _objection_to(
    signed: Signed, last: Checkpoint | None, workspace: str, keys: Keys
) -> str | None:
    """Say what is wrong with a checkpoint that should follow `last`, or nothing."""
    found = signed.checkpoint
    if found.workspace != workspace:
        return f"checkpoint {found.number} is of another workspace: {found.workspace}"
    if objection := _misplaced(found, last):
        return objection
    if found.key not in keys:
        return f"checkpoint {found.number} is signed with a key that is not known: {found.key}"
    if not is_vouched_for(signed, keys):
        return f"checkpoint {found.number} is not what its key has signed"
    return None


def _misplaced(found: Checkpoint, last: Checkpoint | None) -> str | None:
    number, previous = (last.number + 1, last.seal()) if last else (1, GENESIS)
    if found.number != number:
        return f"checkpoint {number} is missing; checkpoint {found.number} stands in its place"
    if found.previous != previous:
        return f"checkpoint {number} does not follow the checkpoint before it"
    if last and (found.seq < last.seq or found.at < last.at):
        return f"checkpoint {number} goes back behind the checkpoint before it"
    return None


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f} hours"
