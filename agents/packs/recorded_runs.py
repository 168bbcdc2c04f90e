"""What happened in a recorded run of somebody else's agent, and how did it end?

Shape of a run: `{"run_id", "source", "domain", "reward", "termination", "steps": [{"i", "kind":
"message|call|result", "actor", "tool", "args", "call_id", "error", "content"}]}`. A file holds a
JSON list of runs or one run a line, either of them gzipped or not. What is missing is empty.

Nobody recorded which tools write. A tool does if its name begins with a word that changes
something; where a run says what solves its task (`gold`), that list holds reads as well, so it
does not tell. What the user does with such a tool happens outside the agent's run.
"""

import gzip
import json
import re
import zlib
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agents.trail import CUT_OFF, Event
from console.canonical import Json

# The first words of names.
_CHANGING = """
    accept activate add approve apply assign block book buy cancel change close confirm create
    deactivate delete deny disable disconnect dispute edit enable exchange file freeze grant
    insert issue lock make modify move open order pay place post prescribe purchase put reboot
    refill refuel refund register reject remove renew replace reschedule reseat reset resume
    return revoke schedule send set start stop submit suspend toggle transfer unfreeze unlock
    update upgrade withdraw write
"""
CHANGES: Final = frozenset(_CHANGING.split())
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PEOPLE: Final = frozenset({"human", "humans", "person"})
_USER: Final = "user"
_DIGITS_AT_MOST: Final = 18


class BadRuns(ValueError):
    """The file does not hold recorded runs; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One run: what happened, and what is known about how it went."""

    name: str
    source: str
    domain: str
    reward: float
    termination: str
    events: tuple[Event, ...]

    @property
    def succeeded(self) -> bool:
        """Say whether the run did what it was asked; one source pays a part for a success."""
        if "grok" in f"{self.source} {self.name}".casefold():
            return self.reward > 0
        return self.reward == 1

    @property
    def calls(self) -> int:
        """Return how many calls the agents made."""
        return sum(event.kind == "call" for event in self.events)


def read(path: Path) -> list[RecordedRun]:
    """Read a file of runs. Raises: BadRuns."""
    return [run_of(record) for record in records(path)]


def records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file: a JSON list, or one a line, gzipped or not. Raises: BadRuns."""
    whole = _bytes(path)
    is_list = whole.lstrip()[:1] == b"["
    found = _value(whole, path.name) if is_list else [*_lines(whole, path.name)]
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise BadRuns(f"{path.name} holds no list of runs, nor one run a line.")
    return found


def is_one_object(path: Path, member: str) -> bool:
    """Say whether a file is one JSON object that has a member. Raises: BadRuns."""
    whole = _bytes(path).strip()
    if whole[:1] != b"{" or f'"{member}"'.encode() not in whole:
        return False
    try:
        found = _value(whole, path.name)
    except BadRuns:
        return False
    return isinstance(found, dict) and member in found


def run_of(record: Mapping[str, Any]) -> RecordedRun:
    """Return one record as a run. Raises: BadRuns."""
    name = str(record.get("run_id") or record.get("trajectory_id") or "a run without a name")
    steps = record.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise BadRuns(f"{name} has no list of steps.")
    return RecordedRun(
        name=name,
        source=str(record.get("source") or ""),
        domain=str(record.get("domain") or ""),
        reward=_number(record.get("reward")),
        termination=str(record.get("termination") or ""),
        events=tuple(events_of(steps)),
    )


def events_of(steps: list[dict[str, Any]]) -> Iterator[Event]:
    """Yield the steps of a recorded run as events; what the user changed comes from outside."""
    waiting: defaultdict[str, deque[Event]] = defaultdict(deque)
    for place, step in enumerate(steps):
        index, kind, actor = _index(step, place), step.get("kind"), str(step.get("actor"))
        if kind == "message":
            yield Event(index, "message", actor, content=step.get("content"))
        elif kind == "call":
            call = _call(step, index, actor)
            waiting[str(step.get("call_id") or step.get("tool") or "")].append(call)
            if actor != _USER:
                yield call
        elif kind == "result":
            yield from _result(step, index, waiting)


def writes(tool: str) -> bool:
    """Say whether a tool changes something, by the first word of its name.

    Handing the talk to a person changes no record.
    """
    words = [word.casefold() for word in _WORDS.findall(tool)]
    return bool(words) and words[0] in CHANGES and not _PEOPLE & {*words}


def _call(step: Mapping[str, Any], index: int, actor: str) -> Event:
    tool = str(step.get("tool") or "")
    return Event(
        index,
        "call",
        actor,
        tool,
        args=step.get("args"),
        # Ids of some recordings come twice.
        call_id=str(index),
        writes=writes(tool),
    )


def _result(
    step: Mapping[str, Any], index: int, waiting: Mapping[str, deque[Event]]
) -> Iterator[Event]:
    asked = waiting.get(str(step.get("call_id") or step.get("tool") or ""))
    if not asked:
        return
    call = asked.popleft()
    failed, content = bool(step.get("error")), _content(step)
    if call.actor != _USER:
        yield Event(
            index, "result", "tool", call.tool, None, content, call.call_id, failed, call.writes
        )
    elif call.writes and not failed:
        yield Event(index, "outside", _USER, call.tool, call.args, content)


def _content(step: Mapping[str, Any]) -> Json:
    """Return what a result said; one that was cut off is told from others by its digest."""
    content: Json = step.get("content")
    cut = step.get("content_sha1")
    return f"{content} {CUT_OFF}{cut})" if cut else content


def _index(step: Mapping[str, Any], place: int) -> int:
    index = step.get("i")
    return index if isinstance(index, int) else place


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _bytes(path: Path) -> bytes:
    try:
        whole = path.read_bytes()
        return gzip.decompress(whole) if whole[:2] == b"\x1f\x8b" else whole
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadRuns(f"{path.name} is not a whole gzip file.") from error
    except OSError as error:
        raise BadRuns(f"{path} cannot be read: {error.strerror}.") from error


def _lines(whole: bytes, name: str) -> Iterator[Any]:
    for number, line in enumerate(whole.splitlines(), start=1):
        if line.strip():
            yield _value(line, f"{name}, line {number}")


def _value(written: bytes, name: str) -> Any:
    """Read what others wrote, which is not always strict: half characters, NaN, long integers."""
    try:
        text = written.decode("utf-8-sig", "replace")
        found = json.loads(text, parse_constant=lambda _: None, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise BadRuns(f"{name}: not JSON: {error}.") from error
    return _whole(found) if "\\ud" in text.casefold() else found


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS_AT_MOST else float(digits)


def _whole(value: Any) -> Any:
    """Replace half characters, which no digest can be taken of."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(each) for name, each in value.items()}
    return value
