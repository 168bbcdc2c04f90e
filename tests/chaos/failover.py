"""F19: the primary is killed, its standby takes over; synchronous, or with the tail of it lost.

`python -m tests.chaos.failover sync|async [--seconds 15] [--cut 4]`. Beside a synchronous standby
nothing that was answered may be missing afterwards. The other one is cut off for the last seconds;
there, every payment that our database has forgotten has to be named by the comparison
with the bank's list before anything is sent again. In both the product goes on against the new one.
"""

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg

from console.supervision import addresses, embedded
from console.supervision.processes import Process
from tests.chaos import product
from tests.chaos.product import Product
from tests.chaos.proxy import Wire

PATIENCE_SECONDS = 60.0


class Standby:
    """A second PostgreSQL that follows the first one over a wire."""

    def __init__(self, running: Product) -> None:
        """Copy the primary while everybody works, and follow it."""
        from tests.chaos.rewind import copy  # noqa: PLC0415  (needs Django)

        self._running, self._run = running, Path(tempfile.mkdtemp(prefix="countersign-s-"))
        self._wire = Wire(addresses.run_dir() / ".s.PGSQL.5432")
        self._data = copy(running)
        conninfo = f"host=127.0.0.1 port={self._wire.start()} user={embedded.USER}"
        with (self._data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = '{conninfo}'\n")
        (self._data / "standby.signal").touch()
        running.supervisor.start(self._process())
        _until(self._is_streaming)

    def _process(self) -> Process:
        server = embedded.find_postgres()
        options = ("listen_addresses=", "max_connections=100", "shared_buffers=64MB")
        return Process(
            name="standby",
            argv=(
                *(*server.prefix, str(server.bin_dir / "postgres"), "-D", str(self._data)),
                *("-k", str(self._run), *(w for option in options for w in ("-c", option))),
            ),
            user=server.user,
            is_ready=lambda: embedded._postgres_answers(self._run),
        )

    def be_waited_for(self) -> None:
        """Let no commit be answered before it is here, too."""
        with primary() as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        _until(lambda: self._state() == "sync")

    def cut_off(self) -> None:
        """Let nothing more arrive here."""
        self._wire.freeze()

    def take_over(self) -> float:
        """Kill the primary, and answer in its place; return in how many seconds."""
        children, began = self._running.supervisor._children, time.monotonic()
        dead = children.pop("postgres")
        # Its own processes notice at once that it is gone; nobody starts it again.
        dead._popen.kill()
        dead.bury()
        self._wire.sever()
        with psycopg.connect(host=str(self._run), user=embedded.USER, dbname="postgres") as session:
            session.execute("SELECT pg_promote()")
        old, new = (folder / ".s.PGSQL.5432" for folder in (addresses.run_dir(), self._run))
        old.unlink(missing_ok=True)
        old.symlink_to(new)
        return round(time.monotonic() - began, 2)

    def close(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._run, ignore_errors=True)

    def _is_streaming(self) -> bool:
        return bool(self._state())

    def _state(self) -> str:
        with primary() as connection:
            row = connection.execute("SELECT sync_state FROM pg_stat_replication").fetchone()
        return row[0] if row else ""


def primary() -> psycopg.Connection[Any]:
    """Return a connection to whoever answers for the database, as its owner."""
    return psycopg.connect(
        host=str(addresses.run_dir()), user=embedded.USER, dbname="countersign", autocommit=True
    )


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError("The standby did not follow.")
        time.sleep(0.1)


def synchronous(running: Product, places: list[Any], seconds: float) -> dict[str, Any]:
    """Kill a primary whose standby has everything; return what is told of it."""
    from tests.chaos import run  # noqa: PLC0415  (needs Django)
    from tests.chaos.oracle import Evidence, question  # noqa: PLC0415

    with _working(running, places) as (workload, books), _standby(running) as standby:
        standby.be_waited_for()
        time.sleep(seconds)
        before = sum(bool(each.id) for each in workload.asked)
        decided, took = len(workload.decided), standby.take_over()
        back = _seconds_until_taken_in(workload)
        time.sleep(seconds)
        workload.stop_asking()
        run.wait_until_nothing_moves(workload)
        workload.stop()
        entries = books.entries()
        evidence = Evidence(places, workload.asked, entries, (), workload.decided)
        return {
            **_counted(workload),
            "promised before the failover": before,
            "decisions answered before it": decided,
            "seconds to promote": took,
            "seconds until something was taken in": back,
            "longest time that nobody was served": round(workload.tally.longest_outage, 2),
            "entries of the bank": len(entries),
            "wrong": [asdict(each) for each in question(evidence)],
        }


def with_lost_tail(
    running: Product, places: list[Any], seconds: float, cut: float
) -> dict[str, Any]:
    """Kill a primary whose standby lacks the last seconds; return what is told of it."""
    from approvals.queries.invariants import broken  # noqa: PLC0415  (needs Django)
    from console.ledger import queries as ledger  # noqa: PLC0415
    from tests.chaos.rewind import go_back  # noqa: PLC0415

    took: list[float] = []
    with _working(running, places) as (workload, books), _standby(running) as standby:
        time.sleep(seconds)
        standby.cut_off()
        time.sleep(cut)
        workload.stop_asking()
        told = go_back(running, places, books, lambda _: took.append(standby.take_over()))
        missing = _missing(workload)
        back = _works_on(workload)
        workload.stop()
        wrong = [{"sentence": "named by the comparison", "found": told["missed"]}]
        wrong += [{"sentence": each.sentence, "found": each.ids} for each in broken()]
        wrong += [
            {"sentence": "the ledger's chain", "found": [objection]}
            for place in places
            if (objection := ledger.verify(place.id).objection)
        ]
        return {
            **_counted(workload),
            **told,
            "promised, and forgotten with the tail": missing,
            "seconds to promote": took[0],
            "seconds until something new was carried out": back,
            "wrong": [each for each in wrong if each["found"]],
        }


@contextlib.contextmanager
def _standby(running: Product) -> Iterator[Standby]:
    standby = Standby(running)
    try:
        yield standby
    finally:
        standby.close()


@contextlib.contextmanager
def _working(running: Product, places: list[Any]) -> Iterator[tuple[Any, Any]]:
    from tests.chaos import run  # noqa: PLC0415  (needs Django)
    from tests.chaos.bank import Books  # noqa: PLC0415
    from tests.chaos.clearing import clear_always  # noqa: PLC0415

    books = Books(running.bank_dir)
    workload = run.workload_of(run.Plan(seed=1, minutes=0, rate=4.0), running, places)
    workload.start()
    workload.hand("clearing", clear_always, workload, books)
    try:
        yield workload, books
    finally:
        workload.stop()


def _counted(workload: Any) -> dict[str, Any]:
    return {
        "promised": sum(bool(each.id) for each in workload.asked),
        "decisions answered": len(workload.decided),
        "answers": dict(workload.tally.statuses),
        "failures without a word": dict(workload.tally.rude),
    }


def _missing(workload: Any) -> int:
    from agents.models import Job  # noqa: PLC0415  (needs Django)
    from approvals.models import Proposal  # noqa: PLC0415

    ids = {
        str(row) for kind in (Job, Proposal) for row in kind.objects.values_list("id", flat=True)
    }
    return sum(bool(each.id) and each.id not in ids for each in workload.asked)


def _seconds_until_taken_in(workload: Any) -> float:
    began, before = time.monotonic(), sum(bool(each.id) for each in workload.asked)
    _until(lambda: sum(bool(each.id) for each in workload.asked) > before)
    return round(time.monotonic() - began, 2)


def _works_on(workload: Any) -> float:
    """Ask for notes, which nobody sends anywhere; return when the first of them was carried out."""
    from approvals.models import Execution  # noqa: PLC0415  (needs Django)

    began, known = time.monotonic(), {*Execution.objects.values_list("id", flat=True)}
    workload.note_share = 1.0
    workload._asking.set()
    workload.hand("asker-again", workload._ask_steadily, 1)
    _until(
        lambda: (
            Execution.objects.filter(retry_class="local", status="succeeded")
            .exclude(id__in=known)
            .exists()
        )
    )
    took = time.monotonic() - began
    workload.stop_asking()
    return round(took, 2)


def main() -> int:
    """Run once; 1 when anything was lost that must not be."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.failover", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="before and after")
    parser.add_argument("--cut", type=float, default=4.0, help="seconds that the standby lacks")
    parser.add_argument("kind", choices=("sync", "async"))
    parser.add_argument("--out", type=Path, default=Path("var/failover"), help="report and logs")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    places: list[Any] = []

    def build() -> None:
        from tests.chaos import world  # noqa: PLC0415  (needs Django)

        places.extend(world.build_all(20))

    with product.running(1, before=build, folder=asked.out, single=True) as running:
        if asked.kind == "sync":
            told = synchronous(running, places, asked.seconds)
        else:
            told = with_lost_tail(running, places, asked.seconds, asked.cut)
    text = json.dumps(told, indent=1, default=str)
    (asked.out / f"failover-{asked.kind}.json").write_text(text + "\n")
    print(text)  # noqa: T201
    return 1 if told["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
