"""The page of one effect that left the house: what is known, what they say, what can be done."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from approvals.connectors.protocol import Finding, Receipt
from approvals.models import Attempt, Connector, Execution, Resolution
from approvals.operations.sending import send_due
from tests.approvals.teller import DONE, MARK, SILENCE, Abroad
from tests.approvals.test_outside_pages import MOST, queries_of, text
from tests.house import House, now

pytestmark = pytest.mark.django_db(transaction=True)
EVIDENCE = "Seen in their portal at 14:02, ticket 8841."


@pytest.fixture
def abroad(house: House) -> Abroad:
    return Abroad.build(house)


@pytest.fixture
def doubted(abroad: Abroad) -> Execution:
    return abroad.doubt()


def url(abroad: Abroad, row: Execution, *parts: str) -> str:
    return abroad.house.url("outside", row.id, *parts)


def say(abroad: Abroad, row: Execution, who: Client, verdict: str = "executed", **more: Any) -> Any:
    form = {"attempt": 1, "verdict": verdict, "reference": "", "evidence": EVIDENCE, **more}
    return who.post(url(abroad, row, "resolve"), form)


class TestWhatIsKnown:
    def test_tells_the_story_of_what_was_carried_out(self, abroad: Abroad) -> None:
        row = abroad.send(Receipt("acknowledged", "BANK-77", 200, f"booked {MARK}"))
        page = text(abroad.house.client("cleo"), url(abroad, row))
        for part in (
            "EUR 310.20",
            "It happened, and the record says so.",
            "Ana</span> approved it",
            "Attempt 1 was sent",
            "The provider says that it is done.",
            "BANK-77",
            row.id.hex,
            Attempt.objects.get().request_digest,
            "&quot;paid&quot;:&quot;310.20&quot;",
            "booked &lt;b onclick",
            "RIGHT-TO-LEFT OVERRIDE",
            "Recorded as carried out",
        ):
            assert part in page, part
        assert "<b onclick" not in page
        assert 'id="resolve"' not in page

    def test_of_a_doubt_says_what_nobody_knows_and_by_when_it_is_due(
        self, abroad: Abroad, doubted: Execution
    ) -> None:
        abroad.inquire(Finding("unclear", detail=f"Try later {MARK}"))
        page = text(abroad.house.client("ben"), url(abroad, doubted))
        for part in (
            "nobody knows whether it happened",
            "To be settled within",
            "Nobody yet",
            "No usable answer came",
            "The connection was reset.",
            "It cannot be told.",
            "Try later &lt;b onclick",
            "Two people who had no part in it have to agree",
        ):
            assert part in page, part

    def test_is_not_there_for_what_is_not(self, abroad: Abroad) -> None:
        ben = abroad.house.client("ben")
        assert ben.get(abroad.house.url("outside", uuid4())).status_code == 404
        assert ben.post(abroad.house.url("outside", uuid4(), "resolve")).status_code == 404

    def test_costs_the_same_however_often_it_was_asked_about(
        self, abroad: Abroad, doubted: Execution, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        ben, at = abroad.house.client("ben"), url(abroad, doubted)
        ben.get(at)
        counted = queries_of(ben, at)
        assert counted <= MOST + 6
        for minutes in (1, 40, 80):
            finding = Finding("unclear", f"AFTER-{minutes}")
            abroad.inquire(finding, later=timedelta(minutes=minutes))
        with django_assert_num_queries(counted):
            assert "AFTER-80" in ben.get(at).content.decode()


class TestSayingWhatBecameOfIt:
    def test_takes_two_who_agree(self, abroad: Abroad, doubted: Execution) -> None:
        ben, ada = abroad.house.client("ben"), abroad.house.client("ada")
        assert "you would be the first" in text(ben, url(abroad, doubted))
        answer = say(abroad, doubted, ben, reference="BANK-9")
        assert (answer.status_code, answer["Location"]) == (303, url(abroad, doubted))
        page = text(ben, url(abroad, doubted))
        assert "Your word is recorded. It is in doubt now." in page
        assert "You have said what became of it." in page
        assert 'id="resolve"' not in page
        page = text(ada, url(abroad, doubted))
        assert "you would be the second" in page
        assert EVIDENCE in page
        assert say(abroad, doubted, ada, reference="BANK-9").status_code == 303
        doubted.refresh_from_db()
        assert (doubted.status, doubted.reference) == ("succeeded", "BANK-9")
        assert "It happened, and the record says so." in text(ada, url(abroad, doubted))

    def test_is_one_word_when_it_is_clicked_twice(self, abroad: Abroad, doubted: Execution) -> None:
        ben = abroad.house.client("ben")
        for _ in range(2):
            assert say(abroad, doubted, ben, "absent").status_code == 303
        assert Resolution.objects.count() == 1
        page = say(abroad, doubted, ben, "executed")
        assert page.status_code == 409
        assert "your word stays as it is" in page.content.decode()

    def test_that_it_did_not_happen_leaves_the_record_alone(
        self, abroad: Abroad, doubted: Execution
    ) -> None:
        for name in ("ben", "ada"):
            say(abroad, doubted, abroad.house.client(name), "absent")
        ben = abroad.house.client("ben")
        page = text(ben, url(abroad, doubted))
        assert "It did not happen. The record was not changed." in page
        proposal = text(ben, abroad.house.url("proposals", doubted.proposal_id))
        assert "Not carried out" in proposal
        assert "Two people found that it was not carried out outside." in proposal
        assert "The record moved" not in proposal

    def test_that_contradict_each_other_is_said(self, abroad: Abroad, doubted: Execution) -> None:
        say(abroad, doubted, abroad.house.client("ben"), "absent")
        say(abroad, doubted, abroad.house.client("ada"), "executed")
        page = text(abroad.house.client("cleo"), url(abroad, doubted))
        assert "They contradict each other." in page

    def test_is_not_for_who_approved_or_may_not(self, abroad: Abroad, doubted: Execution) -> None:
        for name, why in (
            ("ana", "You decided on this proposal, so others say what became of it."),
            ("cleo", "said by people whose role allows it"),
            ("eve", "said by people whose role allows it"),
        ):
            person = abroad.house.client(name)
            page = text(person, url(abroad, doubted))
            assert why in page
            assert 'id="resolve"' not in page
            refused = say(abroad, doubted, person)
            assert refused.status_code == 403
            assert why in refused.content.decode()
        assert not Resolution.objects.exists()

    def test_keeps_what_was_typed_when_something_is_missing(
        self, abroad: Abroad, doubted: Execution
    ) -> None:
        ben = abroad.house.client("ben")
        page = say(abroad, doubted, ben, "absent", evidence="…", reference="")
        assert page.status_code == 422
        shown = page.content.decode()
        assert "Say what you base this on" in shown
        assert 'value="absent" required checked' in shown
        assert say(abroad, doubted, ben, "absent", attempt="x").status_code == 422
        assert say(abroad, doubted, ben, "absent", attempt="2").status_code == 412

    def test_offers_to_send_again_only_where_the_provider_has_nothing(
        self, abroad: Abroad, doubted: Execution
    ) -> None:
        ben, at = abroad.house.client("ben"), url(abroad, doubted)
        assert "It cannot be sent again:" in text(ben, at)
        assert say(abroad, doubted, ben, "send_again").status_code == 409
        Connector.objects.update(settle_seconds=0)
        abroad.inquire(Finding("absent"), later=timedelta())
        page = text(ben, at)
        assert 'value="send_again"' in page
        assert say(abroad, doubted, ben, "send_again").status_code == 303
        doubted.refresh_from_db()
        assert doubted.status == "ready"
        assert "Waits to be sent" in text(ben, at)
        abroad.bank.receipt = DONE
        send_due({"bank": abroad.bank}, now=now())
        assert "Attempt 2 was sent" in text(ben, at)


class TestTheOtherActs:
    def test_somebody_sees_to_it(self, abroad: Abroad, doubted: Execution) -> None:
        ben, at = abroad.house.client("ben"), url(abroad, doubted)
        for _ in range(2):
            assert ben.post(f"{at}take-over/").status_code == 303
        page = text(ben, at)
        assert "take-over" not in page
        assert "Ben" in text(abroad.house.client("ada"), abroad.house.url("outside"))
        assert abroad.house.client("ana").post(f"{at}take-over/").status_code == 403

    def test_the_provider_is_asked_now(self, abroad: Abroad, doubted: Execution) -> None:
        ben, at = abroad.house.client("ben"), url(abroad, doubted)
        Execution.objects.update(next_at=now() + timedelta(hours=1))
        for _ in range(2):
            assert ben.post(f"{at}ask/").status_code == 303
        abroad.inquire(Finding("executed", "BANK-3"), later=timedelta())
        assert "It happened, and the record says so." in text(ben, at)
        assert ben.post(f"{at}ask/").status_code == 409
        assert abroad.house.client("cleo").post(f"{at}ask/").status_code == 403

    def test_what_was_set_aside_is_tried_again_or_dropped_by_an_admin(self, abroad: Abroad) -> None:
        row, other = abroad.quarantine(), abroad.quarantine()
        ada, at = abroad.house.client("ada"), url(abroad, row)
        assert "An admin lets it be tried again" in text(abroad.house.client("ben"), at)
        assert abroad.house.client("ben").post(f"{at}drop/", {"reason": "No."}).status_code == 403
        assert "Try it again" in text(ada, at)
        assert ada.post(f"{at}try-again/", {"reason": ""}).status_code == 422
        assert ada.post(f"{at}try-again/", {"reason": "The file is there."}).status_code == 303
        assert "Waits to be sent" in text(ada, at)
        assert ada.post(f"{at}drop/", {"reason": "Too late."}).status_code == 409
        at = url(abroad, other)
        assert ada.post(f"{at}drop/", {"reason": "Nobody needs it."}).status_code == 303
        assert "Not carried out" in text(ada, at)


class TestTheProposal:
    def test_says_where_it_goes_before_people_decide(self, abroad: Abroad) -> None:
        at = abroad.house.url("proposals", abroad.ask())
        page = text(abroad.house.client("ben"), at)
        assert 'id="outlet"' in page
        assert "Leaves the house through bank: https://bank.example/payments" in page
        assert 'id="outlet"' not in text(
            abroad.house.client("ben"), abroad.house.url("proposals", abroad.house.propose("pay"))
        )

    @pytest.mark.parametrize(("receipt", "label"), [(SILENCE, "In doubt"), (DONE, "Carried out")])
    def test_says_how_it_stands_outside_and_links_there(
        self, abroad: Abroad, receipt: Receipt, label: str
    ) -> None:
        row = abroad.send(receipt)
        page = text(abroad.house.client("ben"), abroad.house.url("proposals", row.proposal_id))
        assert label in page
        assert url(abroad, row) in page
        settled = text(abroad.house.client("ben"), abroad.house.url("settled"))
        assert (label if receipt is SILENCE else "Approved") in settled

    def test_waits_to_be_sent_and_can_be_taken_back_until_then(self, abroad: Abroad) -> None:
        row = abroad.approve(abroad.ask())
        at = abroad.house.url("proposals", row.proposal_id)
        ana = abroad.house.client("ana")
        page = text(ana, at)
        assert "Approved, waits to be sent" in page
        assert 'id="recall"' in page
        assert ana.post(f"{at}recall/", {"reason": "Wrong account."}).status_code == 302
        row.refresh_from_db()
        assert row.status == "recalled"

    def test_has_everything_that_was_sent_and_said_in_its_evidence_pack(
        self, abroad: Abroad, doubted: Execution
    ) -> None:
        abroad.inquire(Finding("unclear", detail="Try later."))
        for name in ("ben", "ada"):
            say(abroad, doubted, abroad.house.client(name), "executed", reference="BANK-9")
        at = abroad.house.url("proposals", doubted.proposal_id)
        pack = abroad.house.client("cleo").get(f"{at}evidence.json").json()
        [row] = pack["executions"]
        assert row["attempts"][0]["request"] == bytes(Attempt.objects.get().request).decode()
        assert [each["says"] for each in row["observations"]] == ["unclear"]
        assert [each["by"]["name"] for each in row["resolutions"]] == ["Ben", "Ada"]
        assert pack["revisions"][0]["outlet"]["connector"] == "bank"
        paper = abroad.house.client("cleo").get(f"{at}evidence.pdf")
        assert paper.content.startswith(b"%PDF")
