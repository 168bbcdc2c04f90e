"""Faults of what everything stands on: PostgreSQL, the broker, and the wire to the first."""

import contextlib
import random
import signal
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import psycopg

from agents.models import Run
from approvals.models import Execution
from tests.chaos.faults.stage import Fault
from tests.chaos.product import send
from tests.chaos.workload import calmly


class DatabaseFalls(Fault):
    """F6."""

    name, title = "F6", "stop PostgreSQL at once, and start it again"
    expected = "503 with Retry-After, no 500; served again within 10 s of its coming back"
    every = 12.0

    def strike(self, chance: random.Random) -> bool:
        """Let it fall in one of three ways; wait until it and we are back."""
        names = {signal.SIGQUIT: "immediate", signal.SIGKILL: "kill -9", signal.SIGINT: "fast"}
        how = chance.choices([*names], [8, 1, 1])[0]
        self.seen[names[how]] += 1
        began = time.monotonic()
        pid = self.product.pid("postgres")
        self.product.kill("postgres", how)
        while self.product.pid("postgres") == pid and self.stage.pause(0.1):
            pass
        while not self.product.database_answers() and self.stage.pause(0.1):
            pass
        back = time.monotonic()
        self.took("database away", back - began)
        self._wait_until_served(back)
        return True

    def _wait_until_served(self, back: float) -> None:
        for address in self.product.addresses[:1]:
            while not _is_ready(address) and self.stage.pause(0.1):
                pass
        if not self.stage.curtain.is_set():
            self.took("from there to served", time.monotonic() - back)


class BrokerForgets(Fault):
    """F7."""

    name, title = "F7", "FLUSHALL the broker, pause it, lose its data"
    expected = "nothing lost; seconds of latency"
    every = 18.0

    def strike(self, chance: random.Random) -> bool:
        """Flush, mostly."""
        how = chance.choices(["flush", "pause", "lose"], [12, 2, 1])[0]
        if how == "flush":
            self.product.flush()
        elif how == "lose":
            self.product.lose_broker()
        else:
            self._pause(chance)
        self.seen[{"flush": "flushes", "pause": "pauses", "lose": "data lost"}[how]] += 1
        return True

    def _pause(self, chance: random.Random) -> None:
        pid = self.product.pid("valkey")
        send(pid, signal.SIGSTOP)
        self.stage.pause(chance.uniform(5, 20))
        send(pid, signal.SIGCONT)


class BellsRingTwice(Fault):
    """F8."""

    name, title = "F8", "publish every message three times, shuffled, some of them old"
    expected = "no effect"
    every = 12.0

    def strike(self, chance: random.Random) -> bool:
        """Ring for runs and States that may have nothing to do."""
        from console.celery import app  # noqa: PLC0415  (needs Django)

        found = calmly(lambda: self._bells(chance)) or []
        bells = found * 3
        chance.shuffle(bells)
        for task, key in bells:
            app.send_task(task, args=[key], retry=False, ignore_result=True)
        self.seen["messages"] += len(bells)
        return bool(bells)

    def _bells(self, chance: random.Random) -> list[tuple[str, str]]:
        runs = list(Run.objects.order_by("-created_at").values_list("id", flat=True)[:200])
        states = list(Execution.objects.order_by("-id").values_list("state", flat=True)[:50])
        bells = [("agents.work", ""), ("approvals.carry_out", "")]
        bells += [("agents.wake", str(run)) for run in chance.sample(runs, min(5, len(runs)))]
        known = [*filter(None, states)]
        return bells + [
            ("approvals.rebase", str(s)) for s in chance.sample(known, min(3, len(known)))
        ]


class Partition(Fault):
    """F10."""

    name, title = "F10", "freeze, or sever, the wire between one web, one worker and PostgreSQL"
    expected = "locks are freed; runs are taken over; who comes back records nothing"
    every = 40.0

    def strike(self, chance: random.Random) -> bool:
        """Freeze for a while; then let go, or cut everything."""
        wire = self.product.to_database
        frozen = chance.random() < 0.7
        if frozen:
            wire.freeze()
            self.stage.pause(chance.uniform(4, 12))
        if not frozen or chance.random() < 0.5:
            wire.sever()
        wire.thaw()
        self.seen["frozen" if frozen else "severed"] += 1
        return True


class NoConnectionsLeft(Fault):
    """F23."""

    name, title = "F23", "take every connection that PostgreSQL gives"
    expected = "503, and on again after"
    every = 150.0

    def strike(self, chance: random.Random) -> bool:
        """Take what there is, hold it, give it back."""
        url = self.product.supervisor._children["web"].process.env or {}
        held: list[psycopg.Connection[Any]] = []
        with contextlib.suppress(psycopg.Error):
            while len(held) < 200:
                held.append(psycopg.connect(url["DATABASE_URL"], connect_timeout=2))
        self.took("connections taken", len(held))
        self.stage.pause(chance.uniform(2, 5))
        for each in held:
            each.close()
        return True


def _is_ready(address: str) -> bool:
    found = urlsplit(address)
    connection = HTTPConnection(str(found.hostname), found.port, timeout=5)
    with contextlib.suppress(OSError, HTTPException), contextlib.closing(connection):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    return False
