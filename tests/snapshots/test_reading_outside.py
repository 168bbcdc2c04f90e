"""Reading the outside record that a State mirrors, and taking in what it says."""

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from console.actors import Actor
from console.canonical import Json
from console.errors import Forbidden, Invalid, NotFound
from console.ledger.models import Entry
from snapshots import queries
from snapshots.models import Reading, Snapshot
from snapshots.operations import reading
from snapshots.operations.committing import HeadMoved
from snapshots.operations.creating import create_state
from snapshots.operations.reading import (
    NoReason,
    NotARecord,
    NothingDiffers,
    OwnReading,
    ReadFromSource,
    ReadingPassed,
    Seen,
)
from snapshots.queries import Head, readings
from snapshots.sources import SourceUnreadable
from tests.house import House, now

BOOK: dict[str, Any] = {"vendors": [{"no": "V-1", "terms": 30}, {"no": "V-2", "terms": 14}]}


@pytest.fixture
def book(house: House) -> Head:
    """A State whose list is told apart by `no`."""
    return create_state(
        actor=house.setup,
        key="ledger/acme",
        document=BOOK,
        reason="opening",
        now=now(),
        list_keys={"/vendors": "no"},
    )


def report(house: House, book: Head, document: Json) -> Reading:
    return reading.report(actor=house.setup, state_id=book.state_id, document=document, now=now())


def seen(house: House, book: Head) -> Seen:
    """Return what a person would see now."""
    found = readings.mirrored(house.workspace.id, book.state_id)
    assert found.reading is not None
    return Seen(found.head.number, found.reading.digest)


def take_in(house: House, book: Head, what: Seen, reason: str = "ERP edit") -> Snapshot:
    return reading.take_in(
        actor=house.actor("ada"), state_id=book.state_id, seen=what, reason=reason, now=now()
    )


def turned(terms: int) -> Json:
    """Return the book in another order and with other terms for the second vendor."""
    return {"vendors": [{"no": "V-2", "terms": terms}, {"no": "V-1", "terms": 30}]}


class TestReporting:
    """A report is kept, and the State stays as it is."""

    def test_says_what_differs_by_key_and_changes_nothing(self, house: House, book: Head) -> None:
        report(house, book, turned(21))
        found = readings.differences(house.workspace.id, book.state_id)
        assert found is not None
        assert found.head.number == 1
        replaced = [(c.path, c.old, c.value) for c in found.changes if c.op == "replace"]
        assert replaced == [("/vendors/0/terms", 14, 21)]
        assert {change.op for change in found.changes} == {"move", "replace"}

    def test_makes_the_state_mirror_what_is_pushed(self, house: House, book: Head) -> None:
        report(house, book, BOOK)
        assert readings.mirrored(house.workspace.id, book.state_id).mirrors == "pushed"
        subject = f"state:{book.state_id}"
        lines = Entry.objects.filter(subject=subject).order_by("seq")
        verbs = list(lines.values_list("verb", flat=True))
        assert verbs == ["state.created", "state.mirrors", "state.read_outside"]

    def test_finds_no_difference_where_there_is_none(self, house: House, book: Head) -> None:
        report(house, book, {"vendors": [*BOOK["vendors"]]})
        found = readings.differences(house.workspace.id, book.state_id)
        assert found is not None
        assert found.changes == []

    def test_knows_nothing_before_the_first(self, house: House, book: Head) -> None:
        assert readings.differences(house.workspace.id, book.state_id) is None

    def test_keeps_a_record_that_stays_the_same_once(self, house: House, book: Head) -> None:
        for terms in (21, 21, 22, 21):
            report(house, book, turned(terms))
        assert Reading.objects.count() == 3
        assert Entry.objects.filter(verb="state.read_outside").count() == 4

    def test_is_refused_where_the_record_is_read_from_a_source(
        self, house: House, book: Head
    ) -> None:
        follow(house, book, "file:acme.json")
        with pytest.raises(ReadFromSource):
            report(house, book, BOOK)

    def test_is_not_shown_when_its_bytes_were_changed(self, house: House, book: Head) -> None:
        kept = report(house, book, turned(21))
        kept.digest = "0" * 64
        with pytest.raises(readings.ReadingCorrupt):
            readings.document(kept)


def follow(house: House, book: Head, mirrors: str) -> None:
    reading.mirror(actor=house.setup, state_id=book.state_id, mirrors=mirrors, now=now())


class TestReadingAgain:
    """A source is read when somebody asks."""

    def test_reads_the_file_of_the_folder(
        self, house: House, book: Head, settings: Settings, tmp_path: Path
    ) -> None:
        settings.MIRROR_FOLDER = str(tmp_path)
        (tmp_path / "acme.json").write_text('{"vendors": [1.0]}')
        follow(house, book, "file:acme.json")
        kept = reading.read_again(actor=house.setup, state_id=book.state_id, now=now())
        assert (kept.source, kept.document_bytes) == ("file:acme.json", 17)
        assert readings.document(kept) == {"vendors": [1.0]}

    def test_keeps_nothing_when_the_source_fails(self, house: House, book: Head) -> None:
        follow(house, book, "file:missing.json")
        with pytest.raises(SourceUnreadable):
            reading.read_again(actor=house.setup, state_id=book.state_id, now=now())
        assert not Reading.objects.exists()

    @pytest.mark.parametrize("mirrors", ["ftp:x", "file:", "x" * 201, "file:\n"])
    def test_refuses_to_mirror_what_cannot_be_read(
        self, house: House, book: Head, mirrors: str
    ) -> None:
        with pytest.raises(Invalid):
            follow(house, book, mirrors)


