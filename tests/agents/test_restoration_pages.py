"""The pages of restorations: choose, look at the plan, confirm it, watch it happen."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from channels.db import database_sync_to_async
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents.models import Agent, Restoration, Run
from agents.operations import planning
from agents.operations.restoring import carry_on, confirm
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.queries import restorations as queries
from agents.restoring import Wanted
from agents.showing import differences, restorations, targets
from agents.workflows import Context, Workflow, register_workflow
from approvals import queries as approvals
from approvals.operations.registering import ActionTypeSpec, declare
from console.canonical import Json
from snapshots import queries as snapshots
from snapshots.diff import Change, diff
from snapshots.models import State
from snapshots.operations.creating import create_state
from snapshots.operations.observing import observe
from snapshots.queries.reading import Gone
from tests.agents.test_live import opened, shows
from tests.house import ROLES, House, now

HOSTILE = "<img src=x onerror=alert(1)>"
PLACE = re.compile(r"/restorations/([0-9a-f-]{36})/$")


def page(browser: Client, address: str, status: int = 200) -> str:
    """Return the main part of a page, with single spaces."""
    return main(browser.get(address), status)


def main(answer: Any, status: int = 200) -> str:
    """Return the main part of an answer, or the whole of a fragment, with single spaces."""
    html = answer.content.decode()
    assert answer.status_code == status, html
    return " ".join((html.partition("<main")[2].partition("</main>")[0] or html).split())


def words(html: str) -> str:
    """Return what a reader reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def queries_of(browser: Client, address: str) -> int:
    """Return how many statements a page costs."""
    with CaptureQueriesContext(connection) as seen:
        page(browser, address)
    return len(seen)


def change(house: House, **vendor: object) -> None:
    """Let something about the first vendor change outside."""
    head = snapshots.head(house.workspace.id, house.book.state_id)
    known: Any = snapshots.content(head.state_id, head.number)
    after = {**known, "V-1": {**known["V-1"], **vendor}}
    changes = diff(known, after)
    observe(
        actor=house.setup,
        state_id=head.state_id,
        changes=changes,
        cause_id=str(uuid4()),
        reason=f"nightly import {HOSTILE}",
        now=now(),
    )


def planned(house: House, to: int = 1, **wanted: Any) -> UUID:
    """Let Ada plan to roll the vendors back."""
    asked = Wanted("rollback", state=house.book.state_id, to=to, **wanted)
    return planning.plan(actor=house.actor("ada"), wanted=asked, now=now())


def at(house: House, restoration_id: UUID, *more: str) -> str:
    """Return where a restoration's page is."""
    return house.url("restorations", restoration_id, *more)


def form(word: str = "vendors", reason: str = "The import was wrong.") -> dict[str, str]:
    """Return what the form to confirm sends."""
    return {"reason": reason, "typed": word}


def made(answer: Any) -> UUID:
    """Return the restoration that an answer leads to."""
    found = PLACE.search(answer["Location"])
    assert found, answer["Location"]
    return UUID(found[1])


def row(restoration_id: UUID) -> Restoration:
    """Read a restoration."""
    return Restoration.objects.get(id=restoration_id)


def note(context: Context) -> Json:
    """Propose a note and wait."""
    asked = {"vendor": "V-2", "note": context.job_input["note"]}
    return context.propose(agent="clerk", action_type="set_note", params=asked).status


def waiting_run(house: House, label: str = "Mail of Nordlicht") -> UUID:
    """Return a run of Clerk that waits for a decision."""
    register_workflow(Workflow("note", "Take a note", note))
    asked = JobRequest("note", house.book.key, {"note": "n"}, str(uuid4()), label)
    job_id, _ = submit(actor=house.actor("eve"), request=asked, now=now())
    work()
    return Run.objects.get(job=job_id).id


