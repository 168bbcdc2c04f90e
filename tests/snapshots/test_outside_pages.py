"""The page and the API of the outside record that a State mirrors."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from console.access.operations.keying import make_token
from snapshots import queries
from snapshots.models import Snapshot, State
from snapshots.operations import reading
from snapshots.queries import readings
from tests.house import House, now

HOSTILE = "<script>alert(1)</script>"


def page(browser: Client, address: str, status: int = 200, **posted: str) -> str:
    """Return the main part of a page, with single spaces."""
    answer = browser.post(address, posted) if posted else browser.get(address)
    assert answer.status_code == status, answer.content.decode()
    html = answer.content.decode()
    return " ".join(html.partition("<main")[2].partition("</main>")[0].split())


def words(html: str) -> str:
    """Return what a reader reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def report(house: House, **vendor: object) -> None:
    """Let the outside record say the same as the State, but for one vendor."""
    known: Any = queries.content(house.book.state_id, 1)
    document = {**known, "V-1": {**known["V-1"], **vendor}}
    reading.report(actor=house.setup, state_id=house.book.state_id, document=document, now=now())


@pytest.fixture
def address(house: House) -> str:
    """Where the page is."""
    return house.url("states", house.book.state_id, "outside")


def form(html: str) -> dict[str, str]:
    """Return what the hidden fields of the form to take in hold."""
    return dict(re.findall(r'name="(number|digest)" value="([^"]+)"', html))


