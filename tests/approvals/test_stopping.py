"""Stopping the sending lets nothing leave the house, and loses nothing that is approved."""

from typing import Any

import pytest

from approvals.models import SendSwitch
from approvals.operations import stopping
from approvals.operations.dispatching import dispatch, take
from approvals.operations.stopping import (
    SendingStopped,
    SlugNotTyped,
    SwitchReasonUnusable,
    resume_sending,
    stop_sending,
)
from console.actors import Actor
from console.errors import Forbidden
from tests.approvals.outside import Wiring, attempts, soon, status, stays_silent
from tests.story import Cast, now

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def wiring(cast: Cast) -> Wiring:
    return Wiring.of(cast, "keyed")


def stop(who: Actor, **more: Any) -> bool:
    wanted = {"reason": "The bank called.", "typed": "acme", "now": now(), **more}
    return stop_sending(actor=who, **wanted)


def resume(who: Actor) -> bool:
    return resume_sending(actor=who, reason="The bank called again.", now=now())


def test_nothing_is_sent_until_it_is_resumed(wiring: Wiring) -> None:
    found, cast = wiring.approve(), wiring.cast
    assert stop(cast.ada)
    assert wiring.send(at=soon()) == 0
    assert (status(found), wiring.bank.came) == ("ready", [])
    assert resume(cast.ada)
    assert wiring.send(at=soon()) == 1
    assert status(found) == "succeeded"


def test_what_was_claimed_before_is_not_sent(wiring: Wiring) -> None:
    found = wiring.approve()
    taken = take(now=now())
    assert taken
    stop(wiring.cast.ada)
    with pytest.raises(SendingStopped):
        dispatch(taken, b"{}", now=now())
    assert attempts(found) == []


def test_what_reached_its_provider_meanwhile_waits_and_is_sent_later(wiring: Wiring) -> None:
    found = wiring.approve()

    def stop_it() -> None:
        stop(wiring.cast.ada)

    wiring.bank.on_reach = stop_it
    assert wiring.send() == 1
    assert (status(found), wiring.bank.came) == ("ready", [])
    wiring.bank.on_reach = lambda: None
    resume(wiring.cast.ada)
    assert wiring.send(at=soon(10)) == 1
    assert status(found) == "succeeded"


def test_nothing_is_sent_again_either(wiring: Wiring) -> None:
    wiring.bank.answers = [stays_silent]
    wiring.sent()
    stop(wiring.cast.ada)
    assert wiring.resend(at=soon(60)) == 0


def test_another_workspace_goes_on_sending(wiring: Wiring) -> None:
    found = wiring.approve()
    stop(wiring.cast.zoe, typed="zenith")
    assert wiring.send(at=soon()) == 1
    assert status(found) == "succeeded"


def test_is_said_once(wiring: Wiring) -> None:
    cast = wiring.cast
    assert [stop(cast.ada), stop(cast.ada), resume(cast.ada), resume(cast.ada)] == [
        True,
        False,
        True,
        False,
    ]
    said = [verb for verb in cast.said() if verb.startswith("sending.")]
    assert said == ["sending.stopped", "sending.resumed"]
    assert cast.ledger_objection() is None


def test_says_who_did_it_and_why(wiring: Wiring) -> None:
    stop(wiring.cast.ada)
    row = SendSwitch.objects.get(workspace=wiring.cast.workspace)
    assert (row.is_stopped, row.reason, row.actor["name"]) == (True, "The bank called.", "Ada")


@pytest.mark.parametrize("who", ["ana", "cleo", "eve", "scout", "setup"])
def test_is_for_admins(wiring: Wiring, who: str) -> None:
    with pytest.raises(Forbidden):
        stop(getattr(wiring.cast, who))
    stop(wiring.cast.ada)
    with pytest.raises(Forbidden):
        resume(getattr(wiring.cast, who))


@pytest.mark.parametrize("reason", ["", " ", "x" * 251, "a\x00b"])
def test_takes_a_reason_that_can_be_read(wiring: Wiring, reason: str) -> None:
    with pytest.raises(SwitchReasonUnusable):
        stop(wiring.cast.ada, reason=reason)


def test_takes_a_typed_name(wiring: Wiring) -> None:
    with pytest.raises(SlugNotTyped):
        stop(wiring.cast.ada, typed="acne")


def test_only_whoever_stopped_it_by_the_way_lets_it_go_on(wiring: Wiring) -> None:
    cast, at = wiring.cast, now()
    assert stopping.switch_off(cast.ada, "all stopped", at)
    assert not stopping.switch_on(cast.ada, "", soon(), stopped_at=soon())
    assert stopping.switch_on(cast.ada, "", soon(), stopped_at=at)
