"""To which snapshots can one go back, and from where can an agent start anew?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from agents import memory, queries, restoring
from agents.queries import affected, known
from agents.restoring import Wanted
from agents.showing.restorations import CAUSES
from console.access.models import Workspace
from console.errors import Invalid, NotFound, Refused
from snapshots import queries as snapshots
from snapshots.queries import marks

if TYPE_CHECKING:
    from snapshots.models import State

RECENT, NAMED, MEMORIES = 12, 12, 10
_LONGEST_NUMBER = 15


class NotChosen(Invalid):
    """Choose where to go back to."""

    code = "target_missing"


@dataclass(frozen=True, slots=True)
class Target:
    """A snapshot to go back to: its number and names, and how it came about."""

    number: int
    names: tuple[str, ...]
    what: str
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Proposed:
    """The last sane snapshot of a memory, or clean, if a sign is known; and why it is that."""

    key: str
    number: int | None
    why: str
    is_known: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """What starts anew: an agent, all agents of a record, or a run."""

    agent: str = ""
    state: UUID | None = None
    run: UUID | None = None


def rollback(
    workspace: Workspace, state_id: UUID, *, to: str, refused: Refused | None = None
) -> dict[str, Any]:
    """Return what `agents/rollback_new.html` shows. Raises: NotFound (404)."""
    state = _state(workspace.id, state_id)
    number = _digits(to)
    found = targets(state, also=number)
    is_listed = number is not None and any(target.number == number for target in found)
    return {
        "state": state,
        "targets": found,
        "chosen": number if is_listed else None,
        "other": "" if is_listed or to == restoring.CLEAN else to,
        "is_clean": to == restoring.CLEAN,
        "memories": _memories_below(workspace.id, state),
        "refused": refused,
    }


def targets(state: "State", *, also: int | None = None) -> list[Target]:
    """Return the newest snapshots before the head, and those with a name, newest first."""
    rows = snapshots.snapshots(state.workspace_id, state.id).filter(number__lt=state.number)
    named = [mark.number or 0 for mark in marks.names(state.workspace_id, state.id, at_most=NAMED)]
    recent = list(rows.order_by("-number")[:RECENT])
    missing = {*named, also or 0} - {row.number for row in recent}
    found = [*recent, *rows.filter(number__in=missing).order_by("-number")]
    hung = marks.on(state.workspace_id, state.id, [row.number for row in found])
    return [
        Target(
            number=row.number,
            names=tuple(mark.name for mark in hung.get(row.number, []) if mark.name),
            what=CAUSES.get(row.cause, row.cause),
            by=str(row.actor["name"]),
            reason=row.reason,
            at=row.created_at,
        )
        for row in found
    ]


def _memories_below(workspace_id: UUID, state: "State") -> list[str]:
    if state.kind != "record":
        return []
    below = affected.memories_below(workspace_id, state.key, is_cut=True)
    return [each.key for each in below]


def rollback_wanted(state_id: UUID, *, to: str, other: str, below: bool, paths: str) -> Wanted:
    """Return what a person wants back. Raises: NotChosen (422)."""
    places = tuple(line.strip() for line in paths.splitlines() if line.strip())
    if to == restoring.CLEAN:
        return Wanted("rollback", state=state_id, to="clean", below=below, paths=places)
    number = _digits(other if to == "other" else to)
    if number is None:
        raise NotChosen(field="to")
    return Wanted("rollback", state=state_id, to=number, below=below, paths=places)


def reinitialise(
    workspace: Workspace, subject: Subject, *, refused: Refused | None = None
) -> dict[str, Any]:
    """Return what `agents/reinitialise_new.html` shows. Raises: NotFound (404)."""
    record, memories = _concerned(workspace.id, subject)
    anchor = record or (memories[0] if len(memories) == 1 else None)
    proposed = [_proposed(state) for state in memories[:MEMORIES]]
    return {
        "subject": subject,
        "what": _what(subject, record),
        "record": record,
        "memories": memories[:MEMORIES],
        "more_memories": max(0, len(memories) - MEMORIES),
        "anchor": anchor,
        "targets": targets(anchor) if anchor else [],
        "proposed": proposed,
        "has_sane": any(each.is_known for each in proposed),
        "refused": refused,
    }


def _concerned(workspace_id: UUID, subject: Subject) -> tuple["State | None", list["State"]]:
    """Return the record whose snapshots name a moment, if there is one, and the memories."""
    if subject.run:
        run = queries.run(workspace_id, subject.run)
        own = [memory.key_of(run.job.state.key, n) for n in affected.agents_of([run.id])]
        return run.job.state, affected.memories_at(workspace_id, own)
    if subject.agent:
        return None, _memories_of(workspace_id, subject)
    state = _state(workspace_id, cast("UUID", subject.state))
    if state.kind != "record":
        raise NotFound
    return state, affected.memories_below(workspace_id, state.key, is_cut=True)


def _memories_of(workspace_id: UUID, subject: Subject) -> list["State"]:
    if "\x00" in subject.agent:
        raise NotFound
    memories = affected.memories_of(workspace_id, subject.agent, is_cut=True)
    if not memories and not known.is_known(workspace_id, subject.agent):
        raise NotFound
    if subject.state is None:
        return memories
    chosen = [state for state in memories if state.id == subject.state]
    if not chosen:
        raise NotFound
    return chosen


def _proposed(state: "State") -> Proposed:
    sane = affected.last_sane(state)
    return Proposed(state.key, sane.number, sane.why, sane.is_known)


def _what(subject: Subject, record: "State | None") -> str:
    if subject.run:
        return "this run"
    return subject.agent or f"all agents of {record.key if record else ''}"


def reinitialise_wanted(subject: Subject, *, source: str, to: str) -> Wanted:
    """Return from where a person wants an agent to start. Raises: NotChosen (422)."""
    number = _digits(to) if source == "snapshot" else None
    if source == "snapshot" and number is None:
        raise NotChosen("Choose the snapshot to start from.", field="to")
    sources = {"snapshot": "snapshot", "clean": "clean", "last_sane": "last_sane", "kept": ""}
    if source not in sources:
        raise NotChosen("Choose from where to start.", field="source")
    return Wanted(
        "reinitialise",
        state=subject.state,
        agent=subject.agent,
        run=subject.run,
        to=number,
        source=sources[source],  # type: ignore[arg-type]
    )


def _state(workspace_id: UUID, state_id: UUID) -> "State":
    state = snapshots.states(workspace_id).filter(id=state_id).first()
    if state is None:
        raise NotFound
    return state


def _digits(word: str) -> int | None:
    usable = word.isascii() and word.isdecimal() and len(word) <= _LONGEST_NUMBER
    return int(word) if usable else None


def ticked(words: Sequence[str]) -> list[int]:
    """Return the numbers among the words that a form has sent."""
    return [number for word in words if (number := _digits(word)) is not None]
