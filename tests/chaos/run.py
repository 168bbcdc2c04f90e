"""One run: build a world, let it work, hurt it, let it come to rest, and question it.

What is printed on the way is for whoever waits; what counts stands in the report.
"""

import logging
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count

from agents.lifecycle import FINISHED
from agents.models import Run
from approvals.lifecycle import IN_FLIGHT, OPEN, UNSENT
from approvals.models import Attempt, Connector, Decision, Execution, Proposal, Resolution
from console.ledger import queries as ledger
from console.supervision import embedded
from tests.chaos import report, world
from tests.chaos.bank import DOORS, Books
from tests.chaos.clearing import clear_always
from tests.chaos.faults import FAULTS, ON_THEIR_OWN
from tests.chaos.faults.outside import MOODS
from tests.chaos.faults.stage import Deadly, Fault, Stage
from tests.chaos.oracle import Evidence, Violation, question
from tests.chaos.product import Product, family_of, git, send
from tests.chaos.rewind import copy, go_back
from tests.chaos.workload import Workload, calmly

QUIET_AT_MOST = 240.0
# When the copy is taken that the database goes back to in the end.
BEFORE_THE_COPY = 0.6
SAY_EVERY = 20.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a run; `pace` above 1 makes everything happen more seldom."""

    seed: int
    minutes: float
    faults: tuple[str, ...] = ()
    rate: float = 3.0
    pace: float = 1.0
    calm_seconds: float = 20.0
    rewinds: bool = True


@dataclass
class Outcome:
    """What is left of a run before it is told."""

    plan: Plan
    product: Product
    workload: Workload
    faults: list[Fault]
    violations: list[Violation]
    wrong: list[str]
    seconds: dict[str, float]
    latency: dict[str, Any]


def lead(plan: Plan, product: Product, places: list[world.Place]) -> dict[str, Any]:
    """Lead one run over a product that was just started; return the report."""
    began = time.monotonic()
    workload = workload_of(plan, product, places)
    books = Books(product.bank_dir)
    stage = Stage(product, workload, plan.seed)
    chosen = [kind(stage) for kind in FAULTS if not plan.faults or kind.name in plan.faults]
    workload.start()
    workload.hand("clearing", clear_always, workload, books)
    seconds = {"set up": time.monotonic() - began}
    latency = _measure_calm(plan, product, workload)
    began, since = time.monotonic(), datetime.now(UTC)
    product.mood(MOODS, hang=3.0, late=3.0, slow=0.3)
    for fault in chosen:
        workload.hand(fault.name, fault.always, plan.pace)
    _wait(plan.minutes * 60 * BEFORE_THE_COPY, workload, chosen)
    has_copy = plan.rewinds and _copied(product)
    _wait(plan.minutes * 60 * (1 - BEFORE_THE_COPY), workload, chosen)
    seconds["faults"] = time.monotonic() - began
    began = time.monotonic()
    _calm_down(stage)
    wait_until_nothing_moves(workload)
    seconds["quiet"] = time.monotonic() - began
    workload.stop()
    latency["with faults"] = _latency(since, datetime.now(UTC))
    for fault in chosen:
        fault.look()
    evidence = Evidence(
        workload.places, workload.asked, books.entries(), product.to_bank.cuts, workload.decided
    )
    violations = question(evidence)
    outcome = Outcome(plan, product, workload, chosen, violations, stage.wrong, seconds, latency)
    told = _told(outcome)
    if has_copy:
        told["rewind"] = _rewound(product, workload, books)
        told["wrong"] += [f"F24: {ref} is not named" for ref in told["rewind"]["missed"]]
    told["totals"]["violations"] = len(told["violations"]) + len(told["wrong"])
    return told


def _told(outcome: Outcome) -> dict[str, Any]:
    product, workload = outcome.product, outcome.workload
    return {
        "seed": outcome.plan.seed,
        "run": {
            "ended at": datetime.now(UTC).isoformat(timespec="seconds"),
            "code": git("rev-parse", "--short", "HEAD"),
            "plan": asdict(outcome.plan),
            **{f"seconds: {name}": round(took, 1) for name, took in outcome.seconds.items()},
        },
        "totals": _totals(outcome),
        "faults": [_of(fault) for fault in outcome.faults],
        "on_their_own": ON_THEIR_OWN,
        "violations": [asdict(each) for each in outcome.violations],
        "wrong": [*outcome.wrong, *workload.tally.unforeseen[:20]],
        "rewind": {},
        "answers": dict(sorted(workload.tally.statuses.items())),
        "did": dict(sorted(workload.did.items())),
        "executions": _counted(Execution.objects.values_list("retry_class", "status")),
        "runs": _counted(Run.objects.values_list("status", "problem_code")),
        "latency": outcome.latency,
        "ended": dict(product.ended),
        "memory": {name: round(size / 1e6, 1) for name, size in product.rss().items()},
        "machine": report.machine(),
    }


def _measure_calm(plan: Plan, product: Product, workload: Workload) -> dict[str, Any]:
    """Let everybody work without faults, and then without a broker."""
    latency = {}
    for name, has_broker in (("calm", True), ("calm, without a broker", False)):
        if not has_broker:
            send(product.pid("valkey"), signal.SIGSTOP)
        since = datetime.now(UTC)
        _wait(plan.calm_seconds, workload, [])
        latency[name] = _latency(since, datetime.now(UTC))
        send(product.pid("valkey"), signal.SIGCONT)
    return latency


def _copied(product: Product) -> bool:
    for _ in range(10):
        try:
            copy(product)
        except embedded.Unavailable as error:
            say(str(error)[:200])
            time.sleep(3)
        else:
            return True
    return False


def _rewound(product: Product, workload: Workload, books: Books) -> dict[str, Any]:
    try:
        return go_back(product, workload.places, books)
    except TimeoutError as error:
        return {"missed": [str(error)]}


def say(line: str) -> None:
    """Tell whoever waits."""
    print(f"{datetime.now(UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)  # noqa: T201


def workload_of(plan: Plan, product: Product, places: list[world.Place]) -> Workload:
    """Return everybody who works, as soon as the sender knows the bank."""
    product.mood({"ok": 1})
    until = time.monotonic() + 90
    while Connector.objects.filter(is_offered=True).count() < len(DOORS) * len(places):
        if time.monotonic() > until:
            raise TimeoutError(f"The sender announced no connectors: {product.said('sender')}")
        time.sleep(0.2)
    logging.getLogger("tests.chaos").setLevel(logging.WARNING)
    return Workload(places, product.addresses, plan.seed, plan.rate)


def _wait(seconds: float, workload: Workload, faults: Sequence[Fault]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(SAY_EVERY, left))
        struck = {fault.name: fault.injections for fault in faults if fault.injections}
        ended = calmly(lambda: _counted(Execution.objects.values_list("status")))
        say(f"{len(workload.asked)} asked, {ended} struck {struck}")


def _calm_down(stage: Stage) -> None:
    """Take every fault away, and let nothing new be asked."""
    stage.curtain.set()
    stage.workload.stop_asking()
    product = stage.product
    product.disarm()
    product.to_bank.disarm()
    product.to_database.thaw()
    product.mood({"ok": 1})
    for pid in product.supervisor.pids().values():
        for each in (pid, *family_of(pid)):
            send(each, signal.SIGCONT)


def wait_until_nothing_moves(workload: Workload) -> None:
    """Wait until everything has ended that is going to, for four minutes at most."""
    until, said = time.monotonic() + QUIET_AT_MOST, 0.0
    while time.monotonic() < until:
        left = calmly(left_over)
        if left is not None and not sum(left.values()):
            # Whatever was woken by the last one gets a moment.
            time.sleep(3)
            if not sum((calmly(left_over) or {"?": 1}).values()):
                return
        if time.monotonic() > said:
            said = time.monotonic() + SAY_EVERY
            say(f"quiet: left {left}, people {dict(workload.did)}")
        time.sleep(1)


def left_over() -> dict[str, int]:
    """Return how much has not ended."""
    return {
        "runs": Run.objects.exclude(status__in=FINISHED).count(),
        "proposals": Proposal.objects.filter(status__in=OPEN).count(),
        "executions": Execution.objects.filter(status__in=[*UNSENT, *IN_FLIGHT]).count(),
    }


def _latency(since: datetime, until: datetime) -> dict[str, Any]:
    """Return how long it took from the last approval in a time to the first byte."""
    decided: dict[tuple[UUID, int], datetime] = {}
    rows = Decision.objects.filter(decided_at__gte=since, decided_at__lt=until, choice="approve")
    for proposal, revision, at in rows.values_list("proposal", "revision", "decided_at"):
        decided[proposal, revision] = max(decided.get((proposal, revision), at), at)
    first = Attempt.objects.filter(number=1, sent_at__gte=since).values_list(
        "execution__proposal", "execution__revision", "sent_at"
    )
    took = [(at - decided[p, r]).total_seconds() for p, r, at in first if (p, r) in decided]
    if len(took) < 2:
        return {"sent": len(took)}
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return {"sent": len(took), "median": round(cuts[49], 2), "p95": round(cuts[94], 2)}


def _totals(outcome: Outcome) -> dict[str, Any]:
    deaths = {f.name: f.kills for f in outcome.faults if isinstance(f, Deadly)}
    seen: Counter[str] = Counter()
    for fault in outcome.faults:
        seen.update(fault.seen)
    attempts = Attempt.objects.aggregate(n=Count("id"))["n"]
    return {
        "kills of worker and sender": deaths.get("F1", 0) + deaths.get("F2", 0),
        "of the worker": deaths.get("F1", 0),
        "of the sender": deaths.get("F2", 0),
        "kills of the web": deaths.get("F4", 0),
        "restarts of PostgreSQL": sum(seen[how] for how in ("immediate", "kill -9", "fast")),
        "broker flushes": seen["flushes"] + seen["data lost"],
        "cuts after the request bytes": seen["cut after the whole request"],
        "cuts within a request": seen["cut within it"],
        "attempts": attempts,
        "came into doubt": _said(outcome, "execution.in_doubt"),
        "were set aside": _said(outcome, "execution.quarantined"),
        "settled by people": Resolution.objects.values("execution").distinct().count(),
        "asked for": len(outcome.workload.asked),
        "promised": sum(1 for each in outcome.workload.asked if each.id),
        "decisions": Decision.objects.count(),
        "longest without an answer, s": round(outcome.workload.tally.longest_outage, 1),
    }


def _said(outcome: Outcome, verb: str) -> int:
    """Return how often the ledgers say something."""
    rows = (ledger.entries(place.id) for place in outcome.workload.places)
    return sum(each.filter(verb=verb).count() for each in rows)


def _of(fault: Fault) -> dict[str, Any]:
    return {
        "name": fault.name,
        "title": fault.title,
        "expected": fault.expected,
        "injections": fault.injections,
        "seen": dict(sorted(fault.seen.items())),
        "worst": fault.worst,
    }


def _counted(rows: Any) -> dict[str, int]:
    found = Counter(" ".join(filter(None, map(str, row))) for row in rows)
    return dict(sorted(found.items()))
