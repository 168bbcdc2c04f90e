"""Mailing: to whom, when, how often, and what a mail never says."""

from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from pytest_django import Settings

from console.access.models import User
from console.access.operations.granting import grant, revoke_role
from console.actors import system
from console.notices.models import Mail, Notice
from console.notices.operations import mailing
from console.notices.operations.choosing import choose
from console.notices.operations.mailing import gather, mail_next
from tests.notices.conftest import NOON, Office
from tests.notices.receivers import Mailbox
from tests.racing import race

pytestmark = pytest.mark.django_db
# A digest is due the next morning at eight.
MORNING = NOON.replace(day=3, hour=8)
PERSONAL = ("Annegret", "Nordlicht", "48", "EUR", "Pay")


def all_mail(at: datetime) -> int:
    sent = 0
    while mail_next(now=at):
        sent += 1
    return sent


def test_a_mail_goes_out_at_once_and_says_where_to_look(office: Office, box: Mailbox) -> None:
    due = (NOON + timedelta(hours=2)).isoformat()
    subject = office.happens("proposal.assigned", "ana", data={"due_at": due})
    assert all_mail(NOON) == 1
    [mail] = box.mails
    assert box.people == ["ana@acme.example"]
    assert mail["Subject"] == "A proposal was assigned to you · Acme · level 2"
    text = box.text()
    assert f"https://console.example/w/acme/proposals/{subject}/" in text
    assert "It has to be decided by 2026-03-02 14:00 UTC" in text
    assert mail["List-Unsubscribe"] == "<https://console.example/w/acme/settings/notifications/>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    assert all_mail(NOON + timedelta(days=1)) == 0


def test_a_mail_names_nobody_and_no_amount_and_decides_nothing(
    office: Office, box: Mailbox
) -> None:
    office.happens("proposal.assigned", "ana")
    office.happens("proposal.made", "ana")
    all_mail(NOON)
    all_mail(MORNING)
    assert len(box.mails) == 2
    for index, mail in enumerate(box.mails):
        ids = "".join(office.happened)
        said = f"{mail['Subject']}\n{box.text(index)}"
        for known in office.happened:
            said = said.replace(known, "")
        assert ids
        assert not [secret for secret in PERSONAL if secret in said]
        assert not [word for word in ("decide/", "approve", "?token", "choice=") if word in said]


def test_the_deadline_is_told_in_the_zone_of_the_person(office: Office, box: Mailbox) -> None:
    choose(actor=office.actor("ana"), chosen={}, digest_hour=8, zone="Europe/Berlin", now=NOON)
    office.happens("proposal.assigned", "ana", data={"due_at": NOON.isoformat()})
    all_mail(NOON)
    assert "2026-03-02 12:00 UTC (13:00 Europe/Berlin)" in box.text()


def test_a_digest_goes_out_once_a_day_at_its_hour(office: Office, box: Mailbox) -> None:
    for _ in range(3):
        office.happens("proposal.made", "ana")
    office.happens("proposal.settled", "ana")
    assert all_mail(MORNING - timedelta(minutes=1)) == 0
    assert all_mail(MORNING) == 1
    assert box.subjects() == ["4 things happened · Acme · digest"]
    assert "3 proposals are waiting for people" in box.text()
    # What comes later waits for the next morning.
    office.happens("proposal.made", "ana", at=MORNING + timedelta(minutes=1))
    assert all_mail(MORNING + timedelta(hours=15)) == 0
    assert all_mail(MORNING + timedelta(days=1)) == 1
    assert box.subjects()[1] == "1 thing happened · Acme · digest"


def test_nothing_new_is_no_digest(office: Office, box: Mailbox) -> None:
    office.happens("proposal.made", "ana")
    all_mail(MORNING)
    assert all_mail(MORNING + timedelta(days=1)) == 0
    assert len(box.mails) == 1


def test_another_hour_does_not_make_a_second_digest_of_the_day(
    office: Office, box: Mailbox
) -> None:
    office.happens("proposal.made", "ana")
    all_mail(MORNING)
    office.happens("proposal.made", "ana", at=MORNING + timedelta(minutes=5))
    choose(actor=office.actor("ana"), chosen={}, digest_hour=9, zone="UTC", now=MORNING)
    assert all_mail(MORNING + timedelta(hours=2)) == 0
    assert all_mail(MORNING + timedelta(days=1, hours=1)) == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_who_gather_and_send_at_once_make_one_digest(office: Office, box: Mailbox) -> None:
    for day in range(5):
        at = MORNING + timedelta(days=day)
        office.happens("proposal.made", "ana", at=at - timedelta(hours=1))
        with race() as runs:
            runs.run(lambda: gather(now=at), lambda: gather(now=at))  # noqa: B023  (run at once)
            runs.run(lambda: all_mail(at), lambda: all_mail(at))  # noqa: B023  (run at once)
        assert len(box.mails) == day + 1
    assert Mail.objects.count() == 5
    assert not Notice.objects.filter(mail=None).exists()


