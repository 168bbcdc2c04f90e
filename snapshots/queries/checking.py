"""Is everything that is stored for a State what it was when it was stored?"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection, transaction

from console.errors import NotFound
from snapshots import stored
from snapshots.models import Mark, Part, Reading, Snapshot, State
from snapshots.queries.unrolling import Damaged, Found, is_sound, unroll

ROWS_AT_ONCE = 200
FROM_BACKUP = "Bring this row back from a backup; reading it is refused until then."


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was stored: where, what, and what to do about it.

    `number` is the snapshot, None where it is about none; `path` is where in the document.
    """

    key: str
    number: int | None
    path: str
    says: str
    remedy: str


@dataclass(slots=True)
class Checked:
    """How much of a State was checked, and what was found."""

    key: str
    versions: int = 0
    let_go: int = 0
    parts: int = 0
    readings: int = 0
    faults: list[Fault] = field(default_factory=list)

    def report(self, number: int | None, says: str, remedy: str, path: str = "") -> None:
        """Add a fault."""
        self.faults.append(Fault(self.key, number, path, says, remedy))


def check(workspace_id: UUID, state_id: UUID) -> Checked:
    """Recompute every digest of a State, and follow everything in it that points somewhere.

    Each row is read once. Raises: NotFound (404).
    """
    with _one_moment():
        state = State.objects.filter(workspace=workspace_id, id=state_id).first()
        if state is None:
            raise NotFound
        checked = Checked(state.key)
        _check_versions(state, checked)
        _check_parts(state, checked)
        _check_marks(state, checked)
        _check_readings(state, checked)
    return checked


@contextlib.contextmanager
def _one_moment() -> Iterator[None]:
    """See the database as it stands now until the end, whatever is written meanwhile."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _check_versions(state: State, checked: Checked) -> None:
    expected, sound, last = 1, 0, None
    burden = _Burden(checked)
    for found in unroll(state.id):
        row = found.row
        if row.number != expected:
            _report_gap(checked, expected, row.number - 1)
        expected = row.number + 1
        checked.versions += 1
        checked.let_go += found.is_gone
        burden.look(found, sound)
        if found.trouble is None and not found.is_gone:
            sound = row.number
        last = found
    burden.close()
    _check_head(state, last, checked)


class _Burden:
    """Tells of a damaged version once, and then how many build on it."""

    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self._first, self._last = 0, 0

    def look(self, found: Found, sound: int) -> None:
        number = found.row.number
        if isinstance(found.trouble, Damaged):
            self.close()
            back = f" The newest that can be read before it is {sound}." if sound else ""
            says = f"it cannot be read: {found.trouble.says}"
            self._checked.report(number, says, FROM_BACKUP + back, found.trouble.path)
        elif found.trouble is not None:
            self._first = self._first or number
            self._last = number
        elif not found.is_gone:
            self.close()

    def close(self) -> None:
        if self._first:
            says = f"up to snapshot {self._last} nothing can be read: they build on a damaged one"
            remedy = "They can be read again once the damaged one before them is repaired."
            self._checked.report(self._first, says, remedy)
        self._first = self._last = 0


def _report_gap(checked: Checked, first: int, last: int) -> None:
    rows = "its row is missing" if first == last else f"rows up to {last} are missing"
    checked.report(first, rows, "Bring the missing rows back from a backup.")


def _check_head(state: State, last: Found | None, checked: Checked) -> None:
    if last is None:
        checked.report(None, "it has no snapshot at all", "Bring its rows back from a backup.")
        return
    row = last.row
    if (state.number, state.digest, state.epoch) != (row.number, row.digest, row.epoch):
        says = (
            f"the State says it stands at snapshot {state.number} of epoch {state.epoch} with "
            f"{state.digest[:12]}, the newest is {row.number} of epoch {row.epoch} with "
            f"{row.digest[:12]}"
        )
        checked.report(row.number, says, "Compare both with a backup; writing is not safe before.")
    if last.is_gone:
        checked.report(row.number, "the newest has no content", FROM_BACKUP)
    start = row.number if row.codec == stored.REFERENCE else row.base_number
    if start != state.keyframe_number:
        says = f"the State says that reading starts at {state.keyframe_number}, the newest {start}"
        checked.report(row.number, says, "Compare both with a backup; writing is not safe before.")


def _check_parts(state: State, checked: Checked) -> None:
    after = ""
    rows = Part.objects.filter(state=state).order_by("digest")
    while chunk := list(rows.filter(digest__gt=after).values_list("digest", "data")[:ROWS_AT_ONCE]):
        for digest, data in chunk:
            checked.parts += 1
            if not is_sound(bytes(data), digest):
                checked.report(None, f"the part {digest} does not match its digest", FROM_BACKUP)
        after = chunk[-1][0]


def _check_marks(state: State, checked: Checked) -> None:
    marks = Mark.objects.filter(state=state, removed_at=None).exclude(number=None)
    there = Snapshot.objects.filter(state=state).values("number")
    for mark in marks.exclude(number__in=there).order_by("number", "id"):
        word = f"the name {mark.name!r}" if mark.kind == "name" else f"a {mark.kind}"
        says = f"{word} is on this snapshot, which does not exist"
        checked.report(mark.number, says, "Take the mark away, or bring the row back.")


def _check_readings(state: State, checked: Checked) -> None:
    rows = Reading.objects.filter(state=state).order_by("id").only("id", "data", "digest")
    for reading in rows.iterator(chunk_size=ROWS_AT_ONCE):
        checked.readings += 1
        if not is_sound(bytes(reading.data), reading.digest):
            says = f"the outside reading {reading.id} does not match its digest"
            checked.report(None, says, "Read the outside record again.")
