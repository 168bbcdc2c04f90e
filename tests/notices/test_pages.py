"""Settings in the browser: what I am told, and where else events are sent."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from console.notices.models import Delivery, Preference, Webhook
from console.notices.operations.delivering import deliver_some
from console.notices.operations.mailing import mail_next
from tests.notices.conftest import NOON, TITLE, Office
from tests.notices.receivers import Mailbox, Receiver

pytestmark = pytest.mark.django_db
CHOICES = {"new": "immediate", "mine": "digest", "talk": "off", "outcome": "off"}
FORM = {**CHOICES, "alarm": "digest", "digest_hour": "17", "zone": "Europe/Berlin"}


def test_a_person_chooses_and_finds_the_choice_again(office: Office) -> None:
    browser = office.client("ana")
    answer = browser.post(office.url("notifications", "choose"), FORM, follow=True)
    html = answer.content.decode()
    assert "Your choice is kept" in html
    assert '<option value="17" selected>17:00</option>' in html
    assert '<option value="Europe/Berlin" selected>' in html
    row = Preference.objects.get()
    assert (row.chosen, row.digest_hour) == ({**CHOICES, "alarm": "digest"}, 17)
    # Ben's page is not Ana's.
    html = office.client("ben").get(office.url("notifications")).content.decode()
    assert '<option value="8" selected>08:00</option>' in html


@pytest.mark.parametrize("wrong", [{"alarm": "off"}, {"digest_hour": "24"}, {"zone": "x"}])
def test_a_wrong_choice_is_not_kept(office: Office, wrong: dict[str, str]) -> None:
    answer = office.client("ana").post(office.url("notifications", "choose"), {**FORM, **wrong})
    assert answer.status_code == 422
    assert not Preference.objects.exists()


def test_says_when_no_mail_is_sent(office: Office, settings: Settings, box: Mailbox) -> None:
    page = office.url("notifications")
    assert b"No mail is sent" not in office.client("ana").get(page).content
    settings.EMAIL_URL = ""
    assert b"No mail is sent" in office.client("ana").get(page).content


def test_shows_what_one_was_told_and_nobody_else_was(office: Office, box: Mailbox) -> None:
    subject = office.happens("proposal.assigned", "ana")
    mail_next(now=NOON)
    html = office.client("ana").get(office.url("notifications")).content.decode()
    assert TITLE in html
    assert f'href="/w/acme/proposals/{subject}/"' in html
    assert TITLE not in office.client("ben").get(office.url("notifications")).content.decode()


def test_the_number_of_queries_does_not_grow_with_what_was_told(office: Office) -> None:
    page, browser = office.url("notifications"), office.client("ana")
    office.happens("proposal.assigned", "ana")
    with CaptureQueriesContext(connection) as few:
        browser.get(page)
    for _ in range(15):
        office.happens("proposal.assigned", "ana")
    with CaptureQueriesContext(connection) as many:
        browser.get(page)
    assert len(many) == len(few)


def test_a_webhook_is_added_and_its_secret_shown_once(office: Office) -> None:
    browser = office.client("eve")
    form = {"url": "https://hooks.example/x", "events": ["proposal.made", "glass.broken"]}
    answer = browser.post(office.url("webhooks", "add"), form)
    assert b"whsec_" in answer.content
    assert "no-store" in answer["Cache-Control"]
    webhook = Webhook.objects.get()
    assert webhook.events == ["glass.broken", "proposal.made"]
    for page in (office.url("webhooks"), office.url("webhooks", webhook.id)):
        assert b"whsec_" not in browser.get(page).content
    answer = browser.post(office.url("webhooks", webhook.id, "rotate"))
    assert b"whsec_" in answer.content
    assert b"The secret before signs, too" in answer.content


def test_a_bad_address_is_said_beside_the_field(office: Office) -> None:
    form = {"url": "https://0x7f.1/", "events": ["proposal.made"]}
    answer = office.client("eve").post(office.url("webhooks", "add"), form)
    assert answer.status_code == 422
    assert "This is not the name of a host." in answer.content.decode()


def test_shows_what_was_sent_and_sends_it_again(office: Office, sink: Receiver) -> None:
    webhook, _ = office.hook(sink.url)
    page, browser = office.url("webhooks", webhook.id), office.client("eve")
    sink.status, sink.says = 500, b"<script>alert(1)</script>"
    browser.post(office.url("webhooks", webhook.id, "test"))
    [delivery] = Delivery.objects.all()
    deliver_some(now=delivery.made_at)
    html = browser.get(page).content.decode()
    assert "Answered 500." in html
    assert "<script>alert" not in html
    assert "Failing" in html
    sink.status = 200
    again = office.url("webhooks", webhook.id, "deliveries", delivery.id, "redeliver")
    assert b"the same webhook-id" in browser.post(again, follow=True).content
    deliver_some(now=Delivery.objects.get().next_at or NOON)
    assert "Delivered" in browser.get(page).content.decode()
    assert len(set(sink.ids())) == 1


def test_pages_of_deliveries_cost_the_same_and_miss_none(office: Office) -> None:
    webhook, _ = office.hook("https://hooks.example/")
    for _ in range(60):
        office.happens("proposal.made")
    page, browser = office.url("webhooks", webhook.id), office.client("eve")
    with CaptureQueriesContext(connection) as first:
        html = browser.get(page).content.decode()
    cursor = html.split("?cursor=")[1].split('"')[0]
    with CaptureQueriesContext(connection) as second:
        rest = browser.get(f"{page}?cursor={cursor}").content.decode()
    assert (html.count('id="delivery-'), rest.count('id="delivery-')) == (50, 10)
    assert len(first) == len(second)


@pytest.mark.parametrize("act", ["disable", "enable", "remove", "test", "rotate"])
def test_reviewers_may_not(office: Office, act: str) -> None:
    webhook, _ = office.hook("https://hooks.example/")
    answer = office.client("ana").post(office.url("webhooks", webhook.id, act))
    assert answer.status_code == 403
    assert office.client("ana").get(office.url("webhooks")).status_code == 403


def test_off_on_and_removed(office: Office) -> None:
    webhook, _ = office.hook("https://hooks.example/")
    browser = office.client("ada")
    browser.post(office.url("webhooks", webhook.id, "disable"))
    html = browser.get(office.url("webhooks", webhook.id)).content.decode()
    assert "Ada switched it off." in html
    assert "Send a test event" not in html
    browser.post(office.url("webhooks", webhook.id, "enable"))
    assert Webhook.objects.get().disabled_at is None
    browser.post(office.url("webhooks", webhook.id, "remove"))
    assert browser.get(office.url("webhooks", webhook.id)).status_code == 404
    assert b"hooks.example" not in browser.get(office.url("webhooks")).content.split(b"<form")[0]
