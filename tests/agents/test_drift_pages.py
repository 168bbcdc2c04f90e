"""The pages of drift and of memories: how far things are, what a sweep takes, and who may."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents import queries as runs
from agents.drifting import Limits
from agents.models import Agent, Drift, DriftLimit
from agents.operations.limiting import limit
from agents.operations.measuring import measure
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.queries import drift as queries
from agents.showing.charts import Series, chart
from agents.workflows import Context, Workflow, register_workflow
from console.access.operations.keying import make_token
from console.actors import system
from console.canonical import Json
from snapshots import queries as snapshots
from snapshots.diff import Change
from snapshots.models import Mark
from snapshots.operations.creating import create_state
from snapshots.queries import Head
from tests.agents import minds
from tests.house import House, now

HOSTILE = "<script>alert(1)</script>\u202e"
DAY = timedelta(days=1)


def page(browser: Client, address: str, status: int = 200, **more: Any) -> str:
    """Return the main part of a page with single spaces."""
    answer = browser.get(address, **more)
    assert answer.status_code == status, answer.content.decode()
    html = answer.content.decode()
    return " ".join((html.partition("<main")[2].partition("</main>")[0] or html).split())


def words(html: str) -> str:
    """Return what a reader reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def statements(browser: Client, address: str) -> int:
    """Return how many statements a page costs."""
    with CaptureQueriesContext(connection) as seen:
        page(browser, address)
    return len(seen)


def keep(house: House, *notes: dict[str, Any], at: datetime | None = None) -> Head:
    """Let the clerk keep something in mind about the vendors."""
    return minds.keep(house.actor("eve"), house.book, notes, at or now())


def measured(house: House, state_id: Any, at: datetime | None = None) -> None:
    guard = system("drift-guard", house.workspace.id)
    measure(actor=guard, state_id=state_id, now=at or now())


def rows_for(house: House, state_id: Any, count: int) -> Iterator[Drift]:
    for number in range(count):
        yield Drift(
            workspace=house.workspace,
            state_id=state_id,
            number=number + 1,
            document_bytes=1_000 * number,
            measured_at=now() - timedelta(hours=number),
        )


