"""Importing: what leaves comes back with every digest, and nothing is written over."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from console.actors import Actor
from console.canonical import Json
from console.ledger import queries as ledger
from snapshots import bundles, queries
from snapshots.diff import diff
from snapshots.models import Snapshot, State
from snapshots.operations.creating import KeyTaken, create_state
from snapshots.operations.importing import (
    BundleInvalid,
    DigestDiffers,
    KeyUnusable,
    ReservedKey,
    Wanted,
    import_bundle,
    import_document,
)
from snapshots.operations.observing import observe
from snapshots.queries import Gone, bundling
from snapshots.queries.checking import check
from tests.house import House, now

LARGE: dict[str, Json] = {f"k{n:05}": {"id": n, "text": "x" * 60} for n in range(4_000)}


def grow(house: House, key: str, *documents: Any, keys: dict[str, str] | None = None) -> UUID:
    """Make a State that held these documents one after the other."""
    first, *rest = documents
    head = create_state(
        actor=house.setup, key=key, document=first, reason="", now=now(), list_keys=keys
    )
    before = first
    for number, document in enumerate(rest):
        observe(
            actor=house.setup,
            state_id=head.state_id,
            changes=diff(before, document, keys=keys or {}),
            cause_id=str(number),
            reason=f"step {number}",
            now=now(),
        )
        before = document
    return head.state_id


def exported(house: House, state_id: UUID) -> list[bytes]:
    header, versions = bundling.opened(queries.head(house.workspace.id, state_id))
    return list(bundles.written(header, versions))


def brought(house: House, lines: list[bytes], **more: Any) -> UUID:
    given: dict[str, Any] = {"reason": "moving house", "key": "copy", **more}
    return import_bundle(actor=house.actor("ada"), lines=lines, now=now(), **given).state_id


def digests(state_id: UUID) -> list[str]:
    rows = Snapshot.objects.filter(state=state_id).order_by("number")
    return list(rows.values_list("digest", flat=True))


def contents(state_id: UUID) -> Iterator[Json]:
    for number in range(1, len(digests(state_id)) + 1):
        yield queries.content(state_id, number)


@pytest.mark.parametrize(
    "documents",
    [
        [{"a": 1.0}],
        [None, 1, 1.0, "x", [], {}],
        [{"l": [{"id": 1, "v": n}, {"id": 2}]} for n in range(80)],
        [LARGE, {**LARGE, "k00007": 7}, {**LARGE, "k00007": None}],
    ],
    ids=["one", "kinds", "many", "large"],
)
def test_a_bundle_comes_back_with_every_version(house: House, documents: list[Json]) -> None:
    mine = grow(house, "mine", *documents, keys={"/l": "id"})
    lines = exported(house, mine)
    copy = brought(house, lines)
    assert digests(copy) == digests(mine)
    assert list(contents(copy)) == list(contents(mine))
    head = queries.head(house.workspace.id, copy)
    assert (head.number, head.epoch, head.list_keys) == (len(documents), 0, {"/l": "id"})
    assert check(house.workspace.id, copy).faults == []
    again = exported(house, copy)
    assert len(again) == len(lines)


def test_what_was_let_go_comes_as_what_is_known_of_it(house: House) -> None:
    mine = grow(house, "mine", *(LARGE if n == 0 else {"n": n} for n in range(5)))
    Snapshot.objects.filter(state=mine, number__in=[1, 3]).update(data=None)
    copy = brought(house, exported(house, mine))
    assert digests(copy) == digests(mine)
    for number in (1, 3):
        with pytest.raises(Gone):
            queries.content(copy, number)
    for number in (2, 4, 5):
        assert queries.content(copy, number) == {"n": number - 1}
    assert check(house.workspace.id, copy).faults == []


def test_the_importer_answers_and_the_file_is_quoted(house: House) -> None:
    copy = brought(house, exported(house, grow(house, "mine", 1, 2)))
    row = Snapshot.objects.get(state=copy, number=2)
    assert (row.cause, row.actor["name"], row.reason) == ("import", "Ada", "moving house")
    said = row.actor["said"]
    assert (said["cause"], said["actor"]["name"], said["reason"]) == ("outside", "Setup", "step 0")
    [entry] = ledger.about(house.workspace.id, f"state:{copy}")
    assert (entry.verb, entry.body["snapshots"], entry.body["key"]) == ("state.imported", 2, "copy")
    html = house.client("ana").get(house.url("states", copy)).content.decode()
    assert "The file says of it: changed outside, by Setup" in html


def test_a_file_that_is_wrong_leaves_nothing_behind(house: House) -> None:
    lines = exported(house, grow(house, "mine", *({"n": n} for n in range(4))))
    broken = [*lines[:-2], lines[-2].replace(b"/n", b"/m"), lines[-1]]
    for wrong in (lines[:-1], broken, [b"{}\n"], []):
        before = ledger.entries(house.workspace.id).count()
        with pytest.raises(BundleInvalid):
            brought(house, wrong)
        assert not State.objects.filter(key="copy").exists()
        assert ledger.entries(house.workspace.id).count() == before


def test_a_key_that_is_taken_is_refused_with_a_hint(house: House) -> None:
    lines = exported(house, house.book.state_id)
    with pytest.raises(KeyTaken, match="propose it as a merge patch"):
        brought(house, lines, key="")
    with pytest.raises(KeyTaken, match="propose it as a merge patch"):
        take(house.actor("eve"), "vendors", {})
    assert queries.head(house.workspace.id, house.book.state_id).number == 1


def take(actor: Actor, key: str, document: Json, **more: Any) -> queries.Head:
    wanted = Wanted(key=key, reason="", **more)
    return import_document(actor=actor, wanted=wanted, document=document, now=now())


def test_a_document_is_taken_in_if_it_is_the_expected_one(house: House) -> None:
    document: Json = {"b": 1.0, "a": ["é"]}
    digest = "0" * 64
    with pytest.raises(DigestDiffers) as refused:
        take(house.actor("eve"), "new", document, digest=digest)
    digest = str(refused.value.details["digest"])
    head = take(house.actor("eve"), "new", document, digest=digest, kind="memory")
    assert (head.digest, head.number) == (digest, 1)
    assert queries.content(head.state_id, 1) == document
    assert State.objects.get(id=head.state_id).kind == "memory"


@pytest.mark.parametrize(
    "key", ["", "/", "/a", "a/", "a//b", " a", "a /b", "a\nb", "x" * 201, "a\x00"], ids=ascii
)
def test_a_key_is_segments_between_single_slashes(house: House, key: str) -> None:
    with pytest.raises(KeyUnusable):
        take(house.actor("eve"), key, {})


@pytest.mark.parametrize("kind", ["record", "memory"])
@pytest.mark.parametrize("key", ["vendors/agents/scout", "a/agents/b/c", "vendors/recoveries"])
def test_nobody_plants_a_memory_before_its_agent(house: House, key: str, kind: str) -> None:
    with pytest.raises(ReservedKey):
        take(house.actor("eve"), key, {"entries": {}}, kind=kind)
    lines = exported(house, grow(house, "notes", {"entries": {}}))
    with pytest.raises(ReservedKey):
        brought(house, lines, key=key)
    assert not State.objects.filter(key=key).exists()


def test_who_may_restore_brings_a_memory_in_but_no_record_in_its_place(house: House) -> None:
    ada, key = house.actor("ada"), "vendors/agents/scout"
    for actor, kind in ((ada, "record"), (replace(ada, kind="agent"), "memory")):
        with pytest.raises(ReservedKey):
            take(actor, key, {"entries": {}}, kind=kind)
    assert take(ada, key, {"entries": {}}, kind="memory").number == 1


@pytest.mark.parametrize("key", ["agents/scout", "vendors/agents", "recoveries", "my/recoveries/x"])
def test_a_key_that_only_sounds_like_one_is_free(house: House, key: str) -> None:
    assert take(house.actor("eve"), key, {}).number == 1


class TestCommands:
    """The commands take what is too large for the API."""

    def test_take_a_state_out_and_in(self, house: House, tmp_path: Path) -> None:
        mine = grow(house, "mine", LARGE, {**LARGE, "k00007": 7})
        file = tmp_path / "mine.jsonl"
        call_command("export_state", "acme", "mine", out=file)
        assert file.stat().st_size > 300_000
        assert [path.name for path in tmp_path.iterdir()] == ["mine.jsonl"]
        said = StringIO()
        given = {"person": "eve@acme.example", "stdout": said}
        call_command("import_state", "acme", str(file), **given, key="copy")
        copy = queries.named(house.workspace.id, "copy")
        assert said.getvalue() == f"copy: snapshot 2, SHA-256 {copy.digest}\n"
        assert digests(copy.state_id) == digests(mine)
        with pytest.raises(CommandError, match="merge patch"):
            call_command("import_state", "acme", str(file), **given)

    def test_take_one_snapshot_as_its_bytes_and_a_document_in(
        self, house: House, tmp_path: Path
    ) -> None:
        file = tmp_path / "one.json"
        call_command("export_state", "acme", "vendors", number=1, out=file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert digest == house.book.digest
        given = {"person": "eve@acme.example", "key": "copy", "stdout": StringIO()}
        with pytest.raises(CommandError, match="not the one that was expected"):
            call_command("import_state", "acme", str(file), **given, digest="0" * 64)
        call_command("import_state", "acme", str(file), **given, digest=digest)
        assert queries.named(house.workspace.id, "copy").digest == digest

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ({"person": "ana@acme.example"}, "may not import"),
            ({"person": "nobody@acme.example"}, "does not belong"),
            ({"person": "eve@acme.example", "workspace": "nowhere"}, "does not belong"),
            ({"person": "eve@acme.example", "file": "missing"}, "cannot be read"),
            ({"person": "eve@acme.example"}, "duplicate|twice"),
        ],
    )
    def test_say_what_is_wrong(
        self, house: House, tmp_path: Path, given: dict[str, str], says: str
    ) -> None:
        file = tmp_path / "bad.json"
        file.write_bytes(b'{"a": 1, "a": 2}')
        place = given.get("file", str(file))
        with pytest.raises(CommandError, match=says):
            call_command(
                "import_state",
                given.get("workspace", "acme"),
                place,
                person=given["person"],
                key="k",
            )
        assert not State.objects.filter(key="k").exists()

    def test_export_says_what_there_is_not(self, house: House, tmp_path: Path) -> None:
        for workspace, key in (("acme", "nothing"), ("nowhere", "vendors")):
            with pytest.raises(CommandError, match="There is no State"):
                call_command("export_state", workspace, key)
        with pytest.raises(CommandError, match="no such snapshot"):
            call_command("export_state", "acme", "vendors", number=9, out=tmp_path / "x")
        assert list(tmp_path.iterdir()) == []
