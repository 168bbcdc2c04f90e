"""The soak: 10,001 jobs at a steady pace, none lost, none doubled, nothing that grows.

`python -m tests.chaos.soak --jobs 10001 --rate 62 --out benchmarks/results`. Every ten seconds the
memory of every process and the p95 of what was submitted meanwhile are kept; after the first third
a straight line is laid through each, and its slope is told.
"""

import argparse
import json
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid5

from tests.chaos import plot, product

SAMPLE_SECONDS = 10.0
DRAIN_AT_MOST = 900.0
CLIENTS = 8
STEPS = 3
WARM_UP = 1 / 3
# What a soak promises, on a machine that does nothing else.
SECONDS_AT_MOST = 180.0


@dataclass
class Soak:
    """What was submitted, and what was measured meanwhile."""

    jobs: int
    rate: float
    milliseconds: list[tuple[float, float]] = field(default_factory=list)
    promised: dict[str, str] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _given: int = 0
    _began: float = field(default_factory=time.monotonic)

    def next(self) -> int | None:
        """Return the number of the next job, when its time has come; nothing when all are given."""
        with self._lock:
            number, self._given = self._given, self._given + 1
        if number >= self.jobs:
            return None
        time.sleep(max(0.0, self._began + number / self.rate - time.monotonic()))
        return number

    def took(self, key: str, job: str, milliseconds: float) -> None:
        """Keep that a job was promised."""
        with self._lock:
            self.promised[key] = job
            self.milliseconds.append((time.monotonic() - self._began, milliseconds))

    def sample(self, running: product.Product, done: int) -> None:
        """Measure once."""
        at = time.monotonic() - self._began
        with self._lock:
            recent = [took for when, took in self.milliseconds if when > at - SAMPLE_SECONDS]
        p95 = statistics.quantiles(recent, n=20)[18] if len(recent) > 1 else None
        rss = {name: round(size / 1e6, 2) for name, size in running.rss().items()}
        self.samples.append(
            {
                "at": round(at, 1),
                "submitted": len(self.promised),
                "done": done,
                "p95": p95,
                "rss": rss,
            }
        )


def lead(soak: Soak, running: product.Product, place: Any, faults: Sequence[str]) -> dict[str, Any]:
    """Submit everything, let it come to its end, and count."""
    from agents.lifecycle import FINISHED  # noqa: PLC0415  (needs Django)
    from agents.models import Job, Run, Step  # noqa: PLC0415
    from tests.chaos import run  # noqa: PLC0415
    from tests.chaos.faults import FAULTS  # noqa: PLC0415
    from tests.chaos.faults.stage import Stage  # noqa: PLC0415
    from tests.chaos.workload import Workload, calmly  # noqa: PLC0415

    workload = Workload([place], running.addresses, 1, 1.0)
    stage = Stage(running, workload, 1)
    chosen = [kind(stage) for kind in FAULTS if kind.name in faults]
    soak._began = time.monotonic()
    for number in range(CLIENTS):
        workload.hand(f"client-{number}", _submit_always, soak, workload, place)
    for fault in chosen:
        workload.hand(fault.name, fault.always, 4.0)

    def done() -> int:
        return calmly(lambda: Run.objects.filter(status__in=FINISHED).count()) or 0

    submitted = 0.0
    until = soak.jobs / soak.rate + DRAIN_AT_MOST
    while (at := time.monotonic() - soak._began) < until:
        time.sleep(SAMPLE_SECONDS)
        finished = done()
        soak.sample(running, finished)
        run.say(f"{len(soak.promised)} submitted, {finished} done, p95 {soak.samples[-1]['p95']}")
        if len(soak.promised) == soak.jobs:
            submitted = submitted or max(when for when, _ in soak.milliseconds)
            stage.curtain.set()
        if finished >= soak.jobs:
            break
    workload.stop()
    keys = Counter(Job.objects.values_list("idempotency_key", flat=True))
    ids = {str(each) for each in Job.objects.values_list("id", flat=True)}
    ended = Counter(Run.objects.values_list("status", flat=True))
    return {
        "jobs": soak.jobs,
        "seconds to submit": round(submitted, 1),
        "seconds until the last had ended": round(at + SAMPLE_SECONDS, 1),
        "rows": sum(keys.values()),
        "lost": sum(job not in ids for job in soak.promised.values()),
        "doubled": sum(times > 1 for times in keys.values()),
        "runs": dict(ended),
        "steps": Step.objects.count(),
        "steps expected": soak.jobs * STEPS,
        "answers": dict(workload.tally.statuses),
        "faults": {f.name: f.injections for f in chosen},
        "p95 of all, ms": round(
            statistics.quantiles([t for _, t in soak.milliseconds], n=20)[18], 1
        ),
    }


