"""Where did a value of a step come from, and what came of what a step brought?

Values are compared as people read them (see `readings.py`). A step brings what it returned; what
it was asked is what others brought before. Both are read backwards and forwards from the journal,
so this finds where a value *stands*, not why a model chose it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agents import readings
from console.canonical import Json
from snapshots import pointer

# Where in a run a value stands that no step has brought.
JOB: Final = -1
# Beyond these nobody reads, and the page would take too long.
PLACES_AT_MOST: Final = 24
VALUES_AT_MOST: Final = 200
LEAVES_AT_MOST: Final = 100_000
_TEXT_AT_MOST: Final = 400_000
_DEEPEST: Final = 4
_NODES_AT_MOST: Final = 40
_TEXT_FROM: Final = 4
_QUOTED: Final = 160
_WORD: Final = re.compile(r"[^\s<>()\[\]{}\"'“”;,|]{4,80}")
_AROUND: Final = ".:!?"


@dataclass(frozen=True, slots=True)
class Held:
    """A step with what it was asked and what it brought; the job itself is the step `JOB`."""

    index: int
    asked: Json
    brought: Json
    is_record: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: in what the step of that index brought or, `asked`, was asked."""

    index: int
    path: str
    quote: str
    is_field: bool
    asked: bool = False


@dataclass(slots=True)
class Origin:
    """A value, every earlier place that has it, and where what was asked there came from."""

    path: str
    value: Json
    places: list[Place] = field(default_factory=list)
    more: int = 0
    asked: "list[Origin]" = field(default_factory=list)

    @property
    def first(self) -> Place | None:
        """Return where the run met it first."""
        return self.places[0] if self.places else None

    @property
    def nearest(self) -> Place | None:
        """Return where it stood last before it was used."""
        return self.places[-1] if self.places else None


@dataclass(frozen=True, slots=True)
class Use:
    """A value that a step brought first, in a later step that was asked with it."""

    index: int
    path: str
    value: Json
    quote: str


def origins(steps: Sequence[Held], before: int, path: str, value: Json) -> list[Origin]:
    """Return where each single value at a path stood before a step, the job's own words first."""
    room = _Room([step for step in steps if step.index < before])
    return room.origins(before, [*leaves(value, path)][:VALUES_AT_MOST], _DEEPEST)


def uses(steps: Sequence[Held], index: int) -> list[Use]:
    """Return where values stand in later questions that this step was the first to bring."""
    step = next((each for each in steps if each.index == index), None)
    if step is None:
        return []
    wanted = [found for value in _new(steps, step) if (found := _Wanted.of(value)) is not None]
    later = [_Told.of(Held(each.index, None, each.asked)) for each in steps if each.index > index]
    return [
        Use(told.index, place.path, each.value, place.quote)
        for told in later
        for each in wanted
        if (place := told.place_of(each)) is not None
    ]


def _new(steps: Sequence[Held], step: Held) -> list[Json]:
    """Return the values of a step that nothing before it has brought."""
    brought: dict[str, Json] = {}
    for value in _values(_opened(step.brought)):
        brought.setdefault(json.dumps(value), value)
        if len(brought) >= VALUES_AT_MOST:
            break
    earlier = [_Told.of(each) for each in steps if each.index < step.index]
    wanted = [found for value in brought.values() if (found := _Wanted.of(value)) is not None]
    return [each.value for each in wanted if not any(told.place_of(each) for told in earlier)]


def _values(brought: Json) -> Iterator[Json]:
    """Yield what tells something: single values, and out of texts what looks like an id."""
    for _, value in leaves(brought, ""):
        if is_telling(value):
            yield value
        if isinstance(value, str) and len(value.split()) > 1:
            words = (word.strip(_AROUND) for word in _WORD.findall(value[:_TEXT_AT_MOST]))
            yield from (word for word in words if is_telling(word) and any(map(str.isdigit, word)))


