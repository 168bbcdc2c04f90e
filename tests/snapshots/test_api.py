"""States over HTTP: the very bytes, each version, each change, and names."""

import hashlib
import json
from typing import Any

import pytest

from console.canonical import REQUEST_LIMITS
from snapshots.content import content_bytes
from snapshots.diff import Change
from snapshots.models import Mark, Snapshot, State
from snapshots.operations import marking
from snapshots.patches import patched
from tests.api.robots import Robot, code_of, robot_of
from tests.story import BOOK, Cast, now, opening

pytestmark = pytest.mark.django_db
STATES = "/api/v1/states"


@pytest.fixture
def cast() -> Cast:
    """Return everybody; the book has three versions."""
    cast = Cast.build()
    cast.move_world(Change("replace", "/balance", 1000, 900))
    cast.move_world(Change("add", "/payments/0", value={"id": "p1", "amount": 1.0}))
    return cast


@pytest.fixture
def robot(cast: Cast) -> Robot:
    """Return a program of Eve's that may do all that a program may."""
    return robot_of(cast, cast.eve)


@pytest.fixture
def book(cast: Cast) -> str:
    """Return the address of the book."""
    return f"{STATES}/{cast.book.state_id}"


class TestReading:
    """What a State is, and what it was."""

    def test_lists_states_by_key_and_continues(self, cast: Cast, robot: Robot) -> None:
        for key in ("a", "z"):
            cast.open_drawer(key)
        seen, cursor = [], ""
        while True:
            page = robot.get(STATES, limit=2, cursor=cursor).json()
            seen += [item["key"] for item in page["items"]]
            if not (cursor := page["next_cursor"]):
                break
        assert seen == ["a", BOOK, "policies", "z"]
        [found] = robot.get(STATES, prefix="led").json()["items"]
        head = cast.head()
        assert (found["number"], found["digest"], found["epoch"]) == (3, head.digest, 0)
        assert found["document_bytes"] == len(content_bytes(cast.content()))
        assert robot.get(f"{STATES}/{found['id']}").json() == found

    def test_lists_snapshots_newest_first(self, robot: Robot, book: str) -> None:
        page = robot.get(f"{book}/snapshots", limit=2).json()
        rest = robot.get(f"{book}/snapshots", cursor=page["next_cursor"]).json()
        assert [item["number"] for item in page["items"] + rest["items"]] == [3, 2, 1]
        assert rest["next_cursor"] == ""
        newest = page["items"][0]
        assert (newest["cause"], newest["actor"]["name"]) == ("outside", "Setup")
        assert robot.get(f"{book}/snapshots/3").json() == newest
        [first] = robot.get(f"{book}/snapshots", cause="import").json()["items"]
        assert first["number"] == 1
        assert robot.get(f"{book}/snapshots", marked="true").json()["items"] == []
        assert code_of(robot.get(f"{book}/snapshots/4")) == "404 not_found"
        assert code_of(robot.get(f"{book}/snapshots", cursor="x")) == "400 cursor_invalid"

    def test_sends_the_bytes_that_the_digest_names(self, robot: Robot, book: str) -> None:
        answer = robot.get(f"{book}/snapshots/1/content")
        for number in (1, 2, 3):
            answer = robot.get(f"{book}/snapshots/{number}/content")
            digest = robot.get(f"{book}/snapshots/{number}").json()["digest"]
            assert hashlib.sha256(answer.content).hexdigest() == digest
            assert answer["ETag"] == f'"{digest}"'
        assert b'"amount":1.0' in answer.content

    def test_sends_nothing_to_whoever_has_it(self, robot: Robot, book: str) -> None:
        place = f"{book}/snapshots/1/content"
        tag = robot.get(place)["ETag"]
        for sent in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            answer = robot.get(place, headers={"If-None-Match": sent})
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer["ETag"] == tag
        assert robot.get(place, headers={"If-None-Match": '"x"'}).status_code == 200

    def test_sends_a_part_by_its_path(self, robot: Robot, book: str) -> None:
        place = f"{book}/snapshots/3/content"
        assert robot.get(place, path="/payments/0/amount").content == b"1.0"
        assert robot.get(place, path="").content == robot.get(place).content
        assert code_of(robot.get(place, path="/nothing")) == "404 not_found"
        assert code_of(robot.get(place, path="nothing")) == "400 path_invalid"

    def test_says_that_content_was_let_go(self, cast: Cast, robot: Robot, book: str) -> None:
        Snapshot.objects.filter(state=cast.book.state_id, number=1).update(data=None)
        assert code_of(robot.get(f"{book}/snapshots/1/content")) == "410 snapshot_thinned"
        assert code_of(robot.get(f"{book}/compare", a=1, b=2)) == "410 snapshot_thinned"
        shown = robot.get(f"{book}/snapshots/1").json()
        assert (shown["is_let_go"], shown["digest"]) == (True, cast.book.digest)