class TestMemory:
    """The page of a memory."""

    def test_tells_every_entry_with_where_it_comes_from_and_what_a_sweep_says(
        self, house: House
    ) -> None:
        head = keep(
            house,
            {"subject": "V-1 account", "value": "DE89", "derived_from": ["/V-1/iban"]},
            {"subject": "V-1 account", "value": "DE90", "confidence": 0.75},
        )
        html = page(house.client("cleo"), house.url("states", head.state_id, "memory"))
        said = words(html)
        assert "Memory of clerk" in said
        assert "about vendors" in said
        assert "It would take 1 entry: 1 superseded." in said
        assert "75 %" in said
        assert "from /V-1/iban" in said
        assert "Superseded An entry of " in said
        run = house.url("runs") + str(next(iter(minds.entries(head).values()))["origin"]["run"])
        assert f"{run}/steps/2/" in html

    def test_shows_what_an_agent_wrote_as_text_and_nothing_else(self, house: House) -> None:
        head = keep(house, {"subject": HOSTILE, "value": {HOSTILE: [HOSTILE] * 9}})
        html = page(house.client("ana"), house.url("states", head.state_id, "memory"))
        assert "<script>" not in html
        assert "&lt;script&gt;alert(1)" in html
        assert "\u202e" not in html

    def test_offers_the_entries_that_would_go_alone(self, house: House) -> None:
        head = keep(house, {"subject": "a"}, {"subject": "b", "value": 1}, {"subject": "b"})
        address = house.url("states", head.state_id, "memory")
        html = page(house.client("ana"), f"{address}?tab=going")
        assert html.count('id="entry-') == 1
        assert "Would be swept 1" in words(html)

    def test_pages_by_the_entry_and_costs_the_same_with_many(self, house: House) -> None:
        head = keep(house, *({"subject": f"s{number}"} for number in range(3)))
        address = house.url("states", head.state_id, "memory")
        few = statements(house.client("ana"), address)
        keep(house, *({"subject": f"t{number:03}"} for number in range(120)))
        browser = house.client("ana")
        page(browser, address)
        assert statements(browser, address) <= few
        html = page(browser, address)
        [older] = re.findall(r'href="([^"]+after=[^"]+)"', html)
        rest = page(browser, older.replace("&amp;", "&"))
        assert (html.count('id="entry-'), rest.count('id="entry-')) == (100, 23)

    def test_begins_anew_where_the_entry_to_go_on_behind_was_swept(self, house: House) -> None:
        head = keep(house, {"subject": "a"})
        address = house.url("states", head.state_id, "memory")
        assert page(house.client("ana"), f"{address}?after=gone").count('id="entry-') == 1

    def test_sweeps_for_those_who_operate_and_says_what_went(self, house: House) -> None:
        head = keep(house, {"subject": "b", "value": 1}, {"subject": "b", "value": 2})
        address = house.url("states", head.state_id, "memory")
        eve = house.client("eve")
        assert "Sweep now" in page(eve, address)
        answer = eve.post(f"{address}sweep/", follow=True)
        assert "Swept 1 entry: 1 superseded. The snapshot before, 3, has them all." in (
            answer.content.decode()
        )
        assert minds.entries(head)["b"]["value"] == 2
        again = eve.post(f"{address}sweep/", follow=True)
        assert "There was nothing to take any more." in again.content.decode()

    @pytest.mark.parametrize("name", ["ana", "cleo"])
    def test_refuses_to_sweep_for_others(self, house: House, name: str) -> None:
        head = keep(house, {"subject": "b"}, {"subject": "b"})
        address = house.url("states", head.state_id, "memory")
        assert "Sweep now" not in page(house.client(name), address)
        assert house.client(name).post(f"{address}sweep/").status_code == 403
        assert snapshots.head(head.workspace_id, head.state_id).number == head.number

    def test_says_that_it_is_held(self, house: House) -> None:
        head = keep(house, {"subject": "b"}, {"subject": "b"})
        Mark.objects.create(
            workspace=house.workspace,
            state_id=head.state_id,
            kind="hold",
            actor={},
            created_at=now(),
        )
        address = house.url("states", head.state_id, "memory")
        html = page(house.client("ada"), address)
        assert "under a legal hold" in html
        assert "Sweep now" not in html
        assert house.client("ada").post(f"{address}sweep/").status_code == 409

    def test_is_reached_from_its_history_and_from_its_agent(self, house: House) -> None:
        head = keep(house, {"subject": "a"})
        address = house.url("states", head.state_id, "memory")
        agent = Agent.objects.get(name="clerk")
        for place in (house.url("states", head.state_id), house.url("agents", agent.id)):
            assert f'href="{address}"' in page(house.client("ana"), place)
        assert 'memory/"' not in page(house.client("ana"), house.url("states", house.book.state_id))

    def test_stands_in_the_trace_in_words(self, house: House) -> None:
        def program(context: Context) -> Json:
            context.remember(agent="clerk", subject=f"V-1 {HOSTILE}", value=0)
            [entry] = context.recall(agent="clerk", subject="V-1")
            context.forget(agent="clerk", entry=entry.id)
            return None

        register_workflow(Workflow("think", "Think", program))
        request = JobRequest("think", house.book.key, {}, "think")
        job_id, _ = submit(actor=house.actor("eve"), request=request, now=now())
        work()
        run = runs.current_run(runs.job(house.workspace.id, job_id))
        html = page(house.client("ana"), house.url("runs", run.id))
        for said in ("Kept in mind: V-1 ", "Recalled 1 entry about V-1", "Forgot an entry"):
            assert said in words(html)
        assert "<script>" not in html

    def test_is_nothing_to_strangers_and_not_the_page_of_a_record(
        self, house: House, elsewhere: House
    ) -> None:
        head = keep(house, {"subject": "a"})
        zoe = elsewhere.client("zoe")
        for place in (house, elsewhere):
            for address in (
                place.url("states", head.state_id, "memory"),
                place.url("drift", head.state_id),
            ):
                page(zoe, address, 404)
        assert (
            zoe.post(elsewhere.url("states", head.state_id, "memory", "sweep")).status_code == 404
        )
        page(house.client("ana"), house.url("states", house.book.state_id, "memory"), 404)


