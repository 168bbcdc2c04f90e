"""Restoring makes an older content the newest: a version forward in time, in a new epoch."""

import random

import pytest

from console.canonical import Json
from console.errors import NotFound
from console.ledger import queries as ledger
from snapshots import keyframes, queries, stored
from snapshots.content import content_bytes
from snapshots.diff import Change
from snapshots.models import Part, Snapshot
from snapshots.operations.committing import EpochPassed, HeadMoved
from snapshots.operations.restoring import replace, restore
from snapshots.queries import Gone, Head
from tests.snapshots.test_reading import Kept
from tests.snapshots.test_splitting import large
from tests.story import Cast, now

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def kept(cast: Cast) -> Kept:
    """Return a State of five versions, of which four are changes."""
    kept = Kept.begin(cast, {f"k{n}": f"{n * n}" * 20 for n in range(400)})
    for n in range(4):
        kept.change(Change("add", f"/new{n}", value=n))
    return kept


def back(base: Head, number: int, cast: Cast, cause: str = "") -> Snapshot:
    return restore(
        actor=cast.ada, base=base, number=number, cause_id=cause, reason="drifted", now=now()
    )


def test_says_again_what_it_said_before(kept: Kept, cast: Cast) -> None:
    row = back(kept.head, 2, cast, "plan-1")
    old = kept.row(2)
    assert (row.number, row.parent_number, row.epoch) == (6, 5, 1)
    assert (row.digest, row.document_bytes) == (old.digest, old.document_bytes)
    assert (row.cause, row.cause_id, row.reason) == ("rollback", "plan-1", "drifted")
    assert (row.codec, row.base_number, bytes(row.data or b"")) == (stored.REFERENCE, 2, b"")
    assert kept.read(6) == kept.documents[1]
    head = queries.head(kept.head.workspace_id, kept.head.state_id)
    assert (head.number, head.epoch, head.digest) == (6, 1, old.digest)
    line = ledger.entries(cast.workspace.id).get(verb="state.restored")
    assert line.body["to"] == 2
    assert (line.body["number"], line.body["epoch"]) == (6, 1)
    assert line.actor["name"] == cast.ada.name
    assert cast.ledger_objection() is None


def test_can_itself_be_taken_back(kept: Kept) -> None:
    kept.restore(1)
    kept.restore(5)
    assert kept.head.epoch == 2
    assert kept.read(7) == kept.documents[4]


def test_a_reference_to_a_reference_refers_to_the_content(kept: Kept) -> None:
    kept.restore(3)
    kept.restore(6)
    kept.restore(7)
    assert [kept.row(number).base_number for number in (6, 7, 8)] == [3, 3, 3]
    kept.check()


def test_changes_go_on_behind_a_reference(kept: Kept) -> None:
    kept.restore(2)
    kept.change(Change("add", "/again", value=1))
    kept.restore(7)
    kept.change(Change("replace", "/again", 1, 2))
    assert kept.codecs()[5:] == [4, 2, 4, 2]
    kept.check()


def test_the_newest_can_be_restored_to_begin_a_new_epoch(kept: Kept, cast: Cast) -> None:
    row = back(kept.head, 5, cast)
    assert (row.epoch, row.digest) == (1, kept.head.digest)


def test_many_rollbacks_to_rollbacks_stay_readable(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyframes, "LONGEST_REFERRED", 12)
    for n in range(20):
        kept.change(Change("add", f"/again{n}", value=n))
        kept.restore(len(kept.documents))
    rows = [kept.row(number) for number in range(6, len(kept.documents) + 1)]
    assert {row.codec for row in rows if row.cause == "rollback"} == {1, 4}
    kept.check()


def test_takes_as_little_for_a_large_document(cast: Cast) -> None:
    kept = Kept.begin(cast, large())
    kept.change(Change("replace", "/few/0", 1, 2))
    parts = Part.objects.filter(state=kept.head.state_id).count()
    kept.restore(1)
    assert bytes(kept.row(3).data or b"") == b""
    assert Part.objects.filter(state=kept.head.state_id).count() == parts
    assert kept.read(3) == kept.documents[0]
    assert queries.subtree(kept.head.state_id, 3, "/few/0") == 1


@pytest.mark.parametrize("number", [0, -1, 6, 99])
def test_refuses_a_version_that_was_never_written(kept: Kept, cast: Cast, number: int) -> None:
    with pytest.raises(NotFound):
        back(kept.head, number, cast)
    assert queries.head(kept.head.workspace_id, kept.head.state_id) == kept.head


def test_refuses_what_was_let_go(kept: Kept, cast: Cast) -> None:
    Snapshot.objects.filter(id=kept.row(5).id).update(data=None)
    with pytest.raises(Gone):
        back(kept.head, 5, cast)


def test_refuses_a_base_that_is_not_the_newest(kept: Kept, cast: Cast) -> None:
    base = kept.head
    kept.change(Change("add", "/x", value=1))
    with pytest.raises(HeadMoved):
        back(base, 1, cast)
    back(kept.head, 1, cast)
    with pytest.raises(EpochPassed):
        back(kept.head, 1, cast)
    with pytest.raises(EpochPassed):
        replace(actor=cast.ada, base=kept.head, document={}, cause_id="", reason="", now=now())


def test_replaces_the_content_by_a_mixture(kept: Kept, cast: Cast) -> None:
    mixture: Json = {**kept.documents[0], "new3": "kept"}  # type: ignore[dict-item]
    row = kept.replace(mixture)
    assert (row.cause, row.epoch, row.codec) == ("rollback", 1, stored.COMPACT)
    told = queries.changes_of(kept.head.workspace_id, kept.head.state_id, 6)
    assert [change.op for change in told] == ["remove", "remove", "remove", "replace"]
    assert cast.said(f"state:{kept.head.state_id}")[-1] == "state.restored"
    kept.check()


def test_after_every_rollback_the_digest_is_the_recorded_one(kept: Kept) -> None:
    chosen = random.Random(4)
    for _ in range(12):
        number = chosen.randrange(1, len(kept.documents) + 1)
        row = kept.restore(number)
        assert row.digest == kept.row(number).digest
        assert content_bytes(kept.read(row.number)) == content_bytes(kept.documents[number - 1])