def test_who_lost_access_meanwhile_gets_no_mail(office: Office, box: Mailbox) -> None:
    office.happens("proposal.assigned", "ana", "ben")
    ana, setup = office.people["ana"], system("setup", office.workspace.id)
    revoke_role(setup, office.workspace.id, ana, "reviewer")
    User.objects.filter(id=office.id_of("ben")).update(is_active=False)
    all_mail(NOON)
    assert box.mails == []
    assert {row.problem for row in Mail.objects.all()} == {mailing.LEFT}
    assert not Mail.objects.exclude(next_at=None).exists()


def test_a_server_that_refuses_is_asked_again_later_and_not_for_ever(
    office: Office, box: Mailbox
) -> None:
    office.happens("proposal.assigned", "ana")
    box.answer = "451 later"
    at = NOON
    for _ in range(7):
        assert mail_next(now=at)
        assert not mail_next(now=at + timedelta(seconds=59))
        at += timedelta(hours=12)
    assert not mail_next(now=at + timedelta(days=2))
    mail = Mail.objects.get()
    assert (mail.tries, mail.sent_at, mail.next_at) == (7, None, None)
    assert mail.problem == "The mail server did not take it: SMTPDataError."


def test_a_server_that_comes_back_gets_the_mail(office: Office, box: Mailbox) -> None:
    office.happens("proposal.assigned", "ana")
    box.answer = "451 later"
    all_mail(NOON)
    box.answer = "250 OK"
    assert all_mail(NOON + timedelta(seconds=60)) == 1
    mail = Mail.objects.get()
    assert (mail.problem, mail.sent_at) == ("", NOON + timedelta(seconds=60))


class Killed(BaseException):
    """The process ends here."""


def test_killed_between_sending_and_marking_sends_the_same_mail_again(
    office: Office, box: Mailbox
) -> None:
    office.happens("proposal.assigned", "ana")
    dies = mock.patch.object(mailing, "_close", side_effect=Killed)
    with dies, pytest.raises(Killed):
        mail_next(now=NOON)
    # While the lease lasts nobody else takes it.
    assert not mail_next(now=NOON + timedelta(seconds=59))
    assert mail_next(now=NOON + timedelta(seconds=60))
    assert len(box.mails) == 2
    assert len({mail["Message-ID"] for mail in box.mails}) == 1
    assert not mail_next(now=NOON + timedelta(days=1))


def test_who_comes_back_late_does_not_undo_what_another_did(office: Office, box: Mailbox) -> None:
    office.happens("proposal.assigned", "ana")
    gather(now=NOON)
    late = mailing._claim(NOON)
    assert late
    assert all_mail(NOON + timedelta(seconds=60)) == 1
    mailing._try_again(late, "too late", NOON + timedelta(seconds=90))
    mail = Mail.objects.get()
    assert (mail.problem, mail.next_at) == ("", None)


def test_without_a_server_nothing_is_sent_and_old_news_stay_unsent(
    office: Office, settings: Settings, box: Mailbox
) -> None:
    url, settings.EMAIL_URL = settings.EMAIL_URL, ""
    office.happens("proposal.assigned", "ana")
    assert all_mail(NOON) == 0
    assert not Mail.objects.exists()
    settings.EMAIL_URL = url
    assert all_mail(NOON + timedelta(days=4)) == 0
    office.happens("proposal.assigned", "ana", at=NOON + timedelta(days=4))
    assert all_mail(NOON + timedelta(days=4)) == 1


def test_both_workspaces_of_a_person_send_their_own(
    office: Office, elsewhere: Office, box: Mailbox
) -> None:
    shared: Any = office.people["eve"]
    elsewhere.people["eve"] = shared
    office.happens("proposal.settled", "eve")
    grant(system("setup", elsewhere.workspace.id), elsewhere.workspace.id, shared, "engineer")
    elsewhere.happens("proposal.settled", "eve")
    assert all_mail(MORNING) == 2
    assert {each.split(" · ")[1] for each in box.subjects()} == {"Acme", "Umbra"}
    assert box.people == ["eve@acme.example"] * 2
