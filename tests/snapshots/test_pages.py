"""The pages of States: which there are, what changed, who did it, what stood there."""

import hashlib
import re
from itertools import count
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.canonical import Json
from snapshots import content as contents
from snapshots import queries
from snapshots.diff import Change, diff
from snapshots.models import Mark, Snapshot
from snapshots.operations.creating import create_state
from snapshots.operations.observing import observe
from snapshots.showing import differences, history, states, tree
from snapshots.showing.tree import Node
from tests.house import House, now

HOSTILE = '<img src=x onerror="alert(1)">'
_causes = count(1)


def create(house: House, key: str, document: Json) -> UUID:
    """Bring a document under version control."""
    head = create_state(actor=house.setup, key=key, document=document, reason="start", now=now())
    return head.state_id


def change(house: House, state_id: UUID, *changes: Change) -> None:
    """Let something happen outside."""
    observe(
        actor=house.setup,
        state_id=state_id,
        changes=list(changes),
        cause_id=f"page-{next(_causes)}",
        reason="nightly import",
        now=now(),
    )


def page(browser: Client, address: str, status: int = 200, **more: Any) -> str:
    """Return the main part of a page, or the whole of a fragment, with single spaces."""
    answer = browser.get(address, **more)
    assert answer.status_code == status, answer.content.decode()
    html = answer.content.decode()
    return " ".join((html.partition("<main")[2].partition("</main>")[0] or html).split())


def words(html: str) -> str:
    """Return what a reader reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def let_go(state_id: UUID, number: int) -> None:
    """Let a snapshot's content go, as retention does."""
    Snapshot.objects.filter(state=state_id, number=number).update(data=None)


def queries_of(browser: Client, address: str) -> int:
    """Return how many statements a page costs."""
    with CaptureQueriesContext(connection) as seen:
        page(browser, address)
    return len(seen)