def memory(house: House, agent: str = "clerk", record: str = "vendors") -> State:
    """Give an agent a memory with two snapshots."""
    head = create_state(
        actor=house.setup,
        key=f"{record}/agents/{agent}",
        document={"entries": {}},
        reason="begins",
        now=now(),
        kind="memory",
    )
    observe(
        actor=house.setup,
        state_id=head.state_id,
        changes=[Change("add", "/entries/e1", value={"subject": "V-1", "value": 1})],
        cause_id="1",
        reason="",
        now=now(),
    )
    return State.objects.get(id=head.state_id)


class TestChoosing:
    """Somebody chooses what to go back to; nothing happens but a plan."""

    def test_shows_older_snapshots_with_the_asked_one_chosen(self, house: House) -> None:
        change(house, note="new")
        change(house, note="newer")
        address = house.url("states", house.book.state_id, "rollback")
        html = page(house.client("ada"), f"{address}?to=1")
        assert re.findall(r'name="to" value="(\d+)" required (\w*)', html) == [
            ("2", ""),
            ("1", "checked"),
        ]
        assert "Snapshot 1 Imported Setup: “opening”" in words(html)
        assert HOSTILE not in html

    def test_leads_to_the_plan(self, house: House) -> None:
        change(house, note="new")
        browser = house.client("ada")
        address = house.url("states", house.book.state_id, "rollback")
        restoration_id = made(browser.post(address, {"to": "1", "paths": " /V-1/note \n\n"}))
        wanted = row(restoration_id).wanted
        assert (wanted["to"], wanted["paths"], wanted["below"]) == (1, ["/V-1/note"], False)
        assert snapshots.head(house.workspace.id, house.book.state_id).number == 2

    def test_takes_an_older_number_and_the_memories_along(self, house: House) -> None:
        state = memory(house)
        for number in range(targets.RECENT + 1):
            change(house, note=str(number))
        browser = house.client("ada")
        address = house.url("states", house.book.state_id, "rollback")
        html = page(browser, f"{address}?to=1")
        assert 'value="1" required checked' in html
        assert "vendors/agents/clerk" in html
        restoration_id = made(browser.post(address, {"to": "other", "other": "1", "below": "1"}))
        assert [each["key"] for each in row(restoration_id).plan["states"]] == [
            "vendors",
            state.key,
        ]

    def test_says_when_there_is_nothing_to_go_back_to(self, house: House) -> None:
        html = page(house.client("ada"), house.url("states", house.book.state_id, "rollback"))
        assert "There is nothing to go back to" in html
        assert "<form" not in html

    @pytest.mark.parametrize(
        ("asked", "status", "said"),
        [
            ({}, 422, "Choose where to go back to."),
            ({"to": "other", "other": "x"}, 422, "Choose where to go back to."),
            ({"to": "clean"}, 422, "Only a memory can be made clean"),
            ({"to": "1", "paths": "/V-2"}, 422, "Nothing differs at /V-2."),
            ({"to": "1", "paths": "V-2"}, 422, "V-2"),
            ({"to": "3"}, 409, "there is nothing to restore"),
        ],
    )
    def test_says_why_nothing_was_planned(
        self, house: House, asked: dict[str, str], status: int, said: str
    ) -> None:
        change(house, note="new")
        change(house, note="newer")
        address = house.url("states", house.book.state_id, "rollback")
        html = main(house.client("ada").post(address, asked), status)
        assert said in html
        assert "Nothing was planned and nothing was changed." in html
        assert not Restoration.objects.exists()

    def test_does_not_know_a_snapshot_that_never_was(self, house: House) -> None:
        change(house, note="new")
        address = house.url("states", house.book.state_id, "rollback")
        assert house.client("ada").post(address, {"to": "77"}).status_code == 404

    @pytest.mark.parametrize("name", ["ana", "cleo", "eve"])
    def test_is_for_admins_alone(self, house: House, name: str) -> None:
        browser = house.client(name)
        for place in ("rollback", "reinitialise"):
            address = house.url("states", house.book.state_id, place)
            assert browser.get(address).status_code == 403
            assert browser.post(address, {"to": "1"}).status_code == 403

    def test_costs_the_same_for_two_snapshots_and_for_ten(self, house: House) -> None:
        browser = house.client("ada")
        address = house.url("states", house.book.state_id, "rollback")
        change(house, note="x")
        few = queries_of(browser, address)
        for number in range(8):
            change(house, note=str(number))
        assert queries_of(browser, address) == few


