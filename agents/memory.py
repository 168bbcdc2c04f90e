"""What may an agent keep in mind, what is given back to it, and what does a sweep take, and why?

Shape of a memory: `{"entries": {"<id>": {"subject", "value", "confidence", "recorded_at",
"expires_at", "origin": {"job", "run", "step", "agent"}, "from": {"<pointer>": value seen}}}}`.
An id is `<run>:<step>`. A sweep looks at the record as it stands then.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from console.canonical import Json
from snapshots import pointer
from snapshots.content import content_bytes
from snapshots.diff import ABSENT, Absent, Change

Reason = Literal["expired", "orphaned", "superseded", "contradicted", "unused"]

ENTRIES = "/entries"
KEY_AT_MOST = 200
SUBJECT_AT_MOST = 200
ENTRY_BYTES_AT_MOST = 8_000
SOURCES_AT_MOST = 20
RECALLED_AT_MOST = 50
LONGEST_LIFE = timedelta(days=3_650)
# Between two sweeps a memory may outgrow its cap, but only so far.
_OVERGROWN = 2
_QUOTED_AT_MOST = 60
_BETWEEN = "/agents/"


@dataclass(frozen=True, slots=True)
class Note:
    """What an agent wants to keep, about which subject, how sure, how long, and seen where."""

    subject: str
    value: Json
    confidence: float = 1.0
    expires_in: timedelta | None = None
    derived_from: Sequence[str] = ()

    def to_json(self) -> dict[str, Json]:
        """Return what a journal keeps of it."""
        return {
            "subject": self.subject,
            "value": self.value,
            "confidence": self.confidence,
            "expires_in_seconds": self.expires_in.total_seconds() if self.expires_in else None,
            "derived_from": [*self.derived_from],
        }


@dataclass(frozen=True, slots=True)
class Origin:
    """Which step of which run wrote an entry, for which agent."""

    job: str
    run: str
    step: int
    agent: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that an agent keeps; `seen` holds the values that the record had then."""

    id: str
    subject: str
    value: Json
    confidence: float
    recorded_at: datetime
    expires_at: datetime | None
    origin: Origin
    seen: Mapping[str, Json]

    @property
    def place_in_time(self) -> tuple[datetime, str, int]:
        """Return what orders entries by when they were written, also within one moment."""
        return self.recorded_at, self.origin.run, self.origin.step


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a sweep takes an entry: a word for programs, a sentence for people."""

    reason: Reason
    sentence: str


def key_of(record_key: str, agent: str) -> str:
    """Return the key under which an agent's memory about a record is kept."""
    return f"{record_key}{_BETWEEN}{agent}"


def parents_of(key: str) -> tuple[str, str]:
    """Return the key of the record and the name of the agent that a memory belongs to."""
    record_key, _, agent = key.rpartition(_BETWEEN)
    return record_key, agent


def objection_to(note: Note) -> str | None:
    """Say why something cannot be kept, or nothing if it can."""
    if not note.subject.strip() or len(note.subject) > SUBJECT_AT_MOST:
        return f"An entry has a subject of at most {SUBJECT_AT_MOST} characters."
    if "\x00" in note.subject:
        return "A subject holds no NUL."
    if not 0 <= note.confidence <= 1:
        return f"A confidence lies between 0 and 1, and {note.confidence} does not."
    if note.expires_in is not None and not timedelta() < note.expires_in <= LONGEST_LIFE:
        return f"An entry expires later than now and within {LONGEST_LIFE.days} days."
    if len(note.derived_from) > SOURCES_AT_MOST:
        return f"An entry is derived from at most {SOURCES_AT_MOST} places."
    return None


def objection_to_size(entry: Json) -> str | None:
    """Say why an entry is too large to be kept with the values it was derived from."""
    size = len(content_bytes(entry))
    if size <= ENTRY_BYTES_AT_MOST:
        return None
    return (
        f"An entry with the values it comes from has at most {ENTRY_BYTES_AT_MOST:,} bytes; "
        f"this one has {size:,}."
    )


def objection_to_count(document: Json, at_most: int) -> str | None:
    """Say why a memory takes nothing more before it was swept, or nothing if it does."""
    held = len(_members(document))
    if held < _OVERGROWN * at_most:
        return None
    return f"The memory holds {held:,} entries; it takes more only after a sweep."


def seen_in(record: Json, paths: Iterable[str]) -> dict[str, Json]:
    """Return what a record says at each of the places.

    Raises: BadPointer, NothingThere.
    """
    return {path: pointer.get(record, path) for path in paths}


def written(note: Note, *, origin: Origin, seen: Mapping[str, Json], now: datetime) -> Json:
    """Return an entry as a memory holds it."""
    expires_at = now + note.expires_in if note.expires_in else None
    return {
        "subject": note.subject,
        "value": note.value,
        "confidence": note.confidence,
        "recorded_at": now.isoformat(),
        "expires_at": expires_at.isoformat() if expires_at else None,
        "origin": {
            "job": origin.job,
            "run": origin.run,
            "step": origin.step,
            "agent": origin.agent,
        },
        "from": dict(seen),
    }


