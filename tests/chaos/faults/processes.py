"""Faults of our own processes: killed at chosen points or anywhere, stopped, poisoned."""

import contextlib
import random
import signal

from agents.models import Run
from approvals.models import Observation
from tests.chaos.faults.stage import Deadly, Fault
from tests.chaos.pack.apps import POISON
from tests.chaos.product import send

RUN_POINTS = (
    "run.after_claim",
    "run.after_model",
    "run.before_proposal",
    "run.after_proposal",
    "run.before_verdict",
    "run.before_ack",
)


SEND_POINTS = (
    "send.before_claim",
    "send.after_claim",
    "send.before_reach",
    "send.before_commit",
    "send.after_commit",
    "send.after_send",
    "send.before_outcome",
    "send.after_outcome",
)


DECIDE_POINTS = ("decide.before_commit", "decide.after_commit")


class WorkerDies(Deadly):
    """F1."""

    name, title = "F1", "kill -9 a worker at each boundary of a step"
    expected = "the step is done once, or again; one proposal per step; no run lost"
    every, points, process = 1.3, RUN_POINTS, "worker"


class SenderDies(Deadly):
    """F2."""

    name, title = "F2", "kill -9 the sender at each boundary of a sending"
    expected = (
        "before the commit: taken again; after it: in doubt, then settled; blind at most once"
    )
    every, points, process = 1.3, SEND_POINTS, "sender"


class SenderSleeps(Fault):
    """F3."""

    name, title = "F3", "SIGSTOP the sender past its lease, then SIGCONT"
    expected = "what it learns late is an observation; no second entry at the bank"
    every = 70.0
    asleep_seconds = 12.0

    def strike(self, chance: random.Random) -> bool:
        """Stop whoever comes by a point, and wake them when their lease is over."""
        point = chance.choice(SEND_POINTS[1:7])
        before = self._sleepers()
        self.product.arm(point, "stop")
        for _ in range(50):
            if not self.stage.pause(0.2):
                break
            if found := self._sleepers() - before:
                self._wake_later(found)
                return True
        (self.product.failpoints / point).unlink(missing_ok=True)
        return False

    def _wake_later(self, found: set[tuple[str, int]]) -> None:
        self.stage.pause(self.asleep_seconds)
        for point, pid in found:
            self.seen[f"slept at {point}"] += send(pid, signal.SIGCONT)

    def _sleepers(self) -> set[tuple[str, int]]:
        found = set()
        for path in self.product.failpoints.glob(".send.*.*.*"):
            with contextlib.suppress(OSError):
                if path.read_text() == "stop":
                    point, pid, _ = path.name[1:].rsplit(".", 2)
                    found.add((point, int(pid)))
        return found

    def look(self) -> None:
        """Count what was learned late."""
        self.seen["late answers observed"] = Observation.objects.filter(
            source="late_answer"
        ).count()


class WebDies(Deadly):
    """F4."""

    name, title = "F4", "kill -9 the web process around the commit of a decision"
    expected = "exactly one decision; who asks again gets the same answer"
    every, points, process, whole_share = 35.0, DECIDE_POINTS, "web", 0.15


class TimerDies(Fault):
    """F5."""

    name, title = "F5", "kill -9 a timer while another one stands by"
    expected = "the other one leads; nothing is swept twice"
    every = 30.0

    def strike(self, chance: random.Random) -> bool:
        """Kill either."""
        name = chance.choice(self.product.names("timer"))
        self.seen[f"{name} killed"] += 1
        return self.product.kill(name)


class Poison(Fault):
    """F22."""

    name, title = "F22", "jobs that no worker survives"
    expected = "set aside after a few tries; others go on"
    every = 60.0

    def strike(self, chance: random.Random) -> bool:
        """Submit one."""
        place = self.place(chance)
        how = chance.choice(["segfault", "exit", "flood"])
        body = {"workflow": POISON, "state": place.states[0], "input": {"how": how}}
        key = {"Idempotency-Key": chance.randbytes(8).hex()}
        answer = self.workload.client(chance, place).ask("POST", "/api/v1/jobs", body, headers=key)
        self.seen[f"{how}: {answer.status}"] += 1
        return answer.status == 202

    def look(self) -> None:
        """Count how they ended."""
        for run in Run.objects.filter(job__workflow=POISON):
            self.seen[f"ended {run.status} {run.problem_code}".strip()] += 1
