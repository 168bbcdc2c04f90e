"""Reading gives back what was written, checked, whatever the form it is stored in."""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import chains, plans
from console.canonical import FILE_LIMITS, Json
from console.canonical import parse as parse_strictly
from console.errors import NotFound
from console.ids import new_id
from snapshots import keyframes, pointer, queries, splitting, store, stored
from snapshots.content import DamagedContent, content_bytes, content_digest, pack, parse
from snapshots.diff import Change, apply, diff
from snapshots.models import Part, Snapshot
from snapshots.operations import drafting
from snapshots.operations.committing import Cause, commit
from snapshots.operations.creating import create_state
from snapshots.operations.restoring import replace, restore
from snapshots.queries import Corrupt, Gone, Head
from tests.snapshots.test_content import documents
from tests.snapshots.test_splitting import cut_small, large, paths
from tests.story import Cast, now

pytestmark = pytest.mark.django_db
DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@dataclass
class Kept:
    """A State, and what each of its snapshots must give back; number 1 is the first."""

    cast: Cast
    head: Head
    documents: list[Json] = field(default_factory=list)

    @classmethod
    def begin(cls, cast: Cast, document: Json, keys: dict[str, str] | None = None) -> "Kept":
        head = create_state(
            actor=cast.setup,
            key=f"read/{new_id()}",
            document=document,
            reason="",
            now=now(),
            list_keys=keys,
        )
        return cls(cast, head, [document])

    def write(self, document: Json) -> Snapshot:
        return self.change(*diff(self.documents[-1], document))

    def change(self, *changes: Change, cause_id: str = "") -> Snapshot:
        row = commit(
            actor=self.cast.ana,
            base=self.head,
            changes=list(changes),
            cause=Cause("outside", cause_id),
            reason="",
            now=now(),
        )
        return self._moved(row, apply(self.documents[-1], changes))

    def restore(self, number: int) -> Snapshot:
        row = restore(
            actor=self.cast.ana, base=self.head, number=number, cause_id="", reason="", now=now()
        )
        return self._moved(row, self.documents[number - 1])

    def replace(self, document: Json) -> Snapshot:
        row = replace(
            actor=self.cast.ana,
            base=self.head,
            document=document,
            cause_id="",
            reason="",
            now=now(),
        )
        return self._moved(row, document)

    def _moved(self, row: Snapshot, document: Json) -> Snapshot:
        self.documents.append(document)
        self.head = queries.head(self.head.workspace_id, self.head.state_id)
        assert self.head.number == row.number == len(self.documents)
        assert row.digest == self.head.digest == content_digest(document)
        return row

    def row(self, number: int) -> Snapshot:
        return Snapshot.objects.get(state=self.head.state_id, number=number)

    def codecs(self) -> list[int]:
        rows = Snapshot.objects.filter(state=self.head.state_id).order_by("number")
        return list(rows.values_list("codec", flat=True))

    def check(self) -> None:
        """Read every version, what it changed, and whatever stood somewhere in it."""
        chosen = random.Random(1)
        for number, document in enumerate(self.documents, start=1):
            assert content_bytes(self.read(number)) == content_bytes(document), number
            if number > 1:
                changes = queries.changes_of(self.head.workspace_id, self.head.state_id, number)
                before = self.documents[number - 2]
                assert content_bytes(apply(before, changes)) == content_bytes(document)
            there = paths(document)
            for path in [*chosen.sample(there, min(8, len(there))), "/none", "/0", "/a/1"]:
                assert self.part(number, path) == part_of(document, path), (number, path)

    def read(self, number: int) -> Json:
        return queries.content(self.head.state_id, number)

    def part(self, number: int, path: str) -> bytes | None:
        try:
            return content_bytes(queries.subtree(self.head.state_id, number, path))
        except pointer.NothingThere:
            return None


def part_of(document: Json, path: str) -> bytes | None:
    try:
        return content_bytes(pointer.get(document, path))
    except pointer.NothingThere:
        return None


def mix(patch: pytest.MonkeyPatch) -> None:
    cut_small(patch)
    patch.setattr(splitting, "FROM_BYTES", 60)
    patch.setattr(keyframes, "SMALL_DOCUMENT_BYTES", 8)
    patch.setattr(keyframes, "CHAIN_TO_KEYFRAME_BYTES", 3)
    patch.setattr(keyframes, "LONGEST_CHAIN", 5)
    patch.setattr(keyframes, "LONGEST_REFERRED", 9)