def _submit_always(chance: random.Random, soak: Soak, workload: Any, place: Any) -> None:
    caller = workload.client(chance, place)
    calls = [
        {"n": n, "by": "agent", "tool": "look", "args": {"n": n}, "kind": "read", "result": n}
        for n in range(STEPS)
    ]
    while (number := soak.next()) is not None and not workload.is_over:
        key = str(uuid5(place.id, f"soak-{number}"))
        state = place.states[number % len(place.states)]
        body = {"workflow": "recorded", "state": state, "input": {"calls": calls}}
        answer = caller.ask("POST", "/api/v1/jobs", body, headers={"Idempotency-Key": key})
        if answer.status == 202:
            soak.took(key, answer.body["id"], answer.milliseconds)


def slopes(samples: Sequence[dict[str, Any]], jobs: int) -> Iterator[dict[str, Any]]:
    """Lay a line through each series after the warm-up; say what it gains in an hour and a job."""
    busy = [each for each in samples if each["submitted"] < jobs] or list(samples)
    rest = busy[int(len(busy) * WARM_UP) :]
    series = {f"rss {name}": [s["rss"].get(name) for s in rest] for name in rest[0]["rss"]}
    series["p95"] = [s["p95"] for s in rest]
    for name, values in series.items():
        points = [(s["at"], v) for s, v in zip(rest, values, strict=True) if v is not None]
        if len(points) > 2:
            line = statistics.linear_regression(*zip(*points, strict=True))
            a_second = line.slope
            mean = statistics.fmean(v for _, v in points)
            yield {
                "series": name,
                "mean": round(mean, 2),
                "per hour": round(a_second * 3600, 2),
                "percent a minute": round(a_second * 6000 / mean, 3) if mean else 0.0,
            }


def main() -> int:
    """Run once; 1 when something was lost, doubled or left."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_001)
    parser.add_argument("--rate", type=float, default=62.0, help="jobs a second")
    parser.add_argument("--faults", default="", help="such as F1,F6,F7")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    asked = parser.parse_args()
    began = datetime.now(UTC)
    places: list[Any] = []

    def build() -> None:
        from tests.chaos import world  # noqa: PLC0415  (needs Django)

        places.append(world.build("soak", states=20))

    with ExitStack() as stack:
        running = stack.enter_context(product.running(1, before=build))
        soak = Soak(asked.jobs, asked.rate)
        told = lead(soak, running, places[0], [*filter(None, asked.faults.split(","))])
        from tests.chaos.report import machine  # noqa: PLC0415

        told = {
            "began_at": began.isoformat(timespec="seconds"),
            "code": product.git("rev-parse", "--short", "HEAD"),
            "machine": machine(),
            **told,
            "slopes": list(slopes(soak.samples, asked.jobs)),
            "samples": soak.samples,
        }
    asked.out.mkdir(parents=True, exist_ok=True)
    name = f"{began:%Y-%m-%d-%H%M%S}-soak"
    (asked.out / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n")
    (asked.out / f"{name}.svg").write_text(plot.svg(soak.samples))
    shown = {key: value for key, value in told.items() if key not in {"samples", "machine"}}
    print(json.dumps(shown, indent=1))  # noqa: T201
    is_whole = told["rows"] == asked.jobs and not told["lost"] and not told["doubled"]
    return 0 if is_whole and told["runs"] == {"succeeded": asked.jobs} else 1


if __name__ == "__main__":
    sys.exit(main())
