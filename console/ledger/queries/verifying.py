"""Does a workspace's ledger hold, and do its checkpoints say the same in both places?"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from console.ledger.auditing import Fault, Keys, Walk, apart, read_kept, sound
from console.ledger.chain import Line
from console.ledger.checkpoints import Checkpoint, Signed, Unusable, public_keys
from console.ledger.models import Entry
from console.ledger.queries.checkpoints import signed
from console.ledger.queries.reading import end, lines

SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking a chain found: how many lines hold, and the first that does not."""

    checked: int
    objection: str | None


def verify(workspace_id: UUID, checkpoints: Iterable[Checkpoint] | None = None) -> Verdict:
    """Recompute the whole chain, hold it against its checkpoints, and say where it breaks first.

    The end is read before the entries; what is appended meanwhile is checked the next time. Without
    `checkpoints`, those of the table are taken as they are: their signatures are another question.
    """
    last = end(workspace_id)
    if last.seq == 0:
        return Verdict(0, "it is empty, although founding a workspace writes its first entry")
    if checkpoints is None:
        checkpoints = [each.checkpoint for each in signed(workspace_id)]
    walk, at = Walk(checkpoints), None
    for line, seal in lines(workspace_id, up_to=last.seq):
        if fault := walk.step(line.seq, _canonical(line), seal):
            return Verdict(walk.seq, fault.says)
        at = line.at
    if (last.seq, last.digest) != (walk.seq, walk.previous):
        return Verdict(walk.seq, f"the chain says {last.seq} entries, {walk.seq} were found")
    return Verdict(walk.seq, _beyond(workspace_id) or _says(walk.end(at)))


class SecondPlace:
    """The folder in which checkpoints are kept besides the database, and the keys to check them."""

    def __init__(self, folder: Path, keys: Path) -> None:
        """Remember where; a list of keys that is missing or unreadable knows no key."""
        self.folder = folder
        self.keys: Keys = {}
        self.problem = ""
        try:
            self.keys = public_keys(keys.read_bytes())
        except (OSError, Unusable) as error:
            self.problem = f"the list of public keys {keys} cannot be used: {error}"

    def kept(self, workspace_id: UUID) -> tuple[list[Signed], Fault | None]:
        """Return what is kept of a workspace, up to a line that is none. Raises: OSError."""
        path = self.folder / f"{workspace_id}{SUFFIX}"
        return read_kept(path.read_bytes()) if path.exists() else ([], None)

    def of_nobody(self, known: Iterable[UUID]) -> list[str]:
        """Return the names of files that speak of workspaces which are not there."""
        ours = {f"{workspace_id}{SUFFIX}" for workspace_id in known}
        return sorted({path.name for path in self.folder.glob(f"*{SUFFIX}")} - ours)


def verify_sealed(workspace_id: UUID, place: SecondPlace) -> tuple[Verdict, list[str]]:
    """Check a chain against its checkpoints in the table and in the second place, and both of them.

    Return what the chain's check found, and what is wrong with the checkpoints.
    """
    table = signed(workspace_id)
    try:
        kept, torn = place.kept(workspace_id)
    except OSError as error:
        kept, torn = [], Fault(1, f"the second place cannot be read: {error.strerror}")
    if not (table or kept or torn):
        return verify(workspace_id, ()), []
    of_table, wrong_here = sound(table, str(workspace_id), place.keys)
    of_kept, wrong_there = sound(kept, str(workspace_id), place.keys)
    found = [torn, wrong_here, wrong_there, None if torn else apart(table, kept)]
    told = [*filter(None, [place.problem]), *(each.says for each in found if each)]
    # Whichever knows more: a database from an old backup is behind its second place.
    known = max(of_table, of_kept, key=len)
    return verify(workspace_id, known), list(dict.fromkeys(told))


def _canonical(line: Line) -> bytes:
    try:
        return line.canonical()
    except ValueError:
        # No entry was ever written with such a value, so whatever its seal says, it is not this.
        return b""


def _beyond(workspace_id: UUID) -> str | None:
    rows = Entry.objects.filter(workspace=workspace_id).order_by("-seq")
    last = rows.values_list("seq", flat=True).first() or 0
    stands = end(workspace_id).seq
    return f"entry {last} stands behind the chain's end at {stands}" if last > stands else None


def _says(fault: Fault | None) -> str | None:
    return fault.says if fault else None
