"""F12: the disk under PostgreSQL, its log included, is full while everybody works.

`python -m tests.chaos.disk [--seconds 20]`. The disk is a tmpfs of a few hundred megabytes, which
only root may mount; elsewhere it says so and ends with status 0. Filled to the last byte, nothing
may be promised that is not kept, no answer may be a failure without a word, and when there is room
again everything has to go on by itself and come to its end.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos import product

DISK_BYTES = 400_000_000
BACK_AT_MOST = 90.0


class NoDisk(Exception):
    """A disk of its own cannot be mounted here."""


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """Mount a disk of a few hundred megabytes. Raises: NoDisk."""
    folder = Path(tempfile.mkdtemp(prefix="countersign-disk-", dir="/tmp"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    try:
        if not shutil.which("mount"):
            raise NoDisk("There is no mount here.")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoDisk(done.stderr.strip())
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)  # noqa: S607
        folder.rmdir()


class Ballast:
    """What fills a disk, and goes on filling it whenever some of it becomes free."""

    def __init__(self, disk: Path) -> None:
        """Begin with nothing on it."""
        self._disk, self._over = disk, threading.Event()
        self._thread = threading.Thread(target=self._fill_always, name="ballast", daemon=True)

    def __enter__(self) -> "Ballast":
        """Fill the disk, and keep it full."""
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Make room again."""
        self._over.set()
        self._thread.join()
        for path in self._disk.glob("ballast-*"):
            path.unlink()

    def _fill_always(self) -> None:
        number = 0
        while not self._over.wait(0.05):
            room = os.statvfs(self._disk)
            if free := room.f_bavail * room.f_frsize:
                number += 1
                with (
                    contextlib.suppress(OSError),
                    (self._disk / f"ballast-{number}").open("w") as f,
                ):
                    os.posix_fallocate(f.fileno(), 0, free)


def lead(running: product.Product, disk: Path, places: list[Any], seconds: float) -> dict[str, Any]:
    """Let everybody work before, while and after the disk is full; return what is told of it."""
    from tests.chaos import run  # noqa: PLC0415  (needs Django)
    from tests.chaos.bank import Books  # noqa: PLC0415
    from tests.chaos.clearing import clear_always  # noqa: PLC0415

    books = Books(running.bank_dir)
    workload = run.workload_of(run.Plan(seed=1, minutes=0, rate=4.0), running, places)
    workload.start()
    workload.hand("clearing", clear_always, workload, books)
    phases: dict[str, Any] = {}
    with _counted(phases, "room", workload):
        time.sleep(seconds)
    with _counted(phases, "full", workload), Ballast(disk):
        time.sleep(seconds)
    began = time.monotonic()
    back = _seconds_until_done(workload)
    with _counted(phases, "room again", workload):
        time.sleep(seconds)
    workload.stop_asking()
    run.wait_until_nothing_moves(workload)
    workload.stop()
    took = {"until something was taken in again": back, "in all": time.monotonic() - began}
    return {"seconds": took, "phases": phases, **_questioned(running, workload, books)}


@contextlib.contextmanager
def _counted(phases: dict[str, Any], name: str, workload: Any) -> Iterator[None]:
    answered, did = Counter(workload.tally.statuses), Counter(workload.did)
    yield
    phases[name] = {
        "answers": dict(Counter(workload.tally.statuses) - answered),
        "did": dict(Counter(workload.did) - did),
    }


def _seconds_until_done(workload: Any) -> float:
    began, before = time.monotonic(), sum(bool(each.id) for each in workload.asked)
    while time.monotonic() - began < BACK_AT_MOST:
        if sum(bool(each.id) for each in workload.asked) > before:
            return round(time.monotonic() - began, 1)
        time.sleep(0.1)
    raise TimeoutError("Nothing was taken in although there is room again.")


def _questioned(running: product.Product, workload: Any, books: Any) -> dict[str, Any]:
    from approvals.models import Execution  # noqa: PLC0415  (needs Django)
    from tests.chaos.oracle import Evidence, question  # noqa: PLC0415

    entries = books.entries()
    evidence = Evidence(workload.places, workload.asked, entries, (), workload.decided)
    wrong = [asdict(each) for each in question(evidence)]
    wrong += [{"sentence": "answered", "found": [*each]} for each in workload.tally.rude.items()]
    return {
        "asked": len(workload.asked),
        "promised": sum(bool(each.id) for each in workload.asked),
        "decisions answered": len(workload.decided),
        "entries of the bank": len(entries),
        "executions": dict(Counter(Execution.objects.values_list("status", flat=True))),
        "processes that ended": dict(running.ended),
        "PostgreSQL panicked": running.said("postgres").count("PANIC"),
        "wrong": wrong,
    }


def main() -> int:
    """Run once; 1 when anything happened that must not."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.disk", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="before, while and after")
    parser.add_argument("--out", type=Path, default=Path("var/disk"), help="for report and logs")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    places: list[Any] = []

    def build() -> None:
        from tests.chaos import world  # noqa: PLC0415  (needs Django)

        places.extend(world.build_all(20))

    try:
        with (
            small_disk() as disk,
            product.running(1, before=build, folder=asked.out, single=True, disk=disk) as running,
        ):
            told = lead(running, disk, places, asked.seconds)
    except NoDisk as why:
        told = {"skipped": str(why), "wrong": []}
    text = json.dumps(told, indent=1, default=str)
    (asked.out / "disk.json").write_text(text + "\n")
    print(text)  # noqa: T201
    return 1 if told["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
