"""Delivering: signed, at least once under one id, again on schedule, and not for ever."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from unittest import mock

import pytest
from pytest_django import Settings
from standardwebhooks import WebhookVerificationError

from console.access.models import User
from console.errors import Conflict, Forbidden, NotFound
from console.ledger.models import Entry
from console.notices.models import Delivery, Notice, Webhook
from console.notices.operations import delivering, hooking
from console.notices.operations.delivering import PER_WEBHOOK, deliver_some
from console.notices.operations.forgetting import forget
from console.notices.operations.redelivering import redeliver, send_test
from console.notices.posting import Answer
from console.notices.schedule import RETRIES
from tests.notices.conftest import NOON, Office
from tests.notices.receivers import Receiver
from tests.racing import race

pytestmark = pytest.mark.django_db


def now() -> datetime:
    return datetime.now(UTC)


def everything(at: datetime) -> int:
    tried = 0
    while some := deliver_some(now=at):
        tried += some
    return tried


def test_a_message_arrives_signed_and_says_nothing_personal(office: Office, sink: Receiver) -> None:
    _, secret = office.hook(sink.url)
    at = now()
    subject = office.happens("proposal.made", at=at, data={"status": "pending"})
    assert everything(at) == 1
    message = sink.checked(secret)
    assert message["type"] == "proposal.made"
    assert message["data"] == {
        "level": 2,
        "proposal": subject,
        "status": "pending",
        "url": f"http://127.0.0.1:8000/w/acme/proposals/{subject}/",
    }
    delivery = Delivery.objects.get()
    assert sink.ids() == [str(delivery.event_id)]
    assert (delivery.last_status, delivery.next_at, delivery.delivered_at) == (204, None, at)
    assert everything(at + timedelta(days=1)) == 0


def test_another_secret_or_an_altered_body_is_noticed(office: Office, sink: Receiver) -> None:
    _, secret = office.hook(sink.url)
    office.happens("proposal.made", at=now())
    everything(now())
    _, other = office.hook(sink.url)
    with pytest.raises(WebhookVerificationError):
        sink.checked(other)
    sink.taken[0].body = sink.taken[0].body.replace(b"level", b"lever")
    with pytest.raises(WebhookVerificationError):
        sink.checked(secret)


def test_an_old_message_played_again_is_noticed(office: Office, sink: Receiver) -> None:
    _, secret = office.hook(sink.url)
    office.happens("proposal.made", at=NOON)
    everything(now() - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError, match="too old"):
        sink.checked(secret)


def test_a_receiver_that_fails_is_tried_on_schedule_with_the_same_id_and_bytes(
    office: Office, sink: Receiver
) -> None:
    office.hook(sink.url)
    office.happens("proposal.made")
    sink.status, sink.says = 500, b"broken" * 1_000
    at = NOON
    for number, wait in enumerate(RETRIES[:-2], start=1):
        assert everything(at) == 1
        delivery = Delivery.objects.get()
        assert (delivery.attempts, delivery.next_at) == (number, at + wait)
        assert everything(at + wait - timedelta(seconds=1)) == 0
        at += wait
    assert len(set(sink.ids())) == 1
    assert len({message.body for message in sink.taken}) == 1
    delivery = Delivery.objects.get()
    assert (delivery.last_status, len(delivery.last_answer)) == (500, 500)
    stamps = [int(message.headers["webhook-timestamp"]) for message in sink.taken]
    assert [b - a for a, b in pairwise(stamps)] == [
        int(wait.total_seconds()) for wait in RETRIES[:-3]
    ]
    sink.status = 200
    assert everything(at) == 1
    assert Delivery.objects.get().delivered_at == at
    assert Webhook.objects.get().failing_since is None


def test_after_three_days_of_failing_it_is_switched_off_with_an_alarm(
    office: Office, sink: Receiver
) -> None:
    office.hook(sink.url, "proposal.made", "webhook.ended")
    sink.status = 503
    at = NOON
    while Webhook.objects.get().disabled_at is None:
        office.happens("proposal.made", at=at)
        everything(at)
        at += timedelta(hours=6)
    webhook = Webhook.objects.get()
    assert webhook.failing_since == NOON
    assert webhook.disabled_at == NOON + timedelta(days=3)
    assert webhook.disabled_because == delivering.FAILED_TOO_LONG
    assert not Delivery.objects.exclude(next_at=None).exists()
    alarmed = {row.person_id: row.how for row in Notice.objects.all()}
    assert alarmed == {office.id_of("ada"): "immediate", office.id_of("eve"): "immediate"}
    assert Entry.objects.filter(verb="webhook.ended").count() == 1
    office.happens("proposal.made", at=at)
    assert everything(at) == 0


def test_one_success_in_between_begins_the_three_days_anew(office: Office, sink: Receiver) -> None:
    office.hook(sink.url)
    sink.status = 500
    office.happens("proposal.made", at=NOON)
    everything(NOON)
    sink.status = 200
    everything(NOON + timedelta(days=2))
    sink.status = 500
    later = NOON + timedelta(days=2, hours=1)
    office.happens("proposal.made", at=later)
    everything(later)
    everything(NOON + timedelta(days=4))
    assert Webhook.objects.get().failing_since == later
    assert Webhook.objects.get().disabled_at is None


def test_a_receiver_that_is_gone_is_not_asked_again(office: Office, sink: Receiver) -> None:
    office.hook(sink.url)
    office.happens("proposal.made")
    sink.status = 410
    everything(NOON)
    assert Webhook.objects.get().disabled_because == delivering.GONE


def test_a_delivery_is_given_up_after_the_last_try(office: Office, sink: Receiver) -> None:
    office.hook(sink.url)
    office.happens("proposal.made")
    Delivery.objects.update(tries=len(RETRIES), attempts=len(RETRIES))
    sink.status = 500
    everything(NOON)
    delivery = Delivery.objects.get()
    assert (delivery.attempts, delivery.next_at, delivery.delivered_at) == (10, None, None)


class Killed(BaseException):
    """The process ends here."""


def test_killed_between_sending_and_marking_sends_again_under_the_same_id(
    office: Office, sink: Receiver
) -> None:
    _, secret = office.hook(sink.url)
    office.happens("proposal.made", at=now())
    at = now()
    dies = mock.patch.object(delivering, "_close", side_effect=Killed)
    with dies, pytest.raises(Killed):
        deliver_some(now=at)
    assert deliver_some(now=at + timedelta(seconds=59)) == 0
    assert deliver_some(now=at + timedelta(seconds=60)) == 1
    assert len(sink.taken) == 2
    assert len(set(sink.ids())) == 1
    assert sink.checked(secret, 0) == sink.checked(secret, 1)
    assert Delivery.objects.get().attempts == 2


def test_who_comes_back_late_does_not_undo_what_another_did(office: Office, sink: Receiver) -> None:
    office.hook(sink.url)
    office.happens("proposal.made")
    [late] = delivering._claim(NOON)
    everything(NOON + timedelta(seconds=60))
    delivering._close(late, Answer(500, problem="late"), NOON + timedelta(seconds=61))
    delivery = Delivery.objects.get()
    assert (delivery.last_status, delivery.next_at) == (204, None)
    assert Webhook.objects.get().failing_since is None


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_who_deliver_at_once_send_each_message_once(office: Office, sink: Receiver) -> None:
    office.hook(sink.url)
    for _ in range(20):
        office.happens("proposal.made")
    with race() as runs:
        assert sum(runs.run(lambda: everything(NOON), lambda: everything(NOON))) == 20
    assert len(set(sink.ids())) == len(sink.taken) == 20


def test_a_slow_host_takes_a_few_places_and_not_all(office: Office, sink: Receiver) -> None:
    slow, _ = office.hook(sink.url)
    for _ in range(30):
        office.happens("proposal.made")
    quick, _ = office.hook(f"{sink.url}/quick")
    office.happens("proposal.made", at=NOON + timedelta(seconds=1))
    assert deliver_some(now=NOON + timedelta(seconds=1)) == PER_WEBHOOK + 1
    assert Delivery.objects.get(webhook=quick).delivered_at
    assert Delivery.objects.filter(webhook=slow, delivered_at=None).count() == 28


def test_both_secrets_sign_for_a_day_and_then_the_new_one_alone(
    office: Office, sink: Receiver
) -> None:
    at = now()
    webhook, old = office.hook(sink.url)
    _, new = hooking.rotate(
        actor=office.actor("eve"), webhook_id=webhook.id, now=at - timedelta(hours=23)
    )
    office.happens("proposal.made", at=at)
    everything(at)
    assert sink.checked(old) == sink.checked(new)
    Webhook.objects.update(earlier_until=at)
    office.happens("proposal.made", at=at)
    everything(at)
    assert sink.checked(new)
    with pytest.raises(WebhookVerificationError, match="No matching"):
        sink.checked(old)


def test_a_secret_sealed_with_a_key_that_is_gone_is_said_and_not_sent(
    office: Office, sink: Receiver, settings: Settings
) -> None:
    _, secret = office.hook(sink.url)
    office.happens("proposal.made", at=now())
    kept, settings.SECRET_KEY = settings.SECRET_KEY, "another" * 8
    everything(now())
    assert sink.taken == []
    assert "new one" in Delivery.objects.get().last_error
    settings.SECRET_KEY_FALLBACKS = [kept]
    everything(now() + timedelta(seconds=6))
    assert sink.checked(secret)


def test_the_secret_is_not_in_the_database_as_it_is(office: Office, sink: Receiver) -> None:
    webhook, secret = office.hook(sink.url)
    row = Webhook.objects.get(id=webhook.id)
    assert secret not in row.secret
    assert secret.removeprefix("whsec_") not in row.secret
    lines = json.dumps([entry.body for entry in Entry.objects.all()])
    assert secret not in lines
    assert "/hook" not in lines


def test_sending_again_is_the_same_message(office: Office, sink: Receiver) -> None:
    webhook, secret = office.hook(sink.url)
    office.happens("proposal.made", at=now())
    everything(now())
    [delivery] = Delivery.objects.all()
    eve = office.actor("eve")
    redeliver(actor=eve, webhook_id=webhook.id, delivery_id=delivery.id, now=now())
    everything(now())
    assert sink.checked(secret, 0) == sink.checked(secret, 1)
    assert len(set(sink.ids())) == 1
    row = Delivery.objects.get()
    assert (row.attempts, row.tries) == (2, 1)


def test_a_test_event_says_nothing_and_goes_to_one(office: Office, sink: Receiver) -> None:
    webhook, secret = office.hook(sink.url)
    office.hook(f"{sink.url}/other")
    send_test(actor=office.actor("eve"), webhook_id=webhook.id, now=now())
    assert everything(now()) == 1
    message = sink.checked(secret)
    assert (message["type"], message["data"]) == ("webhook.test", {})


def test_what_is_off_or_removed_or_of_others_is_not_sent_to(
    office: Office, elsewhere: Office, sink: Receiver
) -> None:
    webhook, _ = office.hook(sink.url)
    eve, zoe = office.actor("eve"), elsewhere.actor("zoe")
    office.happens("proposal.made")
    with pytest.raises(NotFound):
        send_test(actor=zoe, webhook_id=webhook.id, now=NOON)
    with pytest.raises(NotFound):
        hooking.remove(actor=zoe, webhook_id=webhook.id, now=NOON)
    hooking.disable(actor=eve, webhook_id=webhook.id, now=NOON)
    assert everything(NOON) == 0
    with pytest.raises(Conflict) as refused:
        send_test(actor=eve, webhook_id=webhook.id, now=NOON)
    assert refused.value.code == "webhook_off"
    hooking.enable(actor=eve, webhook_id=webhook.id, now=NOON)
    assert everything(NOON) == 0
    hooking.remove(actor=eve, webhook_id=webhook.id, now=NOON)
    assert Webhook.objects.get().secret == ""
    with pytest.raises(NotFound):
        hooking.enable(actor=eve, webhook_id=webhook.id, now=NOON)


@pytest.mark.parametrize("name", ["ana", "cleo"])
def test_reviewers_and_auditors_send_nothing_elsewhere(
    office: Office, sink: Receiver, name: str
) -> None:
    webhook, _ = office.hook(sink.url)
    with pytest.raises(Forbidden):
        hooking.add(actor=office.actor(name), url=sink.url, events=["proposal.made"], now=NOON)
    with pytest.raises(Forbidden):
        hooking.rotate(actor=office.actor(name), webhook_id=webhook.id, now=NOON)


@pytest.mark.parametrize(
    ("url", "events", "field"),
    [
        ("https://127.0.0.1/", ["proposal.made"], "url"),
        ("http://hooks.example/", ["proposal.made"], "url"),
        ("https://hooks.example/", [], "events"),
        ("https://hooks.example/", ["proposal.eaten"], "events"),
    ],
)
def test_adding_refuses_where_nothing_may_be_sent(
    office: Office, url: str, events: list[str], field: str
) -> None:
    with pytest.raises(hooking.WebhookUnusable) as refused:
        hooking.add(actor=office.actor("eve"), url=url, events=events, now=NOON)
    assert refused.value.details["field"] == field
    assert not Webhook.objects.exists()


def test_a_workspace_has_at_most_twenty(office: Office) -> None:
    for number in range(hooking.WEBHOOKS_AT_MOST):
        office.hook(f"https://hooks.example/{number}")
    with pytest.raises(hooking.WebhookUnusable, match="at most 20"):
        office.hook("https://hooks.example/more")


def test_forgets_after_ninety_days_and_not_before(office: Office, sink: Receiver) -> None:
    office.hook(sink.url)
    office.happens("proposal.made", "ana")
    everything(NOON)
    assert forget(now=NOON + timedelta(days=90)) == 0
    assert forget(now=NOON + timedelta(days=91)) == 3
    assert not Delivery.objects.exists()
    assert User.objects.filter(id=office.id_of("ana")).exists()
