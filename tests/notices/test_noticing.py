"""Noticing: what is written when something happens, and for whom."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from console.access.operations.granting import revoke_role
from console.actors import system
from console.doorbell.models import Ring
from console.notices.models import Delivery, Event, Notice
from console.notices.operations.choosing import ChoiceInvalid, choose
from tests.notices.conftest import NOON, TITLE, Office

pytestmark = pytest.mark.django_db


def told(office: Office) -> dict[str, str]:
    names = {person.id: name for name, person in office.people.items()}
    return {names[row.person_id]: row.how for row in Notice.objects.all()}


def chosen(office: Office, name: str, **ways: str) -> None:
    choose(actor=office.actor(name), chosen=ways, digest_hour=8, zone="UTC", now=NOON)


def test_tells_each_person_once_in_the_way_they_chose(office: Office) -> None:
    chosen(office, "ana", new="immediate")
    chosen(office, "ada", new="off")
    office.happens("proposal.made", "ana", "ben", "ada", "ana")
    assert told(office) == {"ana": "immediate", "ben": "digest", "ada": "off"}


def test_rings_once_for_mail_and_once_for_webhooks(office: Office) -> None:
    office.happens("proposal.made", "ben")
    assert not Ring.objects.exists()
    office.hook("https://hooks.example/", "proposal.assigned", "proposal.made")
    office.happens("proposal.assigned", "ben", "ana")
    rings = list(Ring.objects.order_by("id").values_list("task", flat=True))
    assert rings == ["notices.mail", "notices.deliver"]


def test_goes_with_the_transaction_that_it_tells_of(office: Office) -> None:
    office.hook("https://hooks.example/")
    with transaction.atomic():
        office.happens("proposal.made", "ana")
        assert Delivery.objects.count() == 1
        transaction.set_rollback(True)
    rows = (Event.objects, Notice.objects, Delivery.objects, Ring.objects)
    assert [each.count() for each in rows] == [0, 0, 0, 0]


def test_the_same_occasion_is_told_once(office: Office) -> None:
    office.hook("https://hooks.example/", "proposal.due_soon")
    for _ in range(2):
        office.happens("proposal.due_soon", "ana", subject="p1", occasion="r1")
    office.happens("proposal.due_soon", "ana", subject="p1", occasion="r2")
    office.happens("proposal.due_soon", "ana", subject="p2", occasion="r1")
    assert (Notice.objects.count(), Delivery.objects.count()) == (3, 3)


def test_who_has_left_is_not_told(office: Office) -> None:
    ben = office.people["ben"]
    revoke_role(system("setup", office.workspace.id), office.workspace.id, ben, "reviewer")
    office.happens("proposal.made", "ana", "ben")
    assert set(told(office)) == {"ana"}


def test_people_of_the_other_workspace_are_not_told(office: Office, elsewhere: Office) -> None:
    office.people["zoe"] = elsewhere.people["zoe"]
    office.happens("proposal.made", "ana", "zoe")
    assert set(told(office)) == {"ana"}


def test_an_event_that_nobody_knows_is_loud(office: Office) -> None:
    with pytest.raises(KeyError):
        office.happens("proposal.eaten", "ana")


def test_a_webhook_hears_what_it_listens_to_and_only_at_home(
    office: Office, elsewhere: Office
) -> None:
    office.hook("https://hooks.example/", "proposal.made", "proposal.settled")
    office.hook("https://other.example/", "proposal.settled")
    elsewhere.hook("https://hooks.example/", "proposal.made")
    subject = office.happens("proposal.made", data={"due_at": "2026-03-02T13:00:00+00:00"})
    [delivery] = Delivery.objects.all()
    assert delivery.workspace_id == office.workspace.id
    message: dict[str, Any] = json.loads(bytes(delivery.body))
    assert message == {
        "type": "proposal.made",
        "timestamp": "2026-03-02T12:00:00+00:00",
        "data": {
            "due_at": "2026-03-02T13:00:00+00:00",
            "level": 2,
            "proposal": subject,
            "url": f"http://127.0.0.1:8000/w/acme/proposals/{subject}/",
        },
    }


def test_the_title_stays_in_the_house(office: Office) -> None:
    office.hook("https://hooks.example/")
    office.happens("proposal.made", "ana")
    [event], [delivery] = Event.objects.all(), Delivery.objects.all()
    assert event.title == TITLE
    for secret in ("Annegret", "48", "Nordlicht", "EUR"):
        assert secret not in json.dumps(event.data)
        assert secret not in json.loads(bytes(delivery.body))["data"].get("title", "")
    assert b"Annegret" not in bytes(delivery.body)


def test_the_database_keeps_workspaces_apart(office: Office, elsewhere: Office) -> None:
    office.happens("proposal.made", "ana")
    Notice.objects.update(workspace=elsewhere.workspace)
    with pytest.raises(IntegrityError, match="same_workspace"):
        connection.check_constraints()


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"chosen": {"alarm": "off"}}, "alarm"),
        ({"chosen": {"weather": "off"}}, "weather"),
        ({"chosen": {"new": "pigeon"}}, "new"),
        ({"digest_hour": 24}, "digest_hour"),
        ({"zone": "Mars/Olympus"}, "zone"),
    ],
)
def test_choosing_refuses_what_there_is_not(
    office: Office, more: dict[str, Any], field: str
) -> None:
    usual: dict[str, Any] = {"chosen": {}, "digest_hour": 8, "zone": "UTC"}
    with pytest.raises(ChoiceInvalid) as refused:
        choose(actor=office.actor("ana"), now=NOON, **{**usual, **more})
    assert refused.value.details["field"] == field


def test_choosing_off_lets_go_what_waits_for_a_digest(office: Office) -> None:
    office.happens("proposal.made", "ana", "ben")
    office.happens("proposal.settled", "ana", at=NOON + timedelta(hours=1))
    chosen(office, "ana", new="off")
    rows = Notice.objects.filter(person=office.id_of("ana")).order_by("made_at")
    assert [row.how for row in rows] == ["off", "digest"]
    assert Notice.objects.get(person=office.id_of("ben")).how == "digest"