def as_first_format(kept: Kept, number: int) -> None:
    """Store a row of changes as the first release did, with old values."""
    row = kept.row(number)
    if row.codec == stored.COMPACT:
        changes = queries.changes_of(kept.head.workspace_id, kept.head.state_id, number)
        data = pack(content_bytes([change.to_json() for change in changes]))
        Snapshot.objects.filter(id=row.id).update(codec=stored.FIRST, data=data)


items = st.fixed_dictionaries({"id": st.integers(0, 9)}, optional={"n": st.integers(0, 3)})
shifting = st.fixed_dictionaries(
    {
        "a": st.lists(items | st.text("xyz", max_size=3), max_size=6),
        "b": st.dictionaries(st.sampled_from(["k", "l", "/", "0"]), st.lists(items, max_size=3)),
        "c": documents,
    }
)
moves = st.one_of(
    st.tuples(st.just("write"), shifting),
    st.tuples(st.just("write"), shifting),
    st.tuples(st.just("replace"), shifting),
    st.tuples(st.just("restore"), st.integers(0, 99)),
    st.tuples(st.just("first format"), st.integers(0, 99)),
)


@settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(shifting, st.lists(moves, min_size=3, max_size=12))
def test_every_version_of_every_history_is_read(
    cast: Cast, first: Json, steps: list[tuple[str, Any]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        mix(patch)
        kept = Kept.begin(cast, first)
        for what, value in steps:
            number = 1 + value % len(kept.documents) if isinstance(value, int) else 0
            if what == "restore":
                kept.restore(number)
            elif what == "first format":
                as_first_format(kept, number)
            elif what == "replace":
                kept.replace(value)
            else:
                kept.write(value)
        kept.check()


def test_a_long_history_uses_every_format(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    mix(monkeypatch)
    chosen = random.Random(7)
    kept = Kept.begin(cast, {"list": [{"id": n, "v": "x" * 9} for n in range(30)], "o": {}})
    for step in range(60):
        kept.change(*some_changes(kept.documents[-1], chosen, step))
        if step % 7 == 3:
            kept.restore(chosen.randrange(1, len(kept.documents) + 1))
        as_first_format(kept, chosen.randrange(1, len(kept.documents) + 1))
    assert set(kept.codecs()) == {1, 2, 3, 4}
    kept.check()


def some_changes(document: Any, chosen: random.Random, step: int) -> list[Change]:
    """Return changes that renumber items, also twice in one version."""
    entries = document["list"]
    here, there = chosen.randrange(len(entries)), chosen.randrange(len(entries))
    moved = Change("move", f"/list/{there}", entries[here], from_path=f"/list/{here}")
    added = Change("add", f"/list/{here}", value={"id": 100 + step, "v": [step]})
    return [moved, added, Change("add", f"/o/k{step}", value={"deep": [step, {"er": None}]})]


@pytest.mark.data
@pytest.mark.skipif(not DATA.exists(), reason="the folder ../shared/data is not there")
def test_real_bundles_are_split_and_read(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "FROM_BYTES", 20_000)
    files = sorted((DATA / "fhir_bundles").rglob("*.json"))[:4]
    assert files
    chosen = random.Random(3)
    for file in files:
        bundle: Any = parse_strictly(file.read_bytes(), FILE_LIMITS)
        kept = Kept.begin(cast, bundle)
        entries = list(bundle["entry"])
        entries.insert(1, entries.pop())
        kept.write({**bundle, "entry": entries})
        del entries[0]
        kept.write({**bundle, "entry": list(entries)})
        kept.restore(2)
        for number, document in enumerate(kept.documents, start=1):
            assert kept.read(number) == document
            for path in chosen.sample(paths(document), 12):
                assert kept.part(number, path) == part_of(document, path), (number, path)


def test_a_part_of_a_large_document_is_read_alone(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept.begin(cast, large())
    kept.change(Change("add", "/messages/0", value={"id": "new"}))
    kept.change(Change("replace", "/messages/2001/n", 2000, -1))
    asked: list[str] = []
    plain = store.parts

    def parts(state_id: UUID, digests: list[str]) -> dict[str, bytes]:
        asked.extend(digests)
        return plain(state_id, digests)

    monkeypatch.setattr(store, "parts", parts)
    assert queries.subtree(kept.head.state_id, 3, "/messages/2001/n") == -1
    assert queries.subtree(kept.head.state_id, 2, "/messages/2001") == large()["messages"][2000]
    assert len(asked) == 1
    assert queries.subtree(kept.head.state_id, 3, "/messages/0") == {"id": "new"}
    assert len(asked) == 1


def test_a_version_is_read_in_one_statement(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    mix(monkeypatch)
    monkeypatch.setattr(splitting, "FROM_BYTES", 10_000)
    kept = Kept.begin(cast, {"list": list(range(40))})
    for n in range(3):
        kept.change(Change("add", "/list/0", value=n))
    kept.restore(2)
    kept.change(Change("add", "/list/0", value="after"))
    asked: list[str] = []
    plain = store._execute

    def execute(sql: str, values: dict[str, Any], *, binary: bool = False) -> Any:
        asked.append(sql)
        return plain(sql, values, binary=binary)

    monkeypatch.setattr(store, "_execute", execute)
    assert kept.read(4) == {"list": [2, 1, 0, *range(40)]}
    assert asked == [store._RUN]
    # What is found behind a reference is not pieced together: all of it is asked for anew.
    assert kept.read(6) == {"list": ["after", 0, *range(40)]}
    assert asked == [store._RUN, store._RUN, store._RUNS]


def test_of_ten_thousand_versions_only_those_that_make_one_are_visited(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyframes, "LONGEST_CHAIN", 7)
    kept = Kept.begin(cast, {f"k{n}": f"{n * n}" * 20 for n in range(100)})
    for n in range(23):
        kept.change(Change("replace", f"/k{n}", f"{n * n}" * 20, n), cause_id=f"step {n}")
    state_id = kept.head.state_id
    total = chains.fill(chains.stretch(state_id), 10_000)
    kept.head = queries.head(kept.head.workspace_id, state_id)
    row = restore(actor=cast.ana, base=kept.head, number=24, cause_id="", reason="", now=now())
    assert row.number == total + 1 > 9_900
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE snapshots_snapshot")
    chain = store.chain(state_id, 5_000)
    assert 1 <= len(chain) <= 8
    for sql, number, rows in (
        (store._RUN, 5_000, len(chain)),
        (store._RUNS, 5_000, len(chain)),
        (store._RUNS, row.number, 1 + len(store.chain(state_id, 24))),
    ):
        # The rows themselves, and those that tell which they are.
        values = {"state": state_id, "number": number}
        assert plans.visited(plans.Asked(sql, values)) <= rows + 12


def test_a_target_tells_how_much_is_read_up_to_it(cast: Cast) -> None:
    kept = Kept.begin(cast, {f"k{n}": f"{n * n}" * 20 for n in range(400)})
    for n in range(4):
        kept.change(Change("replace", f"/k{n}", f"{n * n}" * 20, n))
    place, state_id = kept.head.workspace_id, kept.head.state_id
    sizes = [len(kept.row(number).data or b"") for number in (2, 3)]
    found = store.target(place, state_id, 3)
    assert found is not None
    assert (found.rows, found.bytes, found.refers) == (3, sum(sizes), False)
    assert store.weight(state_id, 3) == (3, sum(sizes))
    kept.restore(3)
    kept.change(Change("add", "/again", value=1))
    found = store.target(place, state_id, 7)
    assert found is not None
    assert found.refers
    assert store.weight(state_id, 7) == (5, sum(sizes) + len(kept.row(7).data or b""))
    assert store.target(new_id(), state_id, 7) is None


@pytest.mark.parametrize("number", [0, 2, 99])
def test_finds_no_version_that_was_never_written(cast: Cast, number: int) -> None:
    kept = Kept.begin(cast, {"a": 1})
    with pytest.raises(NotFound):
        kept.read(number)
    with pytest.raises(NotFound):
        queries.subtree(kept.head.state_id, number, "/a")
    with pytest.raises(NotFound):
        queries.changes_of(kept.head.workspace_id, kept.head.state_id, number)


def test_changes_are_told_with_what_stood_there(cast: Cast) -> None:
    kept = Kept.begin(cast, {**large(40), "list": [{"id": 1, "x": [1]}, {"id": 2}]})
    moved = Change("move", "/list/1", {"id": 1, "x": [1]}, from_path="/list/0")
    after = Change("replace", "/list/1/x/0", 1, 2)
    added = Change("add", "/new", value=None)
    removed = Change("remove", "/few", old=[1, 2.0, None])
    kept.change(moved, after, added, removed)
    assert kept.codecs() == [stored.FIRST, stored.COMPACT]
    told = queries.changes_of(kept.head.workspace_id, kept.head.state_id, 2)
    assert told == [moved, after, added, removed]
    assert queries.changes_of(kept.head.workspace_id, kept.head.state_id, 1) == []
    elsewhere = cast.zoe.workspace_id
    with pytest.raises(NotFound):
        queries.changes_of(elsewhere, kept.head.state_id, 2)


def test_what_was_let_go_says_so(cast: Cast) -> None:
    kept = Kept.begin(cast, {"a": 1})
    kept.write({"a": 2})
    kept.restore(1)
    Snapshot.objects.filter(id=kept.row(2).id).update(data=None)
    with pytest.raises(Gone) as refused:
        kept.read(2)
    assert (refused.value.status, refused.value.code) == (410, "snapshot_thinned")
    assert refused.value.details == {"snapshot": 2}
    with pytest.raises(Gone):
        queries.subtree(kept.head.state_id, 2, "/a")
    assert kept.read(3) == {"a": 1}


@pytest.fixture
def long_chain(cast: Cast) -> Kept:
    """Return a whole document, five versions of changes, and one that refers to the third."""
    kept = Kept.begin(cast, {f"k{n}": f"{n * n}" * 20 for n in range(400)})
    for n in range(5):
        kept.change(Change("replace", f"/k{n}", f"{n * n}" * 20, n))
    kept.restore(3)
    assert kept.codecs() == [1, 2, 2, 2, 2, 2, 4]
    return kept


@pytest.mark.parametrize("number", [1, 2, 4])
def test_names_the_first_version_with_a_damaged_byte(long_chain: Kept, number: int) -> None:
    kept = long_chain
    damage(kept.row(number))
    with pytest.raises(Corrupt) as refused:
        kept.read(6)
    assert (refused.value.status, refused.value.code) == (500, "snapshot_corrupt")
    assert refused.value.details == {"snapshot": number, "path": ""}
    assert f"Snapshot {number} " in refused.value.sentence
    assert "the whole document" in refused.value.sentence
    if number < 4:
        with pytest.raises(Corrupt):
            kept.read(7)
    else:
        assert kept.read(7) == kept.documents[2]
    if number > 1:
        assert kept.read(number - 1) == kept.documents[number - 2]


def test_names_a_version_that_was_replaced_by_another(long_chain: Kept) -> None:
    kept = long_chain
    other = stored.pack_operations([["r", "/k1", "another"]])
    Snapshot.objects.filter(id=kept.row(3).id).update(data=other)
    with pytest.raises(Corrupt) as refused:
        kept.read(5)
    assert refused.value.details["snapshot"] == 3
    with pytest.raises(Corrupt):
        queries.changes_of(kept.head.workspace_id, kept.head.state_id, 3)


def test_names_the_path_where_a_change_does_not_fit(long_chain: Kept) -> None:
    kept = long_chain
    other = stored.pack_operations([["r", "/none", "another"]])
    Snapshot.objects.filter(id=kept.row(3).id).update(data=other)
    with pytest.raises(Corrupt) as refused:
        kept.read(5)
    assert refused.value.details == {"snapshot": 3, "path": "/none"}


def test_names_the_path_of_a_damaged_part(cast: Cast) -> None:
    kept = Kept.begin(cast, large())
    kept.change(Change("replace", "/few/0", 1, 5))
    skeleton = stored.whole(stored_row(kept.row(1)))
    digest = splitting.digests(parse(skeleton))[-3]
    part = Part.objects.get(state=kept.head.state_id, digest=digest)
    data = bytes(part.data)
    # Nothing here may rewrite a part, so a damaged one takes its place.
    Part.objects.filter(state=kept.head.state_id, digest=digest).delete()
    part.data = data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
    part.save(force_insert=True)
    with pytest.raises(Corrupt) as refused:
        kept.read(2)
    path = str(refused.value.details["path"])
    assert refused.value.details["snapshot"] == 1
    assert path.startswith("/messages/")
    assert path in refused.value.sentence
    with pytest.raises(Corrupt) as refused:
        queries.subtree(kept.head.state_id, 2, path)
    assert refused.value.details["path"] == path
    assert queries.subtree(kept.head.state_id, 2, "/few/0") == 5


def test_a_missing_row_is_damage(long_chain: Kept) -> None:
    rows = store.chain(long_chain.head.state_id, 5)
    with pytest.raises(DamagedContent, match="snapshot 3 is missing"):
        stored.readable([row for row in rows if row.number != 3])


def test_damage_is_found_although_the_writer_has_the_document_at_hand(long_chain: Kept) -> None:
    kept = long_chain
    assert drafting.known(kept.head) is None
    kept.change(Change("add", "/new", value=1))
    assert drafting.known(kept.head) is not None
    damage(kept.row(8))
    with pytest.raises(Corrupt) as refused:
        kept.read(8)
    assert refused.value.details["snapshot"] == 8


def damage(row: Snapshot) -> None:
    """Flip one bit of what is stored."""
    data = bytes(row.data or b"")
    flipped = data[:-6] + bytes([data[-6] ^ 4]) + data[-5:]
    Snapshot.objects.filter(id=row.id).update(data=flipped)


def stored_row(row: Snapshot) -> stored.Stored:
    return stored.Stored(row.number, row.base_number, row.codec, bytes(row.data or b""), row.digest)
