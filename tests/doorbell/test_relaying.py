"""Relaying: what was rung reaches the broker once it is there, and is never lost before."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from agents import queries as agents
from agents.models import Run
from console.doorbell.models import Ring
from console.doorbell.operations.relaying import relay
from console.doorbell.operations.ringing import CHANNEL, ring_task
from console.management.commands import timer
from tests.agents import programs
from tests.agents.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)


class BrokerGone(Exception):
    """The broker does not answer."""


class Broker:
    """Remembers what was published; may be away."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.is_there = True

    def publish(self, task: str, key: str) -> None:
        if not self.is_there:
            raise BrokerGone
        self.heard.append((task, key))


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(timer, "publish", broker.publish)
    return broker


def test_publishes_each_bell_once_in_order(broker: Broker) -> None:
    for task, key in [("b", "1"), ("a", ""), ("b", "1"), ("b", "2")]:
        ring_task(task, key)
    assert relay(broker.publish) == 4
    assert sorted(broker.heard) == [("a", ""), ("b", "1"), ("b", "2")]
    assert relay(broker.publish) == 0


def test_keeps_every_bell_while_the_broker_is_away(broker: Broker) -> None:
    ring_task("a")
    broker.is_there = False
    with pytest.raises(BrokerGone):
        relay(broker.publish)
    broker.is_there = True
    assert relay(broker.publish) == 1
    assert broker.heard == [("a", "")]


def test_says_nothing_of_what_was_rolled_back(broker: Broker) -> None:
    with transaction.atomic():
        ring_task("a")
        transaction.set_rollback(True)
    assert relay(broker.publish) == 0


def test_wakes_a_listening_timer_with_the_commit() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    ring_task("a")
    raw = connection.connection
    assert len(list(raw.notifies(timeout=2, stop_after=1))) == 1
    with connection.cursor() as cursor:
        cursor.execute(f"UNLISTEN {CHANNEL}")


def test_the_sweep_finds_work_whose_bell_was_lost(broker: Broker) -> None:
    programs.register()
    stage = Stage.build()
    run = stage.submit("steps", steps=1)
    Ring.objects.all().delete()
    timer.sweep()
    assert broker.heard == []
    Run.objects.filter(id=run.id).update(queued_at=datetime.now(UTC) - timedelta(seconds=6))
    timer.sweep()
    assert broker.heard == [("agents.work", "")]


def test_the_sweep_goes_on_while_the_broker_is_away(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.is_there = False
    done: list[str] = []
    monkeypatch.setattr(timer, "wake_unheard", lambda: done.append("wake"))
    monkeypatch.setattr(agents, "has_work", lambda unheard_for: unheard_for.seconds > 0)
    timer.sweep()
    assert done == ["wake"]
