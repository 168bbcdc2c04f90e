"""Pages of what leaves the house: lists, ways out, the switch, and comparing both lists."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from approvals.connectors.protocol import Listed, Receipt
from approvals.models import Connector, Discrepancy, Reconciliation, SendSwitch
from approvals.operations.reconciling import reconcile_due
from approvals.operations.stopping import stop_sending
from approvals.operations.testing_connectors import test_due as carry_out_tests
from tests.approvals.teller import DONE, MARK, Abroad
from tests.house import House, now

pytestmark = pytest.mark.django_db(transaction=True)
# What a list page may ask of the database, its frame with it.
MOST = 20


@pytest.fixture
def abroad(house: House) -> Abroad:
    return Abroad.build(house)


def text(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    return answer.content.decode()


def queries_of(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as counted:
        client.get(path)
    return len(counted)


class TestTheLists:
    def test_say_that_nothing_is_in_doubt_and_nothing_left_yet(self, abroad: Abroad) -> None:
        ben, at = abroad.house.client("ben"), abroad.house.url("outside")
        page = text(ben, at)
        assert "Nothing is in doubt" in page
        assert 'class="count"' not in page
        assert "Nothing has left the house yet" in text(ben, f"{at}?show=all")
        assert "Nothing is set aside" in text(ben, f"{at}?show=set_aside")
        assert "Nothing is so" in text(ben, f"{at}?show=all&status=failed")

    def test_show_what_it_was_where_it_went_and_how_it_stands(self, abroad: Abroad) -> None:
        abroad.send(Receipt("acknowledged", f"R-1{MARK}", 200, "booked"), paid="48200.00")
        page = text(abroad.house.client("cleo"), f"{abroad.house.url('outside')}?show=all")
        for part in (
            "Wire EUR 48200.00 to Nordlicht GmbH",
            "https://bank.example/payments",
            "Carried out",
            "R-1&lt;b onclick=alert(1)&gt;now&lt;/b&gt;",
            "RIGHT-TO-LEFT OVERRIDE",
        ):
            assert part in page
        assert "<b onclick" not in page

    def test_put_what_is_in_doubt_first_and_count_it_beside_the_navigation(
        self, abroad: Abroad
    ) -> None:
        doubted, _ = abroad.doubt(), abroad.send()
        at = abroad.house.url("outside")
        page = text(abroad.house.client("ben"), at)
        assert page.count('class="row__link"') == 1
        assert str(doubted.id) in page
        assert "Nobody yet" in page
        assert page.count('<span class="count">1</span>') == 2
        # Who may not say what became of it is not called.
        assert text(abroad.house.client("cleo"), at).count('<span class="count">1</span>') == 1
        assert 'class="count"' in text(abroad.house.client("ada"), abroad.house.url("queue"))

    def test_are_cut_by_status_and_connector(self, abroad: Abroad) -> None:
        doubted, done = abroad.doubt(), abroad.send()
        ben, at = abroad.house.client("ben"), abroad.house.url("outside")
        page = text(ben, f"{at}?show=all&status=succeeded&connector=bank")
        assert (str(done.id) in page, str(doubted.id) in page) == (True, False)
        assert str(doubted.id) not in text(ben, f"{at}?connector=post")
        assert text(ben, f"{at}?show=nowhere", 422)
        assert text(ben, f"{at}?show=all&status=lost", 422)
        assert text(ben, f"{at}?cursor=x", 400)

    def test_are_turned_page_by_page(self, abroad: Abroad, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("approvals.showing.outside.PAGE_SIZE", 2)
        sent = [abroad.doubt() for _ in range(3)]
        ben, at = abroad.house.client("ben"), abroad.house.url("outside")
        for start in (at, f"{at}?show=all"):
            first = text(ben, start)
            shown = [row for row in sent if f'id="outside-{row.id}"' in first]
            assert len(shown) == 2
            following = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
            second = text(ben, following.replace("&amp;", "&"))
            rest = [row for row in sent if f'id="outside-{row.id}"' in second]
            assert {row.id for row in shown} | {row.id for row in rest} == {row.id for row in sent}
            assert len(rest) == 1
            assert ">First<" in second

    @pytest.mark.parametrize("start", ["", "?show=all", "?show=set_aside"])
    def test_cost_the_same_however_long_they_are(
        self, abroad: Abroad, django_assert_num_queries: DjangoAssertNumQueries, start: str
    ) -> None:
        ben, at = abroad.house.client("ben"), abroad.house.url("outside") + start
        make = abroad.quarantine if start == "?show=set_aside" else abroad.doubt
        make()
        ben.get(at)
        counted = queries_of(ben, at)
        assert counted <= MOST
        for _ in range(3):
            make()
        with django_assert_num_queries(counted):
            assert ben.get(at).content.decode().count('class="row__link"') == 4

    def test_show_what_was_set_aside_to_an_admin(self, abroad: Abroad) -> None:
        row = abroad.quarantine()
        page = text(abroad.house.client("ada"), f"{abroad.house.url('outside')}?show=set_aside")
        assert f'id="outside-{row.id}"' in page
        assert "Set aside" in page


class TestTheSwitch:
    def test_is_turned_off_by_an_admin_who_types_the_workspace(self, abroad: Abroad) -> None:
        ada, at = abroad.house.client("ada"), abroad.house.url("outside", "sending")
        assert "Stop sending for Acme" in text(ada, at)
        wrong = ada.post(at, {"reason": "Fraud is feared.", "typed": "umbra"})
        assert wrong.status_code == 422
        assert "Type acme to stop its sending." in wrong.content.decode()
        assert 'value="Fraud is feared."' in wrong.content.decode()
        assert not SendSwitch.objects.filter(is_stopped=True).exists()
        for _ in range(2):
            answer = ada.post(at, {"reason": "Fraud is feared.", "typed": "acme"})
            assert (answer.status_code, answer["Location"]) == (303, abroad.house.url("outside"))
        page = text(abroad.house.client("ben"), abroad.house.url("queue"))
        assert "Sending is stopped by Ada: Fraud is feared." in page
        for place in ((), ("connectors",), ("reconciliation",)):
            page = text(abroad.house.client("ben"), abroad.house.url("outside", *place))
            assert 'id="stopped"' in page

    def test_is_turned_on_again_with_a_reason(self, abroad: Abroad) -> None:
        ada = abroad.house.client("ada")
        stop_sending(actor=abroad.house.actor("ada"), reason="Fear.", typed="acme", now=now())
        at = abroad.house.url("outside", "sending", "resume")
        assert ada.post(at, {"reason": " "}).status_code == 422
        assert ada.post(at, {"reason": "The bank called."}).status_code == 303
        assert "Sending is stopped" not in text(ada, abroad.house.url("queue"))

    def test_is_out_of_reach_of_reviewers(self, abroad: Abroad) -> None:
        ben, at = abroad.house.client("ben"), abroad.house.url("outside", "sending")
        assert "Only an admin stops and resumes sending." in text(ben, at)
        assert ben.post(at, {"reason": "Because.", "typed": "acme"}).status_code == 403
        assert ben.post(f"{at}resume/", {"reason": "Because."}).status_code == 403
        assert not SendSwitch.objects.filter(is_stopped=True).exists()


class TestConnectors:
    def test_say_what_they_promise_and_how_they_are(self, abroad: Abroad) -> None:
        page = text(abroad.house.client("ben"), abroad.house.url("outside", "connectors"))
        for part in (
            "https://bank.example/payments",
            "The provider can be asked what became of it",
            "not tested yet",
            "Offered",
            "docs/connectors.md",
        ):
            assert part in page
        assert "Test connection" not in page

    def test_say_that_there_is_none(self, house: House) -> None:
        page = text(house.client("ben"), house.url("outside", "connectors"))
        assert "Nothing can leave this house" in page

    def test_are_tested_once_and_say_what_was_found(self, abroad: Abroad) -> None:
        row, ada = Connector.objects.get(), abroad.house.client("ada")
        at = abroad.house.url("outside", "connectors")
        test = f"{at}{row.id}/test/"
        for _ in range(2):
            assert "Test is under way" in ada.post(test, HTTP_HX_REQUEST="true").content.decode()
        assert carry_out_tests({"bank": abroad.bank}, now=now()) == 1
        assert "TLS 1.3, 200 OK" in text(ada, at)
        abroad.bank.is_away = True
        assert ada.post(test).status_code == 303
        carry_out_tests({"bank": abroad.bank}, now=now())
        page = text(ada, at)
        assert "Not reached" in page
        assert "nobody answers at bank.example" in page
        assert abroad.house.client("ben").post(test).status_code == 403
        assert ada.post(f"{at}{uuid4()}/test/").status_code == 404

    def test_that_are_gone_or_silent_say_so(self, abroad: Abroad) -> None:
        at, ada = abroad.house.url("outside", "connectors"), abroad.house.client("ada")
        Connector.objects.update(seen_at=now() - timedelta(minutes=3))
        assert "The sender is silent" in text(ada, at)
        Connector.objects.update(is_offered=False)
        page = text(ada, at)
        assert "No longer offered" in page
        assert "Test connection" not in page

    def test_cost_the_same_however_many_they_are(
        self, abroad: Abroad, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        at, ben = abroad.house.url("outside", "connectors"), abroad.house.client("ben")
        row = Connector.objects.get()
        ben.get(at)
        counted = queries_of(ben, at)
        assert counted <= MOST
        for number in range(4):
            row.pk, row.name = uuid4(), f"bank-{number}"
            row.save(force_insert=True)
        with django_assert_num_queries(counted):
            assert ben.get(at).content.decode().count('id="connector-') == 5


class TestReconciliation:
    def test_shows_what_differs_until_somebody_has_seen_to_it(self, abroad: Abroad) -> None:
        abroad.send(DONE)
        stray = Listed(uuid4().hex, f"X-9{MARK}", now(), "EUR 9.00")
        abroad.bank.lines = (stray,)
        ada, at = abroad.house.client("ada"), abroad.house.url("outside", "reconciliation")
        assert "Nothing was compared yet" in text(ada, at)
        assert ada.post(f"{at}compare/", {"connector": "bank"}).status_code == 303
        assert "Asked for" in text(ada, at)
        assert reconcile_due({"bank": abroad.bank}, now=now()) == 1
        page = text(ada, at)
        row = Discrepancy.objects.get(kind="not_ours")
        assert "They list something that we did not send." in page
        assert "X-9&lt;b onclick" in page
        close = f"/w/acme/outside/discrepancies/{row.id}/close/"
        assert ada.post(close, {"note": " "}).status_code == 422
        assert ada.post(close, {"note": "It is from before this console."}).status_code == 303
        assert ada.post(close, {"note": "Again."}).status_code == 409
        assert f"difference-{row.id}" not in text(ada, at)
        closed = text(ada, f"{at}?closed=1")
        assert "It is from before this console." in closed
        assert "by <span hx-ignore>Ada</span>" in closed

    def test_says_that_both_lists_agree(self, abroad: Abroad) -> None:
        row = abroad.send(DONE)
        abroad.bank.lines = (Listed(row.id.hex, "BANK-77", now()),)
        reconcile_due({"bank": abroad.bank}, now=now())
        page = text(abroad.house.client("cleo"), abroad.house.url("outside", "reconciliation"))
        assert "As far as both lists were compared, they agree." in page
        assert "Agrees" in page
        assert "Compare now" not in page
        assert Reconciliation.objects.get().counts["matched"] == 1

    def test_is_begun_by_admins_and_only_where_there_is_a_list(self, abroad: Abroad) -> None:
        at = abroad.house.url("outside", "reconciliation", "compare")
        assert abroad.house.client("ben").post(at, {"connector": "bank"}).status_code == 403
        ada = abroad.house.client("ada")
        assert ada.post(at, {"connector": "post"}).status_code == 404
        Connector.objects.update(can_list=False)
        refused = ada.post(at, {"connector": "bank"})
        assert refused.status_code == 409
        assert "has no list to compare with" in refused.content.decode()

    def test_costs_the_same_however_much_differs(
        self, abroad: Abroad, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        ben, at = abroad.house.client("ben"), abroad.house.url("outside", "reconciliation")
        ben.get(at)
        counted = queries_of(ben, at)
        assert counted <= MOST
        abroad.bank.lines = tuple(Listed(uuid4().hex, f"X-{n}", now()) for n in range(5))
        reconcile_due({"bank": abroad.bank}, now=now())
        with django_assert_num_queries(counted):
            assert ben.get(at).content.decode().count("Seen to it…") == 5
