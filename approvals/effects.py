"""What would an action do to a State?

A pack registers one effect per action type: a pure function from document and parameters to the
new document. The preview that a reviewer sees and the execution run this same function. Effect
`stated` is for proposers outside the house: they send the changes themselves.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from console.canonical import Json
from snapshots import pointer
from snapshots.diff import Change, apply
from snapshots.pointer import BadPointer, NothingThere

Params = dict[str, Any]
Document = Any
STATED = "stated"
_CURRENCY = re.compile("[A-Z]{3}")


class CannotDo(ValueError):
    """The action is not possible on this document; the message says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One named sentence about an action, and whether it holds."""

    name: str
    passed: bool
    sentence: str

    def to_json(self) -> dict[str, Json]:
        """Return what the revision's row keeps."""
        return {"name": self.name, "passed": self.passed, "sentence": self.sentence}


@dataclass(frozen=True, slots=True)
class Measure:
    """What limits and authority look at: how much, to whom, about whom."""

    amount: Decimal | None = None
    currency: str = ""
    counterparty: str = ""
    subject: str = ""

    def to_json(self) -> dict[str, Json]:
        """Return what the revision's row keeps."""
        amount = None if self.amount is None else str(self.amount)
        return {
            "amount": amount,
            "currency": self.currency,
            "counterparty": self.counterparty,
            "subject": self.subject,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return what a revision's row keeps; a row from before limits keeps nothing."""
        amount = kept.get("amount")
        return cls(
            amount=None if amount is None else Decimal(amount),
            currency=kept.get("currency", ""),
            counterparty=kept.get("counterparty", ""),
            subject=kept.get("subject", ""),
        )


@dataclass(frozen=True, slots=True)
class Effect:
    """The questions that an action type answers about a document and parameters.

    `preview` returns the new document and never touches the one it was given; `checks` returns
    sentences for the reviewer; `facts` returns words for the title that stand in the document;
    `measure` returns what limits look at.
    """

    preview: Callable[[Document, Params], Json]
    checks: Callable[[Document, Params], list[Check]] = lambda _document, _params: []
    facts: Callable[[Document, Params], dict[str, str]] = lambda _document, _params: {}
    measure: Callable[[Document, Params], Measure] = lambda _document, _params: Measure()


_effects: dict[str, Effect] = {}


def register(name: str, effect: Effect) -> None:
    """Make an effect known under a name; a pack does this when it is loaded."""
    _effects[name] = effect


def is_known(name: str) -> bool:
    """Say whether an action type may name this effect."""
    return name == STATED or name in _effects


def resolve(name: str, stated: Sequence[Change], measures: dict[str, str] | None = None) -> Effect:
    """Return the effect of an action type. Raises: CannotDo when no pack carries it."""
    if name == STATED:
        return Effect(
            preview=lambda document, _params: apply(document, list(stated)),
            measure=lambda _document, params: _measured(params, measures or {}),
        )
    if name not in _effects:
        raise CannotDo(f"The effect {name!r} is not installed here.")
    return _effects[name]


def _measured(params: Params, measures: dict[str, str]) -> Measure:
    """Read what limits look at from the parameters themselves.

    What cannot be read would slip past every limit, so it is not possible. Raises: CannotDo.
    """
    found = {name: _at(params, where) for name, where in measures.items()}
    amount, currency = _amount(found.get("amount")), str(found.get("currency", ""))
    if amount is not None and "currency" in measures and not _CURRENCY.fullmatch(currency):
        raise CannotDo("The amount needs a currency: its code of three letters, such as EUR.")
    return Measure(
        amount=amount,
        currency=currency if amount is not None else "",
        counterparty=str(found.get("counterparty", ""))[:200],
        subject=str(found.get("subject", ""))[:200],
    )


def _at(params: Params, where: str) -> Any:
    """Return the value at a JSON Pointer; what is no pointer stands for itself, as a currency."""
    if not where.startswith("/"):
        return where
    try:
        return pointer.get(params, where)
    except (BadPointer, NothingThere):
        return ""


def _amount(value: Any) -> Decimal | None:
    """Return an amount, or nothing where none is named. Raises: CannotDo when it is no number."""
    if value is None or value == "":
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise CannotDo("The amount is not a plain number such as 30000.00.")
    return amount
