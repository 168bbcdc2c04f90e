"""Checking: every kind of damage is found, named by snapshot and path, and nothing else is."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from console.access.operations.granting import found
from snapshots import queries, stored
from snapshots.content import content_bytes, pack
from snapshots.models import Part, Reading, Snapshot, State
from snapshots.operations.restoring import restore
from snapshots.queries import Corrupt
from snapshots.queries.checking import check
from tests.snapshots.test_thinning import Diary, mark, page

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)


@pytest.fixture
def diary() -> Diary:
    """Twelve versions: a whole document, changes, a rollback by reference, changes on that."""
    one = Diary(noisy(1))
    for number in range(2, 8):
        one.write(noisy(number))
    restore(actor=one.clerk, base=one.head, number=3, cause_id="r1", reason="again", now=NOW)
    one.versions[8] = noisy(3)
    for number in range(9, 13):
        one.write(noisy(number))
    return one


def noisy(number: int) -> dict[str, Any]:
    """Return a document that is hard to compress, so that changes on it make one long chain."""
    return {**page(number), "noise": [contents_digest(n) for n in range(400)]}


def contents_digest(document: Any) -> str:
    """Return the digest of a document."""
    return hashlib.sha256(content_bytes(document)).hexdigest()


@pytest.fixture
def other(diary: Diary) -> Diary:
    """Another State of the same workspace."""
    return Diary(page(1), key="other")


@contextmanager
def hand_of_the_owner(table: str) -> Iterator[Any]:
    """Do what only the table's owner can: switch its refusals off."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield cursor
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def spoil(number: int, column: str, value: Any) -> Callable[[Diary], None]:
    """Return what writes a value into a snapshot's row behind everybody's back."""

    def act(diary: Diary) -> None:
        with hand_of_the_owner("snapshots_snapshot") as cursor:
            cursor.execute(
                f"UPDATE snapshots_snapshot SET {column} = %s WHERE state_id = %s AND number = %s",  # noqa: S608
                [value, diary.state_id, number],
            )

    return act


def one_bit(diary: Diary, number: int, *, at: float = 0.5) -> None:
    """Turn one stored bit."""
    data = bytearray(diary.row(number).data or b"")
    data[int(len(data) * at)] ^= 1
    spoil(number, "data", bytes(data))(diary)


def test_finds_nothing_where_nothing_is_wrong(diary: Diary) -> None:
    checked = check(diary.clerk.workspace_id, diary.state_id)
    assert (checked.versions, checked.let_go, checked.faults) == (12, 0, [])


def test_finds_nothing_wrong_with_what_was_let_go(diary: Diary) -> None:
    diary.sweep(now=NOW + timedelta(days=800))
    checked = check(diary.clerk.workspace_id, diary.state_id)
    assert (checked.versions, checked.faults) == (12, [])
    assert checked.let_go > 0


@pytest.mark.parametrize("at", [0.0, 0.3, 0.6, 0.99])
def test_names_a_damaged_keyframe_and_what_builds_on_it(diary: Diary, at: float) -> None:
    one_bit(diary, 1, at=at)
    first, then, *rest = diary.faults()
    assert first.startswith("1  it cannot be read: ")
    assert then == "2  up to snapshot 7 nothing can be read: they build on a damaged one"
    # The reference leads to the third, and four build on it.
    assert rest[0].startswith("8  it cannot be read: what it refers to cannot be read")
    assert rest[1].startswith("9  up to snapshot 12")


@pytest.mark.parametrize("number", [2, 5, 7])
def test_names_a_damaged_change(diary: Diary, number: int) -> None:
    one_bit(diary, number)
    faults = diary.faults()
    assert faults[0].startswith(f"{number}  it cannot be read: ")
    with pytest.raises(Corrupt) as told:
        queries.content(diary.state_id, 7)
    assert told.value.details["snapshot"] == number


def test_says_at_which_path_a_change_does_not_fit(diary: Diary) -> None:
    wrong = stored.pack_operations([["r", "/lines/e9999/seen", 1]])
    spoil(5, "data", wrong)(diary)
    fault = check(diary.clerk.workspace_id, diary.state_id).faults[0]
    assert (fault.number, fault.path[:6]) == (5, "/lines")
    with pytest.raises(Corrupt) as told:
        queries.content(diary.state_id, 6)
    assert told.value.details == {"snapshot": 5, "path": fault.path}


def test_finds_a_change_that_reads_well_and_is_another(diary: Diary) -> None:
    spoil(5, "data", stored.pack_operations([["r", "/count", 4]]))(diary)
    assert "5  it cannot be read: its content gives another digest" in diary.faults()[0]


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (spoil(12, "digest", "f" * 64), "12  it cannot be read: its content gives another digest"),
        (spoil(8, "base_number", 2), "8  it cannot be read: its content gives another digest"),
        (spoil(8, "base_number", 99), "8  it cannot be read: what it refers to"),
        (spoil(10, "base_number", 1), "10  it cannot be read: it says that it builds on 1, not 8"),
        (spoil(6, "codec", 3), "6  it cannot be read: "),
        (spoil(6, "codec", 9), "6  it cannot be read: Codec 9"),
        (spoil(12, "data", None), "12  the newest has no content"),
    ],
)
def test_finds(diary: Diary, act: Callable[[Diary], None], says: str) -> None:
    act(diary)
    assert any(fault.startswith(says) for fault in diary.faults()), diary.faults()


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ((5,), "5  its row is missing"),
        ((5, 6), "5  rows up to 6 are missing"),
        ((12,), "11  the State says it stands at snapshot 12"),
    ],
)
def test_finds_missing_rows(diary: Diary, numbers: tuple[int, ...], says: str) -> None:
    with hand_of_the_owner("snapshots_snapshot"):
        Snapshot.objects.filter(state=diary.state_id, number__in=numbers).delete()
    assert any(fault.startswith(says) for fault in diary.faults()), diary.faults()