class TestPage:
    """The State and the outside record stand side by side."""

    def test_teaches_how_to_report_when_nothing_was(self, house: House, address: str) -> None:
        html = page(house.client("cleo"), address)
        assert "Nothing was reported yet" in html
        assert f"/api/v1/states/{house.book.state_id}/outside" in html
        assert "Authorization: Bearer $TOKEN" in html
        assert "<form" not in html

    def test_shows_what_differs_with_both_sides_named(self, house: House, address: str) -> None:
        report(house, terms_days=HOSTILE, note=house.book.key)
        html = page(house.client("cleo"), address)
        said = words(html)
        assert "2 values differ Field The State Outside From the State to outside" in said
        assert "terms_days /V-1/terms_days 30 &quot;&lt;script&gt;" in said
        assert HOSTILE not in html
        assert "Taking these in is for people with the right to decide" in said

    def test_says_that_both_say_the_same(self, house: House, address: str) -> None:
        report(house)
        html = page(house.client("ada"), address)
        assert "Both say the same" in html
        assert "Take in" not in html

    def test_takes_in_what_was_seen_with_a_reason(self, house: House, address: str) -> None:
        report(house, note="Changed in the ERP.")
        browser = house.client("ada")
        seen = form(page(browser, address))
        answer = browser.post(f"{address}take-in/", {**seen, "reason": "ERP edit"}, follow=True)
        assert "Taken in as snapshot 2." in answer.content.decode()
        row = Snapshot.objects.get(state=house.book.state_id, number=2)
        assert (row.cause, row.reason, row.actor["name"]) == ("outside", "ERP edit", "Ada")
        again = browser.post(f"{address}take-in/", {**seen, "reason": "ERP edit"}, follow=True)
        assert "Taken in as snapshot 2." in again.content.decode()

    def test_keeps_the_reason_when_the_world_has_moved(self, house: House, address: str) -> None:
        report(house, note="Changed in the ERP.")
        browser = house.client("ana")
        seen = form(page(browser, address))
        house.move_the_world()
        html = page(browser, f"{address}take-in/", 412, **seen, reason="ERP edit")
        assert "The State has a newer snapshot" in html
        assert "Nothing was changed." in html
        assert 'name="reason" value="ERP edit"' in html
        assert form(html)["number"] == "2"

    def test_leaves_what_somebody_reported_to_somebody_else(
        self, house: House, address: str
    ) -> None:
        reading.report(
            actor=house.actor("ada"), state_id=house.book.state_id, document={}, now=now()
        )
        browser, sentence = house.client("ada"), "You or your token reported this reading"
        html = page(browser, address)
        assert sentence in html
        assert "take-in-title" not in html
        seen = form(page(house.client("ana"), address))
        assert sentence in page(browser, f"{address}take-in/", 403, **seen, reason="mine")
        assert queries.head(house.workspace.id, house.book.state_id).number == 1

    @pytest.mark.parametrize(
        ("typed", "status"),
        [
            ({"reason": ""}, 422),
            ({"digest": "0" * 64}, 409),
            ({"number": "x"}, 412),
            ({"reason": "a\0b"}, 422),
        ],
    )
    def test_refuses_what_was_not_seen_or_not_explained(
        self, house: House, address: str, typed: dict[str, str], status: int
    ) -> None:
        report(house, note="Changed in the ERP.")
        browser = house.client("ada")
        asked = {**form(page(browser, address)), "reason": "ERP edit", **typed}
        page(browser, f"{address}take-in/", status, **asked)
        assert queries.head(house.workspace.id, house.book.state_id).number == 1

    def test_sets_what_is_mirrored_and_reads_it(
        self, house: House, address: str, settings: Settings, tmp_path: Path
    ) -> None:
        settings.MIRROR_FOLDER = str(tmp_path)
        (tmp_path / "vendors.json").write_text('{"V-1": {"name": "Nordlicht GmbH"}}')
        browser = house.client("ada")
        browser.post(f"{address}mirror/", {"mirrors": " file:vendors.json "})
        html = page(browser, address)
        assert "Not read yet" in html
        assert "curl" not in html
        answer = browser.post(f"{address}read/", follow=True)
        assert "The outside record was read." in answer.content.decode()
        assert "9 values differ" in page(browser, address)

    def test_says_in_words_why_a_source_cannot_be_read(self, house: House, address: str) -> None:
        browser = house.client("ada")
        html = page(browser, f"{address}mirror/", 422, mirrors="ftp:somewhere")
        assert "There is no source &#x27;ftp&#x27;" in html
        browser.post(f"{address}mirror/", {"mirrors": "file:x.json"})
        answer = browser.post(f"{address}read/")
        assert answer.status_code == 422
        assert "MIRROR_FOLDER" in answer.content.decode()

    @pytest.mark.parametrize(
        ("name", "act"),
        [
            ("ana", "read"),
            ("ana", "mirror"),
            ("cleo", "read"),
            ("cleo", "mirror"),
            ("cleo", "take-in"),
            ("eve", "take-in"),
        ],
    )
    def test_changes_nothing_for_people_without_the_right(
        self, house: House, address: str, act: str, name: str
    ) -> None:
        answer = house.client(name).post(f"{address}{act}/", {"mirrors": "pushed"})
        assert answer.status_code == 403
        assert State.objects.get(id=house.book.state_id).mirrors == ""

    def test_turns_pages_of_many_differences(
        self, house: House, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("snapshots.showing.outside.CHANGES_AT_ONCE", 2)
        report(house, a=1, b=2, c=3)
        browser = house.client("cleo")
        html = page(browser, address)
        assert html.count("diff__path") == 2
        assert f'href="{address}?start=2"' in html
        assert page(browser, f"{address}?start=2").count("diff__path") == 1

    def test_costs_the_same_for_one_difference_and_for_nine(
        self, house: House, address: str
    ) -> None:
        browser = house.client("ada")
        costs = []
        for count in (1, 9):
            report(house, **{f"k{n}": n for n in range(count)})
            with CaptureQueriesContext(connection) as seen:
                page(browser, address)
            costs.append(len(seen))
        assert costs[0] == costs[1]

    def test_is_not_there_for_another_workspace(self, house: House, elsewhere: House) -> None:
        browser, mine = elsewhere.client("zoe"), house.book.state_id
        there = elsewhere.url("states", mine, "outside")
        page(browser, there, 404)
        for act in ("read", "take-in", "mirror"):
            answer = browser.post(
                f"{there}{act}/", {"mirrors": "pushed", "reason": "r", "number": 1, "digest": ""}
            )
            assert answer.status_code == 404

    def test_is_linked_from_the_state(self, house: House, address: str) -> None:
        html = page(house.client("cleo"), house.url("states", house.book.state_id))
        assert f'href="{address}"' in html


class Program:
    """A program of Eve's with a token."""

    def __init__(self, house: House, state_id: UUID, *scopes: str) -> None:
        """Make the token."""
        actor, lifetime = house.actor("eve"), timedelta(days=1)
        made = make_token(
            actor=actor, name="erp", scopes=list(scopes), lifetime=lifetime, now=now()
        )
        self.headers = {"Authorization": f"Bearer {made[1]}"}
        self.path = f"/api/v1/states/{state_id}/outside"

    def put(self, body: object) -> Any:
        """Report."""
        text = json.dumps(body)
        return Client().put(self.path, text, content_type="application/json", headers=self.headers)

    def get(self) -> Any:
        """Look."""
        return Client().get(self.path, headers=self.headers)


class TestApi:
    """A program reports what the outside record says and sees what differs."""

    def test_reports_and_looks(self, house: House) -> None:
        program = Program(house, house.book.state_id, "states:read", "states:write")
        assert program.get().json() == {
            "mirrors": "",
            "snapshot": 1,
            "digest": house.book.digest,
            "reading": None,
            "differing": None,
            "changes": [],
        }
        known: Any = queries.content(house.book.state_id, 1)
        known["V-2"]["terms_days"] = 14
        answer = program.put({"document": known})
        assert answer.status_code == 200, answer.content
        said = answer.json()
        assert said == program.get().json()
        assert (said["mirrors"], said["snapshot"], said["differing"]) == ("pushed", 1, 1)
        assert said["changes"] == [
            {"op": "replace", "path": "/V-2/terms_days", "old": 30, "value": 14}
        ]
        kept = readings.newest(house.workspace.id, house.book.state_id)
        assert kept is not None
        assert said["reading"]["digest"] == kept.digest
        assert kept.actor["name"] == "erp"

    def test_asks_for_the_scope_and_the_document(self, house: House) -> None:
        reader = Program(house, house.book.state_id, "states:read")
        assert reader.put({"document": 1}).status_code == 403
        writer = Program(house, house.book.state_id, "states:write")
        assert writer.get().status_code == 403
        assert writer.put({}).status_code == 422
        assert writer.put({"document": 1, "more": 2}).status_code == 422
        assert readings.newest(house.workspace.id, house.book.state_id) is None

    def test_knows_nothing_of_another_workspace(self, house: House, elsewhere: House) -> None:
        program = Program(elsewhere, house.book.state_id, "states:read", "states:write")
        assert program.get().status_code == 404
        assert program.put({"document": 1}).status_code == 404
