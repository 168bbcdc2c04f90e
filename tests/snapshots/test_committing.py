"""Committing writes the next version once, for the newest base, or says who was there before."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from console.actors import Actor
from console.canonical import Json
from console.errors import NotFound, Refused
from snapshots import keyframes, queries, splitting, stored, touching
from snapshots.content import NotContent, content_bytes, content_digest
from snapshots.diff import Change, DoesNotFit
from snapshots.models import Part, Snapshot
from snapshots.operations import drafting
from snapshots.operations.committing import Cause, EpochPassed, HeadMoved, PathConflict, commit
from snapshots.operations.creating import create_state
from snapshots.operations.restoring import restore
from snapshots.queries import Head, conflicting
from snapshots.queries.conflicting import conflicts_with
from snapshots.store import Standing
from tests.racing import Act, Race, race
from tests.story import Cast, now

BOOK: dict[str, Any] = {
    "balance": 10,
    "payments": [{"id": "p1", "amount": 1}, {"id": "p2", "amount": 2}],
    "tags": ["a", "b"],
}


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def book(cast: Cast) -> Head:
    return begin(cast, BOOK)


def begin(cast: Cast, document: Any, key: str = "ledger/committed") -> Head:
    return create_state(actor=cast.setup, key=key, document=document, reason="", now=now())


def write(
    base: Head, *changes: Change, by: Actor, merge: bool = False, cause: str = ""
) -> Snapshot:
    return commit(
        actor=by,
        base=base,
        changes=list(changes),
        cause=Cause("outside", cause),
        reason="because",
        now=now(),
        merge=merge,
    )


def head(base: Head) -> Head:
    return queries.head(base.workspace_id, base.state_id)


def document(base: Head) -> Any:
    return queries.content(base.state_id, head(base).number)


@pytest.mark.django_db
def test_returns_the_row_that_was_written(cast: Cast, book: Head) -> None:
    row = write(book, Change("replace", "/balance", 10, 7), by=cast.ana, cause="c1")
    read = Snapshot.objects.get(id=row.id)
    for field in Snapshot._meta.concrete_fields:
        mine, theirs = getattr(row, field.attname), getattr(read, field.attname)
        assert mine == (bytes(theirs) if field.attname == "data" else theirs), field.attname
    assert (row.number, row.epoch, row.cause, row.cause_id) == (2, 0, "outside", "c1")
    assert (row.actor["name"], row.reason, row.change_count) == (cast.ana.name, "because", 1)
    assert head(book).digest == row.digest == content_digest({**BOOK, "balance": 7})
    assert cast.said(f"state:{book.state_id}") == ["state.created", "state.changed"]
    row.reason = "kept"
    assert not row._state.adding


@pytest.mark.django_db
def test_a_version_that_does_not_fit_leaves_nothing(cast: Cast, book: Head) -> None:
    with pytest.raises(DoesNotFit):
        write(book, Change("replace", "/balance", 11, 7), by=cast.ana)
    with pytest.raises(NotContent):
        write(book, Change("add", "/nan", value=[float("nan")]), by=cast.ana)
    assert head(book) == book
    assert Snapshot.objects.filter(state=book.state_id).count() == 1


@pytest.mark.django_db
def test_refuses_a_base_that_is_not_the_newest(cast: Cast, book: Head) -> None:
    write(book, Change("replace", "/balance", 10, 7), by=cast.ana)
    with pytest.raises(HeadMoved) as refused:
        write(book, Change("replace", "/balance", 10, 6), by=cast.ben)
    assert refused.value.details == {"expected": 1, "found": 2}
    assert document(book)["balance"] == 7


@pytest.mark.django_db
def test_refuses_another_workspace(cast: Cast, book: Head) -> None:
    elsewhere = Head(
        state_id=book.state_id,
        workspace_id=cast.zoe.workspace_id,
        key=book.key,
        number=1,
        digest="0" * 64,
        epoch=0,
        list_keys={},
        changed_at=now(),
    )
    with pytest.raises(NotFound):
        write(elsewhere, Change("replace", "/balance", 10, 7), by=cast.zoe)


@pytest.mark.django_db
@pytest.mark.parametrize("merge", [True, False])
def test_refuses_an_older_epoch(cast: Cast, book: Head, merge: bool) -> None:
    restore(actor=cast.setup, base=book, number=1, cause_id="r", reason="", now=now())
    with pytest.raises(EpochPassed) as refused:
        write(book, Change("add", "/x", value=1), by=cast.ana, merge=merge)
    assert (refused.value.status, refused.value.code) == (409, "epoch_passed")


@pytest.mark.django_db
def test_merges_what_touches_other_places(cast: Cast, book: Head) -> None:
    write(book, Change("add", "/payments/0", value={"id": "p0"}), by=cast.ana)
    write(head(book), Change("replace", "/balance", 10, 9), by=cast.ana)
    row = write(book, Change("replace", "/payments/1/amount", 2, 5), by=cast.ben, merge=True)
    assert row.number == 4
    merged = document(book)
    assert [p.get("amount") for p in merged["payments"]] == [None, 1, 5]
    assert merged["balance"] == 9


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("theirs", "ours", "path"),
    [
        (
            Change("replace", "/payments/1/amount", 2, 3),
            Change("replace", "/payments/1/amount", 2, 5),
            "/payments/[p2]/amount",
        ),
        (
            Change("remove", "/payments/1", old={"id": "p2", "amount": 2}),
            Change("replace", "/payments/1/amount", 2, 5),
            "/payments/[p2]",
        ),
        (Change("add", "/tags/0", value="z"), Change("replace", "/tags/1", "b", "c"), "/tags"),
        (Change("add", "/x", value=1), Change("add", "/x", value=2), "/x"),
    ],
)
def test_names_the_place_and_who_was_there(
    cast: Cast, book: Head, theirs: Change, ours: Change, path: str
) -> None:
    write(book, Change("replace", "/balance", 10, 9), by=cast.eve)
    write(head(book), theirs, by=cast.ana)
    with pytest.raises(PathConflict) as refused:
        write(book, ours, by=cast.ben, merge=True)
    assert refused.value.code == "path_conflict"
    assert refused.value.details == {"path": path, "by": cast.ana.name, "snapshot": 3}
    assert path in refused.value.sentence
    assert head(book).number == 3


@pytest.mark.django_db
def test_reads_no_version_that_touched_nothing_of_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = {"memory": {f"k{n}": n for n in range(500)}}
    book = begin(cast, wide, "ledger/wide")
    for n in range(40):
        write(head(book), Change("replace", f"/memory/k{n}", n, -n), by=cast.ana)
    read: list[int] = []

    def follow(*asked: Any) -> Any:
        read.append(1)
        return touching.follow(*asked)

    monkeypatch.setattr(conflicting, "follow", follow)
    assert conflicts_with(book.state_id, 1, [Change("replace", "/memory/k400", 400, 1)]) == []
    assert read == []
    [found] = conflicts_with(book.state_id, 1, [Change("replace", "/memory/k7", 7, 1)])
    assert (found.path, found.number, found.by) == ("/memory/k7", 9, cast.ana.name)
    assert len(read) == 1


@pytest.mark.django_db
def test_a_change_of_everything_meets_every_newer_version(cast: Cast, book: Head) -> None:
    write(book, Change("replace", "/balance", 10, 9), by=cast.ana)
    write(head(book), Change("add", "/x", value=1), by=cast.ben)
    found = conflicts_with(book.state_id, 1, [Change("replace", "", BOOK, {})])
    assert [(each.number, each.by) for each in found] == [(2, cast.ana.name), (3, cast.ben.name)]


@pytest.mark.django_db
def test_stores_small_documents_whole_and_changes_of_larger_ones(cast: Cast, book: Head) -> None:
    assert write(book, Change("add", "/x", value=1), by=cast.ana).codec == stored.FIRST
    larger = begin(cast, {f"k{n}": f"{n}" * 20 for n in range(400)}, "ledger/larger")
    row = write(larger, Change("add", "/x", value=1), by=cast.ana)
    assert (row.codec, row.base_number) == (stored.COMPACT, 1)
    assert len(bytes(row.data or b"")) < 60


@pytest.mark.django_db
def test_a_chain_ends_after_64_rows(cast: Cast) -> None:
    chosen = begin(cast, {f"k{n}": f"{n * n}" * 20 for n in range(900)}, "ledger/longer")
    rows = [write(head(chosen), Change("add", f"/x{n}", value=n), by=cast.ana) for n in range(70)]
    starts = [row.number for row in rows if row.is_keyframe]
    assert starts == [1 + keyframes.LONGEST_CHAIN + 1]
    assert document(chosen)["x69"] == 69


@pytest.mark.django_db
def test_a_large_document_shares_its_parts(cast: Cast) -> None:
    large: Json = {"log": [{"id": n, "text": f"{n * 7919}" * 20} for n in range(4_000)]}
    book = begin(cast, large, "ledger/large")
    assert len(content_bytes(large)) > splitting.FROM_BYTES
    before = Part.objects.filter(state=book.state_id).count()
    assert before > 10
    row = None
    for n in range(keyframes.LONGEST_CHAIN + 1):
        added = Change("add", f"/log/{4_000 + n}", value={"id": 4_000 + n})
        row = write(head(book), added, by=cast.ana)
    assert row is not None
    assert (row.codec, row.is_keyframe) == (stored.SPLIT, True)
    assert Part.objects.filter(state=book.state_id).count() <= before + 2
    assert document(book)["log"][-1] == {"id": 4_000 + keyframes.LONGEST_CHAIN}


@pytest.mark.django_db
def test_what_a_caller_does_to_its_values_later_reaches_nobody(cast: Cast, book: Head) -> None:
    value: dict[str, Any] = {"id": "p3", "lines": [1]}
    write(book, Change("add", "/payments/2", value=value), by=cast.ana)
    value["lines"].append("poison")
    value["id"] = "poison"
    write(head(book), Change("replace", "/balance", 10, 9), by=cast.ana)
    assert document(book)["payments"][2] == {"id": "p3", "lines": [1]}


@pytest.mark.django_db
def test_what_was_rolled_back_is_not_built_on(cast: Cast, book: Head) -> None:
    with transaction.atomic():
        write(book, Change("replace", "/balance", 10, 1), by=cast.ana)
        transaction.set_rollback(True)
    assert drafting.known(book) is None
    write(book, Change("replace", "/balance", 10, 2), by=cast.ana)
    assert document(book)["balance"] == 2


def test_documents_at_hand_stay_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting, "KEPT_BYTES", 100)
    kept = drafting._Kept()
    standing = Standing(1, 0, "d", 1, 0, 0)
    for n in range(5):
        kept.put(UUID(int=n), drafting.Known(standing, n, 40))
    assert list(kept._known) == [UUID(int=3), UUID(int=4)]
    kept.put(UUID(int=9), drafting.Known(standing, "too large", 101))
    kept.put(UUID(int=4), drafting.Known(standing, "again", 50))
    assert list(kept._known) == [UUID(int=3), UUID(int=4)]
    assert kept._bytes == 90


@pytest.fixture
def both() -> Iterator[Race]:
    with race() as both:
        yield both


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_writers_to_other_places_both_succeed(both: Race) -> None:
    cast = Cast.build()
    book = begin(cast, BOOK)
    for n in range(25):
        base = head(book)
        said = both.run(
            adding(base, f"/a{n}", cast.ana),
            adding(base, f"/b{n}", cast.ben),
        )
        assert sorted(said) == [base.number + 1, base.number + 2]
        assert {f"a{n}", f"b{n}"} <= document(book).keys()
    assert cast.ledger_objection() is None


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_writers_to_one_place_one_is_told_who_was_faster(both: Race) -> None:
    cast = Cast.build()
    book = begin(cast, BOOK)
    for n in range(25):
        base = head(book)
        said = both.run(adding(base, f"/a{n}", cast.ana), adding(base, f"/a{n}", cast.ben))
        faster = base.number + 1
        winner = cast.ana if said[0] == faster else cast.ben
        refused = {"path": f"/a{n}", "by": winner.name, "snapshot": faster}
        assert faster in said
        assert refused in said
        assert document(book)[f"a{n}"] == winner.name
    assert cast.ledger_objection() is None


def adding(base: Head, path: str, by: Actor) -> Act:
    def act() -> Any:
        try:
            return write(base, Change("add", path, value=by.name), by=by, merge=True).number
        except PathConflict as refused:
            return refused.details
        except Refused as refused:
            return refused.code
        finally:
            assert not connection.in_atomic_block

    return act
