"""F24, and what an asynchronous standby loses: the database forgets minutes, the bank does not.

A copy is taken in the middle of the work and put in the place of the original at the end. Nothing
may be sent then: an admin stops sending before the sender is let at it. The comparison with the
bank's list has to name every payment that we have forgotten.
"""

import contextlib
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import connections

from approvals.models import Attempt, Discrepancy, Execution, Reconciliation
from approvals.operations.reconciling import ask_for_reconciliation
from approvals.operations.stopping import stop_sending
from console.actors import Actor
from console.supervision import embedded
from tests.chaos.bank import Books
from tests.chaos.product import Product, family_of, send
from tests.chaos.workload import calmly
from tests.chaos.world import Place

LISTED = ("keyed", "queryable")
PATIENCE_SECONDS = 90.0


def copy(product: Product) -> Path:
    """Take a copy of the database while it works; return where it lies."""
    server = embedded.find_postgres()
    target = product.var / "copy"
    shutil.rmtree(target, ignore_errors=True)
    server.run(
        "pg_basebackup",
        *("-h", str(product.run), "-U", embedded.USER, "-D", str(target)),
        *("-X", "stream", "-c", "fast"),
    )
    return target


def go_back(
    product: Product,
    places: Sequence[Place],
    books: Books,
    swap: Callable[[Product], object] | None = None,
) -> dict[str, Any]:
    """Put the copy, or whatever `swap` does, in the original's place; see what comparing finds."""
    before = Attempt.objects.count()
    senders = [each for name in product.names("sender") for each in _all_of(product, name)]
    for pid in senders:
        send(pid, signal.SIGSTOP)
    (swap or _swap)(product)
    connections.close_all()
    admins = [place.people["ada"].actor for place in places]
    for admin, place in zip(admins, places, strict=True):
        _until(lambda a=admin, p=place: _stop(a, p))  # type: ignore[misc]
    for pid in senders:
        send(pid, signal.SIGCONT)
    began = datetime.now(UTC)
    for admin in admins:
        for door in LISTED:
            _until(lambda a=admin, d=door: _ask(a, d))  # type: ignore[misc]
    _until(
        lambda: (
            Reconciliation.objects.filter(began_at__gte=began).exclude(ended_at=None).count()
            >= len(LISTED) * len(places)
        )
    )
    return _found(books, before)


def _found(books: Books, before: int) -> dict[str, Any]:
    known = {e.hex for e in Execution.objects.exclude(sent_at=None).values_list("id", flat=True)}
    lost = [entry for entry in books.entries() if entry.door != "blind" and entry.key not in known]
    named = set(Discrepancy.objects.filter(closed_at=None).values_list("key", flat=True))
    return {
        "attempts before": before,
        "attempts in the copy": Attempt.objects.count(),
        "payments we have forgotten": len(lost),
        "of these named by the comparison": sum(entry.key in named for entry in lost),
        "missed": [entry.ref for entry in lost if entry.key not in named],
        "blind payments, which no list shows": sum(e.door == "blind" for e in books.entries()),
    }


def _swap(product: Product) -> None:
    connections.close_all()
    data = next(product.var.glob("pg[0-9]*"))
    pid = product.pid("postgres")
    data.rename(product.var / "forgotten")
    (product.var / "copy").rename(data)
    product.kill("postgres")
    _until(lambda: product.pid("postgres") != pid and product.database_answers())


def _all_of(product: Product, name: str) -> list[int]:
    pid = product.pid(name)
    return [pid, *family_of(pid)]


def _stop(admin: Actor, place: Place) -> bool:
    stop_sending(
        actor=admin, reason="The database was restored.", typed=place.slug, now=datetime.now(UTC)
    )
    return True


def _ask(admin: Actor, door: str) -> bool:
    ask_for_reconciliation(actor=admin, name=door, now=datetime.now(UTC))
    return True


def _until(work: Callable[[], Any]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            if calmly(work, what="rewind"):
                return
        time.sleep(0.5)
    raise TimeoutError("The database did not come to what was waited for.")
