"""What leaves the house, over HTTP: programs look, people act."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from approvals.connectors.protocol import Finding, Listed, Receipt
from approvals.models import Connector, Discrepancy, Execution
from approvals.operations.reconciling import reconcile_due
from console.access.operations.keying import make_token
from tests.api.robots import Robot, code_of
from tests.approvals.teller import DONE, Abroad
from tests.house import House, now

pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1"
WORD = {"attempt": 1, "verdict": "executed", "reference": "B-1", "evidence": "Seen there."}


@pytest.fixture
def abroad(house: House) -> Abroad:
    return Abroad.build(house)


@pytest.fixture
def reader(abroad: Abroad) -> Robot:
    """A program of Eve's that may look at proposals."""
    _, secret = make_token(
        actor=abroad.house.actor("eve"),
        name="robot",
        scopes=["proposals:read"],
        lifetime=timedelta(days=1),
        now=now(),
    )
    return Robot(secret)


def post(who: Client, path: str, body: dict[str, Any] | None = None) -> Any:
    return who.post(f"{API}{path}", body or {}, content_type="application/json")


class TestPrograms:
    def test_see_what_left_and_how_it_stands(self, abroad: Abroad, reader: Robot) -> None:
        done, doubted = abroad.send(Receipt("acknowledged", "B-7", 200, "booked")), abroad.doubt()
        listed = reader.get(f"{API}/outside").json()
        assert [row["id"] for row in listed["items"]] == [str(doubted.id), str(done.id)]
        assert listed["next_cursor"] == ""
        row = listed["items"][1]
        assert (row["status"], row["reference"], row["key"]) == ("succeeded", "B-7", done.id.hex)
        assert row["outlet"]["address"] == "https://bank.example/payments"
        only = reader.get(f"{API}/outside", status="in_doubt", connector="bank").json()
        assert [row["id"] for row in only["items"]] == [str(doubted.id)]
        assert reader.get(f"{API}/outside", connector="post").json()["items"] == []
        assert reader.get(f"{API}/outside", status="lost").status_code == 422
        first = reader.get(f"{API}/outside", limit=1).json()
        second = reader.get(f"{API}/outside", limit=1, cursor=first["next_cursor"]).json()
        assert [row["id"] for row in second["items"]] == [str(done.id)]
        assert code_of(reader.get(f"{API}/outside", cursor="x")) == "400 cursor_invalid"

    def test_see_all_that_is_known_of_one(self, abroad: Abroad, reader: Robot) -> None:
        row = abroad.doubt()
        abroad.inquire(Finding("unclear", "Q-1"))
        post(abroad.house.client("ben"), f"/outside/{row.id}/resolve", WORD)
        found = reader.get(f"{API}/outside/{row.id}").json()
        [attempt] = found["attempts"]
        assert (attempt["number"], attempt["outcome"]) == (1, "unknown")
        assert attempt["request_bytes"] == len(abroad.bank.heard[0])
        assert [each["reference"] for each in found["observations"]] == ["Q-1"]
        [word] = found["resolutions"]
        assert (word["name"], word["verdict"], word["evidence"]) == (
            "Ben",
            "executed",
            "Seen there.",
        )
        assert found["compensations"] == []
        assert reader.get(f"{API}/executions/{row.id}").json()["doubt_due_at"]

    def test_see_connectors_comparisons_and_the_switch(self, abroad: Abroad, reader: Robot) -> None:
        abroad.bank.lines = (Listed("f" * 32, "X-9", now()),)
        reconcile_due({"bank": abroad.bank}, now=now())
        [way] = reader.get(f"{API}/connectors").json()["items"]
        assert (way["name"], way["retry_class"], way["can_ask"]) == ("bank", "queryable", True)
        [run] = reader.get(f"{API}/reconciliations").json()["items"]
        assert (run["connector"], run["counts"]["theirs"]) == ("bank", 1)
        [differs] = reader.get(f"{API}/discrepancies").json()["items"]
        assert (differs["kind"], differs["reference"]) == ("not_ours", "X-9")
        assert reader.get(f"{API}/discrepancies", closed="true").json()["items"] == []
        assert reader.get(f"{API}/sending").json()["is_stopped"] is False

    def test_do_nothing_of_what_people_do(self, abroad: Abroad, reader: Robot) -> None:
        row = abroad.doubt()
        way = Connector.objects.get()
        for path in (
            f"/outside/{row.id}/resolve",
            f"/outside/{row.id}/take-over",
            f"/outside/{row.id}/ask",
            f"/outside/{row.id}/try-again",
            f"/outside/{row.id}/drop",
            f"/outside/{row.id}/undo-again",
            f"/connectors/{way.id}/test",
            f"/connectors/{way.id}/compare",
            f"/discrepancies/{row.id}/close",
            "/sending/stop",
            "/sending/resume",
        ):
            assert code_of(reader.post(f"{API}{path}", {})) == "403 people_only", path
        row.refresh_from_db()
        assert (row.status, row.owner_id) == ("in_doubt", None)


