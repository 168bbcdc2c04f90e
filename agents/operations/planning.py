"""Plan to bring States back or to start agents anew: read everything, show it, change nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from agents import lifecycle, memory, queries, restoring
from agents.models import Restoration
from agents.queries import affected, restorations
from agents.queries.affected import Scope
from agents.queries.restorations import Outcome, Place
from agents.restoring import CLEAN, CannotRestore, Jump, Wanted, holds, surely_held
from approvals import queries as approvals
from approvals.queries.undoing import undoing_as_planned
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict, Forbidden, Invalid, NotFound
from console.ids import new_id
from console.ledger.operations.appending import append
from console.live import ring
from console.locking import patiently
from snapshots import queries as snapshots
from snapshots.diff import paths_overlap
from snapshots.queries import Gone, as_head

if TYPE_CHECKING:
    from approvals.models import Execution
    from snapshots.models import State

PATHS_AT_MOST = 200


class NotRestorable(Invalid):
    """This cannot be restored as it was asked for."""

    code = "not_restorable"


class NothingToRestore(Conflict):
    """Everything is already as it would be afterwards; there is nothing to restore."""

    code = "nothing_to_restore"


class NoSaneSnapshot(Conflict):
    """There is no last sane snapshot to propose."""

    code = "no_sane_snapshot"


class PlanSettled(Conflict):
    """This plan was confirmed or discarded before; nothing changed."""

    code = "plan_settled"


@dataclass(frozen=True, slots=True)
class _Aim:
    """Which States go where, the anchor first; whose runs start anew; why it is this snapshot."""

    places: Sequence[Place]
    scope: Scope
    anchor: "State | None"
    why: str = ""


def plan(*, actor: Actor, wanted: Wanted, now: datetime) -> UUID:
    """Write down what a restoration would do, and return its id; nothing else changes.

    Time: can be confirmed for ten minutes, as long as no State of it moves.
    Raises: Forbidden (403), NotFound (404), NothingToRestore, NoSaneSnapshot (409), Gone (410),
    NotRestorable (422), Corrupt (500).
    """
    _refuse_unless_allowed(actor)
    try:
        _refuse_nonsense(wanted)
        aim = _aim(actor.workspace_id, wanted)
        outcomes = _outcomes(aim, wanted)
    except CannotRestore as error:
        raise NotRestorable(str(error)) from error
    found = _written(actor.workspace_id, wanted, aim, outcomes, now)
    if not found["runs"] and all(not each["changes"] for each in found["states"]):
        raise NothingToRestore
    if wanted.kind == "rollback" and all(not each["changes"] for each in found["states"]):
        raise NothingToRestore
    return _write(actor, wanted, aim, found, now)


def replan(*, actor: Actor, restoration_id: UUID, now: datetime) -> UUID:
    """Plan the same anew for the world as it is now, and discard the old plan.

    Raises: PlanSettled (409), and whatever `plan` raises; then the old plan stays.
    """
    with transaction.atomic():
        row = _planned(actor, restoration_id)
        _close(row, actor, "discarded")
        return plan(actor=actor, wanted=Wanted.from_json(row.wanted), now=now)


def discard(*, actor: Actor, restoration_id: UUID, now: datetime) -> None:
    """Put a plan away that nobody has confirmed. Raises: Forbidden, NotFound, PlanSettled (409)."""
    with transaction.atomic():
        row = _planned(actor, restoration_id)
        row.finished_at = now
        _close(row, actor, "discarded")


def _refuse_unless_allowed(actor: Actor) -> None:
    if actor.kind == "agent" or (actor.kind == "person" and not allows(actor.roles, "restore")):
        raise Forbidden("Only an admin may plan to bring a State back or to start agents anew.")


def _refuse_nonsense(wanted: Wanted) -> None:
    if wanted.kind == "rollback" and (wanted.run or wanted.agent or wanted.source):
        raise CannotRestore("A State is rolled back to a snapshot; run and agent start anew.")
    texts = [wanted.agent, *wanted.paths]
    if any("\x00" in text for text in texts):
        raise CannotRestore("A name or a path holds the NUL character.")
    if len(wanted.paths) > PATHS_AT_MOST or len(wanted.keep) > restorations.NEWER_AT_MOST:
        raise CannotRestore(
            f"At most {PATHS_AT_MOST} paths are chosen and "
            f"{restorations.NEWER_AT_MOST} snapshots kept; restore everything instead."
        )


def _aim(workspace_id: UUID, wanted: Wanted) -> _Aim:
    if wanted.kind == "rollback":
        return _aim_back(workspace_id, wanted)
    if wanted.run:
        return _aim_at_run(workspace_id, wanted)
    if wanted.agent:
        return _aim_at_agent(workspace_id, wanted)
    return _aim_at_all(workspace_id, wanted)


def _aim_back(workspace_id: UUID, wanted: Wanted) -> _Aim:
    state = _state(workspace_id, wanted)
    if wanted.to is None:
        raise CannotRestore("Say to which snapshot to go back.")
    if wanted.to == CLEAN:
        if state.kind != "memory":
            raise CannotRestore("Only a memory can be made clean; choose a snapshot of the record.")
        return _Aim([_place(state, None)], _scope_of(state), state)
    target = snapshots.snapshot(workspace_id, state.id, wanted.to)
    below = []
    if state.kind == "record" and wanted.takes_memories_along:
        below = _memories_as_of(workspace_id, state.key, target.created_at)
    return _Aim([_place(state, wanted.to), *below], _scope_of(state), state)


def _aim_at_run(workspace_id: UUID, wanted: Wanted) -> _Aim:
    run = queries.run(workspace_id, wanted.run) if wanted.run else None
    if run is None or lifecycle.is_finished(run.status):
        raise CannotRestore("This run has ended, so there is nothing to start anew.")
    state = run.job.state
    own = [memory.key_of(state.key, agent) for agent in affected.agents_of([run.id])]
    found = affected.memories_at(workspace_id, own)
    if not wanted.source:
        return _Aim([], Scope(run=run.id), state)
    places, why = _sources(found, wanted, record=state)
    pairs = tuple(memory.parents_of(place.head.key) for place in places)
    return _Aim(places, Scope(pairs, run.id), state, why)


def _aim_at_agent(workspace_id: UUID, wanted: Wanted) -> _Aim:
    if wanted.state is None:
        found = affected.memories_of(workspace_id, wanted.agent)
        places, why = _sources(found, wanted, record=None)
        return _Aim(
            places, Scope((("", wanted.agent),)), found[0] if len(found) == 1 else None, why
        )
    state = _state(workspace_id, wanted)
    record = memory.parents_of(state.key)[0] if state.kind == "memory" else state.key
    key = memory.key_of(record, wanted.agent)
    found = affected.memories_at(workspace_id, [key])
    places, why = _sources(found, wanted, record=None)
    return _Aim(places, Scope(((record, wanted.agent),)), found[0] if found else state, why)


def _aim_at_all(workspace_id: UUID, wanted: Wanted) -> _Aim:
    state = _state(workspace_id, wanted)
    if state.kind != "record":
        raise CannotRestore("Name the agent, or the record whose agents all start anew.")
    found = affected.memories_below(workspace_id, state.key)
    places, why = _sources(found, wanted, record=state)
    return _Aim(places, Scope(((state.key, ""),)), state, why)


def _sources(
    found: Sequence["State"], wanted: Wanted, *, record: "State | None"
) -> tuple[list[Place], str]:
    """Say for each memory from where its agent starts, and why from there."""
    match wanted.source:
        case "clean":
            return [_place(state, None) for state in found], ""
        case "last_sane":
            return _last_sane(found)
        case "snapshot" if isinstance(wanted.to, int):
            return _from_snapshot(found, wanted.to, record), ""
    if found:
        raise CannotRestore("Say from where to start: a snapshot, clean, or the last sane one.")
    return [], ""


def _from_snapshot(found: Sequence["State"], number: int, record: "State | None") -> list[Place]:
    if record is not None:
        at = snapshots.snapshot(record.workspace_id, record.id, number).created_at
        return [_place(state, affected.number_at(state, at)) for state in found]
    if len(found) > 1:
        raise CannotRestore("This agent has several memories; name the State for a snapshot.")
    for state in found:
        snapshots.snapshot(state.workspace_id, state.id, number)
    return [_place(state, number) for state in found]


def _last_sane(found: Sequence["State"]) -> tuple[list[Place], str]:
    proposed = [(state, affected.last_sane(state)) for state in found]
    why = " ".join(sane.why for _, sane in proposed)
    places = [_place(state, sane.number) for state, sane in proposed if sane.is_known]
    if found and not places:
        raise NoSaneSnapshot(why)
    return places, why


def _state(workspace_id: UUID, wanted: Wanted) -> "State":
    if wanted.state is None:
        raise CannotRestore("Name a State, an agent or a run.")
    state = snapshots.states(workspace_id).filter(id=wanted.state).first()
    if state is None:
        raise NotFound
    if state.kind == "policies":
        raise CannotRestore(
            "Policies are changed by a proposal. To go back, propose what they said before."
        )
    return state


def _scope_of(state: "State") -> Scope:
    is_memory = state.kind == "memory"
    return Scope((memory.parents_of(state.key) if is_memory else (state.key, ""),))


def _memories_as_of(workspace_id: UUID, key: str, at: datetime) -> list[Place]:
    found = affected.memories_below(workspace_id, key)
    return [_place(state, affected.number_at(state, at)) for state in found]


def _place(state: "State", to: int | None) -> Place:
    return Place(as_head(state), state.kind, to)


def _outcomes(aim: _Aim, wanted: Wanted) -> list[Outcome]:
    return [
        restorations.outcome_at(place, wanted, is_anchor=not nth, asks_newer=True)
        for nth, place in enumerate(aim.places)
    ]


def _written(
    workspace_id: UUID, wanted: Wanted, aim: _Aim, outcomes: Sequence[Outcome], now: datetime
) -> dict[str, Any]:
    """Return the plan as its row keeps it and as people read it."""
    runs = list(affected.open_runs(workspace_id, aim.scope).select_related("job"))
    states = [place.head.state_id for place in aim.places]
    origins = [f"run:{run.id}" for run in runs]
    held = approvals.on_their_way(workspace_id, states, origins)
    names = {memory.parents_of(p.head.key)[1] for p in aim.places if p.kind == "memory"}
    key = aim.anchor.key if aim.anchor else ""
    return {
        "states": [_state_line(outcome, aim) for outcome in outcomes],
        "newer": _newer_lines(outcomes[0]) if outcomes else [],
        "proposals": [
            {"id": str(p.id), "title": p.title, "state": p.state.key, "by": p.proposer["name"]}
            for p in approvals.open_on(workspace_id, states, origins)
        ],
        "held": [
            {
                "proposal_id": str(e.proposal_id),
                "title": e.proposal.title,
                "due_at": e.due_at.isoformat(),
            }
            for e in held
        ],
        "outside": [_outside_line(e, now) for e in _rolled_away(outcomes, wanted)],
        "runs": [
            {
                "run_id": str(run.id),
                "job_id": str(run.job_id),
                "label": run.job.label,
                "workflow": run.job.workflow,
                "status": run.status,
            }
            for run in runs
        ],
        "agents": sorted({*affected.agents_of([run.id for run in runs]), *names}),
        "why": aim.why,
        "scope": aim.scope.to_json(),
        "to_type": restoring.word_to_type(wanted.kind, key, wanted.agent),
    }


def _state_line(outcome: Outcome, aim: _Aim) -> dict[str, Any]:
    head = outcome.place.head
    is_anchor = aim.anchor is not None and head.state_id == aim.anchor.id
    return {
        "state_id": str(head.state_id),
        "key": head.key,
        "kind": outcome.place.kind,
        "from": head.number,
        "digest": head.digest,
        "epoch": head.epoch,
        "to": outcome.place.to,
        "to_digest": outcome.digest,
        "result_bytes": outcome.size,
        "changes": len(outcome.changes),
        "by_reference": outcome.by_reference,
        # What comes back whole does so from wherever it stands by then.
        "firm": is_anchor or outcome.is_mixed,
    }


def _newer_lines(outcome: Outcome) -> list[dict[str, Any]]:
    head = outcome.place.head
    numbers = [each.number for each in outcome.newer]
    rows = snapshots.snapshots(head.workspace_id, head.state_id).filter(number__in=numbers)
    said = {row.number: row for row in rows}
    lines = []
    for each in reversed(outcome.newer):
        row, fit = said[each.number], outcome.fits[each.number]
        lines.append(
            {
                "number": each.number,
                "cause": each.cause,
                "by": row.actor["name"],
                "reason": row.reason,
                "at": row.created_at.isoformat(),
                "proposal_id": row.cause_id if each.cause == "proposal" else None,
                "changes": row.change_count,
                "can_keep": fit.can_keep,
                "why_not": fit.why_not,
                "kept": fit.kept,
            }
        )
    return lines


def _rolled_away(outcomes: Sequence[Outcome], wanted: Wanted) -> "list[Execution]":
    """Return what left the house and would no longer stand in its record."""
    return [
        execution
        for nth, outcome in enumerate(outcomes)
        for execution in _undone(outcome.place, wanted if not nth else None)
    ]


def _undone(place: Place, wanted: Wanted | None) -> "list[Execution]":
    jumps, head = _jumps(place), place.head
    after = surely_held(place.to or 0, jumps)
    outside = approvals.left_the_house(head.workspace_id, head.state_id, after=after)
    return [
        each
        for each in outside
        if (
            _is_forgotten(each, place, jumps)
            if each.snapshot_number is None
            else _is_undone(each.snapshot_number, place, wanted, jumps)
        )
    ]


def _is_forgotten(execution: "Execution", place: Place, jumps: Sequence[Jump]) -> bool:
    """Say whether a record that could not follow an effect goes back to before it, at last."""
    stood, to = _stood_at(execution), place.to or 0
    if any(jump.number > stood >= jump.to for jump in jumps):
        return False
    # In which places it would stand is not known: better one recovery too many.
    return to <= stood and to < place.head.number


def _stood_at(execution: "Execution") -> int:
    """Return the snapshot that stood when an effect was carried out, in it or not."""
    if execution.snapshot_number is not None or execution.executed_at is None:
        return execution.snapshot_number or 0
    rows = snapshots.snapshots(execution.workspace_id, execution.proposal.state_id)
    before = rows.filter(created_at__lte=execution.executed_at).order_by("-number")
    return before.values_list("number", flat=True).first() or 0


def _is_undone(number: int, place: Place, wanted: Wanted | None, jumps: Sequence[Jump]) -> bool:
    keep = wanted.keep if wanted else ()
    if number in keep:
        return False
    if not holds(place.head.number, number, jumps) or holds(place.to or 0, number, jumps):
        return False
    return not (wanted and wanted.paths) or _is_touched(place, number, wanted.paths)


def _is_touched(place: Place, number: int, paths: Sequence[str]) -> bool:
    head = place.head
    try:
        changes = snapshots.changes_of(head.workspace_id, head.state_id, number)
    except Gone:
        # Better one recovery too many than one payment forgotten.
        return True
    return bool(paths_overlap((change.path for change in changes), paths))


def _jumps(place: Place) -> list[Jump]:
    """Return where the chain of a State went back, from the restorations that did it."""
    rows = snapshots.snapshots(place.head.workspace_id, place.head.state_id)
    back = dict(rows.filter(cause="rollback").values_list("cause_id", "number"))
    done = Restoration.objects.filter(id__in=list(back), workspace=place.head.workspace_id)
    return [_jump(back[str(row.id)], row, place) for row in done]


def _jump(number: int, row: Restoration, place: Place) -> Jump:
    wanted, key = Wanted.from_json(row.wanted), str(place.head.state_id)
    is_anchor = row.plan["states"][0]["state_id"] == key
    line = next(each for each in row.plan["states"] if each["state_id"] == key)
    undone = [
        each["number"]
        for each in row.plan["outside"]
        if each["state_id"] == key and each.get("is_recorded", True)
    ]
    return Jump(
        number=number,
        to=line["to"] or 0,
        kept=frozenset(wanted.keep) if is_anchor else frozenset(),
        partial=is_anchor and bool(wanted.paths),
        undone=frozenset(undone) if is_anchor and wanted.paths else frozenset(),
    )


def _outside_line(execution: "Execution", now: datetime) -> dict[str, Any]:
    proposal = execution.proposal
    return {
        "proposal_id": str(proposal.id),
        "title": proposal.title,
        "state_id": str(proposal.state_id),
        "execution_id": str(execution.id),
        "number": _stood_at(execution),
        "is_recorded": execution.snapshot_number is not None,
        "executed_at": execution.executed_at.isoformat() if execution.executed_at else "",
        "reversibility": proposal.action_type.reversibility,
        "undo": undoing_as_planned(execution, now),
    }


def _write(
    actor: Actor, wanted: Wanted, aim: _Aim, found: Mapping[str, Any], now: datetime
) -> UUID:
    with transaction.atomic():
        row = Restoration.objects.create(
            id=new_id(),
            workspace_id=actor.workspace_id,
            kind=wanted.kind,
            state=aim.anchor,
            agent=wanted.agent,
            run_id=wanted.run,
            wanted=wanted.to_json(),
            plan=found,
            live_digest=restoring.live_digest(found["states"]),
            planner=actor.to_json(),
            created_at=now,
            expires_at=now + restoring.PLAN_LIFETIME,
        )
        body: dict[str, Json] = {"wanted": wanted.to_json(), "live_digest": row.live_digest}
        append(actor, "restoration.planned", f"restoration:{row.id}", body)
        ring("restoration", row.id)
    return row.id


def _planned(actor: Actor, restoration_id: UUID) -> Restoration:
    _refuse_unless_allowed(actor)
    rows = Restoration.objects.select_for_update(no_key=True, of=("self",))
    with patiently():
        row = rows.filter(workspace=actor.workspace_id, id=restoration_id).first()
    if row is None:
        raise NotFound
    if row.status != "planned":
        raise PlanSettled(f"This plan is {row.status} already; nothing changed.")
    return row


def _close(row: Restoration, actor: Actor, status: str) -> None:
    row.status = status
    row.save(update_fields=["status", "finished_at"])
    append(actor, f"restoration.{status}", f"restoration:{row.id}", {})
    ring("restoration", row.id)