def adding(document: Json, entry_id: str, entry: Json) -> list[Change]:
    """List the changes that put an entry into a memory, also into one that is quite empty."""
    if not isinstance(document, dict):
        return [Change("replace", "", document, {"entries": {entry_id: entry}})]
    if not isinstance(document.get("entries"), dict):
        old = document.get("entries", ABSENT)
        op: Literal["add", "replace"] = "add" if isinstance(old, Absent) else "replace"
        return [Change(op, ENTRIES, old, {entry_id: entry})]
    return [Change("add", _path(entry_id), value=entry)]


def removing(document: Json, ids: Iterable[str]) -> list[Change]:
    """List the changes that take entries out of a memory; what is not there stays so."""
    members = _members(document)
    return [Change("remove", _path(each), members[each]) for each in ids if each in members]


def entries(document: Json) -> list[Entry]:
    """Return what a memory holds, oldest first; what is no entry is left alone."""
    found = [_entry(key, value) for key, value in _members(document).items()]
    return sorted((each for each in found if each), key=lambda each: each.place_in_time)


def live(held: Sequence[Entry], *, now: datetime) -> list[Entry]:
    """Return what an agent may be given, newest first: the last word on each subject, in time."""
    last = {each.subject: each for each in held}
    return [each for each in reversed(held) if last[each.subject] is each and _in_time(each, now)]


def verdicts(
    held: Sequence[Entry],
    *,
    record: Json | Absent,
    used: Mapping[str, datetime],
    at_most: int,
    now: datetime,
) -> dict[str, Verdict]:
    """Say of every entry that a sweep would take why, in the order in which they were written.

    `used` says when entries were last given to an agent; beyond `at_most`, what nobody used goes.
    """
    last = {each.subject: each for each in held}
    found = {}
    for each in held:
        if verdict := _verdict(each, last[each.subject], record, now):
            found[each.id] = verdict
    kept = [each for each in held if each.id not in found]
    kept.sort(key=lambda each: (used.get(each.id, each.recorded_at), each.place_in_time))
    for each in kept[: max(0, len(kept) - at_most)]:
        found[each.id] = Verdict(
            "unused", f"It was used least recently, and a memory keeps {at_most:,} entries."
        )
    return {each.id: found[each.id] for each in held if each.id in found}


def told(found: Mapping[str, Verdict]) -> str:
    """Say how many entries go for which reasons: 7 entries: 4 expired, 3 superseded."""
    counts = Counter(verdict.reason for verdict in found.values())
    reasons = ", ".join(f"{counts[reason]} {reason}" for reason in _REASONS if counts[reason])
    return f"{_counted(len(found))}: {reasons}" if found else "no entry"


def counts(found: Mapping[str, Verdict]) -> dict[str, int]:
    """Return how many entries go, by reason."""
    return dict(Counter(verdict.reason for verdict in found.values()))


_REASONS: Final = ("expired", "orphaned", "superseded", "contradicted", "unused")


def _verdict(each: Entry, last: Entry, record: Json | Absent, now: datetime) -> Verdict | None:
    if not _in_time(each, now):
        return Verdict("expired", f"It expired at {each.expires_at:%Y-%m-%d %H:%M} UTC.")
    here = {path: _look(record, path) for path in each.seen}
    for path, found in here.items():
        if isinstance(found, Absent):
            return Verdict("orphaned", f"The record has nothing at {path} any more.")
    if last is not each:
        at = f"{last.recorded_at:%Y-%m-%d %H:%M}"
        return Verdict("superseded", f"An entry of {at} UTC is about the same subject.")
    for path, found in here.items():
        if content_bytes(found) != content_bytes(each.seen[path]):
            return Verdict("contradicted", _contradiction(path, each.seen[path], found))
    return None


def _contradiction(path: str, seen: Json, found: Json | Absent) -> str:
    return f"At {path} the record says {_quoted(found)}; the entry was made when it said " + (
        f"{_quoted(seen)}."
    )


def _look(record: Json | Absent, path: str) -> Any:
    if isinstance(record, Absent):
        return ABSENT
    try:
        return pointer.get(record, path)
    except (pointer.BadPointer, pointer.NothingThere):
        return ABSENT


def _in_time(each: Entry, now: datetime) -> bool:
    return each.expires_at is None or each.expires_at > now


def _members(document: Json) -> dict[str, Json]:
    members = document.get("entries") if isinstance(document, dict) else None
    return members if isinstance(members, dict) else {}


def _entry(entry_id: str, value: Any) -> Entry | None:
    try:
        return Entry(
            id=entry_id,
            subject=str(value["subject"]),
            value=value["value"],
            confidence=float(value["confidence"]),
            recorded_at=_moment(value["recorded_at"]),
            expires_at=_moment(value["expires_at"]) if value["expires_at"] else None,
            origin=_origin(value["origin"]),
            seen=dict(value["from"]),
        )
    except (KeyError, TypeError, ValueError):
        # Somebody has brought this in by hand; it is shown with the State, and is no entry.
        return None


def _origin(value: Mapping[str, Any]) -> Origin:
    step = int(value["step"])
    return Origin(str(value["job"]), str(value["run"]), step, str(value["agent"]))


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def _path(entry_id: str) -> str:
    return f"{ENTRIES}/{pointer.escape(entry_id)}"


def _quoted(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= _QUOTED_AT_MOST else f"{text[:_QUOTED_AT_MOST]}…"


def _counted(number: int) -> str:
    return f"{number:,} {'entry' if number == 1 else 'entries'}"
