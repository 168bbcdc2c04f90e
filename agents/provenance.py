"""Where does each value of a proposal come from: the request, a tool's result, or nowhere?

Values are compared as people read them: 98.7 is 98.70, an account number is itself with spaces,
20 May 2025 is 2025-05-20. What stands in the request and in a result counts as requested.

A value *drives* the proposal when it says where something goes or who may get in (an account, an
address, a password), and neither the request holds it, nor a field made for such values in a tool's
result or in the record: it was read out of running text, which anybody may have written, or it was
made up. That does not ask what the text says, so no wording of an attack gets round it.

Source: design patterns of CaMeL (Debenedetti et al. 2025, arXiv:2503.18813) and of information flow
control for agents (FIDES, Costa et al. 2025, arXiv:2505.23643): content of a result may be a value,
but does not say what is done; the attacks are those of AgentDojo (NeurIPS 2024).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Literal

from agents import readings
from console.canonical import Json
from snapshots import pointer

From = Literal["request", "tool", "nowhere"]
# Beyond these a run has read more than anybody traces; the newest results are looked at first.
CHARACTERS_AT_MOST: Final = 1_000_000
LEAVES_AT_MOST: Final = 100_000
SOURCES_AT_MOST: Final = 200
RECORD: Final = "the record"
_QUOTED = 160
_WORDING_FROM = 4
_TEXT_FROM = 3

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_PART_OF_A_NAME = {"id", "line", "name", "no", "nr", "number", "ref", "reference"}
# Names of what says where something goes, or who gets in.
_TELLS_WHERE = frozenset(
    {"account", "address", "beneficiary", "bic", "city", "domain", "email", "endpoint", "host"}
    | {"iban", "mail", "otp", "password", "payee", "phone", "pin", "receiver", "recipient"}
    | {"secret", "sender", "street", "swift", "to", "token", "uri", "url", "webhook", "zip"}
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool returned in a step of the run; `tool` is what the trace calls it."""

    step: int
    tool: str
    output: Json


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stands; `is_field` when a result has it as a field of its own."""

    came_from: From
    step: int | None = None
    tool: str = ""
    field: str = ""
    quote: str = ""
    is_field: bool = False


@dataclass(slots=True)
class Seen:
    """Everything a run was told, ready to be asked where a value stands."""

    request: "_Texts"
    results: "_Texts"
    record: Callable[[], Json]

    @classmethod
    def of(
        cls, request: Json, results: Sequence[Result], record: Callable[[], Json] = lambda: None
    ) -> "Seen":
        """Index a request and results, the newest first; the record is read if it is needed."""
        asked, told = _Texts(), _Texts()
        asked.add(Result(0, "", request))
        for result in sorted(results, key=lambda each: each.step, reverse=True):
            told.add(result)
        return cls(asked, told, record)

    def origins(self, values: Iterable[Json]) -> dict[str, Origin]:
        """Say where each value stands, by its JSON: the request, a field, a text, or nowhere.

        The record is asked for whole values and names alone: what stands within its texts was
        written by whoever, and no tool has brought it before the agent.
        """
        found = {json.dumps(value): (value, self._look(value)) for value in values}
        open_ones = {
            key: value for key, (value, origin) in found.items() if not _is_settled(origin)
        }
        kept = _in_record(self.record(), open_ones) if open_ones else {}
        return {
            key: kept.get(key) or origin or Origin("nowhere") for key, (_, origin) in found.items()
        }

    def _look(self, value: Json) -> Origin | None:
        return Origin("request") if self.request.find(value) else self.results.find(value)


def sources(
    seen: Seen, params: Mapping[str, Any], stated: Iterable[tuple[str, Json]] = ()
) -> list[dict[str, Json]]:
    """Return one row per value that can be traced, for `Revision.sources`.

    Shape: `path` is that of a stated change, or `params` followed by the parameter's; `stated` are
    pairs of path and new value. Yes and no, 0, 1, and a few free words are not judged.
    """
    named = [(f"params{path}", value) for path, value in _leaves(dict(params), "")]
    placed = [leaf for path, value in stated for leaf in _leaves(value, path)]
    judged = [leaf for leaf in [*named, *placed] if not _is_trivial(leaf[1])][:SOURCES_AT_MOST]
    origins = seen.origins(value for _, value in judged)
    rows = (_row(origins[json.dumps(value)], path, value) for path, value in judged)
    return [row for row in rows if row is not None]


def tells_where(name: str, value: Json) -> bool:
    """Say whether a value says where something goes or who gets in, by its name or its look."""
    if _noun(name) in _TELLS_WHERE:
        return True
    if not isinstance(value, str):
        return False
    return bool(
        _IBAN.fullmatch(readings.squeezed(value).upper()) or _ADDRESS.fullmatch(value.strip())
    )


def _noun(name: str) -> str:
    """Return what a name is a name of: an account's type is a type, its number is an account."""
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).casefold()
    words = re.findall(r"[a-z]+", apart)
    while len(words) > 1 and words[-1] in _PART_OF_A_NAME:
        words.pop()
    return words[-1] if words else ""


def _row(origin: Origin, path: str, value: Json) -> dict[str, Json] | None:
    name = path.rpartition("/")[2]
    where = tells_where(name, value)
    if origin.came_from == "nowhere" and not where and _is_wording(value):
        return None
    return {
        "path": path,
        "from": origin.came_from,
        "label": origin.tool,
        "step": origin.step,
        "field": origin.field,
        "quote": origin.quote,
        "drives": where and not _is_vouched_for(origin, name),
    }


