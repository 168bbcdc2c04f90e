"""Thinning: what is let go is gone, what stays reads as before, to the digest."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F

from console.access.operations.granting import found
from console.actors import Actor, system
from console.canonical import Json
from console.ledger import queries as ledger
from snapshots import content as contents
from snapshots import queries, stored
from snapshots.bundles import LetGo
from snapshots.diff import Change, diff
from snapshots.models import Mark, Part, Snapshot
from snapshots.operations import compacting
from snapshots.operations.committing import Cause, commit
from snapshots.operations.creating import create_state
from snapshots.operations.restoring import restore
from snapshots.operations.thinning import Thinned, thin
from snapshots.queries import Corrupt, Gone, Head, bundling, unrolling
from snapshots.queries.checking import check
from snapshots.retention import Needed, Policy

pytestmark = pytest.mark.django_db

POLICY = Policy(all_for=timedelta(days=30), hourly_for=timedelta(days=365))
NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
OLD = NOW - timedelta(days=400)


def test_a_file_that_is_being_written_holds_what_was_stored_anew_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unrolling, "ROWS_AT_ONCE", 4)
    one = Diary(text_of(0))
    for number in range(1, 40):
        one.write(text_of(number))
    _, versions = bundling.opened(one.head)
    taken = [next(versions) for _ in range(3)]
    assert one.sweep(dict.fromkeys((20, 21, 30), "read"))
    taken.extend(versions)
    assert [told.number for told, _ in taken] == list(range(1, 41))
    there = [(told, held) for told, held in taken if not isinstance(held, LetGo)]
    assert all(contents.content_digest(held.document) == told.digest for told, held in there)
    # What was in memory before the sweep leaves as it was; of the rest, what stays.
    assert {told.number for told, _ in there} == {1, 2, 3, 4, *one.readable()}


def text_of(number: int) -> Json:
    return {"text": "x" * 5_000, "n": number, "last": {str(number): number}}


class Diary:
    """A State that somebody wrote into every ten minutes, beginning long ago."""

    def __init__(self, document: Json, *, key: str = "diary") -> None:
        """Begin with a document."""
        self.clerk: Actor = system("clerk", found("acme", "Acme").id)
        self.versions: dict[int, Json] = {1: document}
        head = create_state(actor=self.clerk, key=key, document=document, reason="", now=OLD)
        self.state_id: UUID = head.state_id

    @property
    def head(self) -> Head:
        """Return where it stands."""
        return queries.head(self.clerk.workspace_id, self.state_id)

    def write(self, document: Json, *, cause: str = "memory", at: datetime | None = None) -> int:
        """Make a document the newest version."""
        head = self.head
        row = commit(
            actor=self.clerk,
            base=head,
            changes=diff(self.versions[head.number], document),
            cause=Cause(cause, f"{cause}-{head.number}"),
            reason="",
            now=at or OLD + timedelta(minutes=10 * head.number),
        )
        self.versions[row.number] = document
        return row.number

    def thin(self, needed: Needed | None = None, *, now: datetime = NOW) -> Thinned:
        """Do one batch."""
        return thin(actor=self.clerk, head=self.head, needed=needed or {}, policy=POLICY, now=now)

    def sweep(self, needed: Needed | None = None, *, now: datetime = NOW) -> int:
        """Do every batch; return how many were let go."""
        gone = 0
        while (done := self.thin(needed, now=now)).is_more:
            gone += done.let_go
        return gone

    def readable(self) -> list[int]:
        """Return the numbers that read as they were written; the others must say Gone."""
        numbers = []
        for number, document in self.versions.items():
            try:
                read = queries.content(self.state_id, number)
            except Gone:
                continue
            assert contents.same(read, document), number
            numbers.append(number)
        return numbers

    def row(self, number: int) -> Snapshot:
        """Return a row."""
        return Snapshot.objects.get(state=self.state_id, number=number)

    def stored(self) -> int:
        """Return the bytes in which it is stored."""
        rows = Snapshot.objects.filter(state=self.state_id).exclude(data=None)
        return sum(len(row.data or b"") for row in rows)

    def faults(self) -> list[str]:
        """Return what a check finds."""
        checked = check(self.clerk.workspace_id, self.state_id)
        return [f"{fault.number} {fault.path} {fault.says}" for fault in checked.faults]


def page(number: int, *, entries: int = 200) -> dict[str, Any]:
    """Return a document of some 12 KB in which two places differ from version to version."""
    lines = {f"e{n:04}": {"text": f"entry {n} says nothing new", "seen": n} for n in range(entries)}
    lines[f"e{number * 7 % entries:04}"]["seen"] = number * 1_000_003
    return {"lines": lines, "count": number, "log": [n for n in range(number) if n % 3 == 0]}


@pytest.fixture
def diary() -> Diary:
    """Ninety versions of 12 KB, six in an hour: several chains."""
    one = Diary(page(1))
    for number in range(2, 91):
        one.write(page(number))
    return one


def last_of_days(numbers: range) -> set[int]:
    """Return the last version of each day; version n was written at ten minutes times n - 1."""
    days = {(OLD + timedelta(minutes=10 * (n - 1))).date(): n for n in numbers}
    return set(days.values())


class TestLettingGo:
    """What goes says Gone, what stays reads as before, and the rest of a row stays."""

    def test_begins_with_several_chains(self, diary: Diary) -> None:
        rows = Snapshot.objects.filter(state=diary.state_id)
        assert 1 < len({row.base_number for row in rows}) < 30

    def test_keeps_what_the_rule_keeps_to_the_digest(self, diary: Diary) -> None:
        digests = dict(Snapshot.objects.values_list("number", "digest"))
        before = diary.stored()
        gone = diary.sweep({40: "read"})
        stays = {1, 90, 40} | last_of_days(range(1, 91))
        assert diary.readable() == sorted(stays)
        assert gone == 90 - len(stays)
        assert dict(Snapshot.objects.values_list("number", "digest")) == digests
        assert diary.faults() == []
        assert diary.stored() < before / 2

    def test_goes_on_being_written_as_if_nothing_was(self, diary: Diary) -> None:
        diary.sweep()
        stays = set(diary.readable())
        for number in range(91, 111):
            diary.write(page(number), at=NOW)
        assert set(diary.readable()) == stays | set(range(91, 111))
        assert diary.faults() == []

    def test_goes_on_behind_a_rollback(self) -> None:
        one = Diary(page(1))
        for number in range(2, 9):
            one.write(page(number))
        restore(actor=one.clerk, base=one.head, number=3, cause_id="r", reason="", now=OLD)
        one.versions[9] = page(3)
        for number in range(10, 41):
            one.write(page(number))
        starts = Snapshot.objects.filter(state=one.state_id, number__gt=9, base_number=F("number"))
        assert starts.exists()
        one.sweep()
        # What began chains of its own behind the rollback went; the newest stands on that now.
        assert one.readable() == [1, 3, 8, 9, 10, 40]
        assert one.row(40).base_number == 9
        for number in range(41, 44):
            one.write(page(number), at=NOW)
        assert one.readable() == [1, 3, 8, 9, 10, 40, 41, 42, 43]
        assert one.faults() == []

    def test_lets_nothing_more_go_the_second_time(self, diary: Diary) -> None:
        diary.sweep()
        rows = list(Snapshot.objects.order_by("number").values())
        assert diary.sweep() == 0
        assert list(Snapshot.objects.order_by("number").values()) == rows

    def test_keeps_chains_short_enough_to_read(
        self, diary: Diary, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(compacting, "LONGEST_SPAN", 40)
        diary.sweep(dict.fromkeys(range(10, 90, 10), "pinned"))
        rows = Snapshot.objects.filter(state=diary.state_id).exclude(data=None)
        assert max(row.number - row.base_number for row in rows) <= 40
        assert diary.faults() == []

    def test_can_be_thinned_again_when_more_has_aged(self, diary: Diary) -> None:
        diary.sweep(dict.fromkeys(range(2, 90, 2), "read"))
        assert len(diary.readable()) > 40
        diary.sweep(dict.fromkeys(range(2, 90, 10), "read"))
        diary.sweep()
        assert set(diary.readable()) == {1, 90} | last_of_days(range(1, 91))
        assert diary.faults() == []

    def test_says_in_the_ledger_what_went(self, diary: Diary) -> None:
        done = diary.thin({3: "read"})
        [entry] = ledger.entries(diary.clerk.workspace_id).filter(verb="state.thinned")
        assert entry.subject == f"state:{diary.state_id}"
        assert (entry.body["let_go"], entry.body["kept"]) == (done.let_go, done.kept)
        assert entry.body["bytes_before"] > entry.body["bytes_after"] > 0
        numbers = [n for first, last in entry.body["numbers"] for n in range(first, last + 1)]
        rows = Snapshot.objects.filter(data=None).order_by("number")
        assert numbers == list(rows.values_list("number", flat=True))
        assert ledger.verify(diary.clerk.workspace_id).objection is None

    def test_brings_nothing_back_that_went(self, diary: Diary) -> None:
        diary.sweep()
        with pytest.raises(DatabaseError, match="does not come back"), transaction.atomic():
            Snapshot.objects.filter(state=diary.state_id, number=2).update(data=b"again")

    def test_tells_what_a_version_changed_only_while_both_are_there(self, diary: Diary) -> None:
        diary.sweep({40: "read", 41: "read"})
        workspace_id = diary.clerk.workspace_id
        changes = queries.changes_of(workspace_id, diary.state_id, 41)
        assert changes == diff(page(40), page(41))
        for number in (40, 42):
            with pytest.raises(Gone):
                queries.changes_of(workspace_id, diary.state_id, number)


class TestMarks:
    """What people marked stays."""

    @pytest.mark.parametrize("kind", ["name", "pin", "hold"])
    def test_a_mark_keeps_a_snapshot(self, diary: Diary, kind: str) -> None:
        mark(diary, 77, kind)
        diary.sweep()
        assert 77 in diary.readable()

    def test_one_that_was_taken_off_keeps_nothing(self, diary: Diary) -> None:
        mark(diary, 77, "pin", removed_at=NOW)
        diary.sweep()
        assert 77 not in diary.readable()

    def test_a_hold_on_the_state_leaves_every_byte(self, diary: Diary) -> None:
        mark(diary, None, "hold")
        rows = list(Snapshot.objects.order_by("number").values())
        assert diary.sweep() == 0
        assert list(Snapshot.objects.order_by("number").values()) == rows

    def test_what_is_being_restored_waits(self, diary: Diary) -> None:
        assert diary.sweep({None: "restoring"}) == 0
        assert len(diary.readable()) == 90


def mark(diary: Diary, number: int | None, kind: str, **more: Any) -> Mark:
    """Hang a mark as a row; the verbs of marking have tests of their own."""
    return Mark.objects.create(
        workspace_id=diary.clerk.workspace_id,
        state_id=diary.state_id,
        number=number,
        kind=kind,
        name="month end" if kind == "name" else "",
        actor={},
        created_at=NOW,
        **more,
    )


class TestFormats:
    """Every format that was ever written is thinned into the newest."""

    def test_stores_changes_of_the_first_format_anew(self, diary: Diary) -> None:
        as_first_format(diary)
        assert diary.faults() == []
        before = diary.stored()
        assert diary.sweep(dict.fromkeys(range(2, 90), "read")) == 0
        rows = Snapshot.objects.filter(state=diary.state_id)
        assert not [r for r in rows if r.codec == stored.FIRST and not r.is_keyframe]
        assert diary.readable() == list(range(1, 91))
        assert diary.stored() < before

    def test_thins_the_first_format(self, diary: Diary) -> None:
        as_first_format(diary)
        diary.sweep()
        assert set(diary.readable()) == {1, 90} | last_of_days(range(1, 91))
        assert diary.faults() == []

    def test_thins_small_documents(self) -> None:
        small = Diary({"n": 1})
        for number in range(2, 60):
            small.write({"n": number})
        small.sweep({30: "read"})
        assert set(small.readable()) == {1, 30, 59} | last_of_days(range(1, 60))
        assert small.faults() == []

    def test_thins_documents_in_parts_and_clears_the_parts(self) -> None:
        large = Diary(page(1, entries=6_000))
        for number in range(2, 40):
            large.write({**page(number, entries=6_000), "turn": "x" * 3_000 * number})
        parts = Part.objects.count()
        assert parts
        large.sweep({20: "read"})
        assert set(large.readable()) == {1, 20, 39} | last_of_days(range(1, 40))
        assert large.faults() == []

    def test_clears_parts_that_nothing_holds_after_a_while(self) -> None:
        large = Diary(page(1, entries=6_000))
        other: Json = {"lines": {f"z{n:05}": f"quite different {n * 17}" for n in range(20_000)}}
        large.write(other)
        large.write(page(3, entries=6_000))
        before = Part.objects.count()
        large.sweep()
        assert Part.objects.count() < before
        assert large.readable() == [1, 3]
        assert large.faults() == []


def as_first_format(diary: Diary) -> None:
    """Write the rows as the first release did: changes with what stood there before."""
    for row in Snapshot.objects.filter(state=diary.state_id, codec=stored.COMPACT):
        changes = queries.changes_of(diary.clerk.workspace_id, diary.state_id, row.number)
        data = contents.pack(contents.content_bytes([change.to_json() for change in changes]))
        Snapshot.objects.filter(id=row.id).update(codec=stored.FIRST, data=data)


@pytest.mark.django_db(transaction=True)
class TestFaults:
    """Whatever goes wrong, nothing is half done."""

    @pytest.mark.parametrize("place", [39, 41])
    def test_refuses_to_build_on_what_is_damaged(self, diary: Diary, place: int) -> None:
        damage(diary, place)
        rows = list(Snapshot.objects.order_by("number").values())
        with pytest.raises(Corrupt) as told:
            diary.sweep({40: "read", 39: "read", 41: "read"})
        assert told.value.details["snapshot"] == place
        assert list(Snapshot.objects.order_by("number").values()) == rows

    def test_undoes_everything_when_one_comes_out_otherwise(
        self, diary: Diary, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def careless(one: Json, other: Json, **_: Any) -> list[Change]:
            return diff(one, other)[:-1]

        monkeypatch.setattr(compacting, "diff", careless)
        rows = list(Snapshot.objects.order_by("number").values())
        with pytest.raises(Corrupt):
            diary.sweep(dict.fromkeys(range(2, 90, 5), "read"))
        assert list(Snapshot.objects.order_by("number").values()) == rows
        assert "state.thinned" not in ledger.entries(diary.clerk.workspace_id).values_list(
            "verb", flat=True
        )

    @pytest.mark.race
    def test_readers_never_see_it_half_done(self, diary: Diary) -> None:
        stays = {1, 90, 40} | last_of_days(range(1, 91))
        with reading(diary, (39, 40, 41, 80, 84, 89, 90)) as seen:
            for step in (2, 3, 4, 89):
                diary.sweep({40: "read", **dict.fromkeys(range(2, 90, step), "read")})
            diary.sweep({40: "read"})
            time.sleep(0.3)
        assert seen.troubles == []
        assert seen.read > 0
        assert seen.gone
        assert not seen.gone & stays
        assert diary.readable() == sorted(stays)

    @pytest.mark.race
    def test_writers_go_on_beside_it(self, diary: Diary) -> None:
        troubles: list[BaseException] = []

        def write_on() -> None:
            try:
                for number in range(91, 121):
                    diary.write(page(number), at=NOW)
            except BaseException as error:  # noqa: BLE001  (told by the test)
                troubles.append(error)
            finally:
                connection.close()

        writer = threading.Thread(target=write_on)
        writer.start()
        for step in (2, 3, 4, 89):
            diary.sweep(dict.fromkeys(range(2, 90, step), "read"))
        writer.join()
        diary.sweep()
        assert troubles == []
        assert set(range(90, 121)) <= set(diary.readable())
        assert diary.faults() == []


@dataclass(slots=True)
class Seen:
    """What readers met: how often a whole document, which numbers were gone, and what else."""

    read: int = 0
    gone: set[int] = field(default_factory=set)
    troubles: list[BaseException] = field(default_factory=list)

    def look(self, diary: Diary, number: int) -> None:
        """Read a version, which is as it was written or gone."""
        try:
            read = queries.content(diary.state_id, number)
        except Gone:
            self.gone.add(number)
            return
        assert read == diary.versions[number]
        self.read += 1


@contextmanager
def reading(diary: Diary, numbers: Sequence[int]) -> Iterator[Seen]:
    """Let two readers look at versions again and again."""
    seen, done = Seen(), threading.Event()

    def read_on() -> None:
        try:
            while not done.is_set():
                for number in numbers:
                    seen.look(diary, number)
        except BaseException as error:  # noqa: BLE001  (told by the test)
            seen.troubles.append(error)
        finally:
            connection.close()

    readers = [threading.Thread(target=read_on) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        yield seen
    finally:
        done.set()
        for reader in readers:
            reader.join()


def damage(diary: Diary, number: int) -> None:
    """Turn one bit of a stored row, as only the owner's hand or a disk can."""
    row = diary.row(number)
    data = bytearray(row.data or b"")
    data[len(data) // 2] ^= 1
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE snapshots_snapshot SET data = %s WHERE id = %s", [bytes(data), row.id]
        )