class TestStates:
    """The list of States reads like a tree."""

    def test_shows_keys_in_order_with_their_last_part_in_bold(self, house: House) -> None:
        for key in ("ledger/acme/agents/clerk", "ledger/acme", "care"):
            create(house, key, {"n": 1})
        html = page(house.client("cleo"), house.url("states"))
        places = [html.index(f"<b>{name}</b>") for name in ("care", "acme", "clerk", "vendors")]
        assert places == sorted(places)
        assert '<span class="muted">ledger/acme/agents/</span><b>clerk</b>' in html

    def test_teaches_when_there_is_none(self, house: House) -> None:
        empty = House.build("bare", {"ana": "reviewer"})
        other = empty.url("states") + "?q=nothing"
        assert "No State begins so" in page(empty.client("ana"), other)

    @pytest.mark.parametrize(
        ("prefix", "found"),
        [("led", ["ledger/a", "ledger/b%"]), ("ledger/b%", ["ledger/b%"]), ("Led", []), ("_", [])],
    )
    def test_searches_by_the_beginning_of_a_key(
        self, house: House, prefix: str, found: list[str]
    ) -> None:
        for key in ("ledger/a", "ledger/b%"):
            create(house, key, 1)
        shown = states.state_list(house.workspace, prefix=prefix)
        assert [row.state.key for row in shown["rows"]] == found

    def test_takes_any_text_as_a_prefix(self, house: House) -> None:
        for text in ("\x00", "\ud800", "'; --", "x" * 5000, "%", HOSTILE):
            asked = quote(text.encode("utf-8", "surrogatepass"))
            html = page(house.client("ana"), f"{house.url('states')}?q={asked}")
            assert HOSTILE not in html

    def test_turns_pages_without_losing_or_doubling_a_state(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(states, "PAGE_SIZE", 2)
        for number in range(4):
            create(house, f"task/{number} &?", number)
        browser, address, seen = house.client("ana"), house.url("states"), []
        while address:
            html = page(browser, address)
            seen += re.findall(r"<b>([^<]+)</b>", html)
            found = re.search(r'href="([^"]+)" rel="next"', html)
            address = found[1].replace("&amp;", "&") if found else ""
        assert seen == ["policies", *(f"{number} &amp;?" for number in range(4)), "vendors"]

    def test_costs_the_same_for_one_state_and_for_nine(self, house: House) -> None:
        browser = house.client("ana")
        few = queries_of(browser, house.url("states"))
        for number in range(8):
            create(house, f"task/{number}", number)
        assert queries_of(browser, house.url("states")) == few


class TestHistory:
    """A State's history tells what changed and who did it."""

    def test_names_cause_person_and_size_newest_first(self, house: House) -> None:
        house.move_the_world()
        proposal = house.propose("set_note")
        house.decide("ana", proposal)
        html = page(house.client("cleo"), house.url("states", house.book.state_id))
        said = words(html)
        first, second, third = (said.index(f"Snapshot {n}") for n in (3, 2, 1))
        assert first < second < third
        assert "Snapshot 3 : after an approved proposal Ana" in said
        assert f'href="/w/acme/proposals/{proposal}/"' in html
        assert "Snapshot 2 : changed outside Setup: “import”" in said
        assert "Snapshot 1 : imported Setup: “opening” the first version" in said
        assert "Now at snapshot 3" in said
        assert f'href="/w/acme/states/{house.book.state_id}/compare/?a=2&amp;b=3"' in html

    def test_lets_any_two_be_marked_for_comparison(self, house: House) -> None:
        house.move_the_world()
        html = page(house.client("cleo"), house.url("states", house.book.state_id))
        for side in "ab":
            for number in (1, 2):
                assert f'form="compare" name="{side}" value="{number}" required' in html

    def test_turns_pages(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(history, "PAGE_SIZE", 2)
        for _ in range(4):
            house.move_the_world()
        browser, seen = house.client("ana"), []
        address = house.url("states", house.book.state_id)
        while address:
            html = page(browser, address)
            seen += re.findall(r'id="snapshot-(\d)"', html)
            found = re.search(r'href="([^"]+)" rel="next"', html)
            address = found[1].replace("&amp;", "&") if found else ""
        assert seen == ["5", "4", "3", "2", "1"]
        page(browser, house.url("states", house.book.state_id) + "?cursor=x", status=400)

    def test_costs_the_same_for_one_snapshot_and_for_nine(self, house: House) -> None:
        browser, address = house.client("ana"), house.url("states", house.book.state_id)
        few = queries_of(browser, address)
        for _ in range(8):
            house.move_the_world()
        assert queries_of(browser, address) == few


class TestAValue:
    """The history of one value: when it changed, from what to what, and by whom."""

    def test_shows_each_change_with_before_and_after(self, house: House) -> None:
        house.move_the_world()
        proposal = house.propose("set_note", note="Second")
        house.decide("ana", proposal)
        browser, address = house.client("cleo"), house.url("states", house.book.state_id)
        said = words(page(browser, address + "?path=/V-1/note"))
        assert "When /V-1/note changed, and who did it" in said
        newest, first = said.index("Snapshot 3"), said.index("Snapshot 1")
        assert newest < first
        assert "Snapshot 2" not in said
        assert "&quot;Called back on 3 March.&quot; &quot;Second&quot; changed" in said
        assert "not set &quot;Called back on 3 March.&quot; added" in said
        assert f'href="/w/acme/proposals/{proposal}/"' in page(browser, address + "?path=/V-1/note")

    def test_shows_what_changed_inside_a_container(self, house: House) -> None:
        state_id = create(house, "wide", {"a": {str(n): n for n in range(9)}})
        change(house, state_id, *(Change("replace", f"/a/{n}", n, -n) for n in range(1, 9)))
        html = page(house.client("ana"), house.url("states", state_id) + "?path=/a")
        assert html.count("diff__path") == 5 + 1
        assert "8 values in it changed; the first 5 are shown" in words(html)

    def test_turns_pages_by_number(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(history, "CHANGES_OF_A_VALUE", 2)
        state_id = create(house, "n", {"n": 0})
        for n in range(1, 6):
            change(house, state_id, Change("replace", "/n", n - 1, n))
        browser, seen = house.client("ana"), []
        address = house.url("states", state_id) + "?path=/n"
        while address:
            html = page(browser, address)
            seen += re.findall(r'id="snapshot-(\d)"', html)
            found = re.search(r'href="([^"]+)" rel="next"', html)
            address = found[1].replace("&amp;", "&") if found else ""
        assert seen == ["6", "5", "4", "3", "2", "1"]

    def test_teaches_how_a_path_is_written(self, house: House) -> None:
        browser, address = house.client("ana"), house.url("states", house.book.state_id)
        html = page(browser, f"{address}?path={quote('/no/' + HOSTILE)}")
        assert "Nothing ever stood there" in html
        assert HOSTILE not in html
        for bad in ("no", "/~2", "~"):
            assert "path" in page(browser, f"{address}?path={bad}", status=400)

    def test_says_where_the_content_is_gone(self, house: House) -> None:
        state_id = create(house, "n", {"n": 0})
        for n in range(1, 4):
            change(house, state_id, Change("replace", "/n", n - 1, n))
        let_go(state_id, 2)
        said = words(page(house.client("ana"), house.url("states", state_id) + "?path=/n"))
        assert said.count("It may have changed here") == 2
        assert "2 3 changed" in said

    def test_costs_the_same_for_few_and_many_other_changes(self, house: House) -> None:
        browser = house.client("ana")
        address = house.url("states", house.book.state_id) + "?path=/V-1/note"
        few = queries_of(browser, address)
        for _ in range(8):
            house.move_the_world()
        assert queries_of(browser, address) == few


class TestMarking:
    """Names, pins and holds are put on and taken off where the snapshot is seen."""

    def put(self, house: House, who: str, *parts: object, status: int = 302, **form: Any) -> Any:
        """Send a form of the State's pages."""
        browser = house.client(who)
        answer = browser.post(house.url("states", house.book.state_id, *parts), form)
        assert answer.status_code == status, answer.content.decode()
        return answer

    def test_names_a_snapshot_which_then_is_seen_everywhere(self, house: House) -> None:
        house.move_the_world()
        answer = self.put(house, "ana", "snapshots", 1, "marks", kind="name", name=HOSTILE[:80])
        assert answer["Location"] == house.url("states", house.book.state_id, "snapshots", 1)
        browser = house.client("cleo")
        for parts in ((), ("snapshots", 1)):
            html = page(browser, house.url("states", house.book.state_id, *parts))
            assert HOSTILE[:20] not in html
            assert "&lt;img src=x" in html
        address = house.url("states", house.book.state_id, "compare")
        html = page(browser, f"{address}?a={quote(HOSTILE[:80])}&b=2")
        assert "From snapshot 1 to 2" in html

    def test_shows_only_what_is_marked_or_of_one_cause(self, house: House) -> None:
        for _ in range(3):
            house.move_the_world()
        self.put(house, "ana", "snapshots", 2, "marks", kind="pin")
        browser, address = house.client("ana"), house.url("states", house.book.state_id)
        numbers = r'id="snapshot-(\d)"'
        assert re.findall(numbers, page(browser, address + "?marked=1")) == ["2"]
        assert re.findall(numbers, page(browser, address + "?cause=import")) == ["1"]
        assert re.findall(numbers, page(browser, address + "?cause=outside")) == ["4", "3", "2"]
        assert "No snapshot is like this" in page(browser, address + "?cause=sweep")
        assert len(re.findall(numbers, page(browser, address + "?cause=nonsense"))) == 4

    def test_answers_htmx_with_the_marks_and_a_toast(self, house: House) -> None:
        browser = house.client("ana")
        address = house.url("states", house.book.state_id, "snapshots", 1, "marks")
        answer = browser.post(
            address, {"kind": "name", "name": "baseline"}, headers={"HX-Request": "true"}
        )
        html = answer.content.decode()
        assert html.strip().startswith('<div id="marks-1"')
        assert "<b>baseline</b>" in html
        assert '<hx-partial hx-target="#toasts"' in html
        loaded = page(browser, address, headers={"HX-Request": "true"})
        assert "<b>baseline</b>" in loaded
        assert "hx-partial" not in loaded

    def test_takes_a_name_off(self, house: House) -> None:
        self.put(house, "ana", "snapshots", 1, "marks", kind="name", name="baseline")
        mark = Mark.objects.get()
        self.put(house, "ben", "marks", mark.id, "remove", reason="renamed")
        assert "baseline" not in page(
            house.client("ana"), house.url("states", house.book.state_id, "snapshots", 1)
        )

    def test_says_which_snapshot_has_the_name(self, house: House) -> None:
        house.move_the_world()
        self.put(house, "ana", "snapshots", 1, "marks", kind="name", name="baseline")
        answer = self.put(
            house, "ana", "snapshots", 2, "marks", kind="name", name="baseline", status=409
        )
        assert "Snapshot 1 is called &#x27;baseline&#x27;" in answer.content.decode()

    def test_holds_the_whole_state_with_a_reason(self, house: House) -> None:
        self.put(house, "cleo", "holds", status=422)
        self.put(house, "cleo", "holds", reason="case 7")
        html = page(house.client("ben"), house.url("states", house.book.state_id))
        assert "The whole State is under a legal hold" in html
        assert "“case 7”" in html
        assert "Lift…" not in html
        mark = Mark.objects.get()
        self.put(house, "ada", "holds", mark.id, "lift", status=422)
        self.put(house, "ada", "holds", mark.id, "lift", reason="closed")
        assert "legal hold:" not in page(
            house.client("ben"), house.url("states", house.book.state_id)
        )

    @pytest.mark.parametrize(
        ("who", "may_mark", "may_hold"),
        [
            ("ana", True, False),
            ("eve", True, False),
            ("cleo", True, True),
            ("ada", True, True),
        ],
    )
    def test_offers_only_what_one_may(
        self, house: House, who: str, *, may_mark: bool, may_hold: bool
    ) -> None:
        address = house.url("states", house.book.state_id)
        html = page(house.client(who), address)
        assert ("Mark…" in html) is may_mark
        assert ("Legal hold…" in html) is may_hold
        if not may_hold:
            self.put(house, who, "holds", reason="because", status=403)
            assert not Mark.objects.exists()

    def test_a_pin_is_no_hold_and_a_hold_is_no_pin(self, house: House) -> None:
        self.put(house, "ada", "holds", reason="case 7", number=1)
        mark = Mark.objects.get()
        self.put(house, "ana", "marks", mark.id, "remove", reason="sneaky", status=404)
        assert Mark.objects.get().removed_at is None


class TestTheFile:
    """A whole State leaves as one file."""

    def test_is_sent_line_by_line_with_its_seal(self, house: House) -> None:
        house.move_the_world()
        answer: Any = house.client("ana").get(house.url("states", house.book.state_id, "file"))
        lines = b"".join(answer.streaming_content).splitlines(keepends=True)
        assert answer["Content-Disposition"] == 'attachment; filename="vendors.jsonl"'
        assert len(lines) == 1 + 2 + 1
        seal = hashlib.sha256(b"".join(lines[:-1])).hexdigest()
        assert lines[-1] == f'{{"sha256":"{seal}"}}\n'.encode()


class TestComparing:
    """Any two snapshots of a State are compared, to the letter."""

    def test_shows_values_as_they_were_written(self, house: House) -> None:
        state_id = create(house, "n", {"rate": 1.0, "gone": None, "text": "7"})
        change(
            house,
            state_id,
            Change("replace", "/rate", 1.0, 1),
            Change("remove", "/gone", None),
            Change("replace", "/text", "7", HOSTILE),
        )
        html = page(house.client("ana"), house.url("states", state_id, "compare") + "?a=1&b=2")
        said = words(html)
        assert "3 values differ" in said
        assert "gone /gone null removed removed" in said
        assert "rate /rate 1.0 1 changed" in said
        assert HOSTILE not in html
        assert "text /text &quot;7&quot; &quot;&lt;img src=x" in said

    def test_shows_the_last_change_when_nothing_else_is_asked(self, house: House) -> None:
        house.move_the_world()
        house.move_the_world()
        browser = house.client("ana")
        html = page(browser, house.url("states", house.book.state_id, "compare"))
        assert "From snapshot 2 to 3" in html

    def test_swaps_the_sides(self, house: House) -> None:
        house.move_the_world()
        address = house.url("states", house.book.state_id, "compare")
        browser = house.client("ana")
        html = page(browser, address + "?a=1&b=2")
        assert f'href="{address}?a=2&amp;b=1"' in html
        assert "added" in words(html)
        assert "removed" in words(page(browser, address + "?a=2&b=1"))

    def test_says_that_two_are_identical(self, house: House) -> None:
        address = house.url("states", house.book.state_id, "compare") + "?a=1&b=1"
        assert "These two are identical" in page(house.client("ana"), address)

    def test_shows_a_move_with_where_it_came_from(self) -> None:
        changes = diff([{"id": 1}, {"id": 2}, {"id": 3}], [{"id": 3}, {"id": 1}, {"id": 2}])
        [row] = differences.table(changes)
        assert row["why"].startswith("moved here from /")
        assert row["before"] == row["after"]

    def test_cuts_what_is_long_and_says_by_how_much(self) -> None:
        [row] = differences.table([Change("add", "/x", value="y" * 5_000)])
        assert row["before"] is None
        assert row["after"][0]["text"].endswith("y … 3,002 more characters")

    def test_begins_with_a_summary_when_there_is_very_much(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(states, "CHANGES_AT_ONCE", 2)
        state_id = create(house, "wide", {"a": {}, "b": 1})
        added = [Change("add", f"/a/{n}", value=n) for n in range(3)]
        change(house, state_id, *added, Change("remove", "/b", 1))
        browser, address = house.client("ana"), house.url("states", state_id, "compare")
        html = page(browser, address)
        assert "a : 3 changes b : 1 change" in words(html)
        assert html.count("diff__path") == 2
        assert "start=2" in html
        assert page(browser, address + "?a=1&b=2&start=2").count("diff__path") == 2

    @pytest.mark.parametrize(
        ("asked", "status"),
        [("a=x", 400), ("a=-1", 400), ("b=%00", 400), ("a=²", 400), ("a=99", 404), ("b=0", 404)],
    )
    def test_refuses_numbers_that_are_none(self, house: House, asked: str, status: int) -> None:
        address = house.url("states", house.book.state_id, "compare")
        page(house.client("ana"), f"{address}?{asked}", status=status)


class TestContent:
    """A snapshot is read as a tree, part by part, and its digest holds."""

    def test_shows_the_document_and_that_it_was_checked(self, house: House) -> None:
        address = house.url("states", house.book.state_id, "snapshots", 1)
        said = words(page(house.client("cleo"), address))
        assert "Content matches its digest" in said
        assert house.book.digest in said
        assert "V-1 object, 6" in said
        assert "iban &quot;DE89370400440532013000&quot;" in said

    def test_never_shows_more_than_a_page_holds(self, house: House) -> None:
        document: Json = {f"k{n:05}": {"x": [n]} for n in range(3_000)}
        state_id = create(house, "large", document)
        browser, address = house.client("ana"), house.url("states", state_id, "snapshots", 1)
        html = page(browser, address)
        assert html.count('<li class="node">') <= tree.NODES_AT_MOST + 1
        assert "2900 of 3000 not shown" in html
        more = page(browser, address + "?at=&start=100", headers={"HX-Request": "true"})
        assert more.startswith('<li class="node">')
        assert "k00100" in more
        assert "k00099" not in more
        assert more.count('<li class="node">') <= tree.NODES_AT_MOST + 1

    def test_opens_a_part_by_its_path(self, house: House) -> None:
        state_id = create(house, "deep", {"a/b": {"~": [10, {"x": HOSTILE}]}})
        browser, address = house.client("ana"), house.url("states", state_id, "snapshots", 1)
        at = quote("/a~1b/~0", safe="")
        part = page(browser, f"{address}?at={at}", headers={"HX-Request": "true"})
        assert part.startswith('<li class="node"><details open>')
        assert HOSTILE not in part
        assert "a/b" in page(browser, f"{address}?at={at}")
        for missing in ("/zzz", "a", "/a~1b/~0/7", "/~2", "%00"):
            page(browser, f"{address}?at={missing}", status=404)

    def test_sends_the_very_bytes_that_the_digest_names(self, house: House) -> None:
        state_id = create(house, 'ä/"\n../x', {"b": 1.0, "a": ["é", None]})
        answer = house.client("ana").get(house.url("states", state_id, "snapshots", 1, "file"))
        assert answer.content == '{"a":["é",null],"b":1.0}'.encode()
        digest = queries.head(house.workspace.id, state_id).digest
        assert hashlib.sha256(answer.content).hexdigest() == digest
        disposition = answer["Content-Disposition"]
        assert disposition == 'attachment; filename="-------x-1.json"'
        assert answer["X-Content-Type-Options"] == "nosniff"

    def test_shows_nothing_that_does_not_match_its_digest(self, house: House) -> None:
        rows = Snapshot.objects.filter(state=house.book.state_id, number=1)
        rows.update(data=contents.pack(b'{"V-1":{"name":"Nordlich7 GmbH"}}'))
        address = house.url("states", house.book.state_id, "snapshots", 1)
        html = page(house.client("ana"), address, status=500)
        assert "does not match its digest" in html
        assert "Nordlich7" not in html

    def test_says_that_content_was_let_go_and_keeps_what_was_said_of_it(self, house: House) -> None:
        house.move_the_world()
        let_go(house.book.state_id, 1)
        browser = house.client("ana")
        said = words(page(browser, house.url("states", house.book.state_id, "snapshots", 1)))
        assert "Content let go" in said
        assert house.book.digest in said
        assert "imported Setup: “opening” the first version" in said
        assert "Download" not in said
        assert "Pin it" not in said
        history = words(page(browser, house.url("states", house.book.state_id)))
        assert history.count("content let go") == 1
        address = house.url("states", house.book.state_id, "compare")
        assert "was let go" in page(browser, address + "?a=1&b=2", status=410)
        page(browser, house.url("states", house.book.state_id, "snapshots", 1, "file"), status=410)

    def test_links_each_value_to_its_history(self, house: House) -> None:
        house.move_the_world()
        browser = house.client("ana")
        html = page(browser, house.url("states", house.book.state_id, "snapshots", 2))
        address = house.url("states", house.book.state_id)
        assert f'href="{address}?path=%2FV-1%2Fiban"' in html
        older = page(browser, house.url("states", house.book.state_id, "snapshots", 1))
        assert "?path=" not in older

    def test_costs_the_same_for_a_small_and_a_large_document(self, house: House) -> None:
        browser = house.client("ana")
        large = create(house, "large", {str(n): n for n in range(900)})
        small = create(house, "small", 1)
        asked = [
            queries_of(browser, house.url("states", state_id, "snapshots", 1))
            for state_id in (small, large)
        ]
        assert asked[0] == asked[1]


def nodes(node: Node) -> int:
    """Count a node and all below it."""
    return 1 + sum(map(nodes, node.children))


@pytest.mark.parametrize("at", ["", "/0", "/0/0"])
def test_a_tree_stays_within_its_bounds(at: str) -> None:
    document: Json = "leaf"
    for _ in range(60):
        document = [document, *range(30)]
    found = tree.tree(document, at)
    assert nodes(found) <= tree.NODES_AT_MOST + 1
    depth, node = 0, found
    while node.children:
        depth, node = depth + 1, node.children[0]
    assert depth <= tree.DEEPEST


def test_a_closed_part_hints_at_what_it_is() -> None:
    [item] = tree.tree([{"amount": "7.00", "id": "R-1", "lines": []}]).children
    assert item.hint == '"R-1", "7.00"'


def test_nobody_sees_states_of_another_workspace(house: House, elsewhere: House) -> None:
    mine = house.book.state_id
    addresses = [
        ("states", mine),
        ("states", mine, "compare"),
        ("states", mine, "snapshots", 1),
        ("states", mine, "snapshots", 1, "file"),
        ("states", mine, "file"),
    ]
    zoe = elsewhere.client("zoe")
    for parts in addresses:
        assert house.client("ana").get(house.url(*parts)).status_code == 200
        assert zoe.get(elsewhere.url(*parts)).status_code == 404
        assert zoe.get(house.url(*parts)).status_code == 404
    assert str(mine) not in page(zoe, elsewhere.url("states"))
    assert Snapshot.objects.filter(state=mine).count() == 1
