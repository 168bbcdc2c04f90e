"""F25: an earlier version becomes this one while people go on working.

`python -m tests.chaos.upgrade [--from REF] [--seconds 10]`. In the order of docs/operations.md:
this version's `migrate` and `grant_roles` beside the earlier one's processes; then workers, sender
and timer; then the web, old and new side by side for a while. Exit status 1 when anything was lost,
left, or answered with a failure other than "503, ask again in so many seconds".
"""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import django

from console.supervision import parts
from tests.chaos import product
from tests.chaos.checkout import Checkout, Failed, checked_out, version_before

# Workspaces, and for how many seconds what was approved is held in each.
HOLDS = {"north": 0, "south": 3}
PEOPLE = {"ana": "reviewer", "ben": "reviewer", "eve": "engineer"}
# Commands of an upgrade are repeated when they lost the race for a lock; nothing is half done.
TRIES = 5
RATE = 3.0


@dataclass
class Upgrade:
    """What serves at each moment of an upgrade, and how long each step of it took."""

    running: product.Product
    old: Checkout
    new: Checkout
    seconds: float
    took: dict[str, float] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    gave_up: list[str] = field(default_factory=list)
    phases: dict[str, dict[str, float]] = field(default_factory=dict)

    def command(self, name: str) -> None:
        """Run one of this version's commands until it got the locks it needs. Raises: Failed."""
        began = time.monotonic()
        while True:
            self.tries[name] += 1
            try:
                self.new.manage(name)
            except Failed as failed:
                self.gave_up.append(str(failed)[-400:])
                if self.tries[name] == TRIES:
                    raise
                time.sleep(1)
            else:
                break
        self.took[name] = round(time.monotonic() - began, 1)

    def stop(self, *names: str) -> None:
        """End processes for good."""
        children = self.running.supervisor._children
        for name in names:
            children[name].ask_to_stop()
        for name in names:
            child = children.pop(name)
            child.end(child.process.stop_timeout)

    @contextlib.contextmanager
    def phase(self, name: str, tally: Any) -> Iterator[None]:
        """Count what is answered during a step, and for a while after it."""
        before, tally.slowest_milliseconds = Counter(tally.statuses), 0.0
        yield
        time.sleep(self.seconds)
        slowest = {"slowest, seconds": round(tally.slowest_milliseconds / 1000, 2)}
        self.phases[name] = {**(Counter(tally.statuses) - before), **slowest}


@contextlib.contextmanager
def upgrading(ref: str, seconds: float, folder: Path) -> Iterator[Upgrade]:
    """Yield servers over a new folder with the earlier version's tables."""
    var = Path(tempfile.mkdtemp(prefix="countersign-upgrade-", dir="/tmp"))
    try:
        product.own_environment(var, "console.settings")
        os.environ.update(product.SHORT)
        with checked_out(ref) as old, product.servers(var, 1) as running:
            django.setup()
            old.manage("migrate")
            old.manage("grant_roles" if old.has_command("grant_roles") else "grant_runtime")
            yield Upgrade(running, old, Checkout(product.TOP), seconds)
    finally:
        shutil.copytree(var / "log", folder / "log", dirs_exist_ok=True)
        shutil.rmtree(var, ignore_errors=True)


def lead(upgrade: Upgrade) -> dict[str, Any]:
    """Lead one upgrade; return what is told of it."""
    from tests.chaos import run  # noqa: PLC0415  (needs Django)
    from tests.chaos.visiting import places, visit_always  # noqa: PLC0415
    from tests.chaos.workload import Workload  # noqa: PLC0415

    password, supervisor = secrets.token_hex(12), upgrade.running.supervisor
    with parts.listen(parts.Options()) as first, parts.listen(parts.Options()) as second:
        wanted = {"holds": HOLDS, "people": PEOPLE, "password": password, "states": 60}
        world = upgrade.old.ask("build", wanted)
        supervisor.start(*upgrade.old.processes(first))
        addresses = [parts.address_of(first)]
        workload = Workload(places(world, password, addresses[0]), addresses, 1, RATE)
        workload.note_share = 1.0
        workload.start()
        workload.hand("visitor", visit_always, workload, world, password)
        _replace(upgrade, workload, second)
        workload.stop_asking()
        run.wait_until_nothing_moves(workload)
        workload.stop()
    return _told(upgrade, workload)


def _replace(upgrade: Upgrade, workload: Any, second: Any) -> None:
    """Replace one part after another while everybody works."""
    supervisor, tally, running = upgrade.running.supervisor, workload.tally, upgrade.running
    with upgrade.phase("old", tally):
        pass
    with upgrade.phase("tables", tally):
        upgrade.command("migrate")
        upgrade.command("grant_roles")
    product.write_connectors(running, running.to_bank.start())
    web, *others = parts.console(second)
    with upgrade.phase("old web, new workers", tally):
        upgrade.stop(*_old_but_web(supervisor))
        supervisor.start(*others)
    with upgrade.phase("old and new web", tally):
        supervisor.start(web)
        workload.addresses.append(parts.address_of(second))
    with upgrade.phase("new", tally):
        del workload.addresses[0]
        # What was asked there is answered first.
        time.sleep(2)
        upgrade.stop("old-web")


def _old_but_web(supervisor: Any) -> list[str]:
    return [each for each in supervisor.pids() if each.startswith("old-") and each != "old-web"]


def _told(upgrade: Upgrade, workload: Any) -> dict[str, Any]:
    from approvals.models import Decision, Execution  # noqa: PLC0415  (needs Django)
    from tests.chaos import run  # noqa: PLC0415
    from tests.chaos.oracle import Evidence, question  # noqa: PLC0415

    evidence = Evidence(workload.places, workload.asked, (), (), workload.decided)
    wrong = [asdict(each) for each in question(evidence)]
    wrong += [
        {"sentence": "left over", "found": [what]} for what, n in run.left_over().items() if n
    ]
    wrong += [
        {"sentence": "answered", "found": [what, n]} for what, n in workload.tally.rude.items()
    ]
    executions = Counter(Execution.objects.values_list("status", flat=True))
    return {
        "took": upgrade.took,
        "tries": dict(upgrade.tries),
        "gave up": upgrade.gave_up,
        "phases": upgrade.phases,
        "answers": dict(workload.tally.statuses),
        "longest time that nobody was served": round(workload.tally.longest_outage, 2),
        "did": dict(workload.did),
        "asked": len(workload.asked),
        "promised": sum(bool(each.id) for each in workload.asked),
        "decisions answered": len(workload.decided),
        "decisions": Decision.objects.count(),
        "executions": dict(executions),
        "wrong": wrong,
    }


def main() -> int:
    """Run once."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.upgrade", description=__doc__)
    parser.add_argument("--from", dest="ref", default=version_before(), help="a tag or commit")
    parser.add_argument("--seconds", type=float, default=10.0, help="after each step")
    parser.add_argument("--out", type=Path, default=Path("var/upgrade"), help="for report and logs")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with upgrading(asked.ref, asked.seconds, asked.out) as upgrade:
        told = {"from": asked.ref, "to": product.git("rev-parse", "HEAD"), **lead(upgrade)}
    text = json.dumps(told, indent=1, default=str)
    (asked.out / "upgrade.json").write_text(text + "\n")
    print(text)  # noqa: T201
    return 1 if told["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
