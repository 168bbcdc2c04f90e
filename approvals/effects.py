"""What would an action do to a State?

A pack registers one effect per action type: a pure function from document and parameters to the
new document. The preview that a reviewer sees and the execution run this same function. Effect
`stated` is for proposers outside the house: they send the changes themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from console.canonical import Json
from snapshots.diff import Change, apply

Params = dict[str, Any]
Document = Any
STATED = "stated"


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
class Effect:
    """The three questions an action type answers about a document and parameters.

    `preview` returns the new document and never touches the one it was given; `checks` returns
    sentences for the reviewer; `facts` returns words for the title that stand in the document.
    """

    preview: Callable[[Document, Params], Json]
    checks: Callable[[Document, Params], list[Check]] = lambda _document, _params: []
    facts: Callable[[Document, Params], dict[str, str]] = lambda _document, _params: {}


_effects: dict[str, Effect] = {}


def register(name: str, effect: Effect) -> None:
    """Make an effect known under a name; a pack does this when it is loaded."""
    _effects[name] = effect


def is_known(name: str) -> bool:
    """Say whether an action type may name this effect."""
    return name == STATED or name in _effects


def resolve(name: str, stated: Sequence[Change]) -> Effect:
    """Return the effect of an action type. Raises: CannotDo when no pack carries it."""
    if name == STATED:
        return Effect(preview=lambda document, _params: apply(document, list(stated)))
    if name not in _effects:
        raise CannotDo(f"The effect {name!r} is not installed here.")
    return _effects[name]
