"""Which of the proposals does somebody want to see, and how is that written in an address?

The page, its socket and the API use the same words. Most filters look only at what is open: there
are few of those, however many were settled.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, get_args
from urllib.parse import urlencode

from approvals import lifecycle
from approvals.policy import LEVELS
from console.errors import Invalid

Sort = Literal["queue", "newest", "deadline"]
SORTS: tuple[Sort, ...] = get_args(Sort)
OPEN = "open"
ME, NONE = "me", "none"
LENGTH_AT_MOST = 200
RISKS = (1, 2, 3)
# What is written about a proposal, to be met exactly.
EXACT = ("action_type", "agent", "subject", "counterparty", "state", "policy", "currency")
OPEN_ONLY = (
    *("assignee", "claimed", "eligible", "snoozed", "risk_gte", "level", "amount_gte"),
    *("currency", "due_before", "policy", "q"),
)
_AMOUNT = re.compile(r"[0-9]{1,18}(\.[0-9]{1,6})?", re.ASCII)
_SPAN = re.compile(r"([1-9][0-9]{0,2})([mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class FilterInvalid(Invalid):
    """This filter cannot be used."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What is wanted; an empty one asks for nothing.

    `due_before` is a moment, or a time from now, so that a page that stays open moves with it.
    """

    status: str = ""
    assignee: str = ""
    claimed: str = ""
    eligible: str = ""
    snoozed: str = ""
    action_type: str = ""
    agent: str = ""
    subject: str = ""
    counterparty: str = ""
    state: str = ""
    policy: str = ""
    currency: str = ""
    q: str = ""
    risk_gte: int | None = None
    level: int | None = None
    amount_gte: Decimal | None = None
    due_before: datetime | timedelta | None = None
    sort: Sort = "queue"
    written: tuple[tuple[str, str], ...] = ()

    @property
    def is_personal(self) -> bool:
        """Say whether it asks about whoever looks, so that only a person can."""
        return ME in {self.assignee, self.claimed, self.eligible, self.snoozed}

    @property
    def is_open(self) -> bool:
        """Say whether only what is open is wanted."""
        return self.status == OPEN or lifecycle.is_open(self.status)

    @property
    def address(self) -> str:
        """Return the filters as the query of an address, without a question mark."""
        return urlencode(self.written)

    @property
    def narrowing(self) -> list[str]:
        """Return the names of the filters that leave something out."""
        return [name for name, _ in self.written if name != "sort"]

    def due_by(self, now: datetime) -> datetime | None:
        """Return the moment before which the deadline has to be."""
        span = self.due_before
        return now + span if isinstance(span, timedelta) else span


def read(asked: Mapping[str, str], *, status: str = OPEN, sort: Sort = "queue") -> Filters:
    """Read filters as they are written in an address; `status` and `sort` stand in where none is.

    Raises: FilterInvalid (422), naming the field.
    """
    given = {name: asked.get(name, "").strip() for name in _NAMES}
    # Chosen from a list, not typed: a word with a blank is not that word.
    given |= {name: asked.get(name, "") for name in ("status", "sort")}
    for name, value in given.items():
        _refuse_strange(name, value)
    _refuse_unpaired(given)
    only_open = any(given[name] for name in OPEN_ONLY) or given["sort"] in {"queue", "deadline"}
    values: dict[str, Any] = {**given, **_numbers(given)}
    values["status"] = _status(given, status, only_open=only_open)
    values["sort"] = _one_of("sort", given["sort"] or sort, SORTS)
    values["due_before"] = _moment(given["due_before"])
    written = tuple((name, value) for name, value in given.items() if value)
    return Filters(**values, written=written)


_NAMES = [name for name in Filters.__dataclass_fields__ if name != "written"]


def _refuse_strange(name: str, value: str) -> None:
    if len(value) > LENGTH_AT_MOST or "\x00" in value:
        raise FilterInvalid(f"{name} is at most {LENGTH_AT_MOST} letters.", field=name)
    words = {"assignee": (ME, NONE), "claimed": (ME,), "eligible": (ME,), "snoozed": (ME,)}
    if value and name in words:
        _one_of(name, value, words[name])


def _refuse_unpaired(given: Mapping[str, str]) -> None:
    if given["currency"] and not _CURRENCY.fullmatch(given["currency"]):
        raise FilterInvalid("A currency is three capital letters, such as EUR.", field="currency")
    if given["amount_gte"] and not given["currency"]:
        raise FilterInvalid(
            "Say in which currency: amounts of two do not compare.", field="currency"
        )


def _status(given: Mapping[str, str], otherwise: str, *, only_open: bool) -> str:
    known = (OPEN, *lifecycle.PROPOSAL_STATUSES)
    status = _one_of("status", given["status"], known) if given["status"] else otherwise
    if not only_open or status == OPEN or lifecycle.is_open(status):
        return status
    if given["status"]:
        named = next((name for name in OPEN_ONLY if given[name]), "sort")
        raise FilterInvalid(
            f"{named} looks only at what is open; leave it or the status out.", field=named
        )
    return OPEN


def _numbers(given: Mapping[str, str]) -> dict[str, int | Decimal | None]:
    risk, level, amount = given["risk_gte"], given["level"], given["amount_gte"]
    if amount and not _AMOUNT.fullmatch(amount):
        raise FilterInvalid("An amount is a plain number such as 1500.00.", field="amount_gte")
    return {
        "risk_gte": int(_one_of("risk_gte", risk, tuple(map(str, RISKS)))) if risk else None,
        "level": int(_one_of("level", level, tuple(map(str, LEVELS)))) if level else None,
        "amount_gte": Decimal(amount) if amount else None,
    }


def _moment(text: str) -> datetime | timedelta | None:
    if not text:
        return None
    if span := _SPAN.fullmatch(text):
        return int(span[1]) * _UNITS[span[2]]
    at = _as_utc(text)
    if at is None:
        sentence = (
            "Say a time with its zone (2026-11-21T16:00Z), or a span from now such as 1h or 2d."
        )
        raise FilterInvalid(sentence, field="due_before")
    return at


def _as_utc(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        # The last evening of the calendar is no moment in UTC any more.
        return None


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise FilterInvalid(f"{name} is one of {', '.join(known)}.", field=name)
    return value
