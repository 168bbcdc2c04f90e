"""Send what people are to be told by e-mail: at least once, and a digest once a day.

Nobody is asked whether they still belong to the workspace before the mail is on its way: a notice
may be a day old by then.
"""

import logging
from datetime import datetime, timedelta
from smtplib import SMTPException
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from console.access.queries import roles_of
from console.notices import queries
from console.notices.models import Mail, Notice
from console.notices.relays import Relay, relay
from console.notices.schedule import mail_retry_after, slot, zone_of
from console.notices.wording import Item, Letter, Place, digest, one

logger = logging.getLogger(__name__)
TIMEOUT_SECONDS = 10
LEASE = timedelta(seconds=60)
GATHERED_AT_ONCE = 500
LEFT = "This person does not belong to the workspace any more."


def mail_next(*, now: datetime) -> bool:
    """Put together what is to be mailed, send one mail, and tell whether there was one.

    Sent before it is marked as sent: whoever dies in between lets it be sent again, under the
    same Message-ID. Locks: nothing while a server is spoken with.
    """
    server = relay(settings.EMAIL_URL)
    if server is None:
        return False
    mail = _claim(now)
    if mail is None:
        gather(now=now)
        mail = _claim(now)
    if mail is None:
        return False
    if not roles_of(mail.workspace_id, [mail.person_id]):
        _close(mail, problem=LEFT)
    elif problem := _send(mail, server):
        _try_again(mail, problem, now)
    else:
        _close(mail, sent_at=now)
    return True


def gather(*, now: datetime) -> None:
    """Give each notice its mail: one of its own, or the digest of the day when that is due."""
    _gather_immediate(now)
    waiting = Notice.objects.filter(mail=None, how="digest", made_at__gt=now - queries.OLDEST_TOLD)
    pairs = waiting.order_by().values_list("workspace_id", "person_id").distinct()
    for workspace_id, person_id in list(pairs):
        _gather_digest(workspace_id, person_id, now)


def _gather_immediate(now: datetime) -> None:
    with transaction.atomic():
        rows = Notice.objects.select_for_update(skip_locked=True).filter(
            mail=None, how="immediate", made_at__gt=now - queries.OLDEST_TOLD
        )
        notices = list(rows.order_by("made_at", "id")[:GATHERED_AT_ONCE])
        for notice in notices:
            notice.mail = Mail(
                workspace_id=notice.workspace_id,
                person_id=notice.person_id,
                made_at=now,
                next_at=now,
            )
        Mail.objects.bulk_create(notice.mail for notice in notices if notice.mail)
        Notice.objects.bulk_update(notices, ["mail"])


def _gather_digest(workspace_id: UUID, person_id: UUID, now: datetime) -> None:
    choice = queries.choice_of(workspace_id, person_id)
    due = slot(now, choice.digest_hour, choice.zone)
    rows = Notice.objects.filter(
        workspace=workspace_id,
        person=person_id,
        mail=None,
        how="digest",
        made_at__gt=now - queries.OLDEST_TOLD,
        made_at__lt=due.at,
    )
    if not rows.exists():
        return
    with transaction.atomic():
        # Of two who are here at once, one makes the day's digest; the other finds it made.
        mail, is_new = Mail.objects.get_or_create(
            workspace_id=workspace_id,
            person_id=person_id,
            day=due.day,
            defaults={"made_at": now, "next_at": now},
        )
        if is_new:
            rows.update(mail=mail)


def _claim(now: datetime) -> Mail | None:
    with transaction.atomic():
        rows = Mail.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        due = (
            rows.filter(next_at__lte=now)
            .select_related("workspace", "person")
            .defer("person__password")
        )
        mail = due.order_by("next_at", "id").first()
        if mail is not None:
            mail.tries, mail.next_at = mail.tries + 1, now + LEASE
            mail.save(update_fields=["tries", "next_at"])
    return mail


def _send(mail: Mail, server: Relay) -> str:
    """Send a mail and return what went wrong, or nothing."""
    letter = _letter(mail)
    if letter is None:
        return ""
    choices = _choices(mail)
    message = EmailMessage(
        letter.subject,
        letter.text,
        settings.EMAIL_FROM,
        [mail.person.email],
        headers={
            "Message-ID": f"<{mail.id}@{urlsplit(settings.PUBLIC_URL).hostname}>",
            "List-Unsubscribe": f"<{choices}>",
            "Auto-Submitted": "auto-generated",
        },
        connection=_connection(server),
    )
    try:
        message.send()
    except (OSError, SMTPException) as error:
        logger.warning("mail %s not sent: %s", mail.id, type(error).__name__)
        return f"The mail server did not take it: {type(error).__name__}."
    return ""


def _connection(server: Relay) -> EmailBackend:
    return EmailBackend(
        host=server.host,
        port=server.port,
        username=server.user,
        password=server.password,
        use_tls=server.starttls,
        use_ssl=server.tls,
        timeout=TIMEOUT_SECONDS,
    )


def _letter(mail: Mail) -> Letter | None:
    rows = Notice.objects.filter(mail=mail).select_related("event").order_by("made_at", "id")
    items = [
        Item(row.event.name, f"{settings.PUBLIC_URL}{row.event.path}", row.event.data)
        for row in rows
    ]
    if not items:
        return None
    choice = queries.choice_of(mail.workspace_id, mail.person_id)
    queue = f"{settings.PUBLIC_URL}{reverse('approvals:queue', args=[mail.workspace.slug])}"
    place = Place(mail.workspace.name, queue, _choices(mail), zone_of(choice.zone))
    return one(items[0], place) if mail.day is None else digest(items, place)


def _choices(mail: Mail) -> str:
    return f"{settings.PUBLIC_URL}{reverse('notices:preferences', args=[mail.workspace.slug])}"


def _try_again(mail: Mail, problem: str, now: datetime) -> None:
    wait = mail_retry_after(mail.tries)
    _mine(mail).update(problem=problem, next_at=now + wait if wait else None)


def _close(mail: Mail, *, sent_at: datetime | None = None, problem: str = "") -> None:
    _mine(mail).update(sent_at=sent_at, problem=problem, next_at=None)


def _mine(mail: Mail) -> QuerySet[Mail]:
    """Return the row, if nobody has claimed it since."""
    return Mail.objects.filter(id=mail.id, tries=mail.tries, sent_at=None)