class TestComparing:
    """What turns one version into another."""

    def test_compares_numbers_names_and_else_the_last_change(
        self, cast: Cast, robot: Robot, book: str
    ) -> None:
        marking.name(
            actor=cast.ana,
            state_id=cast.book.state_id,
            number=1,
            called="start",
            reason="",
            now=now(),
        )
        found = robot.get(f"{book}/compare", a="start", b=2).json()
        assert found["changes"] == [
            {"op": "replace", "path": "/balance", "old": 1000, "value": 900}
        ]
        assert (found["from_number"], found["to_number"]) == (1, 2)
        last = robot.get(f"{book}/compare").json()
        assert [change["path"] for change in last["changes"]] == ["/payments/0"]
        assert code_of(robot.get(f"{book}/compare", a="end")) == "400 snapshot_number_invalid"
        assert code_of(robot.get(f"{book}/compare", a=1, b=9)) == "404 not_found"

    @pytest.mark.parametrize("way", ["query", "header"])
    def test_writes_a_json_patch(self, robot: Robot, book: str, way: str) -> None:
        media = "application/json-patch+json"
        query = {"format": "json-patch"} if way == "query" else {}
        headers = {"Accept": media} if way == "header" else {}
        answer = robot.get(f"{book}/compare", headers=headers, a="1", b="3", **query)
        assert answer["Content-Type"] == media
        new = robot.get(f"{book}/snapshots/3/content").content
        assert content_bytes(patched(opening(), json.loads(answer.content))) == new


class TestBlaming:
    """When a value changed, and by whom."""

    def test_tells_before_after_and_who(self, robot: Robot, book: str) -> None:
        items = robot.get(f"{book}/blame", path="/balance").json()["items"]
        assert [(i["snapshot"]["number"], i.get("before"), i["after"]) for i in items] == [
            (2, 1000, 900),
            (1, None, 1000),
        ]
        assert [item["was"] for item in items] == ["value", "nothing"]
        assert items[0]["snapshot"]["actor"]["name"] == "Setup"

    def test_names_items_by_their_key_and_continues(
        self, cast: Cast, robot: Robot, book: str
    ) -> None:
        cast.move_world(Change("replace", "/payments/0/amount", 1.0, 1))
        first = robot.get(f"{book}/blame", path="/payments/0/amount", limit=1).json()
        assert first["place"] == "/payments/[p1]/amount"
        rest = robot.get(f"{book}/blame", path=first["place"], cursor=first["next_cursor"]).json()
        numbers = [item["snapshot"]["number"] for item in first["items"] + rest["items"]]
        assert (numbers, rest["next_cursor"]) == ([4, 3], "")

    def test_keeps_long_values_out(self, cast: Cast, robot: Robot, book: str) -> None:
        cast.move_world(Change("add", "/long", value="x" * 20_000))
        [item] = robot.get(f"{book}/blame", path="/long").json()["items"]
        assert (item["was"], item["became"], item["after"]) == ("nothing", "large", None)

    @pytest.mark.parametrize("path", ["x", "/~2", "~"])
    def test_refuses_what_is_no_path(self, robot: Robot, book: str, path: str) -> None:
        assert code_of(robot.get(f"{book}/blame", path=path)) == "400 path_invalid"


