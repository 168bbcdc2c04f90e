"""How long after its commit does a step stand on an open page, next to a bare LISTEN/NOTIFY?

One process leads a run, Daphne serves the run page's socket, this one is the browser. Pages
merge what happens within a quarter of a second, so events are kept further apart than that.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client
from websockets import Origin
from websockets.sync.client import ClientConnection, connect

from benchmarks import floor, world
from benchmarks.figures import Part, percentile
from benchmarks.hands import Hand
from benchmarks.servers import console
from console.access.models import User

SLUG = "live"
EVENTS, QUICK_EVENTS = 120, 20
APART_SECONDS = 0.35
PATIENCE_SECONDS = 5.0


def measure(*, rounds: int, quick: bool) -> Part:
    """Return the milliseconds from a step's commit to the frame that shows it."""
    part = Part("live")
    watcher = world.member(world.workspace(SLUG), "reviewer")
    events = QUICK_EVENTS if quick else EVENTS
    with console("web") as address, Hand("benchmarks.beating") as worker:
        run_id = worker.call("begin", SLUG)
        with open_page(address, watcher, SLUG, f"runs/{run_id}/") as page:
            bells, frames = _measured(worker, page, events)
        if (status := worker.call("end", run_id)) != "succeeded":
            part.faults.append(f"The watched run ended as {status}.")
    bell = part.add("LISTEN/NOTIFY", "ms", bells)
    part.add("step on the page", "ms", frames, against=bell)
    late = part.add("LISTEN/NOTIFY p95", "ms", [percentile(bells, 95)])
    part.add("step on the page p95", "ms", [percentile(frames, 95)], against=late)
    return part


def _measured(worker: Hand, page: ClientConnection, events: int) -> tuple[list[float], list[float]]:
    bells, frames = [], []
    with Hand("benchmarks.floor") as ringer, floor.connect() as ear:
        ear.execute(f"LISTEN {floor.CHANNEL}")
        for number in range(events):
            let_pass(page, APART_SECONDS)
            bells.append(_heard(ringer, ear))
            frames.append(_shown(worker, page, f"beat-{number}."))
    return bells, frames


def _heard(ringer: Hand, ear: Any) -> float:
    ringer.ask("notify")
    for note in ear.notifies(timeout=PATIENCE_SECONDS, stop_after=1):
        at = time.time()
        ringer.answer()
        return (at - float(note.payload)) * 1000
    raise TimeoutError("No notification came.")


def _shown(worker: Hand, page: ClientConnection, name: str) -> float:
    worker.ask("beat", name)
    while name not in str(page.recv(timeout=PATIENCE_SECONDS)):
        pass
    at = time.time()
    began: float = worker.answer()
    return (at - began) * 1000


def let_pass(page: ClientConnection, seconds: float) -> None:
    """Take in what is pushed without our doing, until the page is quiet."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            page.recv(timeout=left)
        except TimeoutError:
            return


@contextmanager
def open_page(address: str, watcher: User, slug: str, path: str) -> Iterator[ClientConnection]:
    """Open a page's socket as a browser does, and wait for the region that comes at once."""
    place = f"ws://{urlsplit(address).netloc}/ws/w/{slug}/{path}"
    headers = {"Cookie": session_cookie(watcher)}
    with connect(place, origin=Origin(address), additional_headers=headers) as page:
        page.recv(timeout=PATIENCE_SECONDS)
        yield page


def session_cookie(person: User) -> str:
    """Return the cookie of somebody who has signed in."""
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}"
