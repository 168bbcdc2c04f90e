"""Forget what was told long ago; the ledger remembers what was done."""

from datetime import datetime, timedelta

from console.notices.models import Delivery, Event, Mail

KEPT = timedelta(days=90)
AT_ONCE = 1_000


def forget(*, now: datetime, at_most: int = AT_ONCE) -> int:
    """Delete events with their notices, mails and deliveries of more than 90 days ago."""
    before, gone = now - KEPT, 0
    for rows in (
        Delivery.objects.filter(made_at__lt=before, next_at=None),
        Event.objects.filter(made_at__lt=before),
        Mail.objects.filter(made_at__lt=before, next_at=None, notices=None),
    ):
        old = list(rows.order_by("made_at").values_list("id", flat=True)[:at_most])
        gone += rows.model.objects.filter(id__in=old).delete()[0]
    return gone