class TestTakingIn:
    """What a person saw becomes the newest snapshot, once."""

    def test_makes_the_state_say_the_same(self, house: House, book: Head) -> None:
        report(house, book, turned(21))
        row = take_in(house, book, seen(house, book))
        assert (row.number, row.cause, row.reason) == (2, "outside", "ERP edit")
        assert row.actor["name"] == "Ada"
        assert queries.content(book.state_id, 2) == turned(21)
        found = readings.differences(house.workspace.id, book.state_id)
        assert found is not None
        assert found.changes == []

    def test_happens_once_when_asked_twice(self, house: House, book: Head) -> None:
        report(house, book, turned(21))
        what = seen(house, book)
        first, second = (take_in(house, book, what) for _ in range(2))
        assert first.id == second.id
        assert Snapshot.objects.filter(state=book.state_id).count() == 2

    def test_refuses_a_reading_that_was_not_the_last(self, house: House, book: Head) -> None:
        report(house, book, turned(21))
        what = seen(house, book)
        report(house, book, turned(22))
        with pytest.raises(ReadingPassed):
            take_in(house, book, what)

    def test_refuses_when_the_state_has_moved(self, house: House, book: Head) -> None:
        report(house, book, turned(21))
        what = Seen(2, seen(house, book).digest)
        with pytest.raises(HeadMoved):
            take_in(house, book, what)

    def test_refuses_when_nothing_differs(self, house: House, book: Head) -> None:
        report(house, book, BOOK)
        with pytest.raises(NothingDiffers):
            take_in(house, book, seen(house, book))

    @pytest.mark.parametrize("reason", ["", "  ", "a\0b"])
    def test_asks_for_a_reason(self, house: House, book: Head, reason: str) -> None:
        report(house, book, turned(21))
        with pytest.raises(NoReason):
            take_in(house, book, seen(house, book), reason)

    def test_takes_the_same_reading_in_again_on_another_snapshot(
        self, house: House, book: Head
    ) -> None:
        report(house, book, turned(21))
        first = seen(house, book)
        take_in(house, book, first)
        report(house, book, BOOK)
        take_in(house, book, seen(house, book))
        report(house, book, turned(21))
        assert take_in(house, book, seen(house, book)).number == 4


class TestWhoMay:
    """It goes past the queue, so two people stand behind it: one reports, another takes in."""

    @pytest.mark.parametrize("name", ["cleo", "eve"])
    def test_takes_in_who_may_decide(self, house: House, book: Head, name: str) -> None:
        report(house, book, turned(21))
        what = seen(house, book)
        erp = Actor("client", "erp", "ERP", house.workspace.id, behind=house.actor("eve").ref)
        for actor in (house.actor(name), house.setup, erp):
            with pytest.raises(Forbidden):
                taken(actor, book, what)
        assert taken(house.actor("ana"), book, what).number == 2

    @pytest.mark.parametrize("by_token", [True, False])
    def test_nobody_takes_in_what_they_reported(
        self, house: House, book: Head, by_token: bool
    ) -> None:
        ada = house.actor("ada")
        token = Actor("client", "erp", "ERP", house.workspace.id, behind=ada.ref)
        reading.report(
            actor=token if by_token else ada,
            state_id=book.state_id,
            document=turned(21),
            now=now(),
        )
        with pytest.raises(OwnReading):
            take_in(house, book, seen(house, book))
        assert queries.head(house.workspace.id, book.state_id).number == 1
        assert taken(house.actor("ana"), book, seen(house, book)).number == 2

    @pytest.mark.parametrize(
        ("key", "kind"), [("ledger/acme/agents/clerk", "memory"), ("ledger/recoveries", "record")]
    )
    def test_nothing_is_taken_in_past_a_record(self, house: House, key: str, kind: str) -> None:
        state = create_state(
            actor=house.setup, key=key, document={}, reason="", now=now(), kind=kind
        )
        report(house, state, turned(21))
        with pytest.raises(NotARecord):
            take_in(house, state, seen(house, state))

    @pytest.mark.parametrize("name", ["ana", "cleo"])
    def test_who_may_not_import_neither_reports_nor_reads(
        self, house: House, book: Head, name: str
    ) -> None:
        put: dict[str, Any] = {
            "actor": house.actor(name),
            "state_id": book.state_id,
            "now": now(),
        }
        with pytest.raises(Forbidden):
            reading.report(**put, document=BOOK)
        with pytest.raises(Forbidden):
            reading.mirror(**put, mirrors="pushed")
        follow(house, book, "file:acme.json")
        with pytest.raises(Forbidden):
            reading.read_again(**put)


def taken(actor: Actor, book: Head, what: Seen) -> Snapshot:
    return reading.take_in(
        actor=actor, state_id=book.state_id, seen=what, reason="ERP edit", now=now()
    )


def test_another_workspace_is_not_there(house: House, elsewhere: House, book: Head) -> None:
    zoe = elsewhere.actor("zoe")
    with pytest.raises(NotFound):
        reading.report(actor=zoe, state_id=book.state_id, document=1, now=now())
    with pytest.raises(NotFound):
        reading.read_again(actor=zoe, state_id=book.state_id, now=now())
    with pytest.raises(NotFound):
        reading.mirror(actor=zoe, state_id=book.state_id, mirrors="pushed", now=now())
    with pytest.raises(NotFound):
        reading.take_in(
            actor=zoe, state_id=book.state_id, seen=Seen(1, ""), reason="mine", now=now()
        )
    with pytest.raises(NotFound):
        readings.differences(elsewhere.workspace.id, book.state_id)
