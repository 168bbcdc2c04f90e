"""How a workspace sets the guards of a workflow: who may, what cannot be, what it costs."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from agents.guards import RULES, settled
from agents.models import Pause, WorkflowSetting
from agents.operations.guard_setting import GuardSetting, GuardsInvalid, set_guards
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.workflows import Context, Workflow, register_workflow
from console.actors import Actor
from console.canonical import Json
from console.errors import Forbidden, NotFound
from console.ledger import queries as ledger
from tests.agents.test_pages import page, words
from tests.agents.test_pause_pages import robot
from tests.api.robots import code_of
from tests.house import House, now

NAME = "looking"
pytestmark = pytest.mark.django_db


def look(context: Context) -> Json:
    """Look at the same thing three times."""
    for _ in range(3):
        context.tool(agent="scout", name="look", args={}, function=lambda: 1)
    return "done"


@pytest.fixture(autouse=True)
def _workflow() -> None:
    declared = {"errors_in_a_row": {"limit": 5}}
    register_workflow(Workflow(NAME, "Look <b>", look, guards=declared, at_once=4))


def form(house: House, **typed: str) -> dict[str, str]:
    """Return what the form sends when nothing but this is typed."""
    found = settled({"errors_in_a_row": {"limit": 5}})
    sent = {f"{rule}.limit": "" if s.limit is None else f"{s.limit:g}" for rule, s in found.items()}
    sent |= {f"{r}.strength": s.strength for r, s in found.items() if not RULES[r].hard}
    return {**sent, "at_once": "", "reason": "they stop too often", **typed}


def address(house: House) -> str:
    return house.url("workflows", NAME, "guards")


def kept(house: House) -> WorkflowSetting:
    return WorkflowSetting.objects.get(workspace=house.workspace.id, workflow=NAME)


def run(house: House) -> str:
    request = JobRequest(NAME, house.book.key, {}, str(uuid4()))
    submit(actor=house.actor("eve"), request=request, now=now())
    work()
    return str(Pause.objects.filter(run__workflow=NAME, status="open").count())


class TestThePage:
    def test_shows_every_rule_with_its_limit_and_what_it_costs(self, house: House) -> None:
        html = page(house.client("eve"), address(house))
        said = words(html)
        assert all(f'id="rule-{rule}"' in html for rule in RULES)
        assert "Look &lt;b&gt;" in html
        assert 'name="errors_in_a_row.limit" value="5"' in html
        assert "3: 0 of 29 good runs (0.0 %), 5 of 32 others set" in said
        assert "10: 12 of 29 good runs (41.4 %), 15 of 32 others" in said
        assert "Published: a limit of 40 ends none of 1,035 successes." in said
        assert "these 61 were picked because tools repeat in them" in said.casefold()
        assert "not measured" in said
        assert "Nobody has changed anything." in said

    def test_lets_no_hard_budget_be_softened_and_no_claim_be_switched_off(
        self, house: House
    ) -> None:
        html = page(house.client("eve"), address(house))
        assert 'name="calls.strength"' not in html
        assert 'name="false_authority.limit" value="1"' in html

    def test_counts_what_fired_here(self, house: House) -> None:
        assert run(house) == "1"
        said = words(page(house.client("eve"), address(house)))
        assert "1 run of this workflow in the last 30 days" in said

    def test_shows_others_everything_but_the_button(self, house: House) -> None:
        html = page(house.client("cleo"), address(house))
        assert "Set the guards" not in html
        assert "disabled" in html
        for name in ("cleo", "ana"):
            assert house.client(name).post(address(house), form(house)).status_code == 403

    def test_is_not_there_without_the_workflow_or_for_strangers(
        self, house: House, elsewhere: House
    ) -> None:
        eve = house.client("eve")
        for verb in (eve.get, eve.post):
            assert verb(house.url("workflows", "nothing", "guards")).status_code == 404
        assert elsewhere.client("zoe").get(address(house)).status_code == 404
        assert Client().get(address(house)).status_code == 302


class TestSetting:
    def test_keeps_only_what_differs_from_what_is_declared(self, house: House) -> None:
        typed = form(house, **{"identical_call.limit": "5", "calls.limit": "60", "at_once": "2"})
        assert house.client("eve").post(address(house), typed).status_code == 302
        assert kept(house).guards == {
            "identical_call": {"limit": 5, "strength": "pause"},
            "calls": {"limit": 60, "strength": "terminate"},
        }
        assert kept(house).at_once == 2
        said = words(page(house.client("cleo"), address(house)))
        assert "Set by Eve" in said
        assert "they stop too often" in said
        assert "Declared: 3, pause" in said
        assert "5, pause" in said

    def test_is_gone_by_at_once(self, house: House) -> None:
        house.client("ada").post(address(house), form(house, **{"identical_call.limit": ""}))
        assert kept(house).guards["identical_call"]["limit"] is None
        assert run(house) == "0"

    def test_writes_what_was_changed_into_the_ledger(self, house: House) -> None:
        house.client("eve").post(address(house), form(house, **{"repeats.limit": "0,25"}))
        entry = ledger.entries(house.workspace.id).get(verb="guards.changed")
        assert entry.subject == f"workflow:{NAME}"
        assert entry.body["from"] == {}
        assert entry.body["to"] == {"repeats": "0.25, note"}
        assert entry.body["reason"] == "they stop too often"

    def test_can_be_taken_back(self, house: House) -> None:
        eve = house.client("eve")
        eve.post(address(house), form(house, **{"talk.limit": "9"}))
        eve.post(address(house), form(house, reset="1"))
        assert (kept(house).guards, kept(house).at_once) == ({}, None)
        assert "Everything as declared" in words(page(eve, address(house)))

    def test_changes_nothing_when_nothing_was_typed(self, house: House) -> None:
        house.client("eve").post(address(house), form(house))
        assert not WorkflowSetting.objects.exists()
        assert not ledger.entries(house.workspace.id).filter(verb="guards.changed").exists()

    @pytest.mark.parametrize(
        ("typed", "says"),
        [
            ({"identical_call.limit": "many"}, "A limit is a number above 0, or nothing."),
            ({"identical_call.limit": "0"}, "A limit is a number above 0."),
            ({"identical_call.limit": "nan"}, "A limit is a number above 0."),
            ({"identical_call.limit": "inf"}, "A limit is a number above 0."),
            ({"identical_call.limit": "-3"}, "A limit is a number above 0."),
            ({"identical_call.strength": "shout"}, "A strength is one of"),
            ({"calls.strength": "note"}, "always terminates"),
            ({"false_authority.limit": ""}, "cannot be switched off"),
            ({"at_once": "0"}, "At once work at least 1"),
            ({"at_once": "1.5"}, "whole numbers"),
            ({"reason": " "}, "Say why"),
        ],
    )
    def test_says_what_cannot_be_and_keeps_what_was_typed(
        self, house: House, typed: dict[str, str], says: str
    ) -> None:
        sent = form(house, **{"talk.limit": "77", **typed})
        found = house.client("eve").post(address(house), sent)
        html = found.content.decode()
        assert found.status_code == 422
        assert says in words(html)
        assert 'name="talk.limit" value="77"' in html
        rule = next((key.split(".")[0] for key in typed if "." in key), "")
        # The page is long: whoever is refused is led to what they wrote.
        assert (f'<a href="#limit-{rule}">' in html) == bool(rule)
        assert not WorkflowSetting.objects.exists()


class TestTheVerb:
    def set(self, actor: Actor, setting: GuardSetting, **more: Any) -> bool:
        said = {"workflow": NAME, "reason": "because", **more}
        return set_guards(actor=actor, setting=setting, now=now(), **said)

    def test_says_whether_anything_changed(self, house: House) -> None:
        setting = GuardSetting({"talk": {"limit": 9}})
        assert self.set(house.actor("eve"), setting)
        assert not self.set(house.actor("ada"), setting)
        assert self.set(house.actor("ada"), GuardSetting())

    def test_hears_no_token_and_nobody_without_the_right(self, house: House) -> None:
        program = Actor("client", str(uuid4()), "till", house.workspace.id, frozenset({"admin"}))
        for actor in (program, house.actor("ana"), house.actor("cleo")):
            with pytest.raises(Forbidden):
                self.set(actor, GuardSetting())

    def test_refuses_a_rule_or_a_workflow_that_is_not_there(self, house: House) -> None:
        with pytest.raises(GuardsInvalid, match="There is no rule"):
            self.set(house.actor("eve"), GuardSetting({"magic": {"limit": 1}}))
        with pytest.raises(NotFound):
            self.set(house.actor("eve"), GuardSetting(), workflow="nothing")


class TestTheApi:
    def test_shows_how_they_are_set(self, house: House, elsewhere: House) -> None:
        house.client("eve").post(address(house), form(house, **{"talk.limit": "9"}))
        found = robot(house, "eve").get("/api/v1/guards", workflow=NAME).json()
        [talk] = [rule for rule in found["rules"] if rule["rule"] == "talk"]
        assert (talk["limit"], talk["strength"], talk["own"]) == (9, "pause", True)
        assert (found["by"], found["at_once"]) == ("Eve", 4)
        theirs = robot(elsewhere, "zoe").get("/api/v1/guards", workflow=NAME).json()
        assert not any(rule["own"] for rule in theirs["rules"])
        assert (theirs["by"], theirs["changed_at"]) == ("", None)

    def test_refuses_a_workflow_that_is_not_there(self, house: House) -> None:
        mine = robot(house, "eve")
        assert code_of(mine.get("/api/v1/guards", workflow="nothing")) == "404 not_found"
        assert code_of(mine.get("/api/v1/guards")) == "422 invalid"
