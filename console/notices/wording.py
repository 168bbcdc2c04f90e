"""What does a mail say? Where to look, and nothing about whom or how much.

A mail is read on locked screens and kept by strangers' servers, so it names the workspace, the
kind of event, the level and the deadline. It never holds a link that decides.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from console.canonical import Json
from console.notices.events import EVENTS

LISTED_AT_MOST = 20
_STATUSES = {
    "approved": "approved",
    "rejected": "rejected",
    "expired": "expired",
    "stale": "out of date",
    "withdrawn": "withdrawn",
    "invalidated": "invalidated",
    "denied": "denied by a policy",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happened, as far as a mail may tell it; `url` is whole."""

    event: str
    url: str
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail's subject and text."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """The workspace as a mail names it, with its queue, and where to choose what is sent."""

    name: str
    queue: str
    choices: str
    zone: ZoneInfo


def one(item: Item, place: Place) -> Letter:
    """Return the mail about one thing."""
    said = [EVENTS[item.event].one, _plain(place.name), *_details(item)]
    lines = [f"{EVENTS[item.event].one} in {_plain(place.name)}.", ""]
    lines += [f"{text[:1].upper()}{text[1:]}." for text in _details(item)]
    lines += _deadline(item, place.zone)
    lines += ["", "Read it in Countersign:", item.url]
    return Letter(" · ".join(said), _closed(lines, place))


def digest(items: Sequence[Item], place: Place) -> Letter:
    """Return one mail about many things: how many of each kind, and where they are."""
    counts = Counter(item.event for item in items)
    lines = [f"Since your last digest in {_plain(place.name)}:", ""]
    for event in EVENTS:
        if number := counts.get(event, 0):
            lines += [f"{_counted(number, event)}"]
            lines += [f"  {item.url}" for item in _of(items, event)[:LISTED_AT_MOST]]
            more = number - LISTED_AT_MOST
            lines += [f"  and {more} more"] if more > 0 else []
    lines += ["", "All that waits:", place.queue]
    subject = f"{len(items)} {'thing' if len(items) == 1 else 'things'} happened"
    return Letter(f"{subject} · {_plain(place.name)} · digest", _closed(lines, place))


def _counted(number: int, event: str) -> str:
    return f"{EVENTS[event].one}" if number == 1 else f"{number} {EVENTS[event].many}"


def _of(items: Sequence[Item], event: str) -> list[Item]:
    return [item for item in items if item.event == event]


def _details(item: Item) -> list[str]:
    said = []
    if level := item.data.get("level"):
        said.append(f"level {level}")
    if known := _STATUSES.get(str(item.data.get("status", ""))):
        said.append(known)
    return said


def _deadline(item: Item, zone: ZoneInfo) -> list[str]:
    due = item.data.get("due_at")
    if not isinstance(due, str) or not EVENTS[item.event].waits:
        return []
    at = datetime.fromisoformat(due)
    there = f" ({at.astimezone(zone):%H:%M} {zone.key})" if zone.key != "UTC" else ""
    return [
        f"It has to be decided by {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC{there}, or it expires."
    ]


def _closed(lines: list[str], place: Place) -> str:
    end = ["", "-- ", "No mail decides anything: people do that in Countersign."]
    return "\n".join([*lines, *end, f"What is sent to you: {place.choices}", ""])


def _plain(name: str) -> str:
    """Return a workspace's name on one line, as a header needs it."""
    return " ".join("".join(each if each.isprintable() else " " for each in name).split())
