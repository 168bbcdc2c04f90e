"""Charge what a request costs to everybody's buckets in one statement, however many ask at once.

A bucket fills with time and never beyond its size. Whoever waits for its row finds it as the one
before left it, so of a burst exactly as many pass as there are tokens.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from console import tallies
from console.errors import Refused
from console.limiting.models import Bucket
from console.rates import Charge, Left

_CHARGE = """
    INSERT INTO limiting_bucket AS b (key, tokens, at, is_allowed)
    SELECT key, size - cost, clock_timestamp(), true
    FROM unnest(%s::text[], %s::float8[], %s::float8[], %s::float8[]) AS w (key, rate, size, cost)
    ORDER BY key
    ON CONFLICT (key) DO UPDATE SET (tokens, at, is_allowed) = (
        SELECT CASE WHEN f.tokens >= w.cost THEN f.tokens - w.cost ELSE f.tokens END,
            greatest(b.at, excluded.at), f.tokens >= w.cost
        FROM unnest(%s::text[], %s::float8[], %s::float8[], %s::float8[])
            AS w (key, rate, size, cost),
        LATERAL (SELECT least(w.size, b.tokens
            + w.rate * greatest(0, extract(epoch FROM excluded.at - b.at))) AS tokens) f
        WHERE w.key = excluded.key
    )
    RETURNING key, tokens, is_allowed
"""
FORGOTTEN_AFTER = timedelta(hours=1)


class RateLimited(Refused):
    """Too many requests came; wait a moment, then send this one again."""

    status = 429
    code = "rate_limited"


def charge(charges: list[Charge]) -> list[Left]:
    """Take what each charge costs and return what is left; a bucket that has too little keeps it.

    Locks: the buckets by key, until the transaction ends; so it is called outside of one.
    """
    if not charges:
        return []
    wanted: list[Any] = [
        [each.key for each in charges],
        [each.rate.per_second for each in charges],
        [each.rate.at_once for each in charges],
        [each.cost for each in charges],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CHARGE, wanted * 2)
        found = {key: (tokens, is_allowed) for key, tokens, is_allowed in cursor.fetchall()}
    return [Left(each, *found[each.key]) for each in charges]


def insist(left: list[Left]) -> None:
    """Let a request pass if every limit had enough for it. Raises: RateLimited (429)."""
    refused = [each for each in left if not each.is_allowed]
    if refused:
        worst = max(refused, key=lambda each: each.wait_seconds)
        tallies.RATE_LIMITED.labels(worst.charge.limit).inc()
        raise RateLimited(limit=worst.charge.limit, retry_after=worst.wait_seconds)


def forget(*, now: datetime) -> int:
    """Drop the buckets that nobody has asked for in an hour; they would be full again."""
    return Bucket.objects.filter(at__lt=now - FORGOTTEN_AFTER).delete()[0]
