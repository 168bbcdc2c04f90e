"""What does a restoration bring back, what of the newer may stay, and what is thereby gone?

Values in; documents, yes, no and sentences out. A plan is made, shown and carried out by these
same lines, so the preview is the effect.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, Self
from uuid import UUID

from console.canonical import Json, digest
from snapshots import pointer
from snapshots.diff import BadChange, Change, DoesNotFit, apply, diff

Kind = Literal["rollback", "reinitialise"]
Source = Literal["", "snapshot", "clean", "last_sane"]
CLEAN: Final = "clean"
PLAN_LIFETIME = timedelta(minutes=10)
# What people agreed to, or what happened outside anyway, can be kept; nothing else can.
LEGITIMATE = frozenset({"proposal", "outside"})
_NOT_KEPT: Final[Mapping[str, str]] = {
    "import": "It is how the record came in.",
    "rollback": "It is itself a going back.",
    "memory": "An agent wrote it down; nobody agreed to it.",
    "sweep": "It is what a sweep took out.",
}


class CannotRestore(ValueError):
    """This cannot be restored as it was asked for; the message says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants back.

    `to` is a snapshot's number, or `clean` for an empty memory. `below` takes the memories under a
    record along; not said, it is so for a whole record. `keep` names newer snapshots that stay,
    `paths` the only places that are taken back. `source` says where agents start from.
    """

    kind: Kind
    state: UUID | None = None
    to: int | Literal["clean"] | None = None
    below: bool | None = None
    keep: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()
    agent: str = ""
    run: UUID | None = None
    source: Source = ""

    @property
    def takes_memories_along(self) -> bool:
        """Say whether the memories below a record go back with it."""
        return self.below if self.below is not None else not self.paths

    def to_json(self) -> dict[str, Json]:
        """Return what the restoration's row keeps."""
        return {
            "kind": self.kind,
            "state": str(self.state) if self.state else None,
            "to": self.to,
            "below": self.takes_memories_along,
            "keep": [*self.keep],
            "paths": [*self.paths],
            "agent": self.agent,
            "run": str(self.run) if self.run else None,
            "source": self.source,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return what a restoration's row keeps."""
        return cls(
            kind=kept["kind"],
            state=UUID(kept["state"]) if kept["state"] else None,
            to=kept["to"],
            below=kept["below"],
            keep=tuple(kept["keep"]),
            paths=tuple(kept["paths"]),
            agent=kept["agent"],
            run=UUID(kept["run"]) if kept["run"] else None,
            source=kept["source"],
        )


@dataclass(frozen=True, slots=True)
class Newer:
    """A snapshot that is newer than the one to go back to, and what it changed, if it is known."""

    number: int
    cause: str
    changes: Sequence[Change] | None


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a newer snapshot can be kept, why not, and whether it is."""

    can_keep: bool
    why_not: str = ""
    kept: bool = False


def clean_memory() -> dict[str, Json]:
    """Return the memory of an agent that remembers nothing."""
    return {"entries": {}}


def with_kept(
    target: Json, newer: Iterable[Newer], keep: Collection[int]
) -> tuple[Json, dict[int, Fit]]:
    """Do the kept changes again on `target`, strictly and in order; tell of each whether it fits.

    Whether one fits is asked of the target with those before it that are kept.
    Raises: CannotRestore where one that is to be kept does not fit.
    """
    fits: dict[int, Fit] = {}
    for each in newer:
        after, why_not = _again(target, each)
        kept = each.number in keep
        if kept and why_not:
            raise CannotRestore(f"Snapshot {each.number} cannot be kept. {why_not}")
        if kept:
            target = after
        fits[each.number] = Fit(not why_not, why_not, kept)
    if strangers := sorted(set(keep) - fits.keys()):
        raise CannotRestore(f"Snapshot {strangers[0]} is not among the newer ones to choose from.")
    return target, fits


def _again(target: Json, newer: Newer) -> tuple[Json, str]:
    if newer.cause not in LEGITIMATE:
        return target, _NOT_KEPT.get(newer.cause, "Nobody agreed to it.")
    if newer.changes is None:
        return target, "What it changed was let go by retention."
    try:
        return apply(target, newer.changes), ""
    except (DoesNotFit, BadChange) as error:
        return target, str(error)


def with_chosen(
    head: Json, back: Json, paths: Collection[str], keys: Mapping[str, str] | None = None
) -> Json:
    """Take from `back` only what lies at or within the paths; everything else stays as in `head`.

    Raises: CannotRestore where a path names nothing that differs, or half of a list.
    """
    for path in paths:
        _refuse_unless_pointer(path)
    changes = diff(head, back, keys=keys or {})
    for path in paths:
        _refuse_unless_differing(path, changes)
    taken = [change for change in changes if _is_chosen(change.path, paths)]
    for place in sorted(_rearranged(head, changes)):
        _refuse_half_a_list(place, changes, taken)
    return apply(head, taken)


def choosable(head: Json, changes: Sequence[Change]) -> list[str]:
    """Return for each change the place by which it is chosen: its own, or the whole list."""
    lists = sorted(_rearranged(head, changes), key=len)
    return [
        next((place for place in lists if is_within(change.path, place)), change.path)
        for change in changes
    ]


def _refuse_unless_pointer(path: str) -> None:
    try:
        pointer.parse(path)
    except pointer.BadPointer as error:
        raise CannotRestore(str(error)) from error


def _refuse_unless_differing(path: str, changes: Sequence[Change]) -> None:
    if any(is_within(change.path, path) for change in changes):
        return
    above = next((c.path for c in changes if is_within(path, c.path)), None)
    if above is None:
        raise CannotRestore(f"Nothing differs at {path}.")
    raise CannotRestore(
        f"What differs at {path} is part of a larger change at {above or 'the top'}; choose that."
    )


def _refuse_half_a_list(place: str, changes: Sequence[Change], taken: Sequence[Change]) -> None:
    inside = sum(is_within(change.path, place) for change in changes)
    chosen = sum(is_within(change.path, place) for change in taken)
    if chosen not in {0, inside}:
        raise CannotRestore(
            f"Items of the list {place or 'at the top'} come, go or move, which belongs together; "
            "choose the whole list."
        )


def _rearranged(document: Json, changes: Iterable[Change]) -> set[str]:
    """Name the lists in which items come, go or move."""
    ends = (c.path for c in changes if c.op != "replace")
    above = {path.rpartition("/")[0] for path in ends if path}
    return {path for path in above if _is_list(document, path)}


def _is_list(document: Json, path: str) -> bool:
    try:
        return isinstance(pointer.get(document, path), list)
    except pointer.NothingThere:
        return False


def _is_chosen(path: str, paths: Iterable[str]) -> bool:
    return any(is_within(path, chosen) for chosen in paths)


def is_within(path: str, place: str) -> bool:
    """Say whether a path lies at a place or within it."""
    return path == place or path.startswith(f"{place}/")


@dataclass(frozen=True, slots=True)
class Jump:
    """A snapshot that went back: where to (0 is clean), what it kept, what it undid in part."""

    number: int
    to: int
    kept: frozenset[int] = frozenset()
    partial: bool = False
    undone: frozenset[int] = frozenset()


def holds(number: int, change: int, jumps: Sequence[Jump]) -> bool:
    """Say whether what snapshot `change` changed is still in the content of snapshot `number`."""
    while number >= change:
        jump = max(
            (j for j in jumps if change < j.number <= number),
            key=lambda j: j.number,
            default=None,
        )
        if jump is None or change in jump.kept:
            return True
        if change in jump.undone:
            return False
        number = jump.number - 1 if jump.partial else jump.to
    return False


def surely_held(number: int, jumps: Sequence[Jump]) -> int:
    """Return a number such that snapshot `number` holds each change up to it, or did so never.

    What is asked of `holds` needs to be asked of later changes only.
    """
    before = [jump for jump in jumps if jump.number <= number]
    whole = [jump.to for jump in before if not jump.partial]
    undone = [change - 1 for jump in before for change in jump.undone]
    return min([number, *whole, *undone])


def live_digest(states: Iterable[Mapping[str, Any]]) -> str:
    """Return what names the world that a plan was made for: where each of its States stands.

    One that is not firm may move on, as memories do at any moment: it comes back whole, so what
    was there before makes no difference. Only another restoration of it changes the world.
    """
    return digest([_standing(state) for state in states])


def is_firm(state: Mapping[str, Any]) -> bool:
    """Say whether a plan is outdated once this State of it has moved."""
    return bool(state.get("firm", True))


def _standing(state: Mapping[str, Any]) -> Json:
    if is_firm(state):
        return [state["state_id"], state["from"], state["digest"], state["epoch"]]
    return [state["state_id"], state["epoch"]]


def word_to_type(kind: str, key: str, agent: str) -> str:
    """Return what a person types to confirm: the agent that starts anew, else the State's key."""
    return agent if kind == "reinitialise" and agent else key