@dataclass(slots=True)
class _Room:
    """The steps before one, each read once, and how many answers may still be looked for."""

    steps: Sequence[Held]
    told: "list[_Told]" = field(init=False)
    left: int = _NODES_AT_MOST

    def __post_init__(self) -> None:
        self.told = [_Told.of(step) for step in self.steps]

    def origins(self, before: int, values: Sequence[tuple[str, Json]], deeper: int) -> list[Origin]:
        found = []
        for path, value in values:
            if not self.left:
                break
            self.left -= 1
            origin = self._origin(before, path, value)
            if deeper and origin.first and origin.first.index != JOB:
                asked = [*leaves(self._asked(origin.first.index), "")]
                told = [leaf for leaf in asked if is_telling(leaf[1])][:3]
                origin.asked = self.origins(origin.first.index, told, deeper - 1)
            found.append(origin)
        return found

    def _asked(self, index: int) -> Json:
        return next(step.asked for step in self.steps if step.index == index)

    def _origin(self, before: int, path: str, value: Json) -> Origin:
        origin, wanted = Origin(path, value), _Wanted.of(value)
        if wanted is None:
            return origin
        earlier = (told.place_of(wanted) for told in self.told if told.index < before)
        origin.places = [place for place in earlier if place is not None]
        if len(origin.places) > PLACES_AT_MOST:
            origin.more = len(origin.places) - PLACES_AT_MOST
            # The first one says where it began, the last ones what it was taken from.
            origin.places = [origin.places[0], *origin.places[1 - PLACES_AT_MOST :]]
        return origin


def is_telling(value: Json) -> bool:
    """Say whether it tells something that the same value stands in two places."""
    if isinstance(value, str):
        text = value.strip()
        has_figure = any(map(str.isdigit, text))
        return len(text) >= (_TEXT_FROM if has_figure else 2 * _TEXT_FROM)
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > 9  # noqa: PLR2004


def leaves(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Yield the single values with their paths, in order, up to a limit."""
    pending, left = [(path, value)], LEAVES_AT_MOST
    while pending and left:
        here, what = pending.pop()
        if isinstance(what, dict):
            parts = [(f"{here}{pointer.build((key,))}", part) for key, part in what.items()]
        elif isinstance(what, list):
            parts = [(f"{here}/{number}", part) for number, part in enumerate(what)]
        else:
            left -= 1
            yield here, what
            continue
        pending += reversed(parts)


@dataclass(frozen=True, slots=True)
class _Wanted:
    value: Json
    readings: tuple[str, ...]
    # An id in groups is the same id; empty where it is no text to be found within another.
    close: str

    @classmethod
    def of(cls, value: Json) -> "_Wanted | None":
        found = readings.readings(value)
        if not found:
            return None
        text = value if isinstance(value, str) and len(value.strip()) >= _TEXT_FROM else ""
        return cls(value, tuple(found), readings.squeezed(text))


@dataclass(frozen=True, slots=True)
class _Told:
    """What one step said, read once: its fields by their readings, and its texts."""

    index: int
    fields: Mapping[str, tuple[str, Json]]
    texts: Sequence[tuple[str, str, str]]

    @classmethod
    def of(cls, step: Held) -> "_Told":
        fields: dict[str, tuple[str, Json]] = {}
        texts = []
        for path, value in leaves(_opened(step.brought), ""):
            for reading in readings.readings(value):
                fields.setdefault(reading, (path, value))
            if not step.is_record and isinstance(value, str) and len(value) > _TEXT_FROM:
                text = value[:_TEXT_AT_MOST]
                texts.append((path, text, readings.squeezed(text)))
        return cls(step.index, fields, texts)

    def place_of(self, wanted: _Wanted) -> Place | None:
        """Return where a value stands: as a field of its own, or else within a text."""
        for reading in wanted.readings:
            if reading in self.fields:
                path, held = self.fields[reading]
                return Place(self.index, path, str(held)[:_QUOTED], is_field=True)
        for path, text, close in self.texts:
            if quote := _quote(wanted, text, close):
                return Place(self.index, path, quote, is_field=False)
        return None


def _opened(said: Json) -> Json:
    """Read what is JSON in a text, as many tools return it."""
    if isinstance(said, str) and said.lstrip()[:1] in {"{", "["}:
        try:
            opened: Json = json.loads(said)
        except (ValueError, RecursionError):
            return said
        return opened
    return said


def _quote(wanted: _Wanted, text: str, close: str) -> str:
    at = _at(wanted, text, close)
    if at is None:
        return ""
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    start = max(start, at - _QUOTED // 2)
    return text[start : min(len(text) if end < 0 else end, start + _QUOTED)].strip()


def _at(wanted: _Wanted, text: str, close: str) -> int | None:
    if wanted.close:
        # A cheap look first: a pattern over a long text costs more than all the rest.
        if wanted.close not in close:
            return None
        found = readings.spelled(str(wanted.value).strip()).search(text)
        return found.start() if found else None
    if isinstance(wanted.value, str):
        return None
    tokens = readings.tokens(text)
    return next((start for reading, start, _ in tokens if reading in wanted.readings), None)