class TestBoard:
    """The list of every State's newest measurement."""

    def test_teaches_what_is_not_measured_yet(self, house: House) -> None:
        said = words(page(house.client("cleo"), house.url("drift")))
        assert "Not measured" in said
        assert "vendors" in said

    def test_teaches_when_there_is_no_state(self, house: House, elsewhere: House) -> None:
        browser = house.client("cleo")
        assert "Nothing is over a limit" in page(browser, house.url("drift") + "?tab=over")

    def test_shows_the_newest_figures_and_the_limit_that_is_passed(self, house: House) -> None:
        notes = [minds.short(f"s{number}") for number in range(11)]
        head = keep(house, *notes, {"subject": "stays"})
        measured(house, head.state_id)
        measured(house, head.state_id, now() + timedelta(hours=3))
        browser = house.client("ana")
        said = words(page(browser, house.url("drift")))
        assert "Over a limit vendors/agents/ clerk memory of an agent" in said
        assert "11 of 12 entries are stale (91.7 %); the limit is 50 %." in said
        only = page(browser, house.url("drift") + "?tab=over")
        assert only.count('id="drift-') == 1
        assert "Stale and contradicted entries, 2 measurements: from 0 % to 91.7 %" in only

    def test_goes_on_by_key_and_costs_the_same_with_many(self, house: House) -> None:
        browser = house.client("ana")
        page(browser, house.url("drift"))
        few = statements(browser, house.url("drift"))
        for number in range(60):
            head = create_state(
                actor=house.setup, key=f"a/{number:03}", document={}, reason="", now=now()
            )
            Drift.objects.bulk_create(rows_for(house, head.state_id, 40))
        assert statements(browser, house.url("drift")) == few
        html = page(browser, house.url("drift"))
        assert html.count('<tr id="drift-') == 50
        [more] = re.findall(r'href="([^"]+after=[^"]+)"', html)
        assert page(browser, more).count('<tr id="drift-') == 11

    def test_reads_the_newest_of_each_series_from_the_index(self, house: House) -> None:
        Drift.objects.bulk_create(rows_for(house, house.book.state_id, 3_000))
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE agents_drift")
            cursor.execute(
                f"EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF) {queries._NEWEST}",
                [[house.book.state_id], house.workspace.id, 30],
            )
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "drift_series" in plan
        assert "actual rows=3000" not in plan
        found = queries.recent(house.workspace.id, [house.book.state_id], at_most=30)
        assert [row.number for row in found[house.book.state_id]] == list(range(1, 31))

    def test_measures_what_it_shows_for_those_who_operate(self, house: House) -> None:
        head = keep(house, {"subject": "a"})
        eve = house.client("eve")
        assert "Measure these now" in page(eve, house.url("drift"))
        answer = eve.post(house.url("drift", "measure"), follow=True)
        assert "2 States measured, none over a limit." in answer.content.decode()
        assert set(Drift.objects.values_list("state", flat=True)) == {
            head.state_id,
            house.book.state_id,
        }
        for name in ("ana", "cleo"):
            assert "Measure these now" not in page(house.client(name), house.url("drift"))
            assert house.client(name).post(house.url("drift", "measure")).status_code == 403


class TestSeries:
    """One State's measurements and limits."""

    def test_shows_charts_with_the_same_figures_as_the_table(self, house: House) -> None:
        head = keep(house, {"subject": "a", "derived_from": ["/V-1/iban"]}, {"subject": "b"})
        measured(house, head.state_id)
        minds.move(
            house.setup, house.book.state_id, Change("replace", "/V-1/iban", _iban(house), "LT12")
        )
        measured(house, head.state_id)
        html = page(house.client("ana"), house.url("drift", head.state_id))
        assert html.count("<polyline") == 3
        assert "Contradicted entries, 2 measurements: from 0 % to 50 %" in html
        assert html.count('<tr id="measured-') == 2
        assert "style=" not in html
        assert "limit 20 %" in words(html)

    def test_teaches_when_nothing_was_measured(self, house: House) -> None:
        html = page(house.client("ana"), house.url("drift", house.book.state_id))
        assert "Not measured yet" in html

    def test_pages_the_series_and_costs_the_same_with_many(self, house: House) -> None:
        address, browser = house.url("drift", house.book.state_id), house.client("ana")
        Drift.objects.bulk_create(rows_for(house, house.book.state_id, 2))
        page(browser, address)
        few = statements(browser, address)
        Drift.objects.bulk_create(rows_for(house, house.book.state_id, 300))
        assert statements(browser, address) == few
        assert page(browser, address).count('<tr id="measured-') == 50
        page(browser, f"{address}?cursor=nonsense", 400)

    def test_lets_admins_set_limits_in_percent_and_take_them_back(self, house: House) -> None:
        head = keep(house, {"subject": "a"})
        address, ada = house.url("drift", head.state_id), house.client("ada")
        form = {"stale_share": "12.5", "contradicting_share": "", "differing": "", "growth": "800"}
        answer = ada.post(f"{address}limits/", form, follow=True)
        assert "The limits are set." in answer.content.decode()
        assert queries.limits(head.workspace_id, head.state_id) == Limits(0.125, None, None, 800.0)
        assert 'value="12.5"' in page(ada, address)
        assert "Set for this State by Ada" in words(page(ada, address))
        ada.post(f"{address}limits/", {**form, "reset": "1"})
        assert not DriftLimit.objects.exists()

    @pytest.mark.parametrize(
        "typed",
        [{"stale_share": "101"}, {"growth": "-1"}, {"growth": "nan"}, {"differing": "9" * 20}],
    )
    def test_says_which_limit_cannot_be_set(self, house: House, typed: dict[str, str]) -> None:
        address = house.url("drift", house.book.state_id)
        answer = house.client("ada").post(f"{address}limits/", typed)
        assert answer.status_code == 422
        assert not DriftLimit.objects.exists()

    @pytest.mark.parametrize("name", ["ana", "cleo", "eve"])
    def test_shows_limits_to_all_and_a_form_to_admins(self, house: House, name: str) -> None:
        address = house.url("drift", house.book.state_id)
        html = page(house.client(name), address)
        assert "<form" not in html.partition('id="drift-limits"')[2]
        assert house.client(name).post(f"{address}limits/", {}).status_code == 403

    def test_measures_now_and_names_who_was_paused(self, house: House) -> None:
        notes = [{"subject": f"s{n}", "derived_from": ["/V-1/iban"]} for n in range(10)]
        head = keep(house, *notes)
        minds.move(
            house.setup, house.book.state_id, Change("replace", "/V-1/iban", _iban(house), "LT12")
        )
        answer = house.client("eve").post(house.url("drift", head.state_id, "measure"), follow=True)
        said = answer.content.decode()
        assert "1 State measured, 1 over a limit. Paused: clerk." in said
        assert Agent.objects.get(name="clerk").status == "paused"

    def test_takes_limits_only_from_the_workspace(self, house: House, elsewhere: House) -> None:
        zoe = elsewhere.client("zoe")
        for verb in ("limits", "measure"):
            address = elsewhere.url("drift", house.book.state_id, verb)
            assert zoe.post(address, {"growth": "1"}).status_code == 404
        limit(actor=house.actor("ada"), state_id=house.book.state_id, limits=Limits(), now=now())
        assert DriftLimit.objects.get().workspace_id == house.workspace.id


