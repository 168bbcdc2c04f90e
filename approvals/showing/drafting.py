"""How is a policy written in a form, and what of a form is which part of a rule?

The form is flat: `thresholds-0-approve`, `limits-1-per`. An alternative or a limit of which nothing
was typed is left out. What cannot be read as a number stays text, so that the rule is refused at
the very place, in the same words as over the API.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from approvals.policy import LEVELS
from approvals.rulecheck import Fault

Flat = Mapping[str, Sequence[str]]

UNITS: Final = ((1, "seconds"), (60, "minutes"), (3_600, "hours"), (86_400, "days"))
ROLES: Final = ("reviewer", "admin")
PER: Final = {
    "counterparty": "counterparty (payee)",
    "subject": "subject (patient, case)",
    "agent": "agent",
    "state": "State",
}
_DIGITS: Final = re.compile(r"\d{1,9}", re.ASCII)
_SPARE: Final = {"thresholds": 2, "escalate_to": 2, "limits": 2}


@dataclass(frozen=True, slots=True)
class Draft:
    """What was typed as a rule, and to which inputs the places of the rule belong."""

    rule: dict[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)

    def input_of(self, place: str) -> str:
        """Return the name of the input that a place of the rule was typed in."""
        parts = place.split("/")
        for length in range(len(parts), 0, -1):
            head, rest = "/".join(parts[:length]), parts[length:]
            if head in self.places:
                return "-".join([self.places[head], *rest])
        return place.replace("/", "-")


def read(typed: Flat) -> Draft:
    """Return the rule that was typed."""
    places: dict[str, str] = {}
    rule: dict[str, Any] = {
        "name": _text(typed, "name").strip(),
        "mode": _text(typed, "mode"),
        "match": _text(typed, "match").strip(),
        "note": _text(typed, "note").strip(),
        "level": _number(_text(typed, "level")),
        "sample": _share(_text(typed, "sample")),
        "edits": bool(_text(typed, "edits")),
        "expires_seconds": _duration(typed, "expires_seconds"),
        "hold_seconds": _duration(typed, "hold_seconds"),
        "then": _text(typed, "then"),
        "escalate_seconds": _duration(typed, "escalate_seconds"),
        "thresholds": _alternatives(typed, "thresholds", "thresholds", places),
        "escalate_to": _alternatives(typed, "escalate_to", "escalate_to", places),
        "limits": _limits(typed, places),
    }
    return Draft(rule, places)


def _alternatives(
    typed: Flat, prefix: str, place: str, places: dict[str, str]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for slot in _slots(typed, prefix):
        if not (_text(typed, f"{slot}-approve").strip() or _text(typed, f"{slot}-filter").strip()):
            continue
        places[f"{place}/{len(found)}"] = slot
        found.append(
            {
                "approve": _number(_text(typed, f"{slot}-approve")),
                "deny": _number(_text(typed, f"{slot}-deny") or "1"),
                "roles": list(typed.get(f"{slot}-roles", ())),
                "filter": _text(typed, f"{slot}-filter").strip(),
            }
        )
    return found


def _limits(typed: Flat, places: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for slot in _slots(typed, "limits"):
        if not _text(typed, f"{slot}-amount").strip():
            continue
        place = f"limits/{len(found)}"
        places[place] = slot
        asked = _alternatives(typed, f"{slot}-thresholds", f"{place}/thresholds", places)
        found.append(
            {
                "per": list(typed.get(f"{slot}-per", ())),
                "amount": _text(typed, f"{slot}-amount").strip(),
                "currency": _text(typed, f"{slot}-currency").strip(),
                "window_seconds": _duration(typed, f"{slot}-window_seconds"),
                "then": _text(typed, f"{slot}-then"),
                "level": _number(_text(typed, f"{slot}-level")),
                "thresholds": asked,
            }
        )
    return found


def _slots(typed: Flat, prefix: str) -> list[str]:
    slot = re.compile(rf"({re.escape(prefix)}-(\d{{1,2}}))-[a-z_]+", re.ASCII)
    found = {(int(match[2]), match[1]) for name in typed if (match := slot.fullmatch(name))}
    return [name for _, name in sorted(found)]


def _text(typed: Flat, name: str) -> str:
    values = typed.get(name, ())
    return values[-1].replace("\r\n", "\n") if values else ""


def _number(text: str) -> int | str:
    return int(text) if _DIGITS.fullmatch(text.strip()) else text


def _share(text: str) -> float | str:
    try:
        return float(Decimal(text.strip() or "0") / 100)
    except (InvalidOperation, ValueError):
        return text


def _duration(typed: Flat, name: str) -> int | str:
    """Return seconds: a number, decimals allowed, times the unit beside it."""
    text = _text(typed, name).strip() or "0"
    unit = _number(_text(typed, f"{name}-unit") or "1")
    try:
        seconds = Decimal(text) * Decimal(unit)
    except InvalidOperation:
        return text
    return int(seconds) if seconds.is_finite() and abs(seconds) < Decimal(10) ** 9 else text


def written(rule: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return a rule as the form that says the same."""
    flat = {name: [str(rule.get(name, ""))] for name in ("name", "mode", "match", "note", "then")}
    flat["level"] = [str(rule["level"])]
    flat["sample"] = [_plain(Decimal(str(rule["sample"])) * 100)]
    flat["edits"] = ["on"] if rule["edits"] else []
    for name in ("expires_seconds", "hold_seconds", "escalate_seconds"):
        _write_duration(flat, name, rule[name])
    for prefix in ("thresholds", "escalate_to"):
        _write_alternatives(flat, prefix, rule[prefix])
    for number, limit in enumerate(rule["limits"]):
        slot = f"limits-{number}"
        for name in ("amount", "currency", "then", "level"):
            flat[f"{slot}-{name}"] = [str(limit[name])]
        flat[f"{slot}-per"] = list(limit["per"])
        _write_duration(flat, f"{slot}-window_seconds", limit["window_seconds"])
        _write_alternatives(flat, f"{slot}-thresholds", limit["thresholds"])
    return flat


