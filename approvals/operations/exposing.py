"""Keep account of what waits and what was carried out in the buckets of limits.

A bucket is locked before it is counted, so of two proposals that are together beyond a limit the
second one sees the first. Buckets are locked in the order of their keys, and before the ledger.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Q, Sum

from approvals.exposing import Share
from approvals.models import Bucket, Exposure, Proposal
from console.locking import patiently

Buckets = Mapping[str, Bucket]


def lock_buckets(workspace_id: UUID, found: Sequence[Share]) -> Buckets:
    """Return the buckets of shares by their keys, made where there was none.

    Locks: the buckets, in the order of their keys, until the transaction ends.
    Raises: Busy (409).
    """
    if not found:
        return {}
    says = {share.key: share.says for share in found}
    made = [
        Bucket(workspace_id=workspace_id, key=key, says=text) for key, text in sorted(says.items())
    ]
    rows = Bucket.objects.select_for_update(no_key=True).filter(workspace=workspace_id)
    with patiently():
        Bucket.objects.bulk_create(made, ignore_conflicts=True)
        return {row.key: row for row in rows.filter(key__in=says).order_by("key")}


def spent(
    buckets: Buckets, found: Sequence[Share], now: datetime, own: UUID | None = None
) -> list[tuple[Share, Decimal]]:
    """Return each share with what others use up of its limit. The caller holds the buckets.

    Others are those carried out within the limit's time, and those that wait; for a proposal that
    waits itself (`own`) only those that waited before it, so that a later one cannot block it.
    """
    return [(share, _sum(buckets[share.key], share, now, own)) for share in found]


def note(proposal: Proposal, found: Sequence[Share], buckets: Buckets, now: datetime) -> None:
    """Write what a wording adds to its buckets, and let go of what an earlier one added elsewhere.

    A proposal keeps its place among those that wait. The caller holds the buckets.
    """
    kept = list(Exposure.objects.filter(proposal=proposal))
    wanted = {buckets[share.key].id: share.amount for share in found}
    for row in kept:
        row.status = "waiting" if row.bucket_id in wanted else "released"
        row.amount = wanted.pop(row.bucket_id, row.amount)
    Exposure.objects.bulk_update(kept, ["amount", "status"])
    Exposure.objects.bulk_create(
        Exposure(
            workspace_id=proposal.workspace_id,
            bucket_id=bucket_id,
            proposal=proposal,
            amount=amount,
            status="waiting",
            at=now,
        )
        for bucket_id, amount in wanted.items()
    )


def release(proposal: Proposal) -> None:
    """Let go of what a proposal would have used up: it will not be carried out."""
    Exposure.objects.filter(proposal=proposal, status="waiting").update(status="released")


def finish(proposal: Proposal, now: datetime) -> None:
    """Count what a proposal used up from the time at which it was carried out."""
    Exposure.objects.filter(proposal=proposal, status="waiting").update(status="done", at=now)


def refund(proposal: Proposal) -> None:
    """Let go of what a proposal counted for when it was sent: outside, nothing happened."""
    Exposure.objects.filter(proposal=proposal, status="done").update(status="released")


def _sum(bucket: Bucket, share: Share, now: datetime, own: UUID | None) -> Decimal:
    rows = Exposure.objects.filter(bucket=bucket)
    waits = Q(status="waiting")
    if own is not None:
        waits &= _before(bucket, own)
        rows = rows.exclude(proposal=own)
    done = Q(status="done", at__gt=now - timedelta(seconds=share.limit.window_seconds))
    total: Decimal | None = rows.filter(waits | done).aggregate(total=Sum("amount"))["total"]
    return total or Decimal(0)


def _before(bucket: Bucket, own: UUID) -> Q:
    """Return what waited in a bucket before one proposal; without a place of its own, all."""
    mine = Exposure.objects.filter(bucket=bucket, proposal=own).first()
    if mine is None:
        return Q()
    return Q(at__lt=mine.at) | Q(at=mine.at, id__lt=mine.id)
