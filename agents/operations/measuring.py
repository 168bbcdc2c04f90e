"""Measure drift, keep the series, and pause who works on what has drifted too far.

A limit pauses when it is crossed, not while it is passed: a person who resumes an agent has
seen the drift, and is not overruled by the next measurement.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import OperationalError, transaction

from agents import drifting
from agents.drifting import Over
from agents.models import Drift
from agents.operations.pausing import REASON_AT_MOST, pause
from agents.queries import drift
from agents.queries.drift import Measurement
from console.access.rights import allows
from console.actors import Actor, system
from console.canonical import Json
from console.errors import Forbidden, NotFound, Refused
from console.ledger.operations.appending import append
from console.live import ring
from snapshots.operations.committing import lock
from snapshots.queries.walking import states_after

logger = logging.getLogger(__name__)

BATCH = 50
# Whoever walks has other duties; a large record may take a good part of this by itself.
TURN_SECONDS = 1.0
PRESSED_SECONDS = 5.0
# A series goes on once a day even where nothing moves, so that one sees that it was looked at.
LONGEST_SILENCE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement: what was found, what is too much, what is so for the first time.

    `paused` names the agents that were held because of it; `kept` says whether it was new.
    """

    found: Measurement
    over: list[Over]
    crossed: list[Over]
    kept: bool = False
    paused: tuple[str, ...] = ()


def measure(*, actor: Actor, state_id: UUID, now: datetime) -> Measured:
    """Measure a State, keep what is new, and pause its agents where a limit was crossed.

    Repeated after a crash it pauses again what it paused and writes what it did not.
    Locks: for each agent what `pause` locks; then the State row.
    Raises: NotFound (404), Forbidden (403), Corrupt (500), Busy (409).
    """
    if actor.kind != "system" and not allows(actor.roles, "operate"):
        raise Forbidden("Only an engineer or an admin may measure drift.")
    before = drift.newest(actor.workspace_id, state_id)
    measured = _judged(drift.look(actor.workspace_id, state_id, now), before)
    if before and not _is_news(measured, before, now):
        return measured
    # Each in a transaction of its own: the runs of the next agent come before the ledger.
    paused = _pause(measured, now) if measured.crossed else ()
    with transaction.atomic():
        lock(actor.workspace_id, state_id)
        last = drift.newest(actor.workspace_id, state_id)
        if (last and last.id) != (before and before.id):
            # Somebody else has measured at this moment.
            return measured
        _keep(measured, actor, paused, now)
    return Measured(measured.found, measured.over, measured.crossed, kept=True, paused=paused)


def look(*, workspace_id: UUID, state_id: UUID, now: datetime) -> Measured:
    """Say what a measurement would find now; nothing is kept, nobody is paused.

    Raises: NotFound (404), Corrupt (500).
    """
    before = drift.newest(workspace_id, state_id)
    return _judged(drift.look(workspace_id, state_id, now), before)


@dataclass(slots=True)
class Tally:
    """What became of some States that were measured one after the other."""

    measured: int = 0
    left: int = 0
    unread: int = 0
    over: int = 0
    paused: list[str] = field(default_factory=list)

    def add(self, measured: Measured) -> None:
        """Count a measurement."""
        self.measured += 1
        self.over += bool(measured.over)
        self.paused.extend(measured.paused)

    def told(self) -> str:
        """Say it in a sentence or two."""
        said = [f"{_states(self.measured)} measured, {self.over or 'none'} over a limit."]
        if self.paused:
            said.append(f"Paused: {', '.join(sorted(set(self.paused)))}.")
        if self.unread:
            said.append(f"{_states(self.unread)} could not be read or measured.")
        if self.left:
            said.append(f"{_states(self.left)} left for the next time.")
        return " ".join(said)


