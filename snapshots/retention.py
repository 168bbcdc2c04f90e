"""Which snapshots keep their content, and why?

All of the newest days, then the last of each hour, later the last of each day. Whatever a person
marked, decided on, brought in or went back to keeps its content for ever. Letting go is stable:
the last of a day is also the last of its hour, so an older answer never asks for what a younger
one let go.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from types import MappingProxyType
from typing import Final

# What begins while a sweep looks around has read nothing older than this.
NEVER_BEFORE = timedelta(days=1)
# What is stored anew in one transaction.
ROWS_AT_ONCE = 500
BYTES_AT_ONCE = 32_000_000
LITTLE = 32

WHY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "policies": "holds the policies",
        "held": "under a legal hold",
        "newest": "the newest",
        "first": "the first",
        "named": "has a name",
        "pinned": "is pinned",
        "decided": "came of a decision, or was decided on",
        "imported": "was brought in",
        "open": "an open proposal stands on it",
        "restoring": "a rollback that is planned or under way needs it",
        "rollback": "came of a rollback, or lies next to one",
        "read": "an open run has read it",
        "referred": "a later one says: the same as this",
        "recent": "young",
        "hourly": "the last of its hour",
        "daily": "the last of its day",
    }
)

# Number to reason, see WHY; None stands for every snapshot of the State.
Needed = Mapping[int | None, str]


@dataclass(frozen=True, slots=True)
class Policy:
    """How long everything stays, and until which age the last of each hour does."""

    all_for: timedelta
    hourly_for: timedelta


@dataclass(frozen=True, slots=True)
class Version:
    """What the rule knows of a snapshot; `refers_to` is whose content it says is its own."""

    number: int
    cause: str
    created_at: datetime
    refers_to: int | None = None
    is_stored: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """Numbers that stay, each with its strongest reason, and numbers that go."""

    stays: dict[int, str]
    goes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """How a snapshot is stored: where reading it starts, in how many bytes, of what weight.

    `document_bytes` are those of its content; `is_old` where its form is one no longer written.
    """

    number: int
    start: int
    stored_bytes: int
    document_bytes: int
    is_stored: bool = True
    is_old: bool = False


def kept(versions: Sequence[Version], *, needed: Needed, policy: Policy, now: datetime) -> Verdict:
    """Sort a State's versions, given in order, into those that stay and those that go.

    Time: hours and days are those of UTC.
    """
    stays: dict[int, str] = {}
    for number, why in _reasons(versions, needed, policy, now):
        stays.setdefault(number, why)
    _follow_references(versions, stays)
    stored = [version.number for version in versions if version.is_stored]
    return Verdict(
        stays={number: stays[number] for number in stored if number in stays},
        goes=tuple(number for number in stored if number not in stays),
    )


def _reasons(
    versions: Sequence[Version], needed: Needed, policy: Policy, now: datetime
) -> Iterator[tuple[int, str]]:
    """Yield numbers with reasons, the strongest reasons first."""
    if None in needed:
        yield from ((version.number, needed[None]) for version in versions)
    yield from ((each.number, "newest") for each in versions[-1:])
    yield from ((each.number, "first") for each in versions[:1])
    yield from ((number, why) for number, why in needed.items() if number is not None)
    yield from ((each.number, "decided") for each in versions if each.cause == "proposal")
    # A whole history is brought in at one moment; by age all of it but one version would go.
    yield from ((each.number, "imported") for each in versions if each.cause == "import")
    for version in versions:
        if version.cause == "rollback":
            yield from ((version.number + step, "rollback") for step in (0, -1, 1))
    yield from _by_age(versions, policy, now)


def _by_age(
    versions: Sequence[Version], policy: Policy, now: datetime
) -> Iterator[tuple[int, str]]:
    recent = max(policy.all_for, NEVER_BEFORE)
    # Later versions overwrite earlier ones: what is left is the last of each.
    hours = {_hour(version.created_at): version.number for version in versions}
    days = {version.created_at.date(): version.number for version in versions}
    for version in versions:
        age = now - version.created_at
        if age < recent:
            yield version.number, "recent"
        elif days[version.created_at.date()] == version.number:
            yield version.number, "daily"
        elif age < policy.hourly_for and hours[_hour(version.created_at)] == version.number:
            yield version.number, "hourly"


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _follow_references(versions: Sequence[Version], stays: dict[int, str]) -> None:
    # Backwards: what a reference names may itself be a reference to something earlier.
    for version in reversed(versions):
        if version.number in stays and version.refers_to is not None:
            stays.setdefault(version.refers_to, "referred")


def stretch(lines: Sequence[Line], goes: Container[int]) -> tuple[int, int] | None:
    """Return the first and last number of what is to be stored anew next, if anything is.

    A stretch begins where reading starts and ends before it starts again, so that what lies
    around it stays as it is; a little neighbour before it is taken in, or each day would leave a
    whole document behind. It holds what can be written anew in a second or so.
    """
    there = filter(attrgetter("is_stored"), lines)
    segments = [list(rows) for _, rows in groupby(there, key=attrgetter("start"))]
    busy = [_has_work(rows, goes) for rows in segments]
    if True not in busy:
        return None
    first = busy.index(True)
    if first and len(segments[first - 1]) <= LITTLE:
        first -= 1
    last, rows, weight = first, 0, 0
    for at in range(first, len(segments)):
        rows += len(segments[at])
        weight += sum(line.document_bytes for line in segments[at] if line.number not in goes)
        if at > busy.index(True) and (rows > ROWS_AT_ONCE or weight > BYTES_AT_ONCE):
            break
        last = at if busy[at] else last
    return segments[first][0].number, segments[last][-1].number


def _has_work(rows: Iterable[Line], goes: Container[int]) -> bool:
    return any(line.number in goes or line.is_old for line in rows)
