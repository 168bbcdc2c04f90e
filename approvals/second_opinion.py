"""Does an independent look at the same snapshot come to the same effect?

Judged by what would change, not by the arguments that lead there: of two right answers a quarter
is worded differently.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from console.canonical import Json, canonical_bytes
from snapshots.diff import Change


@dataclass(frozen=True, slots=True)
class Second:
    """What another agent would have done, who looked at the same snapshot by itself.

    `changes` is the effect of its action, empty where it would change nothing; `why` its words.
    An empty `action_type` says that it would not have acted at all.
    """

    agent: str
    action_type: str
    params: dict[str, Any]
    changes: tuple[Change, ...]
    why: str

    def to_json(self) -> dict[str, Json]:
        """Return what the revision's row keeps."""
        shown: list[Json] = [change.to_json() for change in self.changes]
        return {
            "agent": self.agent,
            "action_type": self.action_type,
            "params": self.params,
            "changes": shown,
            "why": self.why,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return the opinion that a revision's row keeps."""
        return cls(
            agent=kept["agent"],
            action_type=kept["action_type"],
            params=kept["params"],
            changes=tuple(Change.from_json(item) for item in kept["changes"]),
            why=kept["why"],
        )


def agrees(changes: Sequence[Change], second: Second) -> bool:
    """Say whether both come to the same effect, in whatever order they name its changes."""
    return _effects(changes) == _effects(second.changes)


def differs_at(changes: Sequence[Change], second: Second) -> list[str]:
    """Return the paths at which only one of both changes something, or to another value."""
    one, other = _by_path(changes), _by_path(second.changes)
    return sorted(path for path in {*one, *other} if one.get(path) != other.get(path))


def _by_path(changes: Sequence[Change]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for change in changes:
        found.setdefault(change.path, []).append(canonical_bytes(_effect(change)))
    return {path: sorted(said) for path, said in found.items()}


def _effects(changes: Sequence[Change]) -> list[bytes]:
    return sorted(canonical_bytes(_effect(change)) for change in changes)


def _effect(change: Change) -> dict[str, Json]:
    """Return what a change leaves behind; what stood there before is the same for both."""
    return {name: said for name, said in change.to_json().items() if name != "old"}