class TestApi:
    """The same over HTTP."""

    def test_lists_states_by_key_with_their_newest_measurement(
        self, house: House, elsewhere: House
    ) -> None:
        head = keep(house, {"subject": "a"})
        measured(house, head.state_id, now() - DAY)
        measured(house, head.state_id)
        first = _get(house, "drift?limit=1")
        assert [item["key"] for item in first["items"]] == ["vendors"]
        assert first["items"][0]["measurement"] is None
        [memory] = _get(house, f"drift?cursor={first['next_cursor']}")["items"]
        assert (memory["agent"], memory["kind"]) == ("clerk", "memory")
        assert memory["measurement"]["entries"] == 1
        assert _get(house, "drift?over=true") == {"items": [], "next_cursor": ""}
        [other] = _get(elsewhere, "drift")["items"]
        assert other["state"] == str(elsewhere.book.state_id)

    def test_lists_a_states_measurements_newest_first(self, house: House) -> None:
        Drift.objects.bulk_create(rows_for(house, house.book.state_id, 3))
        first = _get(house, f"states/{house.book.state_id}/drift?limit=2")
        rest = _get(house, f"states/{house.book.state_id}/drift?cursor={first['next_cursor']}")
        numbers = [item["snapshot"] for item in [*first["items"], *rest["items"]]]
        assert numbers == [1, 2, 3]

    @pytest.mark.parametrize("cursor", ["!", "a", "AA", "x" * 2_000, "%FF", "gIA"])
    def test_refuses_cursors_that_are_none(self, house: House, cursor: str) -> None:
        assert _get(house, f"drift?cursor={cursor}", 400)["code"] == "cursor_invalid"

    def test_needs_the_scope_and_finds_only_its_own(self, house: House, elsewhere: House) -> None:
        assert _get(house, "drift", 403, scope="jobs:read")["code"] == "scope_missing"
        _get(elsewhere, f"states/{house.book.state_id}/drift", 404)


class TestCharts:
    """A series as a line."""

    def test_places_values_by_time_and_height(self) -> None:
        drawn = chart(Series("Size", [0, 10, 40], [0, 5, 10], str, limit=20.0))
        assert drawn is not None
        assert drawn.points == "2,46 61,35 238,24"
        assert drawn.limit_y == 2
        assert drawn.says == (
            "Size, 3 measurements: from 0 to 10, lowest 0, highest 10, limit 20.0"
        )

    def test_has_room_for_values_below_nothing(self) -> None:
        drawn = chart(Series("Growth", [0, 1], [-10, 10], str))
        assert drawn is not None
        assert drawn.points == "2,46 238,2"

    def test_draws_one_value_at_the_end_and_none_not_at_all(self) -> None:
        drawn = chart(Series("Size", [7], [0.0], str))
        assert drawn is not None
        assert (drawn.points, drawn.says) == ("238,46", "Size: 0.0, measured once")
        assert chart(Series("Size", [], [], str)) is None


def _iban(house: House) -> str:
    head = snapshots.head(house.workspace.id, house.book.state_id)
    document: Any = snapshots.content(head.state_id, head.number)
    return str(document["V-1"]["iban"])


def _get(house: House, path: str, status: int = 200, scope: str = "states:read") -> Any:
    _, secret = make_token(
        actor=house.actor("eve"), name="robot", scopes=[scope], lifetime=DAY, now=now()
    )
    answer = Client().get(f"/api/v1/{path}", headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == status, answer.content
    return answer.json()