class TestPlan:
    """The plan shows everything before anybody confirms."""

    def test_shows_what_changes_back_and_what_is_rolled_away(self, house: House) -> None:
        change(house, note=HOSTILE)
        proposal = house.propose("set_note")
        house.decide("ana", proposal)
        html = page(house.client("ada"), at(house, planned(house)))
        said = words(html)
        assert "Roll vendors back to snapshot 1" in said
        assert "Nothing has changed yet." in said
        assert "note /V-1/note &quot;Asked for the invoice.&quot; &quot;Called back" in said
        assert "2 newer snapshots are rolled away, unless you keep them" in said
        assert f'href="/w/acme/proposals/{proposal}/"' in html
        assert HOSTILE not in html

    def test_lists_what_falls_and_what_begins_anew(self, house: House) -> None:
        change(house, note="new")
        run_id = waiting_run(house)
        html = page(house.client("ada"), at(house, planned(house)))
        said = words(html)
        assert "1 open proposal falls" in said
        assert "1 run is set aside, and its job begins anew" in said
        assert "Agents concerned: clerk" in said
        assert f'href="/w/acme/runs/{run_id}/"' in html
        [proposal] = approvals.open_proposals(house.workspace.id)
        assert f'href="/w/acme/proposals/{proposal.id}/"' in html

    def test_warns_of_what_has_left_the_house(self, house: House) -> None:
        spec = ActionTypeSpec(
            name="set_note",
            label="set_note",
            sentence="Note on {name}: {note}",
            params_schema={"type": "object", "additionalProperties": True},
            effect="house.set_note",
            reversibility="call the vendor",
            leaves_house=True,
        )
        declare(house.setup, spec)
        proposal = house.propose("set_note")
        house.decide("ana", proposal)
        html = page(house.client("ada"), at(house, planned(house)))
        said = words(html)
        assert "1 effect outside cannot be undone here" in said
        assert "It becomes a recovery proposal that people decide on." in said
        assert "To undo it: call the vendor" in said
        assert "button--danger" in html

    @pytest.mark.parametrize(
        ("compensation", "says"),
        [
            (
                {"action_type": "pay", "params": {"vendor": "/vendor", "paid": "1.00"}},
                "What undoes 1 effect is proposed, the newest effect first; people decide on each.",
            ),
            (
                {"action_type": "pay", "params": {}, "within_seconds": 600},
                "Then proposed: pay , to be",
            ),
            ({"irreversible": True, "text": "Given is given."}, "Given is given."),
            ({"action_type": "gone", "params": {}}, "The action that undoes it is not known here."),
        ],
    )
    def test_says_what_would_undo_an_effect(
        self, house: House, compensation: dict[str, Any], says: str
    ) -> None:
        spec = ActionTypeSpec(
            name="set_note",
            label="set_note",
            sentence="Note on {name}: {note}",
            params_schema={"type": "object", "additionalProperties": True},
            effect="house.set_note",
            leaves_house=True,
            compensation=compensation,
        )
        declare(house.setup, spec)
        house.decide("ana", house.propose("set_note"))
        assert says in words(page(house.client("ada"), at(house, planned(house))))

    def test_offers_no_confirmation_while_an_effect_is_on_its_way(self, house: House) -> None:
        change(house, note="new")
        house.decide("ana", house.propose("pay"))
        html = page(house.client("ada"), at(house, planned(house)))
        assert "1 approved effect on the way" in words(html)
        assert "Cannot be confirmed yet" in html
        assert 'name="typed"' not in html
        assert 'form="again"' in html

    @pytest.mark.parametrize("name", ["ana", "cleo", "eve"])
    def test_is_read_by_everybody_and_confirmed_by_admins(self, house: House, name: str) -> None:
        change(house, note="new")
        restoration_id = planned(house)
        browser = house.client(name)
        html = page(browser, at(house, restoration_id))
        assert "Only an admin confirms" in html
        assert "<form" not in html
        assert 'type="checkbox"' not in html
        for act in ("confirm", "discard", "again", "replan"):
            assert browser.post(at(house, restoration_id, act), form()).status_code == 403
        assert row(restoration_id).status == "planned"

    def test_costs_the_same_for_one_change_and_for_nine(self, house: House) -> None:
        browser = house.client("ada")
        change(house, note="x")
        few = queries_of(browser, at(house, planned(house)))
        for number in range(8):
            house.propose("set_note", note=str(number))
            house.decide("ana", approvals.open_proposals(house.workspace.id)[0].id)
            change(house, **{f"k{number}": number})
        assert queries_of(browser, at(house, planned(house))) == few

    def test_can_be_read_when_the_content_was_let_go(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        change(house, note="new")
        restoration_id = planned(house)

        def gone(*_args: object, **_more: object) -> None:
            raise Gone(1)

        monkeypatch.setattr(queries, "outcome_at", gone)
        html = page(house.client("cleo"), at(house, restoration_id))
        assert "can no longer be shown. The content of snapshot 1 was let go." in html
        assert "1 newer snapshot is rolled away" in html

    def test_does_not_ask_again_which_newer_snapshots_fit(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        change(house, note="new")
        restoration_id = planned(house)
        monkeypatch.setattr(queries, "changes_between", lambda *_, **__: 1 / 0)
        said = words(page(house.client("ada"), at(house, restoration_id)))
        assert "1 newer snapshot is rolled away" in said


class TestChoosingAgain:
    """What should stay is ticked, and a new plan is made."""

    def test_brings_back_only_what_stays_ticked(self, house: House) -> None:
        change(house, note="new", terms_days=14)
        browser = house.client("ada")
        first = planned(house)
        html = page(browser, at(house, first))
        assert re.findall(r'name="paths" value="([^"]+)" (\w*)', html) == [
            ("/V-1/note", "checked"),
            ("/V-1/terms_days", "checked"),
        ]
        sent = {"offered": "2", "paths": ["/V-1/note"]}
        second = made(browser.post(at(house, first, "replan"), sent))
        html = page(browser, at(house, second))
        assert "Roll vendors back in part to snapshot 1" in html
        assert "stays as it is now" in html
        assert re.findall(r'name="paths" value="([^"]+)" (\w*)', html) == [
            ("/V-1/note", "checked"),
            ("/V-1/terms_days", ""),
        ]
        everything = {"offered": "2", "paths": ["/V-1/note", "/V-1/terms_days"]}
        third = made(browser.post(at(house, second, "replan"), everything))
        assert row(third).wanted["paths"] == []

    def test_refuses_to_take_no_tick_for_everything(self, house: House) -> None:
        change(house, note="new", terms_days=14)
        restoration_id = planned(house)
        answer = house.client("ada").post(at(house, restoration_id, "replan"), {"offered": "2"})
        assert "Choose at least one place" in main(answer, 422)
        assert Restoration.objects.count() == 1

    def test_keeps_a_newer_snapshot_that_people_agreed_to(self, house: House) -> None:
        change(house, terms_days=14)
        house.decide("ana", house.propose("set_note"))
        browser, first = house.client("ada"), planned(house)
        sent = {"offered": "2", "paths": ["/V-1/note", "/V-1/terms_days"], "keep": ["3", "x"]}
        second = made(browser.post(at(house, first, "replan"), sent))
        html = page(browser, at(house, second))
        assert 'name="keep" value="3" checked' in html
        assert "note /V-1/note" not in words(html)
        assert row(second).plan["newer"][0]["kept"] is True

    def test_takes_named_places_when_there_are_too_many_to_tick(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(restorations, "TICKED_AT_MOST", 1)
        change(house, note="new", terms_days=14)
        browser, first = house.client("ada"), planned(house)
        html = page(browser, at(house, first))
        assert 'name="paths"' not in html
        assert "1 change more are not shown" in html
        second = made(browser.post(at(house, first, "replan"), {"places": "/V-1/note\n"}))
        assert row(second).wanted["paths"] == ["/V-1/note"]
        assert ">/V-1/note</textarea>" in page(browser, at(house, second))

    def test_offers_one_tick_for_a_list_whose_items_come_and_go(self) -> None:
        before: Json = {"a": [1, 2, 3], "b": 1}
        after: Json = {"a": [2, 3, 4], "b": 2}
        changes = diff(before, after)
        rows = differences.table(before, changes, chosen=(), ticks=True)
        ticks = [each["tick"]["value"] for each in rows if "tick" in each]
        assert ticks == ["/a", "/b"]


class TestGoingOutOfDate:
    """A plan holds as long as its world stands, and ten minutes at most."""

    def test_says_so_when_a_state_has_moved_and_plans_again(self, house: House) -> None:
        change(house, note="new")
        first = planned(house)
        change(house, note="newer")
        browser = house.client("ada")
        html = page(browser, at(house, first))
        assert "Plan is out of date: <span hx-ignore>vendors</span> changed" in html
        assert 'name="typed"' not in html
        second = made(browser.post(at(house, first, "again")))
        assert row(first).status == "discarded"
        assert row(second).plan["states"][0]["from"] == 3
        assert "This plan was put away" in page(browser, at(house, first))

    def test_expires(self, house: House) -> None:
        change(house, note="new")
        restoration_id = planned(house)
        browser = house.client("ada")
        with time_machine.travel(now() + timedelta(minutes=10, seconds=1)):
            html = page(browser, at(house, restoration_id))
            assert "This plan has expired" in html
            assert "Plan has expired" in page(browser, house.url("restorations"))
            answer = browser.post(at(house, restoration_id, "confirm"), form())
            assert "older than ten minutes" in main(answer, 409)

    def test_is_told_in_place_of_the_form(self, house: House) -> None:
        change(house, note="new")
        restoration_id = planned(house)
        change(house, note="newer")
        answer = house.client("ada").post(
            at(house, restoration_id, "confirm"), form(), headers={"HX-Request": "true"}
        )
        html = main(answer, 409)
        assert html.startswith('<section id="confirm"')
        assert "The world changed: plan again." in html
        assert "Plan is out of date" in html
        assert 'form="again"' in html

    def test_is_discarded(self, house: House) -> None:
        change(house, note="new")
        restoration_id = planned(house)
        browser = house.client("ada")
        browser.post(at(house, restoration_id, "discard"))
        html = page(browser, at(house, restoration_id))
        assert "This plan was put away. Nothing was changed by it." in html
        assert "<form" not in html


class TestConfirming:
    """A person says why, types the name, and watches."""

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            (form(word="vendor"), "Type vendors to confirm."),
            (form(reason=" "), "Say why"),
            (form(reason="a\0b"), "none of them NUL"),
        ],
    )
    def test_asks_for_a_reason_and_the_name(
        self, house: House, typed: dict[str, str], said: str
    ) -> None:
        change(house, note="new")
        restoration_id = planned(house)
        for headers in ({}, {"HX-Request": "true"}):
            answer = house.client("ada").post(
                at(house, restoration_id, "confirm"), typed, headers=headers
            )
            html = main(answer, 422)
            assert said in html
            assert f'value="{typed["typed"]}"' in html
        assert row(restoration_id).status == "planned"

    def test_counts_a_second_press_as_the_first(self, house: House) -> None:
        change(house, note="new")
        restoration_id = planned(house)
        browser = house.client("ada")
        for _ in range(2):
            answer = browser.post(
                at(house, restoration_id, "confirm"), form(), headers={"HX-Request": "true"}
            )
            assert answer.status_code == 204
            assert answer["HX-Redirect"] == at(house, restoration_id)
        assert row(restoration_id).status == "confirmed"

    def test_waits_for_a_worker_and_then_shows_every_step(self, house: House) -> None:
        change(house, note="new")
        run_id = waiting_run(house)
        restoration_id = planned(house)
        browser = house.client("ada")
        browser.post(at(house, restoration_id, "confirm"), form())
        html = page(browser, at(house, restoration_id))
        assert "Confirmed, about to begin" in html
        assert "Waiting for a worker" in html
        assert 'name="typed"' not in html
        assert carry_on(restoration_id, now=now()) == "done"
        html = page(browser, at(house, restoration_id))
        said = words(html)
        assert "Rolled back" in said
        assert "“The import was wrong.”" in said
        assert "Everything was read back" in said
        assert "Waiting for" not in said
        assert f'href="/w/acme/states/{house.book.state_id}/snapshots/3/"' in html
        again = Run.objects.get(job__current_run__id__isnull=False, number=2)
        assert Run.objects.get(id=run_id).status == "superseded"
        assert f'href="/w/acme/runs/{again.id}/"' in html
        back = f"/w/acme/states/{house.book.state_id}/rollback/?to=2"
        assert f'href="{back}"' in html
        assert 'value="2" required checked' in page(browser, back)
        assert "Roll this back" not in page(house.client("cleo"), at(house, restoration_id))

    def test_links_what_people_have_to_see_to(self, house: House) -> None:
        self_made = TestPlan()
        self_made.test_warns_of_what_has_left_the_house(house)
        restoration_id = Restoration.objects.get().id
        confirmed(house, restoration_id)
        carry_on(restoration_id, now=now())
        [recovery] = approvals.of_origin(house.workspace.id, f"restoration:{restoration_id}")
        html = page(house.client("cleo"), at(house, restoration_id))
        assert f'To be decided: <a href="/w/acme/proposals/{recovery.id}/"' in html

    def test_says_why_it_was_not_carried_out(self, house: House) -> None:
        change(house, note="new")
        restoration_id = planned(house)
        confirmed(house, restoration_id)
        change(house, note="newer")
        assert carry_on(restoration_id, now=now()) == "refused"
        html = page(house.client("cleo"), at(house, restoration_id))
        assert "It was not carried out" in html
        assert "The world changed: plan again." in html
        assert "no agent was started anew" in html


def confirmed(house: House, restoration_id: UUID) -> None:
    """Let Ada confirm a plan."""
    confirm(
        actor=house.actor("ada"),
        restoration_id=restoration_id,
        reason="The import was wrong.",
        typed=row(restoration_id).plan["to_type"],
        now=now(),
    )


class TestReinitialising:
    """An agent, all agents of a record, or a run start anew from somewhere."""

    def test_offers_from_where_and_says_why_nothing_is_proposed(self, house: House) -> None:
        memory(house)
        html = page(house.client("ada"), house.url("agents", "clerk", "reinitialise"))
        said = words(html)
        assert "Re-initialise clerk" in said
        assert "vendors/agents/clerk at snapshot 2" in said
        assert "No guard has found fault with clerk" in said
        assert re.search(r'value="last_sane" required +disabled', html)
        assert '<option value="1"' in html

    def test_starts_an_agent_clean(self, house: House) -> None:
        state = memory(house)
        browser = house.client("ada")
        address = house.url("agents", "clerk", "reinitialise")
        restoration_id = made(browser.post(address, {"source": "clean"}))
        html = page(browser, at(house, restoration_id))
        assert "empty: nothing remembered" in html
        assert "e1 /entries/e1" in words(html)
        assert 'Type <span class="mono" hx-ignore>clerk</span>' in html
        assert 'name="paths"' not in html
        confirmed(house, restoration_id)
        carry_on(restoration_id, now=now())
        assert "Re-initialised" in page(browser, at(house, restoration_id))
        assert snapshots.content(state.id, 3) == {"entries": {}}

    def test_starts_an_agent_clean_in_all_its_memories(self, house: House) -> None:
        create_state(actor=house.setup, key="care", document=1, reason="r", now=now())
        keys = {memory(house).key, memory(house, record="care").key}
        browser = house.client("ada")
        address = house.url("agents", "clerk", "reinitialise")
        restoration_id = made(browser.post(address, {"source": "clean"}))
        html = page(browser, at(house, restoration_id))
        assert all(f"hx-ignore>{key}</a>" in html for key in keys)
        assert 'Type <span class="mono" hx-ignore>clerk</span>' in html
        confirmed(house, restoration_id)
        assert carry_on(restoration_id, now=now()) == "done"
        html = page(browser, at(house, restoration_id))
        assert "Re-initialised" in html
        assert all(f"Roll {key} back" in html for key in keys)

    def test_starts_an_agent_from_a_snapshot_of_one_of_its_memories(self, house: House) -> None:
        first = memory(house)
        create_state(actor=house.setup, key="care", document=1, reason="r", now=now())
        memory(house, record="care")
        browser = house.client("ada")
        address = house.url("agents", "clerk", "reinitialise")
        html = page(browser, address)
        assert f'href="?state={first.id}"' in html
        assert '<option value="1"' not in html
        assert '<option value="1"' in page(browser, f"{address}?state={first.id}")
        sent = {"source": "snapshot", "to": "1", "state": str(first.id)}
        restoration_id = made(browser.post(address, sent))
        [line] = row(restoration_id).plan["states"]
        assert (line["key"], line["to"]) == (first.key, 1)

    def test_starts_all_agents_of_a_record(self, house: House) -> None:
        memory(house)
        memory(house, agent="risk")
        browser = house.client("ada")
        address = house.url("states", house.book.state_id, "reinitialise")
        assert "Re-initialise all agents of vendors" in words(page(browser, address))
        restoration_id = made(browser.post(address, {"source": "clean"}))
        assert len(row(restoration_id).plan["states"]) == 2

    def test_starts_a_run_with_the_memory_as_it_is(self, house: House) -> None:
        run_id = waiting_run(house)
        browser = house.client("ada")
        address = house.url("runs", run_id, "reinitialise")
        assert "Re-initialise this run" in words(page(browser, address))
        restoration_id = made(browser.post(address, {"source": "kept"}))
        html = page(browser, at(house, restoration_id))
        assert "Start a run on vendors anew" in html
        assert "1 run is set aside" in words(html)
        assert "1 open proposal falls" in words(html)

    @pytest.mark.parametrize(
        ("asked", "status"),
        [
            ({}, 422),
            ({"source": "elsewhere"}, 422),
            ({"source": "snapshot"}, 422),
            ({"source": "last_sane"}, 409),
            ({"source": "kept"}, 422),
        ],
    )
    def test_says_why_nothing_was_planned(
        self, house: House, asked: dict[str, str], status: int
    ) -> None:
        memory(house)
        address = house.url("agents", "clerk", "reinitialise")
        html = main(house.client("ada").post(address, asked), status)
        assert "Nothing was planned and nothing was changed." in html
        assert not Restoration.objects.exists()

    def test_knows_only_agents_that_ever_worked(self, house: House) -> None:
        browser = house.client("ada")
        page(browser, house.url("agents", "nobody", "reinitialise"), 404)
        Agent.objects.create(
            workspace=house.workspace, name="idle", status_at=now(), seen_at=now(), created_at=now()
        )
        html = page(browser, house.url("agents", "idle", "reinitialise"))
        assert "No memory is concerned" in html
        answer = browser.post(house.url("agents", "idle", "reinitialise"), {"source": "kept"})
        assert "there is nothing to restore" in main(answer, 409)


class TestList:
    """Every plan and every restoration stands in one list."""

    def test_teaches_when_there_is_none(self, house: House) -> None:
        assert "Nothing was restored yet" in page(house.client("cleo"), house.url("restorations"))

    def test_turns_pages_newest_first(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(restorations, "PAGE_SIZE", 2)
        change(house, note="new")
        ids = [str(planned(house)) for _ in range(5)]
        browser, address, seen = house.client("cleo"), house.url("restorations"), []
        while address:
            html = page(browser, address)
            seen += re.findall(r'id="restoration-([0-9a-f-]{36})"', html)
            found = re.search(r'href="([^"]+)" rel="next"', html)
            address = found[1].replace("&amp;", "&") if found else ""
        assert seen == ids[::-1]
        page(browser, house.url("restorations") + "?cursor=x", 400)

    def test_costs_the_same_for_one_and_for_nine(self, house: House) -> None:
        change(house, note="new")
        browser = house.client("cleo")
        planned(house)
        few = queries_of(browser, house.url("restorations"))
        for _ in range(8):
            planned(house)
        assert queries_of(browser, house.url("restorations")) == few


def test_nothing_of_it_is_there_for_another_workspace(house: House, elsewhere: House) -> None:
    change(house, note="new")
    run_id, state = waiting_run(house), memory(house)
    restoration_id, zoe = planned(house), elsewhere.client("zoe")
    page(zoe, at(elsewhere, restoration_id), 404)
    for act in ("confirm", "discard", "again", "replan"):
        assert zoe.post(at(elsewhere, restoration_id, act), form()).status_code == 404
    for place in (
        ("states", house.book.state_id, "rollback"),
        ("states", house.book.state_id, "reinitialise"),
        ("runs", run_id, "reinitialise"),
        ("agents", "clerk", "reinitialise"),
    ):
        page(zoe, elsewhere.url(*place), 404)
        sent = {"to": "1", "source": "clean", "state": str(state.id)}
        assert zoe.post(elsewhere.url(*place), sent).status_code == 404
    page(zoe, house.url("restorations"), 404)
    assert "Nothing was restored yet" in page(zoe, elsewhere.url("restorations"))
    assert row(restoration_id).status == "planned"


@pytest.fixture
def told(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> House:
    """Return the house, with transactions that really end."""
    # A consumer's thread outlives its test; its connection must not, or the database cannot go.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    return House.build("acme", ROLES)


async def test_every_open_page_follows(told: House) -> None:
    """A page that is open shows each step, and its form goes once somebody has confirmed."""
    act = database_sync_to_async
    await act(change)(told, note="new")
    restoration_id = await act(planned)(told)
    async with opened(told, "ada", f"restorations/{restoration_id}/") as socket:
        html = await shows(socket, "Nothing has changed yet.")
        assert "confirm-form" not in html
        await act(confirmed)(told, restoration_id)
        html = await shows(socket, "Confirmed, about to begin")
        assert 'hx-target="#confirm"' in html
        assert "This plan was confirmed" in html
        await act(carry_on)(restoration_id, now=now())
        html = await shows(socket, "Rolled back")
        assert "Everything was read back" in html


async def test_an_open_plan_says_when_it_goes_out_of_date(told: House) -> None:
    act = database_sync_to_async
    await act(change)(told, note="new")
    restoration_id = await act(planned)(told)
    async with opened(told, "cleo", f"restorations/{restoration_id}/") as socket:
        await shows(socket, "Nothing has changed yet.")
        await act(change)(told, note="newer")
        html = await shows(socket, "Plan is out of date")
        assert 'hx-target="#confirm"' not in html


def test_a_title_says_what_is_restored(house: House) -> None:
    change(house, note="new")
    detail = queries.detail(house.workspace.id, planned(house, paths=("/V-1/note",)))
    assert restorations.title(detail) == "Roll vendors back in part to snapshot 1"