def _write_alternatives(
    flat: dict[str, list[str]], prefix: str, asked: Sequence[Mapping[str, Any]]
) -> None:
    for number, item in enumerate(asked):
        flat[f"{prefix}-{number}-approve"] = [str(item["approve"])]
        flat[f"{prefix}-{number}-deny"] = [str(item["deny"])]
        flat[f"{prefix}-{number}-roles"] = list(item["roles"])
        flat[f"{prefix}-{number}-filter"] = [str(item["filter"])]


def _write_duration(flat: dict[str, list[str]], name: str, seconds: int) -> None:
    size = next(size for size, _ in reversed(UNITS) if seconds % size == 0 or size == 1)
    flat[name], flat[f"{name}-unit"] = [str(seconds // size)], [str(size if seconds else 1)]


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


BLANK: Final[Mapping[str, list[str]]] = {
    "mode": ["draft"],
    "level": ["2"],
    "sample": ["0"],
    "edits": ["on"],
    "expires_seconds": ["3"],
    "expires_seconds-unit": ["86400"],
    "hold_seconds": ["0"],
    "then": ["expire"],
    "thresholds-0-approve": ["1"],
    "thresholds-0-deny": ["1"],
    "thresholds-0-roles": list(ROLES),
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with an input: why, and of an expression the line with the place marked."""

    sentence: str
    where: str = ""
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """One input of the form, as `approvals/_policy_input.html` lays it out."""

    name: str
    label: str
    kind: str
    values: tuple[str, ...]
    wrong: tuple[Wrong, ...] = ()
    help: str = ""
    options: tuple[tuple[str, str], ...] = ()
    unit: str = ""

    @property
    def value(self) -> str:
        """Return what stands in an input of one value."""
        return self.values[-1] if self.values else ""


class Form:
    """The inputs of a rule, with what was typed and what is wrong with it."""

    def __init__(
        self, flat: Flat, faults: Sequence[Fault] = (), draft: Draft | None = None
    ) -> None:
        """Keep the values, and each fault at the input where it was typed."""
        self._flat = flat
        self._faults = [(draft.input_of(f.place) if draft else f.place, f) for f in faults]
        self._shown: set[int] = set()

    def sections(self) -> dict[str, Any]:
        """Return the inputs by section, for the template; what is wrong elsewhere comes last."""
        found = {
            "rule": self._rule(),
            "level": self._input("level", "Level", "radio", options=_levels()),
            "sample": self._input("sample", "Share looked at afterwards, in percent", "text"),
            "alternatives": self._alternatives("thresholds", _SPARE["thresholds"]),
            "time": self._time(),
            "is_escalated": _text(self._flat, "then") == "escalate",
            "escalation": self._alternatives("escalate_to", _SPARE["escalate_to"]),
            "limits": self._limits(),
            "edits": self._input("edits", "Reviewers may edit", "check", help=_EDITS),
        }
        rest = [f for n, (_, f) in enumerate(self._faults) if n not in self._shown]
        return {**found, "wrong": [str(fault) for fault in rest]}

    def _rule(self) -> list[Input]:
        modes = (("draft", "Draft: does nothing"), ("shadow", "Shadow: is scored"))
        return [
            self._input("name", "Name", "text"),
            self._input("match", "Which actions", "code", help=_MATCH),
            self._input(
                "mode", "Mode", "select", options=(*modes, ("enforced", "Enforced: decides"))
            ),
            self._input("note", "Note for colleagues", "text"),
        ]

    def _time(self) -> list[Input]:
        after = (("expire", "It expires"), ("escalate", "It goes to others"))
        return [
            self._duration("expires_seconds", "Deadline"),
            self._duration("hold_seconds", "Held after the approval, can be recalled"),
            self._input("then", "After the deadline", "select", options=after),
            self._duration("escalate_seconds", "Those others have"),
        ]

    def _alternatives(self, prefix: str, spare: int) -> list[list[Input]]:
        last = [int(slot.rpartition("-")[2]) for slot in _slots(self._flat, prefix)]
        count = max([spare, *(number + 1 for number in last)])
        return [self._alternative(f"{prefix}-{number}") for number in range(count)]

    def _alternative(self, slot: str) -> list[Input]:
        roles = tuple((role, role) for role in ROLES)
        if f"{slot}-approve" not in self._flat:
            # Nobody has typed anything here yet: offer what is usual.
            self._flat = {**self._flat, f"{slot}-deny": ["1"], f"{slot}-roles": [*ROLES]}
        return [
            self._input(f"{slot}-approve", "Must agree", "number"),
            self._input(f"{slot}-deny", "Rejections that end it", "number"),
            self._input(f"{slot}-roles", "With the role", "checks", options=roles),
            self._input(f"{slot}-filter", "Of whom holds", "code"),
        ]

    def _limits(self) -> list[dict[str, Any]]:
        last = [int(slot.rpartition("-")[2]) for slot in _slots(self._flat, "limits")]
        count = max([_SPARE["limits"], *(number + 1 for number in last)])
        return [self._limit(f"limits-{number}") for number in range(count)]

    def _limit(self, slot: str) -> dict[str, Any]:
        beyond = (("raise", "More is asked for"), ("deny", "It is denied"))
        inputs = [
            self._input(f"{slot}-amount", "Together at most", "text"),
            self._input(f"{slot}-currency", "Currency", "text"),
            self._input(f"{slot}-per", "For each", "checks", options=tuple(PER.items())),
            self._duration(f"{slot}-window_seconds", "Within"),
            self._input(f"{slot}-then", "Beyond it", "select", options=beyond),
            self._input(f"{slot}-level", "Level beyond it", "select", options=_levels()[1:]),
        ]
        is_set = bool(_text(self._flat, f"{slot}-amount"))
        return {
            "inputs": inputs,
            "alternatives": self._alternatives(f"{slot}-thresholds", 1),
            "open": is_set or any(each.wrong for each in inputs),
        }

    def _duration(self, name: str, label: str) -> Input:
        unit = _text(self._flat, f"{name}-unit") or "3600"
        options = tuple((str(size), word) for size, word in UNITS)
        return self._input(name, label, "duration", options=options, unit=unit)

    def _input(
        self,
        name: str,
        label: str,
        kind: str,
        *,
        help: str = "",  # noqa: A002  (what the template calls it)
        options: Sequence[tuple[str, str]] = (),
        unit: str = "",
    ) -> Input:
        values = tuple(self._flat.get(name, ()))
        wrong = tuple(self._wrong(name))
        return Input(name, label, kind, values, wrong, help, tuple(options), unit)

    def _wrong(self, name: str) -> list[Wrong]:
        found = []
        for number, (place, fault) in enumerate(self._faults):
            if place == name or place.startswith(f"{name}-"):
                self._shown.add(number)
                found.append(_marked(fault, _text(self._flat, name)))
        return found


def _marked(fault: Fault, text: str) -> Wrong:
    """Show where in an expression it goes wrong, by the line and a mark below the place."""
    lines = text.strip().split("\n")
    if not 0 < fault.line <= len(lines):
        return Wrong(fault.sentence)
    line, column = lines[fault.line - 1], max(fault.column - 1, 0)
    # A tab is as wide as one space here, so that the mark stands below its place.
    excerpt = f"{line.replace(chr(9), ' ')}\n{' ' * column}^"
    return Wrong(fault.sentence, f"line {fault.line}, column {fault.column}", excerpt)


def _levels() -> tuple[tuple[str, str], ...]:
    return tuple((str(level), f"{level}: {text}") for level, text in LEVELS.items())


_MATCH: Final = (
    "An expression that is true for the actions this policy is about, such as "
    'action == "send_payment" && amount >= 5000.0'
)
_EDITS: Final = "Who edits becomes an author, so somebody else has to approve."
