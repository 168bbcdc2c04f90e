"""Quarantining sets aside what fails again and again, so that nothing else waits for it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from approvals.models import Execution
from approvals.operations import executing
from approvals.operations.executing import carry_out_due
from approvals.operations.quarantining import (
    NotQuarantined,
    QuarantineReasonUnusable,
    drop,
    try_again,
)
from approvals.operations.recalling import recall
from approvals.operations.verifying import Ground
from console.actors import Actor
from console.canonical import Json
from console.errors import Forbidden, NotFound
from console.locking import Busy
from snapshots.diff import Change
from tests.story import Cast, install_effects, now

pytestmark = pytest.mark.django_db
HOLD = timedelta(seconds=90)


@pytest.fixture
def cast() -> Cast:
    cast = Cast.build()
    cast.policy(hold_seconds=90)
    return cast


@pytest.fixture
def at() -> datetime:
    return now()


def poison(_document: Any, _params: dict[str, Any]) -> Json:
    raise ZeroDivisionError


def look(at: datetime, times: int = 6) -> list[int]:
    """Let the sender look again and again, long enough between."""
    return [carry_out_due(now=at + HOLD + timedelta(minutes=each)) for each in range(times)]


def held(cast: Cast, at: datetime) -> UUID:
    """Hold a payment that fails in a way nobody foresaw."""
    proposal_id = cast.ask(at=at)
    cast.decide(cast.ana, proposal_id, at=at)
    cast.release_pay(poison)
    return Execution.objects.get(proposal=proposal_id).id


@pytest.fixture
def quarantined(cast: Cast, at: datetime) -> UUID:
    found = held(cast, at)
    look(at)
    return found


def stands(found: UUID) -> tuple[str, int]:
    row = Execution.objects.get(id=found)
    return row.status, row.tries


def test_after_three_tries_it_is_set_aside(cast: Cast, at: datetime) -> None:
    found = held(cast, at)
    assert look(at) == [1, 1, 1, 0, 0, 0]
    assert stands(found) == ("quarantined", 3)
    proposal_id = Execution.objects.get(id=found).proposal_id
    assert cast.said(f"proposal:{proposal_id}")[-1] == "execution.quarantined"
    assert not cast.answer(proposal_id).is_final


def test_a_try_counts_before_it_is_begun(
    cast: Cast, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = held(cast, at)
    counted: list[tuple[str, int]] = []
    monkeypatch.setattr(executing, "_carry_out_held", lambda *_args: counted.append(stands(found)))
    carry_out_due(now=at + HOLD)
    assert counted == [("held", 1)]


def test_it_waits_before_it_is_begun_again(cast: Cast, at: datetime) -> None:
    held(cast, at)
    due = at + HOLD
    assert [carry_out_due(now=due + timedelta(seconds=each)) for each in (0, 1, 2, 5, 6)] == [
        1,
        0,
        1,
        0,
        1,
    ]


def test_sixty_that_fail_hold_up_none_that_works(cast: Cast, at: datetime) -> None:
    for number in range(60):
        cast.open_drawer(f"ledger/{number}")
        change = Change("add", "/memo", value="x")
        proposal_id = cast.state_change(change, state_key=f"ledger/{number}")
        cast.decide(cast.ana, proposal_id, at=at)
    Execution.objects.update(due_at=at)
    good = cast.ask(at=at)
    cast.decide(cast.ana, good, at=at + timedelta(seconds=1))
    broken = executing._execute

    def fails(execution: Execution, ground: Ground, actor: Actor) -> None:
        if execution.proposal_id != good:
            raise ZeroDivisionError
        broken(execution, ground, actor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executing, "_execute", fails)
        due = at + HOLD + timedelta(seconds=1)
        assert [carry_out_due(now=due), carry_out_due(now=due)] == [50, 11]
    assert Execution.objects.get(proposal=good).status == "succeeded"


def test_what_is_not_its_fault_does_not_count(
    cast: Cast, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = held(cast, at)

    def fails(*_args: object) -> None:
        raise Busy

    monkeypatch.setattr(executing, "_carry_out_held", fails)
    assert look(at, 8) == [1] * 8
    assert stands(found) == ("held", 0)


def test_an_admin_lets_it_try_again(cast: Cast, quarantined: UUID) -> None:
    install_effects()
    try_again(actor=cast.ada, execution_id=quarantined, reason="It is repaired.", now=now())
    assert stands(quarantined) == ("held", 0)
    assert carry_out_due(now=now() + timedelta(seconds=1)) == 0
    assert carry_out_due(now=now() + HOLD) == 1
    assert stands(quarantined)[0] == "succeeded"


def test_an_admin_drops_it(cast: Cast, quarantined: UUID) -> None:
    drop(actor=cast.ada, execution_id=quarantined, reason="It was a mistake.", now=now())
    row = Execution.objects.get(id=quarantined)
    assert (row.status, row.problem) == ("failed", "It was a mistake.")
    assert cast.answer(row.proposal_id).status == "stale"


def test_it_is_recalled_like_anything_that_is_not_sent(cast: Cast, quarantined: UUID) -> None:
    cast.lose_pay()
    row = Execution.objects.get(id=quarantined)
    recall(actor=cast.ana, proposal_id=row.proposal_id, reason="no", now=now())
    assert stands(quarantined)[0] == "recalled"


@pytest.mark.parametrize("verb", [try_again, drop])
@pytest.mark.parametrize("who", ["ana", "cleo", "eve", "scout", "setup"])
def test_is_seen_to_by_admins(
    cast: Cast, quarantined: UUID, verb: Callable[..., None], who: str
) -> None:
    with pytest.raises(Forbidden):
        verb(actor=getattr(cast, who), execution_id=quarantined, reason="because", now=now())
    with pytest.raises(NotFound):
        verb(actor=cast.zoe, execution_id=quarantined, reason="because", now=now())


@pytest.mark.parametrize("verb", [try_again, drop])
def test_needs_a_reason_and_is_done_once(
    cast: Cast, quarantined: UUID, verb: Callable[..., None]
) -> None:
    with pytest.raises(QuarantineReasonUnusable):
        verb(actor=cast.ada, execution_id=quarantined, reason=" ", now=now())
    verb(actor=cast.ada, execution_id=quarantined, reason="because of that", now=now())
    with pytest.raises(NotQuarantined):
        verb(actor=cast.ada, execution_id=quarantined, reason="because of that", now=now())
