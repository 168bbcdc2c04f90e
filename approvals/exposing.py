"""What of a limit does an action use up, what is beyond it, and what is asked for then?

A limit counts what waits and what was carried out within its time, per payee or the like: its
buckets. How much is in a bucket is read under lock elsewhere; here is only arithmetic.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import cast

from approvals.effects import Check, Measure
from approvals.formats.numbers import grouped
from approvals.formats.shown import visible_text
from approvals.policy import REVIEW_BY_TWO, Limit, Terms, Threshold
from console.canonical import Json, digest

_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
SAYS_AT_MOST = 300


@dataclass(frozen=True, slots=True)
class Share:
    """What one wording adds to one bucket, and the limit that holds there."""

    key: str
    says: str
    limit: Limit
    amount: Decimal


def shares(terms: Terms, measure: Measure, about: Mapping[str, str]) -> list[Share]:
    """Return what a wording adds to the buckets of its terms, in the order of their keys.

    `about` holds what buckets are made of: counterparty, subject, agent, state. What is unknown is
    a bucket, too. An amount in another currency than the limit's uses nothing up.
    """
    if measure.amount is None:
        return []
    amount = abs(measure.amount)
    found = [
        _share(terms.policy, limit, amount, about)
        for limit in terms.limits
        if limit.currency == measure.currency
    ]
    return sorted(found, key=lambda share: share.key)


def _share(policy: str, limit: Limit, amount: Decimal, about: Mapping[str, str]) -> Share:
    named: dict[str, Json] = {name: about.get(name, "") for name in sorted(limit.per)}
    # Spaces and capitals make no other payee.
    plain: dict[str, Json] = {name: _plain(text) for name, text in named_of(named)}
    value: Json = {"policy": policy, "currency": limit.currency, "per": plain}
    where = ", ".join(f"{name} {visible_text(text) or 'unknown'}" for name, text in named_of(named))
    return Share(digest(value), (where or "everything")[:SAYS_AT_MOST], limit, amount)


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def named_of(named: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Return what a bucket is made of, as pairs of text."""
    return [(name, cast("str", text)) for name, text in named.items()]


def is_beyond(share: Share, spent: Decimal) -> bool:
    """Say whether this share and what others spent are together more than the limit allows."""
    return spent + share.amount > Decimal(share.limit.amount)


def denial(broken: Sequence[tuple[Share, Decimal]]) -> str:
    """Say why a limit forbids it, or nothing when none of the broken ones does."""
    said = (sentence(share, spent) for share, spent in broken if share.limit.then == "deny")
    return next(said, "")


def raised(terms: Terms, limits: Sequence[Limit]) -> Terms:
    """Return terms that ask for what these limits ask for beyond them, and for no less.

    What a limit denies nobody is asked about, so that one raises nothing.
    """
    for limit in (each for each in limits if each.then == "raise"):
        asked = limit.thresholds or terms.thresholds or REVIEW_BY_TWO.thresholds
        # At a tie the limit's: it may want other people, not more of them.
        stricter = max(asked, terms.thresholds, key=_least)
        level = max(terms.level, limit.level)
        terms = replace(terms, level=level, thresholds=stricter)
    weaker = bool(limits) and _least(terms.escalate_to) < _least(terms.thresholds)
    # Whoever is asked when time is over must not be fewer than the limit wants.
    return replace(terms, escalate_to=()) if weaker else terms


def is_covered(terms: Terms, limits: Sequence[Limit]) -> bool:
    """Say whether terms ask for what these limits ask for beyond them."""
    asked = raised(terms, limits)
    return (asked.level, asked.thresholds) == (terms.level, terms.thresholds)


def check_of(share: Share, spent: Decimal) -> Check:
    """Return the sentence about a limit that a reviewer reads."""
    limit = share.limit
    per = f" per {' and '.join(limit.per)}" if limit.per else ""
    name = f"Within {limit.currency} {grouped(Decimal(limit.amount))}{per} in {span(limit)}"
    return Check(name, not is_beyond(share, spent), sentence(share, spent))


def sentence(share: Share, spent: Decimal) -> str:
    """Say how much it is together, and what the limit is."""
    limit, spent = share.limit, _shortened(spent, share.amount)
    together = f"{limit.currency} {grouped(spent + share.amount)}"
    parts = f"{grouped(share.amount)} here, {grouped(spent)} waiting or done"
    return (
        f"Together {together} for {share.says} within {span(limit)} ({parts}); "
        f"the limit is {limit.currency} {grouped(Decimal(limit.amount))}."
    )


def _shortened(number: Decimal, like: Decimal) -> Decimal:
    """Return a number without zeros behind those places that another has: the column adds some."""
    short = number.quantize(like) if "." in str(number) else number
    return short if short == number else number


def span(limit: Limit) -> str:
    """Say within which time a limit counts."""
    for size, word in _SPANS:
        count, rest = divmod(limit.window_seconds, size)
        if count and not rest:
            return f"{count} {word}" if count == 1 else f"{count} {word}s"
    return f"{limit.window_seconds} seconds"


def _least(asked: Sequence[Threshold]) -> int:
    return min((item.approve for item in asked), default=0)
