"""What does a model call cost, where its operator knows and no price list does?"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_MILLION = 1_000_000


class UnreadablePrices(ValueError):
    """A price list is written in another way; the message shows which entry."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD for a million tokens that go in, and that come out."""

    input: Decimal
    output: Decimal


def read_prices(text: str) -> dict[str, Price]:
    """Read `name=input/output`, comma-separated; the name may hold anything but a comma.

    Raises: UnreadablePrices.
    """
    entries = [entry.strip() for entry in text.split(",")]
    return dict(_entry(entry) for entry in entries if entry)


def cost(prices: Mapping[str, Price], model: str, tokens: tuple[int, int]) -> Decimal | None:
    """Return what a call cost, in USD; nothing where the list does not name the model."""
    price = prices.get(model)
    if price is None:
        return None
    came_in, went_out = tokens
    return (price.input * came_in + price.output * went_out) / _MILLION


def _entry(entry: str) -> tuple[str, Price]:
    name, _, numbers = entry.rpartition("=")
    came_in, _, went_out = numbers.partition("/")
    try:
        price = Price(Decimal(came_in), Decimal(went_out))
    except InvalidOperation:
        raise UnreadablePrices(
            f"{entry!r} is not name=input/output, as in qwen3=0.1/0.4."
        ) from None
    if not name or not _is_price(price.input) or not _is_price(price.output):
        raise UnreadablePrices(f"{entry!r} has no name, or a price below nothing.")
    return name, price


def _is_price(amount: Decimal) -> bool:
    return amount.is_finite() and amount >= 0