class TestPeople:
    def test_settle_a_doubt_in_twos(self, abroad: Abroad) -> None:
        row = abroad.doubt()
        at = f"/outside/{row.id}"
        ben, ada = abroad.house.client("ben"), abroad.house.client("ada")
        assert post(ben, f"{at}/take-over").json()["owner"] == str(abroad.house.people["ben"].id)
        assert post(ben, f"{at}/ask").status_code == 200
        for _ in range(2):
            assert post(ben, f"{at}/resolve", WORD).json()["status"] == "in_doubt"
        assert code_of(post(ben, f"{at}/resolve", {**WORD, "verdict": "absent"})) == (
            "409 already_resolved"
        )
        assert code_of(post(abroad.house.client("ana"), f"{at}/resolve", WORD)) == (
            "403 not_to_resolve"
        )
        assert code_of(post(ada, f"{at}/resolve", {**WORD, "attempt": 2})) == (
            "412 attempt_changed"
        )
        assert post(ada, f"{at}/resolve", WORD).json()["status"] == "succeeded"
        assert code_of(post(ada, f"{at}/ask")) == "409 cannot_be_asked"

    def test_see_to_what_was_set_aside(self, abroad: Abroad) -> None:
        row = abroad.quarantine()
        ada, at = abroad.house.client("ada"), f"/outside/{row.id}"
        why = {"reason": "The folder is there again."}
        assert code_of(post(abroad.house.client("ben"), f"{at}/drop", why)) == "403 forbidden"
        assert post(ada, f"{at}/try-again", why).json()["status"] == "ready"
        assert code_of(post(ada, f"{at}/drop", why)) == "409 not_quarantined"
        assert code_of(post(ada, f"{at}/undo-again", why)) == "409 not_to_compensate"
        assert Execution.objects.get().tries == 0

    def test_test_compare_and_close(self, abroad: Abroad) -> None:
        way, ada = Connector.objects.get(), abroad.house.client("ada")
        for _ in range(2):
            assert post(ada, f"/connectors/{way.id}/test").json()["test_asked_at"]
            assert post(ada, f"/connectors/{way.id}/compare").json()["compare_asked_at"]
        abroad.bank.lines = (Listed("f" * 32, "X-9", now()),)
        reconcile_due({"bank": abroad.bank}, now=now())
        row = Discrepancy.objects.get()
        at = f"/discrepancies/{row.id}/close"
        assert code_of(post(abroad.house.client("cleo"), at, {"note": "Seen."})) == "403 forbidden"
        assert code_of(post(ada, at, {"note": " "})) == "422 invalid"
        assert post(ada, at, {"note": "Before our time."}).json()["note"] == "Before our time."
        assert code_of(post(ada, at, {"note": "Again."})) == "409 discrepancy_closed"

    def test_stop_and_resume_sending(self, abroad: Abroad) -> None:
        ada, ben = abroad.house.client("ada"), abroad.house.client("ben")
        stop = {"reason": "Fraud is feared.", "typed": "acme"}
        assert code_of(post(ben, "/sending/stop", stop)) == "403 forbidden"
        assert code_of(post(ada, "/sending/stop", {**stop, "typed": "umbra"})) == "422 not_typed"
        for _ in range(2):
            assert post(ada, "/sending/stop", stop).json()["is_stopped"] is True
        answer = post(ada, "/sending/resume", {"reason": "The bank called."}).json()
        assert (answer["is_stopped"], answer["by"]) == (False, "Ada")
        assert abroad.send(DONE).status == "succeeded"
