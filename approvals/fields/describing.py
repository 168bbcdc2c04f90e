"""What does an action type say about the paths that it may change?"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from dataclasses import fields as members_of
from typing import Final, Literal, cast

from approvals.formats import KINDS, Kind
from console.canonical import Json
from snapshots import pointer

Sensitivity = Literal["none", "personal"]
Parts = tuple[str, ...]

SENSITIVITIES: Final = ("none", "personal")
NEIGHBOUR: Final = re.compile(r"(\.\./)+[^/]+(/[^/]+)*")


class BadField(ValueError):
    """This does not describe a field."""


@dataclass(frozen=True, slots=True)
class Field:
    """What an action type says about the values at a path.

    Shape: `path` is a pointer in which `*` is any one segment and a closing `**` the rest; `unit`
    is a currency, a unit, what a yes means, the form of a date, or `../currency`: the name of the
    value beside it that holds the unit.
    Raises: BadField.
    """

    path: str
    label: str
    kind: Kind
    unit: str | None = None
    group: str | None = None
    sensitivity: Sensitivity = "none"
    risk: int = 0

    def __post_init__(self) -> None:
        """Refuse what could never describe a change."""
        try:
            parts = pointer.parse(self.path)
        except pointer.BadPointer as error:
            raise BadField(str(error)) from error
        if "**" in parts[:-1]:
            raise BadField(f"In {self.path}, ** stands before the end.")
        if self.kind not in KINDS:
            raise BadField(f"{self.path} has the unknown kind {self.kind!a}.")
        if (self.unit or "").startswith("..") and not NEIGHBOUR.fullmatch(self.unit or ""):
            raise BadField(f"{self.path} takes its unit from {self.unit!a}, which names nothing.")
        if self.sensitivity not in SENSITIVITIES:
            raise BadField(f"{self.path} has the unknown sensitivity {self.sensitivity!a}.")

    def to_json(self) -> dict[str, Json]:
        """Write the description as an object."""
        return cast("dict[str, Json]", asdict(self))

    @classmethod
    def from_json(cls, written: Json) -> "Field":
        """Read what `to_json` wrote; unit, group, sensitivity and risk may be left out.

        Raises: BadField.
        """
        if not isinstance(written, dict):
            raise BadField("A field is an object with path, label and kind.")
        if unknown := sorted(written.keys() - {each.name for each in members_of(cls)}):
            raise BadField(f"A field has no {', '.join(unknown)}.")
        given = {name: _text(written, name) for name in ("path", "label", "kind")}
        risk = written.get("risk", 0)
        if type(risk) is not int or risk < 0:
            raise BadField(f"The risk of {given['path']} is a whole number from 0.")
        return cls(
            path=given["path"],
            label=given["label"],
            kind=cast("Kind", given["kind"]),
            unit=_text(written, "unit") if written.get("unit") is not None else None,
            group=_text(written, "group") if written.get("group") is not None else None,
            sensitivity=cast("Sensitivity", written.get("sensitivity", "none")),
            risk=risk,
        )


class Catalogue:
    """The fields of an action type, found by path; the most specific one wins."""

    def __init__(self, fields: Iterable[Field]) -> None:
        """Sort the patterns once: more literal segments first, then the earlier ones."""
        patterns = [(pointer.parse(field.path), field) for field in fields]
        self._patterns = sorted(patterns, key=lambda each: _specificity(each[0]), reverse=True)
        self._lengths: dict[int, list[tuple[Parts, Field]]] = {}

    def field_for(self, parts: Parts) -> Field | None:
        """Find the field that describes a path, or None."""
        fitting = self._of_length(len(parts))
        return next((field for want, field in fitting if pointer.matches(want, parts)), None)

    def _of_length(self, length: int) -> list[tuple[Parts, Field]]:
        if length not in self._lengths:
            self._lengths[length] = [
                (want, field)
                for want, field in self._patterns
                if len(want) == length or (want[-1:] == ("**",) and len(want) - 1 <= length)
            ]
        return self._lengths[length]


def _specificity(pattern: Parts) -> tuple[int, ...]:
    ranks = {"*": 1, "**": 0}
    return (sum(part not in ranks for part in pattern), *(ranks.get(part, 2) for part in pattern))


def _text(written: dict[str, Json], name: str) -> str:
    value = written.get(name)
    if not isinstance(value, str):
        raise BadField(f"The {name} of a field is text.")
    return value