@pytest.mark.parametrize(
    "moved", [{"number": 11}, {"digest": "f" * 64}, {"epoch": 7}, {"keyframe_number": 99}]
)
def test_finds_a_head_that_is_not_the_newest(diary: Diary, moved: dict[str, Any]) -> None:
    with hand_of_the_owner("snapshots_state"):
        State.objects.filter(id=diary.state_id).update(**moved)
    [fault] = diary.faults()
    assert "the State says" in fault


def test_finds_a_mark_on_nothing(diary: Diary) -> None:
    for number in (99, 12):
        mark(diary, number, "name" if number == 99 else "pin")
    assert diary.faults() == ["99  the name 'month end' is on this snapshot, which does not exist"]


def test_finds_a_damaged_reading(diary: Diary) -> None:
    data = pack(content_bytes({"n": 1}))
    for digest in (contents_digest({"n": 1}), "f" * 64):
        Reading.objects.create(
            workspace_id=diary.clerk.workspace_id,
            state_id=diary.state_id,
            source="pushed",
            data=data,
            digest=digest,
            document_bytes=7,
            actor={},
            read_at=NOW,
        )
    [fault] = diary.faults()
    assert "the outside reading" in fault


class TestParts:
    """Large documents are kept in parts, and each is checked."""

    @pytest.fixture
    def large(self) -> Diary:
        one = Diary(page(1, entries=6_000), key="large")
        one.write(page(2, entries=6_000))
        return one

    def test_finds_a_damaged_part_and_where_it_stands(self, large: Diary) -> None:
        part = Part.objects.order_by("digest")[3:4].get()
        with hand_of_the_owner("snapshots_part") as cursor:
            cursor.execute(
                "UPDATE snapshots_part SET data = set_byte(data, 20, get_byte(data, 20) # 1) "
                "WHERE digest = %s",
                [part.digest],
            )
        faults = check(large.clerk.workspace_id, large.state_id).faults
        assert any(f"the part {part.digest} does not match" in fault.says for fault in faults)
        assert faults[0].number == 1
        assert faults[0].path.startswith("/lines/e")
        with pytest.raises(Corrupt) as told:
            queries.content(large.state_id, 2)
        assert told.value.details == {"snapshot": 1, "path": faults[0].path}

    def test_finds_a_missing_part(self, large: Diary) -> None:
        Part.objects.order_by("digest")[3:4].get().delete()
        assert "is damaged or missing" in large.faults()[0]


class TestTheCommand:
    """`manage.py verify` ends with 0 only when everything is what it was."""

    def test_says_how_much_it_checked(self, diary: Diary, other: Diary) -> None:
        said = StringIO()
        call_command("verify", stdout=said)
        assert said.getvalue().startswith("2 States, 13 snapshots (0 let go), 0 parts and 0 read")
        assert said.getvalue().rstrip().endswith("0 faults.")

    def test_names_state_snapshot_path_and_what_to_do(self, diary: Diary, other: Diary) -> None:
        spoil(5, "data", stored.pack_operations([["r", "/lines/e9999/seen", 1]]))(diary)
        said = StringIO()
        with pytest.raises(CommandError, match=r"2 fault\(s\) found"):
            call_command("verify", stdout=said)
        first = said.getvalue().splitlines()[0]
        assert first.startswith("acme diary snapshot 5 at /lines/e9999")
        assert "from a backup" in first
        assert "The newest that can be read before it is 4." in first

    def test_speaks_json_and_knows_one_workspace(self, diary: Diary) -> None:
        found("zenith", "Zenith")
        one_bit(diary, 5)
        said = StringIO()
        call_command("verify", "--workspace", "zenith", "--json", stdout=said)
        [total] = [json.loads(line) for line in said.getvalue().splitlines()]
        assert (total["versions"], total["faults"]) == (0, 0)
        with pytest.raises(CommandError):
            call_command("verify", "--json", stdout=said)
        lines = [json.loads(line) for line in said.getvalue().splitlines()]
        assert (lines[1]["workspace"], lines[1]["key"], lines[1]["number"]) == ("acme", "diary", 5)
        assert lines[-1]["versions_per_second"] > 0

    def test_checks_the_ledgers_too(self, diary: Diary) -> None:
        with hand_of_the_owner("ledger_entry") as cursor:
            cursor.execute("UPDATE ledger_entry SET verb = 'nothing' WHERE seq = 2")
        said = StringIO()
        with pytest.raises(CommandError):
            call_command("verify", stdout=said)
        assert "acme (ledger): entry 2 was altered" in said.getvalue()

    def test_knows_no_workspace_that_is_not_there(self) -> None:
        with pytest.raises(CommandError, match="no workspace nowhere"):
            call_command("verify", "--workspace", "nowhere")
