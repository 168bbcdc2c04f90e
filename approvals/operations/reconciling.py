"""Compare what we sent through a connector with what its provider lists, both ways.

Ours against theirs finds what we believe and they do not know; theirs against ours finds what they
did and we have forgotten, as after a failover that lost a row. What is in doubt and stands in their
list is settled by it. Every other difference is kept until a person has seen to it.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Min

from approvals.comparing import LINES_AT_MOST, SLACK, Meaning, is_missing, meaning_of, text_of
from approvals.connectors.protocol import Connector as Reachable
from approvals.connectors.protocol import Finding, Listed, NotReached
from approvals.models import Attempt, Connector, Discrepancy, Execution, Reconciliation
from approvals.operations.alarming import tell_differs
from approvals.operations.differing import Difference, open_differences
from approvals.operations.inquiring import is_news
from approvals.operations.nudging import nudge
from approvals.operations.recording import observe
from approvals.operations.testing_connectors import find_offered
from approvals.policy import says_something
from approvals.queries.involving import involved_in
from console.access.rights import allows
from console.actors import Actor, system
from console.canonical import Json
from console.errors import Conflict, Forbidden, Invalid, NotFound
from console.ledger.operations.appending import append
from console.live import ring
from console.locking import Busy
from console.steady import steady
from console.supervision.alive import get_on

logger = logging.getLogger(__name__)

AT_ONCE, LIST_SECONDS, NOTE_AT_MOST = 500, 60.0, 500
FIRST_LOOK, CUT_OFF_AFTER = timedelta(days=1), timedelta(minutes=10)
UNFORESEEN = "It failed in a way nobody foresaw; the sender’s log says more."
CUT_OFF = "It was cut off before its end."


class CannotBeListed(Conflict):
    """The provider behind this connector has no list to compare with."""

    code = "cannot_be_listed"


class AlreadyClosed(Conflict):
    """Somebody has seen to this difference already; nothing was recorded."""

    code = "discrepancy_closed"


class _TooLong(Exception):
    """The list is longer than one comparison keeps in mind."""


class _Ours(NamedTuple):
    """What we hold about a key: whose it is, how it stands, when it was sent."""

    id: UUID
    workspace_id: UUID
    status: str
    sent_at: datetime | None


@dataclass(slots=True)
class _Tally:
    """What one comparison has seen so far."""

    times: Counter[UUID] = field(default_factory=Counter)
    ours: int = 0
    theirs: int = 0
    matched: int = 0
    resolved: int = 0
    differing: int = 0
    new: int = 0
    skipped: int = 0

    def to_json(self) -> dict[str, Json]:
        """Return what the row keeps."""
        return {
            "ours": self.ours,
            "theirs": self.theirs,
            "matched": self.matched,
            "resolved": self.resolved,
            "discrepancies": self.differing,
        }


@dataclass(frozen=True, slots=True)
class _Run:
    """One comparison under way."""

    row: Reconciliation
    connector: Connector
    tally: _Tally
    now: datetime
    clock: float

    @property
    def settle(self) -> timedelta:
        """Return how long an order may be under way before its absence means anything."""
        return timedelta(seconds=self.connector.settle_seconds)


def ask_for_reconciliation(*, actor: Actor, name: str, now: datetime) -> None:
    """Let a connector be compared soon; asked twice, it is done once.

    Locks: the connector.
    Raises: Forbidden (403), NotFound (404), NotOffered, CannotBeListed (409).
    """
    with transaction.atomic():
        row = find_offered(actor, name)
        if not row.can_list:
            raise CannotBeListed
        if row.compare_asked_at is not None:
            return
        row.compare_asked_at = now
        row.save(update_fields=["compare_asked_at"])
        nudge()
        append(actor, "reconciliation.asked", f"connector:{row.id}", {"name": row.name})
        ring("outside", row.workspace_id)


def reconcile_due(connectors: Mapping[str, Reachable], *, now: datetime) -> int:
    """Compare one connector whose time has come, or that a person asked for; return how many.

    Only one, so that what came into doubt meanwhile is not kept waiting by the others.
    """
    _close_cut_off(now)
    listing = [name for name, each in connectors.items() if each.public.can_list]
    rows = Connector.objects.filter(name__in=listing, can_list=True, is_offered=True)
    row = next((row for row in rows.order_by("id") if _is_due(row, now)), None)
    if row is None:
        return 0
    reconcile(connectors[row.name], row.id, since=_since(row, now), until=now, now=now)
    return 1


def _is_due(row: Connector, now: datetime) -> bool:
    begun = row.reconciliations.order_by("-began_at").values_list("began_at", flat=True).first()
    asked = row.compare_asked_at is not None
    return asked or begun is None or begun <= now - settings.RECONCILE_EVERY


def _since(row: Connector, now: datetime) -> datetime:
    """Return from when on nothing was compared yet, with what was under way at that time."""
    whole = row.reconciliations.filter(ended_at__isnull=False, problem="")
    last = whole.order_by("-until").values_list("until", flat=True).first()
    overlap = timedelta(seconds=row.settle_seconds) + 2 * SLACK
    return (last or now - FIRST_LOOK) - overlap


def _close_cut_off(now: datetime) -> None:
    """Say of comparisons whose process died that they have no end."""
    begun = Reconciliation.objects.filter(ended_at=None, began_at__lte=now - CUT_OFF_AFTER)
    begun.update(ended_at=now, problem=CUT_OFF)


def reconcile(
    connector: Reachable, row_id: UUID, *, since: datetime, until: datetime, now: datetime
) -> UUID:
    """Compare both ways what was sent in a time, and return the report's id.

    Their list is read in parts of 500; of each line only its key is kept in mind.
    Locks: one execution at a time, none while the provider is asked.
    """
    run = _begin(row_id, since, until, now)
    problem = ""
    try:
        _hold_theirs_against_ours(connector, run)
        # Only a whole list says that something is not in it.
        _hold_ours_against_theirs(run)
        problem = _about_skipped(run.tally.skipped)
    except NotReached as error:
        problem = str(error)[:500] or "The provider was not reached."
    except _TooLong:
        problem = f"Their list has more than {LINES_AT_MOST:,} lines; compare a shorter time."
    except Exception:
        logger.exception("%s could not be compared", connector.public.name)
        problem = UNFORESEEN
    _end(run, problem)
    return run.row.id


def _about_skipped(count: int) -> str:
    if not count:
        return ""
    return f"Of {count} nothing could be kept, because others held them; they are compared again."


def _begin(row_id: UUID, since: datetime, until: datetime, now: datetime) -> _Run:
    connector = Connector.objects.select_related("workspace").get(id=row_id)
    row = Reconciliation.objects.create(
        workspace_id=connector.workspace_id,
        connector=connector,
        since=since,
        until=until,
        began_at=now,
    )
    return _Run(row, connector, _Tally(), now, steady())


def _hold_theirs_against_ours(connector: Reachable, run: _Run) -> None:
    wide = run.settle + SLACK
    deadline = steady() + LIST_SECONDS
    lines = connector.listed(run.row.since - wide, run.row.until + wide, deadline)
    for batch in _in_parts(lines):
        get_on()
        run.tally.theirs += len(batch)
        if run.tally.theirs > LINES_AT_MOST:
            raise _TooLong
        _weigh(batch, run)


def _in_parts(lines: Iterable[Listed]) -> Iterator[list[Listed]]:
    rest = iter(lines)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch


def _weigh(batch: Sequence[Listed], run: _Run) -> None:
    ids = {line.key: _id_in(line.key) for line in batch}
    known = _known([each for each in ids.values() if each])
    found = []
    for line in batch:
        key = ids[line.key]
        ours = known.get(key) if key else None
        # One account of a provider may serve several workspaces.
        if ours is None or ours.workspace_id == run.connector.workspace_id:
            found += _weigh_line(line, ours, run)
    _keep(found, run)


def _weigh_line(line: Listed, ours: _Ours | None, run: _Run) -> list[Difference]:
    meaning = _meaning_of(ours, run)
    match meaning:
        case "matched":
            run.tally.matched += 1
        case "settles" if ours is not None:
            said = Finding("executed", line.reference, line.text)
            run.tally.resolved += _observe(ours.id, said, run) == "succeeded"
        case "not_ours" | "twice" | "differs":
            text = text_of(meaning, ours.status if ours else "", line.text)
            key = ours.id.hex if ours else line.key
            return [Difference(meaning, key, text, ours.id if ours else None, line.reference)]
    return []


def _meaning_of(ours: _Ours | None, run: _Run) -> Meaning:
    if ours is None:
        return meaning_of(None)
    run.tally.times[ours.id] += 1
    times = run.tally.times[ours.id]
    return meaning_of(ours.status, times=times, was_sent=ours.sent_at is not None)


def _id_in(key: str) -> UUID | None:
    """Return the execution that a key of theirs names, if it can be one of ours."""
    try:
        return UUID(key)
    except ValueError:
        return None


def _known(ids: Sequence[UUID]) -> dict[UUID, _Ours]:
    rows = Execution.objects.filter(id__in=ids).values_list(
        "id", "workspace_id", "status", "sent_at"
    )
    return {row[0]: _Ours(*row) for row in rows}


def _hold_ours_against_theirs(run: _Run) -> None:
    for batch in _in_batches(run):
        get_on()
        run.tally.ours += len(batch)
        missing = [
            (key, status)
            for key, status, first in batch
            if key not in run.tally.times and is_missing(status, first, run.settle, run.row.until)
        ]
        for key, _ in (each for each in missing if each[1] == "in_doubt"):
            _say_absent(key, run)
        _keep(
            [
                Difference("not_theirs", key.hex, text_of("not_theirs"), key)
                for key, status in missing
                if status != "in_doubt"
            ],
            run,
        )


def _in_batches(run: _Run) -> Iterator[list[tuple[UUID, str, datetime]]]:
    """Return ours in parts: id, status, and when it was sent for the first time."""
    rows = Execution.objects.filter(
        workspace=run.row.workspace_id, connector=run.connector.name, sent_at__gte=run.row.since
    )
    rows = rows.exclude(retry_class="local").annotate(first=Min("attempts__sent_at"))
    rows = rows.filter(first__gte=run.row.since, first__lt=run.row.until).order_by("id")
    after: UUID | None = None
    while True:
        more = rows.filter(id__gt=after) if after else rows
        batch = list(more.values_list("id", "status", "first")[:AT_ONCE])
        if not batch:
            return
        yield batch
        after = batch[-1][0]


def _say_absent(execution_id: UUID, run: _Run) -> None:
    execution = Execution.objects.get(id=execution_id)
    attempt = Attempt.objects.filter(execution=execution).latest("number")
    found = Finding("absent", "", "Their list does not show it.")
    if is_news(execution, attempt, found, run.now):
        _observe(execution_id, found, run)


def _observe(execution_id: UUID, found: Finding, run: _Run) -> str:
    """Keep what their list says of one, and return how it stands; one that is busy is skipped."""
    actor = system("reconciler", run.row.workspace_id)
    try:
        return observe(
            actor=actor, execution_id=execution_id, source="statement", finding=found, now=run.now
        )
    except Busy:
        run.tally.skipped += 1
        return ""


def _keep(found: Sequence[Difference], run: _Run) -> None:
    run.tally.differing += len(found)
    if found:
        run.tally.new += open_differences(run.connector, found, run=run.row, now=run.now)


def _end(run: _Run, problem: str) -> None:
    row, tally = run.row, run.tally
    with transaction.atomic():
        # Somebody who asked meanwhile is answered by another one.
        asked = Connector.objects.filter(id=run.connector.id, compare_asked_at__lte=run.now)
        asked.update(compare_asked_at=None)
        row.ended_at = run.now + timedelta(seconds=steady() - run.clock)
        row.problem, row.counts = problem, tally.to_json()
        row.save(update_fields=["ended_at", "problem", "counts"])
        if tally.new:
            tell_differs(run.connector, count=tally.new, now=run.now)
        body: dict[str, Json] = {**row.counts, "name": run.connector.name, "problem": problem}
        actor = system("reconciler", row.workspace_id)
        append(actor, "reconciliation.done", f"reconciliation:{row.id}", body)
        ring("outside", row.workspace_id)


def close_discrepancy(*, actor: Actor, discrepancy_id: UUID, note: str, now: datetime) -> None:
    """Keep that somebody has seen to a difference, and what they found.

    By a person who may say what becomes of effects in doubt, or looks after connectors, and who had
    no part in the execution that it is about.
    Locks: the discrepancy.
    Raises: Forbidden (403), NotFound (404), AlreadyClosed (409), Invalid (422).
    """
    if actor.kind != "person" or not _may_close(actor):
        raise Forbidden("Differences are closed by people who may resolve doubts.")
    if not says_something(note) or len(note) > NOTE_AT_MOST or "\x00" in note:
        sentence = f"Say what you found, in at most {NOTE_AT_MOST} characters, without NUL."
        raise Invalid(sentence, field="note")
    with transaction.atomic():
        rows = Discrepancy.objects.select_for_update(no_key=True)
        row = rows.filter(workspace=actor.workspace_id, id=discrepancy_id).first()
        if row is None:
            raise NotFound
        if row.closed_at is not None:
            raise AlreadyClosed
        _refuse_if_involved(actor, row)
        row.closed_at, row.closed_by_id, row.note = now, UUID(actor.id), note.strip()
        row.save(update_fields=["closed_at", "closed_by", "note"])
        body: dict[str, Json] = {"kind": row.kind, "key": row.key, "note": row.note}
        append(actor, "discrepancy.closed", f"discrepancy:{row.id}", body)
        ring("outside", actor.workspace_id)


def _refuse_if_involved(actor: Actor, row: Discrepancy) -> None:
    if row.execution is None:
        return
    involved = involved_in(row.execution)
    if actor.ref in {*involved.lineage, *involved.deciders}:
        raise Forbidden("You took part in what this is about, so others see to the difference.")


def _may_close(actor: Actor) -> bool:
    return allows(actor.roles, "resolve") or allows(actor.roles, "connect")
