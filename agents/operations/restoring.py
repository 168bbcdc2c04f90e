"""Carry a plan out: bring its States back, void what stood on them, start its agents anew.

A person confirms; a worker does the rest. What belongs together happens in one transaction, or
not at all. What follows from it (reading back, new runs) is a transaction each and can be taken
up by anybody after a crash: the row says how far it got.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from celery.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from agents.models import Pause, Restoration, Run
from agents.operations.planning import PlanSettled
from agents.operations.restarting import start_again, supersede
from agents.queries import affected, restorations
from agents.queries.affected import Scope
from agents.restoring import CannotRestore, is_firm, live_digest
from approvals import queries as approvals
from approvals.operations.compensating import Gone, Way, compensate, open_compensation
from approvals.operations.invalidating import invalidate, lock_all
from approvals.policy import says_something
from console.access.queries import roles_of
from console.access.rights import allows
from console.actors import Actor, system
from console.canonical import Json
from console.doorbell.operations.ringing import ring_task
from console.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from console.ledger.operations.appending import append
from console.live import ring
from console.locking import Busy, patiently
from snapshots import queries as snapshots
from snapshots.operations import restoring as states
from snapshots.operations.committing import lock
from snapshots.queries import Head

logger = logging.getLogger(__name__)

TASK = "agents.restore"
ONE_AT_A_TIME = "one_restoration_of_a_state_at_a_time"
REASON_AT_MOST = 500
# Small enough that a crash undoes little, large enough that the log of thousands stays short.
STARTED_AT_ONCE = 50
TOLD_ONE_BY_ONE = 10
TOO_LONG = "It took longer than a worker may take. Nothing was restored; choose fewer States."
Line = dict[str, Any]
_OPENED: dict[Way, str] = {
    "compensation": "Undoing effect {turn} of {of} was proposed.",
    "irreversible": "Effect {turn} of {of} cannot be undone; its recovery was proposed.",
    "recovery": "",
    "": "",
}


class PlanOutdated(Conflict):
    """The world changed: plan again. Nothing was restored."""

    code = "plan_outdated"


class PlanExpired(Conflict):
    """This plan is older than ten minutes: plan again. Nothing was restored."""

    code = "plan_expired"


class EffectInFlight(Conflict):
    """Something approved is on its way to this State; recall it, or wait until it is done."""

    code = "effect_in_flight"


class RestorationUnderWay(Conflict):
    """This State is being brought back at this moment; nothing was confirmed."""

    code = "restoration_under_way"


class NotTyped(Invalid):
    """What was typed is not what is restored; nothing was confirmed."""

    code = "not_typed"


def confirm(*, actor: Actor, restoration_id: UUID, reason: str, typed: str, now: datetime) -> None:
    """Mark a plan confirmed, so that a worker carries it out.

    Locks: the restoration. Raises: Forbidden (403), NotFound (404), PlanSettled, PlanExpired,
    PlanOutdated, EffectInFlight, RestorationUnderWay (409), NotTyped, Invalid (422).
    """
    _refuse_unless_person(actor)
    try:
        with transaction.atomic():
            row = _locked(actor.workspace_id, restoration_id)
            _refuse_unless_fresh(row, now)
            _refuse_unless_meant(row, reason, typed)
            _refuse_unless_same_world(row.plan["states"], _heads_now(row))
            open_runs = _open_runs(row).values_list("id", flat=True)
            origins = [f"run:{run_id}" for run_id in open_runs]
            _refuse_if_in_flight(row, origins)
            _refuse_unless_shown(row, origins)
            row.status, row.reason = "confirmed", reason.strip()
            row.confirmer, row.confirmed_at = actor.to_json(), now
            row.save(update_fields=["status", "reason", "confirmer", "confirmed_at"])
            ring_task(TASK, str(row.id))
            body: dict[str, Json] = {"reason": row.reason, "live_digest": row.live_digest}
            append(actor, "restoration.confirmed", f"restoration:{row.id}", body)
            _tell(row)
    except IntegrityError as error:
        if _violated(error) != ONE_AT_A_TIME:
            raise
        raise RestorationUnderWay from error


def _violated(error: IntegrityError) -> str:
    """Return the name of the promise that the database kept."""
    cause = error.__cause__
    return (cause.diag.constraint_name or "") if isinstance(cause, psycopg.Error) else ""


def carry_on(restoration_id: UUID, *, now: datetime) -> str:
    """Do what is left of a confirmed restoration and return how it stands then.

    Several may call this at once, and again after a crash; each part happens once.
    Raises: Busy (409) where a row stayed locked; then it is tried again. What takes longer than a
    worker may take is undone and refused, since it would take as long again.
    """
    try:
        _bring_back(restoration_id, now)
    except (Busy, InterfaceError, OperationalError):
        raise
    except SoftTimeLimitExceeded:
        _refuse(restoration_id, TOO_LONG, now)
    except (Refused, CannotRestore) as refused:
        _refuse(restoration_id, str(refused), now)
    except Exception:
        logger.exception("restoration %s failed", restoration_id)
        _refuse(restoration_id, "It failed in a way nobody foresaw. Nothing was restored.", now)
    _undo_outside(restoration_id, now)
    _read_back(restoration_id, now)
    _start_anew(restoration_id, now)
    return _finish(restoration_id, now)


def _bring_back(restoration_id: UUID, now: datetime) -> None:
    """Do everything that belongs together. Locks: runs, then States, then proposals, then ledger.

    Raises: Forbidden (403), PlanOutdated, EffectInFlight (409), Corrupt (500).
    """
    with transaction.atomic(durable=True):
        row = _worked_on(restoration_id)
        if row.status != "confirmed":
            return
        actor = _confirmer(row)
        runs = _locked_runs(row)
        origins = [f"run:{run.id}" for run in runs]
        places = sorted(UUID(line["state_id"]) for line in row.plan["states"])
        heads = {state_id: lock(row.workspace_id, state_id) for state_id in places}
        lock_all(row.workspace_id, places, origins)
        _refuse_unless_same_world(row.plan["states"], heads)
        _refuse_if_in_flight(row, origins)
        _refuse_unless_shown(row, origins)
        # Before the first line in the ledger, whose lock is the whole workspace's.
        anew = restorations.written_anew(row)
        said = f"{_doing(row)} by {actor.name}: {row.reason}"
        fallen = invalidate(actor=actor, state_ids=places, origins=origins, reason=said, now=now)
        _answer_pauses(runs, actor, row.reason, now)
        for run in runs:
            supersede(actor=actor, run_id=run.id, reason=said, now=now)
        made = _restore_states(row, heads, anew, actor, now)
        noted = _compensate(row, now)
        row.plan["superseded"] = [{"run_id": str(r.id), "job_id": str(r.job_id)} for r in runs]
        row.status = "restored"
        _log(row, "stopped", _counted(len(runs), "run was set aside", "runs were set aside"))
        _log(row, "voided", _counted(fallen, "open proposal fell", "open proposals fell"))
        for line, number in made:
            _log(row, "restored", f"{line['key']} is {_target(line)} again, as snapshot {number}.")
        for says in _said_of(noted):
            _log(row, "compensated", says)
        row.save(update_fields=["plan", "status", "log"])
        append(actor, "restoration.restored", f"restoration:{row.id}", _told(row, made))
        _tell(row)


def _answer_pauses(runs: Sequence[Run], actor: Actor, reason: str, now: datetime) -> None:
    """Take it as the answer to what guards have paused: another run goes on."""
    paused = [run.paused_by for run in runs if run.paused_by]
    Pause.objects.filter(id__in=paused, status="open").update(
        status="restored", decider=actor.to_json(), decided_at=now, reason=reason
    )


def _restore_states(
    row: Restoration,
    heads: dict[UUID, Head],
    anew: dict[str, Json],
    actor: Actor,
    now: datetime,
) -> list[tuple[Line, int]]:
    """Make the older contents the newest snapshots; one that is the same already stays.

    The plan then says from where each of them really went, for one that may have moved on.
    """
    made = []
    for line in row.plan["states"]:
        head = heads[UUID(line["state_id"])]
        line["from"], line["digest"] = head.number, head.digest
        if line["to_digest"] == head.digest:
            continue
        if line["by_reference"]:
            snapshot = states.restore(
                actor=actor,
                base=head,
                number=line["to"],
                cause_id=str(row.id),
                reason=row.reason,
                now=now,
            )
        else:
            snapshot = states.replace(
                actor=actor,
                base=head,
                document=anew[line["state_id"]],
                cause_id=str(row.id),
                reason=row.reason,
                now=now,
            )
        if snapshot.digest != line["to_digest"]:
            raise PlanOutdated
        made.append((line, snapshot.number))
    return made


def _compensate(row: Restoration, now: datetime) -> list[Way]:
    """Put before people what nothing undoes; what something undoes is proposed after this."""
    # Not the person's own act: whoever went back may well be the one to see to what is outside.
    actor = system("restoration", row.workspace_id)
    return [
        compensate(
            actor=actor,
            state_key=key,
            gone=gone,
            restoration_id=row.id,
            reason=row.reason,
            now=now,
        )
        for key, gone in _gone(row)
    ]


def _gone(row: Restoration) -> list[tuple[str, Gone]]:
    """Return what is outside with the key of its State, the newest effect first."""
    keys = {line["state_id"]: line["key"] for line in row.plan["states"]}
    newest = sorted(
        row.plan["outside"], key=lambda each: (each["executed_at"], each["number"]), reverse=True
    )
    return [
        (
            keys[each["state_id"]],
            Gone(
                proposal_id=UUID(each["proposal_id"]),
                title=each["title"],
                number=each["number"],
                executed_at=each["executed_at"],
                reversibility=each["reversibility"],
                turn=turn,
                execution_id=UUID(each["execution_id"]) if "execution_id" in each else None,
            ),
        )
        for turn, each in enumerate(newest, 1)
    ]


def _undo_outside(restoration_id: UUID, now: datetime) -> None:
    """Propose what undoes the effects outside, each in a transaction, on what was restored."""
    peek = Restoration.objects.get(id=restoration_id)
    if peek.status != "restored":
        return
    actor = system("restoration", peek.workspace_id)
    for key, gone in _gone(peek):
        with transaction.atomic(durable=True):
            row = _worked_on(restoration_id)
            way = open_compensation(
                actor=actor,
                state_key=key,
                gone=gone,
                restoration_id=row.id,
                reason=row.reason,
                now=now,
            )
            if says := _OPENED[way].format(turn=gone.turn, of=len(row.plan["outside"])):
                _log(row, "compensated", says)
                row.save(update_fields=["log"])
            _tell(row)


def _said_of(ways: Sequence[Way]) -> list[str]:
    """Return what was done about effects outside, in sentences."""
    stated, noted = ways.count("irreversible"), len(ways) - ways.count("")
    says = [
        (stated, "effect cannot be undone", "effects cannot be undone"),
        (noted, "recovery was proposed", "recoveries were proposed"),
    ]
    return [_counted(number, one, many) for number, one, many in says if number]


def _read_back(restoration_id: UUID, now: datetime) -> None:
    """Read what was restored and note whether it is what was planned."""
    with transaction.atomic(durable=True):
        row = _worked_on(restoration_id)
        if row.status != "restored" or _is_logged(row, "verified"):
            return
        wrong = [problem for line in row.plan["states"] if (problem := _misread(row, line))]
        row.problem = " ".join(wrong)[:1000]
        says = row.problem or "Everything was read back, and is what the plan says to the byte."
        _log(row, "verified", says)
        row.save(update_fields=["log", "problem"])
        _tell(row)


def _misread(row: Restoration, line: Line) -> str:
    """Say what is wrong with what a State has become, or nothing."""
    made = snapshots.by_cause(UUID(line["state_id"]), "rollback", str(row.id))
    number = made.number if made else line["from"]
    try:
        snapshots.content(UUID(line["state_id"]), number)
    except Refused as refused:
        return refused.sentence
    found = made.digest if made else line["digest"]
    return "" if found == line["to_digest"] else f"{line['key']} is not what was planned."


def _start_anew(restoration_id: UUID, now: datetime) -> None:
    """Give each job whose run was set aside a new run, some jobs in each transaction."""
    peek = Restoration.objects.get(id=restoration_id)
    if peek.status != "restored":
        return
    # Also where something was read back wrong: a job that stands on it fails and says so, while
    # one that was never begun anew would say nothing for ever.
    total = len(peek.plan["superseded"])
    for first in range(0, total, STARTED_AT_ONCE):
        batch = peek.plan["superseded"][first : first + STARTED_AT_ONCE]
        with transaction.atomic(durable=True):
            row = _worked_on(restoration_id)
            says = _started(row, [UUID(each["job_id"]) for each in batch], first, now)
            for line in says:
                _log(row, "started", line)
            if says:
                row.save(update_fields=["log"])
            _tell(row)


def _started(row: Restoration, jobs: Sequence[UUID], before: int, now: datetime) -> list[str]:
    """Start these jobs anew and say so: one by one while they are few, else in numbers.

    Locks: the runs that were set aside, all of them before the first line in the ledger.
    """
    asides = Run.objects.filter(workspace=row.workspace_id, job__in=jobs, status="superseded")
    with patiently():
        list(asides.select_for_update(no_key=True).order_by("id").values_list("id"))
    actor = system("restoration", row.workspace_id)
    started = [start_again(actor=actor, job_id=job_id, now=now) for job_id in jobs]
    runs, total = list(filter(None, started)), len(row.plan["superseded"])
    if total <= TOLD_ONE_BY_ONE:
        return [f"Run {run_id} starts the job anew." for run_id in runs]
    so_far = f"anew ({before + len(jobs):,} of {total:,})"
    return [_counted(len(runs), f"job starts {so_far}", f"jobs start {so_far}")] if runs else []


def _finish(restoration_id: UUID, now: datetime) -> str:
    with transaction.atomic(durable=True):
        row = _worked_on(restoration_id)
        if row.status == "restored":
            row.status, row.finished_at = "done", now
            _log(row, "done", row.problem or "Done.")
            row.save(update_fields=["status", "finished_at", "log"])
            body: dict[str, Json] = {"problem": row.problem}
            append(_named(row), "restoration.done", f"restoration:{row.id}", body)
            _tell(row)
    return row.status


def _refuse(restoration_id: UUID, why: str, now: datetime) -> None:
    with transaction.atomic(durable=True):
        row = _worked_on(restoration_id)
        if row.status != "confirmed":
            return
        row.status, row.problem, row.finished_at = "refused", why[:1000], now
        _log(row, "refused", why)
        row.save(update_fields=["status", "problem", "finished_at", "log"])
        append(_named(row), "restoration.refused", f"restoration:{row.id}", {"reason": why})
        _tell(row)


def _refuse_unless_person(actor: Actor) -> None:
    if actor.kind != "person":
        raise Forbidden("Only people bring a State back or start agents anew; no token can.")
    if not allows(actor.roles, "restore"):
        raise Forbidden("Only an admin may bring a State back or start agents anew.")


def _refuse_unless_fresh(row: Restoration, now: datetime) -> None:
    if row.status != "planned":
        raise PlanSettled(f"This plan is {row.status} already; nothing changed.")
    if now >= row.expires_at:
        raise PlanExpired


def _refuse_unless_meant(row: Restoration, reason: str, typed: str) -> None:
    if not says_something(reason):
        raise Invalid("Say why; the reason stays in the history.", field="reason")
    if len(reason) > REASON_AT_MOST or "\x00" in reason:
        sentence = f"A reason has at most {REASON_AT_MOST} characters, none of them NUL."
        raise Invalid(sentence, field="reason")
    if typed.strip() != row.plan["to_type"]:
        raise NotTyped(f"Type {row.plan['to_type']} to confirm. Nothing was confirmed.")


def _refuse_unless_same_world(lines: Sequence[Line], heads: dict[UUID, Head]) -> None:
    now = [
        {
            "state_id": str(head.state_id),
            "from": head.number,
            "digest": head.digest,
            "epoch": head.epoch,
            "firm": is_firm(line),
        }
        for line, head in ((line, heads[UUID(line["state_id"])]) for line in lines)
    ]
    if live_digest(now) != live_digest(lines):
        raise PlanOutdated


def _refuse_if_in_flight(row: Restoration, origins: Sequence[str]) -> None:
    places = [UUID(line["state_id"]) for line in row.plan["states"]]
    held = approvals.on_their_way(row.workspace_id, places, origins)
    if held:
        sentence = f"“{held[0].proposal.title}” is on its way and carried out in a moment."
        raise EffectInFlight(f"{sentence} Recall it, or plan again after it.")


def _refuse_unless_shown(row: Restoration, origins: Sequence[str]) -> None:
    """Refuse to set aside what the person who confirmed was not shown.

    What a run of the plan has proposed since falls with that run, as the plan says.
    """
    shown = {f"run:{each['run_id']}" for each in row.plan["runs"]}
    if not shown.issuperset(origins):
        raise PlanOutdated("Another run has begun here: plan again. Nothing was restored.")
    places = [UUID(line["state_id"]) for line in row.plan["states"]]
    known = {each["id"] for each in row.plan["proposals"]}
    for proposal in approvals.open_on(row.workspace_id, places, origins):
        if str(proposal.id) not in known and proposal.origin not in shown:
            raise PlanOutdated(f"“{proposal.title}” was proposed meanwhile: plan again.")


def _heads_now(row: Restoration) -> dict[UUID, Head]:
    places = [UUID(line["state_id"]) for line in row.plan["states"]]
    return {state_id: snapshots.head(row.workspace_id, state_id) for state_id in places}


def _locked(workspace_id: UUID, restoration_id: UUID) -> Restoration:
    rows = Restoration.objects.select_for_update(no_key=True, of=("self",))
    with patiently():
        row = rows.filter(workspace=workspace_id, id=restoration_id).first()
    if row is None:
        raise NotFound
    return row


def _worked_on(restoration_id: UUID) -> Restoration:
    rows = Restoration.objects.select_for_update(no_key=True, of=("self",))
    with patiently():
        return rows.get(id=restoration_id)


def _open_runs(row: Restoration) -> QuerySet[Run]:
    return affected.open_runs(row.workspace_id, Scope.from_json(row.plan["scope"]))


def _locked_runs(row: Restoration) -> list[Run]:
    with patiently():
        return list(_open_runs(row).select_for_update(no_key=True, of=("self",)))


def _confirmer(row: Restoration) -> Actor:
    """Return who confirmed, with the roles held now. Raises: Forbidden (403)."""
    named = _named(row)
    roles = roles_of(row.workspace_id, [UUID(named.id)]).get(UUID(named.id), frozenset())
    if not allows(roles, "restore"):
        raise Forbidden(f"{named.name} may no longer bring States back. Nothing was restored.")
    return Actor("person", named.id, named.name, row.workspace_id, roles)


def _named(row: Restoration) -> Actor:
    who: dict[str, Any] = row.confirmer or row.planner
    return Actor(who["kind"], who["id"], who["name"], row.workspace_id)


def _doing(row: Restoration) -> str:
    return "Rolled back" if row.kind == "rollback" else "Started anew"


def _target(line: Line) -> str:
    if not line["by_reference"]:
        return "clean" if line["to"] is None else f"partly as snapshot {line['to']} was"
    return f"what snapshot {line['to']} was"


def _told(row: Restoration, made: Sequence[tuple[Line, int]]) -> dict[str, Json]:
    restored: list[Json] = [
        {
            "state": line["state_id"],
            "to": line["to"],
            "snapshot": number,
            "digest": line["to_digest"],
        }
        for line, number in made
    ]
    runs: list[Json] = [each["run_id"] for each in row.plan["superseded"]]
    return {"kind": row.kind, "states": restored, "runs": runs}


def _counted(number: int, one: str, many: str) -> str:
    return f"{number or 'No'} {one if number == 1 else many}."


def _is_logged(row: Restoration, step: str) -> bool:
    return any(line["step"] == step for line in row.log)


def _log(row: Restoration, step: str, says: str) -> None:
    row.log = [*row.log, {"step": step, "at": datetime.now(UTC).isoformat(), "says": says}]


def _tell(row: Restoration) -> None:
    ring("restoration", row.id)
    for line in row.plan["states"]:
        ring("state", line["state_id"])
    ring("runs", row.workspace_id)
    ring("agents", row.workspace_id)