class TestBringingIn:
    """A document or a bundle becomes a State that was not there."""

    def test_makes_a_state_of_a_document(self, robot: Robot) -> None:
        body = {"key": "ledger/new", "document": {"a": 1.0}, "list_keys": {"/l": "nr"}}
        digest = hashlib.sha256(b'{"a":1.0}').hexdigest()
        wrong = robot.post(STATES, {**body, "digest": "0" * 64})
        assert code_of(wrong) == "422 digest_differs"
        answer = robot.post(STATES, {**body, "digest": digest})
        assert (answer.status_code, answer.json()["digest"]) == (201, digest)
        again = robot.post(STATES, body)
        assert code_of(again) == "409 state_exists"
        assert "merge patch" in again.json()["detail"]

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"key": "/a"}, "422 key_unusable"),
            ({"list_keys": {"x": "id"}}, "422 invalid"),
            ({"kind": "secret"}, "422 invalid"),
            ({"digest": "abc"}, "422 invalid"),
            ({"admin": True}, "422 invalid"),
        ],
    )
    def test_refuses_what_cannot_be(self, robot: Robot, more: dict[str, Any], code: str) -> None:
        answer = robot.post(STATES, {"key": "new", "document": {}, **more})
        assert code_of(answer) == code
        assert not State.objects.filter(key="new").exists()

    def test_takes_in_what_it_sent_out(self, robot: Robot, book: str) -> None:
        sent = robot.get(f"{book}/export")
        bundle = b"".join(sent.streaming_content)
        assert sent["Content-Type"] == "application/x-ndjson"
        place = f"{STATES}/import?key=copy&reason=moving"
        answer = robot.post(place, bundle, content_type="application/octet-stream")
        assert answer.status_code == 201, answer.content
        copy = f"{STATES}/{answer.json()['id']}"
        for number in (1, 2, 3):
            mine, theirs = (
                robot.get(f"{state}/snapshots/{number}/content").content for state in (book, copy)
            )
            assert mine == theirs

    @pytest.mark.parametrize(
        "body",
        [b"", b"\n", b"{}", b"null\n{}", b"\x00", b"\xff\xfe", b"[" * 9999, b'{"a":1,"a":1}\n'],
        ids=repr,
    )
    def test_refuses_what_is_no_bundle(self, robot: Robot, body: bytes) -> None:
        answer = robot.post(f"{STATES}/import", body, content_type="application/octet-stream")
        assert code_of(answer) == "422 bundle_invalid"

    def test_reads_no_more_than_it_says(self, robot: Robot) -> None:
        body = b"x" * (REQUEST_LIMITS.max_bytes + 1)
        answer = robot.post(f"{STATES}/import", body, content_type="application/octet-stream")
        assert code_of(answer) == "413 body_too_large"


class TestMarks:
    """Programs name and pin; people alone hold."""

    def test_name_and_pin_and_take_off(self, cast: Cast, robot: Robot, book: str) -> None:
        name = robot.post(f"{book}/marks", {"kind": "name", "number": 2, "name": "baseline"})
        pin = robot.post(f"{book}/marks", {"kind": "pin", "number": 2, "reason": "audit"})
        assert (name.status_code, pin.status_code) == (201, 201)
        again = robot.post(f"{book}/marks", {"kind": "pin", "number": 2})
        assert again.json()["id"] == pin.json()["id"]
        shown = robot.get(f"{book}/snapshots/2").json()
        assert (shown["names"], shown["is_pinned"]) == (["baseline"], True)
        [marked] = robot.get(f"{book}/snapshots", marked="true").json()["items"]
        assert marked["number"] == 2
        taken = robot.post(f"{book}/marks", {"kind": "name", "number": 1, "name": "baseline"})
        assert code_of(taken) == "409 name_taken"
        place = f"{book}/marks/{name.json()['id']}"
        for _ in range(2):
            gone = robot.delete(f"{place}?reason=done")
            assert gone.status_code == 200
            assert gone.json()["removed_at"]
        assert [mark["kind"] for mark in robot.get(f"{book}/marks").json()["items"]] == ["pin"]
        verbs = [verb for verb in cast.said(f"state:{cast.book.state_id}") if "snapshot" in verb]
        assert verbs == ["snapshot.named", "snapshot.pinned", "snapshot.unnamed"]

    def test_a_hold_is_for_people(self, cast: Cast, robot: Robot, book: str) -> None:
        answer = robot.post(f"{book}/marks", {"kind": "hold", "number": 1})
        assert code_of(answer) == "422 invalid"
        held = marking.hold(
            actor=cast.ada, state_id=cast.book.state_id, number=1, reason="case", now=now()
        )
        gone = robot.delete(f"{book}/marks/{held.id}")
        assert code_of(gone) == "404 not_found"
        assert Mark.objects.get().removed_at is None

    def test_reading_is_not_writing(self, cast: Cast, book: str) -> None:
        reader = robot_of(cast, cast.eve, "states:read")
        assert reader.get(f"{book}/marks").status_code == 200
        answer = reader.post(f"{book}/marks", {"kind": "pin", "number": 1})
        assert code_of(answer) == "403 scope_missing"
        writer = robot_of(cast, cast.eve, "states:write")
        assert code_of(writer.get(book)) == "403 scope_missing"