def _is_vouched_for(origin: Origin, name: str) -> bool:
    """Say whether the request, or a field that is made for such values, holds it."""
    if origin.came_from == "request":
        return True
    held_as = origin.field.rpartition("/")[2]
    is_name = held_as == origin.quote
    return origin.is_field and (is_name or held_as in {name, "id"} or tells_where(held_as, None))


def _is_trivial(value: Json) -> bool:
    if value is None or isinstance(value, bool | dict | list):
        return True
    return value in {0, 1} if isinstance(value, int | float) else not value.strip()


def _is_wording(value: Json) -> bool:
    """Say whether a text is the writer's own words: free of figures, or a sentence."""
    if not isinstance(value, str):
        return False
    return not any(map(str.isdigit, value)) or len(value.split()) >= _WORDING_FROM


@dataclass(frozen=True, slots=True)
class _Text:
    folded: str
    squeezed: str
    whole: str
    result: Result
    path: str


@dataclass(slots=True)
class _Texts:
    """Values and texts of results: fields by their reading, running texts by their words."""

    fields: dict[str, Origin] = field(default_factory=dict)
    tokens: dict[str, Origin] = field(default_factory=dict)
    texts: list[_Text] = field(default_factory=list)
    characters: int = 0
    leaves: int = 0

    def add(self, result: Result) -> None:
        for path, value in _leaves(_opened(result.output), ""):
            self.leaves += 1
            self.characters += len(value) if isinstance(value, str) else 1
            if self.characters > CHARACTERS_AT_MOST or self.leaves > LEAVES_AT_MOST:
                return
            for reading in readings.readings(value):
                if reading not in self.fields:
                    quote = str(value)[:_QUOTED]
                    self.fields[reading] = Origin(
                        "tool", result.step, result.tool, path, quote, is_field=True
                    )
            if isinstance(value, str):
                self._add_text(result, path, value)

    def find(self, value: Json) -> Origin | None:
        read = readings.readings(value)
        for known in (self.fields, self.tokens):
            for reading in read:
                if reading in known:
                    return known[reading]
        return self._within(value) if isinstance(value, str) else None

    def _add_text(self, result: Result, path: str, text: str) -> None:
        self.texts.append(_Text(readings.folded(text), readings.squeezed(text), text, result, path))
        for reading, at, _ in readings.tokens(text):
            if reading not in self.tokens:
                self.tokens[reading] = _found(result, path, text, at)

    def _within(self, value: str) -> Origin | None:
        wanted, id_wanted = readings.folded(value), readings.squeezed(value)
        if len(wanted) < _TEXT_FROM:
            return None
        pattern = readings.spelled(value)
        is_id = len(id_wanted) >= readings.ID_FROM
        for text in self.texts:
            # Cheap to ask first, so that the pattern is tried where it may fit.
            if wanted in text.folded or (is_id and id_wanted in text.squeezed):
                found = pattern.search(text.whole)
                if found:
                    return _found(text.result, text.path, text.whole, found.start())
        return None


def _is_settled(origin: Origin | None) -> bool:
    return origin is not None and (origin.came_from == "request" or origin.is_field)


def _in_record(record: Json, wanted: Mapping[str, Json]) -> dict[str, Origin]:
    """Return the places of a record that hold wanted values, or are named so."""
    keys = {reading: key for key, value in wanted.items() for reading in readings.readings(value)}
    known: dict[str, Origin] = {}
    # Numbers, days and times have readings beside their own letters.
    has_figures = not all(reading.startswith(("text ", "id ")) for reading in keys)
    for path, value in islice(_leaves(record, "", named=True), LEAVES_AT_MOST):
        may_be = _may_be(value, keys, has_figures=has_figures)
        for reading in readings.readings(value) if may_be else ():
            if reading in keys:
                origin = Origin("tool", None, RECORD, path, str(value)[:_QUOTED], is_field=True)
                known.setdefault(keys[reading], origin)
    return known


def _may_be(value: Json, keys: Mapping[str, str], *, has_figures: bool) -> bool:
    """Say quickly whether a value is worth reading: nearly none of a record is."""
    if not isinstance(value, str):
        return has_figures
    return (has_figures and value[:1].isdigit()) or f"id {readings.squeezed(value)}" in keys


def _found(result: Result, path: str, text: str, at: int) -> Origin:
    """Name the field that holds a text, or the line of a result that is one text."""
    place = path or f"line {text.count(chr(10), 0, at) + 1}"
    return Origin("tool", result.step, result.tool, place, _line(text, at))


def _opened(output: Json) -> Json:
    """Read a result that is JSON in a text, as many tools return it."""
    if isinstance(output, str) and output.lstrip()[:1] in {"{", "["}:
        try:
            opened: Json = json.loads(output)
        except (ValueError, RecursionError):
            return output
        return opened
    return output


def _leaves(value: Json, path: str, *, named: bool = False) -> Iterator[tuple[str, Json]]:
    """Yield the single values with their paths, and where asked the names of members as well."""
    pending = [(path, value)]
    while pending:
        here, what = pending.pop()
        if isinstance(what, dict):
            parts = [(f"{here}{pointer.build((key,))}", part) for key, part in what.items()]
            if named:
                yield from ((f"{here}{pointer.build((key,))}", key) for key in what)
        elif isinstance(what, list):
            parts = [(f"{here}/{number}", part) for number, part in enumerate(what)]
        else:
            yield here, what
            continue
        pending += reversed(parts)


def _line(text: str, at: int) -> str:
    """Return the line around a place, cut where it is long."""
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    line_end = len(text) if end < 0 else end
    start = max(start, at - _QUOTED // 2)
    return text[start : min(line_end, start + _QUOTED)].strip()