def measure_these(*, actor: Actor, states: Sequence[UUID], now: datetime) -> Tally:
    """Measure these States, as many as a person waits for; the timer measures them all in time.

    Raises: Forbidden (403), NotFound (404), and what hinders measuring where only one is asked for.
    """
    tally = Tally()
    over = time.monotonic() + PRESSED_SECONDS
    for place, state_id in enumerate(states):
        if time.monotonic() > over:
            tally.left = len(states) - place
            break
        try:
            tally.add(measure(actor=actor, state_id=state_id, now=now))
        except (Forbidden, NotFound):
            raise
        except Refused:
            if len(states) == 1:
                raise
            tally.unread += 1
    return tally


def measure_some(*, after: UUID | None, at_most: int = BATCH, now: datetime) -> UUID | None:
    """Measure the next States on a walk through all; return where it goes on, or nothing."""
    batch = states_after(after, at_most=at_most, without="policies")
    over = time.monotonic() + TURN_SECONDS
    for place, (workspace_id, state_id) in enumerate(batch, start=1):
        _calmly(workspace_id, state_id, now)
        if time.monotonic() > over or place == at_most:
            return state_id
    return None


def _judged(found: Measurement, before: Drift | None) -> Measured:
    limits = drift.limits(found.head.workspace_id, found.head.state_id)
    over = drifting.over(found.figures, limits)
    return Measured(found, over, drifting.crossed(over, before.over if before else []))


def _is_news(measured: Measured, before: Drift, now: datetime) -> bool:
    figures = measured.found.figures
    known = {each["measure"] for each in before.over}
    return (
        measured.found.head.number != before.number
        or (figures.entries, figures.stale, figures.contradicting, figures.differing)
        != (before.entries, before.stale, before.contradicting, before.differing)
        or {each.measure for each in measured.over} != known
        or now - before.measured_at >= LONGEST_SILENCE
    )


def _pause(measured: Measured, now: datetime) -> tuple[str, ...]:
    head = measured.found.head
    names = [measured.found.agent] if measured.found.agent else _at_work_on(measured)
    guard = system("drift-guard", head.workspace_id)
    says = " ".join(each.says for each in measured.crossed)
    reason = f"{head.key} has drifted. {says}"[:REASON_AT_MOST]
    return tuple(name for name in names if _paused(guard, name, reason, now))


def _at_work_on(measured: Measured) -> list[str]:
    return drift.agents_on(measured.found.head.workspace_id, measured.found.head.state_id)


def _paused(guard: Actor, name: str, reason: str, now: datetime) -> bool:
    try:
        return pause(actor=guard, name=name, reason=reason, now=now)
    except NotFound:
        # A memory that was brought in by hand, of an agent that never worked here.
        return False


def _keep(measured: Measured, actor: Actor, paused: Sequence[str], now: datetime) -> None:
    head, figures = measured.found.head, measured.found.figures
    Drift.objects.create(
        workspace_id=head.workspace_id,
        state_id=head.state_id,
        agent=measured.found.agent,
        number=head.number,
        stale_share=figures.stale_share,
        contradicting_share=figures.contradicting_share,
        over=[each.to_json() for each in measured.over],
        measured_at=now,
        **asdict(figures),
    )
    if measured.crossed:
        body: dict[str, Json] = {
            "snapshot": head.number,
            "says": [each.says for each in measured.crossed],
            "paused": [*paused],
        }
        append(actor, "drift.crossed", f"state:{head.state_id}", body)
    ring("drift", head.workspace_id)
    ring("drift", head.state_id)


def _calmly(workspace_id: UUID, state_id: UUID, now: datetime) -> None:
    """Measure one State; what is wrong with it must not keep the others from being measured."""
    try:
        measure(actor=system("drift-guard", workspace_id), state_id=state_id, now=now)
    except OperationalError:
        raise
    except Exception as error:  # noqa: BLE001  (told in the log, and looked at again next time)
        logger.warning("drift of %s not measured: %s: %s", state_id, type(error).__name__, error)


def _states(count: int) -> str:
    return f"{count:,} {'State' if count == 1 else 'States'}"
