"""Send what webhooks are to hear: at least once, signed, and not for ever to who does not listen.

Claimed and committed before anything is sent, so nothing is locked while a host takes its time,
and whoever dies in between lets it be sent again, under the same webhook-id.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from django.conf import settings
from django.db import connection, transaction

from console.access.sealing import Unopenable, unseal
from console.notices.models import Delivery, Webhook
from console.notices.operations.ending import end
from console.notices.posting import Answer, post
from console.notices.schedule import has_failed_for_too_long, retry_after
from console.notices.signing import signed
from console.reaching.targets import reach

LEASE = timedelta(seconds=60)
AT_ONCE = 8
# A webhook whose host is slow may take a few of a batch's places, never all of them.
PER_WEBHOOK = 3
GONE = "The receiver said that it is gone (410)."
FAILED_TOO_LONG = "Nothing was taken for three days."

_CLAIM = """
    WITH due AS (
        SELECT waiting.id FROM notices_webhook AS webhook CROSS JOIN LATERAL (
            SELECT id, next_at FROM notices_delivery AS delivery
            WHERE delivery.webhook_id = webhook.id AND delivery.next_at <= %(now)s
            ORDER BY delivery.next_at LIMIT %(each)s) AS waiting
        WHERE webhook.disabled_at IS NULL
        ORDER BY waiting.next_at LIMIT %(all)s),
    mine AS (
        SELECT id FROM notices_delivery
        WHERE id IN (SELECT id FROM due) AND next_at <= %(now)s
        FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE notices_delivery AS delivery
    SET attempts = attempts + 1, tries = tries + 1, next_at = %(lease)s, tried_at = %(now)s
    FROM mine WHERE delivery.id = mine.id
    RETURNING delivery.id
"""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent where; made before it is sent, by whoever may read the secrets."""

    url: str
    body: bytes
    headers: dict[str, str]
    problem: str = ""


def deliver_some(*, now: datetime) -> int:
    """Send the deliveries that are due, a batch of them, and return how many were tried."""
    claimed = _claim(now)
    parcels = [_packed(delivery, now) for delivery in claimed]
    # The threads only send; rows are read and written here.
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="deliver") as pool:
        for delivery, answer in zip(claimed, pool.map(_sent, parcels), strict=True):
            _close(delivery, answer, now)
    return len(claimed)


def _claim(now: datetime) -> list[Delivery]:
    values: dict[str, datetime | int] = {
        "now": now,
        "lease": now + LEASE,
        "each": PER_WEBHOOK,
        "all": AT_ONCE * PER_WEBHOOK,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        ids = [row[0] for row in cursor.fetchall()]
    rows = Delivery.objects.filter(id__in=ids).select_related("webhook")
    return list(rows.order_by("made_at", "id"))


def _packed(delivery: Delivery, now: datetime) -> Parcel:
    webhook, body = delivery.webhook, bytes(delivery.body)
    try:
        keys = _keys(webhook, now)
    except Unopenable:
        problem = "The secret was sealed with a key that is gone; give the webhook a new one."
        return Parcel(webhook.url, body, {}, problem)
    return Parcel(webhook.url, body, signed(body, str(delivery.event_id), keys, now))


def _keys(webhook: Webhook, now: datetime) -> list[str]:
    sealing = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    kept = [webhook.secret]
    if webhook.earlier_until is not None and now < webhook.earlier_until:
        kept.append(webhook.earlier_secret)
    return [unseal(each, sealing) for each in kept]


def _sent(parcel: Parcel) -> Answer:
    if parcel.problem:
        return Answer(0, problem=parcel.problem)
    allowed = reach(settings.WEBHOOK_NETWORKS, settings.WEBHOOK_PORTS)
    return post(parcel.url, parcel.body, parcel.headers, allowed)


def _close(delivery: Delivery, answer: Answer, now: datetime) -> None:
    with transaction.atomic():
        # The webhook first, as everybody does who changes it and its deliveries.
        webhook = Webhook.objects.select_for_update(no_key=True).get(id=delivery.webhook_id)
        is_off = webhook.disabled_at is not None
        if not _write(delivery, answer, None if is_off else _next_at(delivery, now), now) or is_off:
            return
        if answer.is_taken:
            _note(webhook, None)
            return
        if webhook.failing_since is None:
            _note(webhook, now)
        if because := _reason_to_end(webhook, answer, now):
            end(webhook, because=because, now=now)


def _next_at(delivery: Delivery, now: datetime) -> datetime | None:
    wait = retry_after(delivery.tries)
    return now + wait if wait else None


def _write(delivery: Delivery, answer: Answer, next_at: datetime | None, now: datetime) -> bool:
    """Write what came of a try, unless somebody else has taken the delivery since."""
    mine = Delivery.objects.filter(id=delivery.id, attempts=delivery.attempts)
    return bool(
        mine.update(
            next_at=None if answer.is_taken else next_at,
            last_status=answer.status or None,
            last_error=answer.problem[:300],
            last_answer=answer.says,
            delivered_at=now if answer.is_taken else None,
        )
    )


def _note(webhook: Webhook, failing_since: datetime | None) -> None:
    if webhook.failing_since != failing_since:
        webhook.failing_since = failing_since
        webhook.save(update_fields=["failing_since"])


def _reason_to_end(webhook: Webhook, answer: Answer, now: datetime) -> str:
    if answer.status == HTTPStatus.GONE:
        return GONE
    return FAILED_TOO_LONG if has_failed_for_too_long(webhook.failing_since, now) else ""
