"""How is a rate written, and what is said to whoever asks about theirs?"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many per second, and so many at once."""

    per_second: float
    at_once: float


def read_rate(text: str) -> Rate | None:
    """Return the rate in `per second:at once`, or nothing for `off`. Raises: ValueError."""
    if text == "off":
        return None
    per_second, _, at_once = text.partition(":")
    rate = Rate(float(per_second), float(at_once))
    if not (rate.per_second > 0 and rate.at_once >= 1):
        raise ValueError(f"{text!r} is not a rate such as 50:200, nor off")
    return rate


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request costs at one limit; `key` says whose."""

    limit: str
    key: str
    rate: Rate
    cost: float = 1.0


@dataclass(frozen=True, slots=True)
class Left:
    """What one limit has left after a charge, or refused it for want of tokens."""

    charge: Charge
    tokens: float
    is_allowed: bool

    @property
    def wait_seconds(self) -> int:
        """Return after how many whole seconds the same request would pass."""
        missing = max(0.0, self.charge.cost - self.tokens)
        return max(1, math.ceil(missing / self.charge.rate.per_second))


def headers_of(left: list[Left]) -> dict[str, str]:
    """Return the fields that say what is left of the tightest limit.

    Source: draft-ietf-httpapi-ratelimit-headers-10.
    """
    if not left:
        return {}
    tightest = min(left, key=lambda each: each.tokens / each.charge.rate.at_once)
    rate = tightest.charge.rate
    window = math.ceil(rate.at_once / rate.per_second)
    name = tightest.charge.limit
    until = math.ceil((rate.at_once - tightest.tokens) / rate.per_second)
    return {
        "RateLimit-Policy": f'"{name}";q={math.floor(rate.at_once)};w={window}',
        "RateLimit": f'"{name}";r={max(0, math.floor(tightest.tokens))};t={max(0, until)}',
    }
