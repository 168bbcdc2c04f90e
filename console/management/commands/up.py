"""Start the whole console on this machine and keep it running."""

import contextlib
import json
import signal
import threading
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.supervision import addresses, lock, supervisor
from console.supervision.embedded import Unavailable
from console.supervision.parts import Options, PortTaken


class Command(BaseCommand):
    """Servers, migrations, demo and processes: all that `make run` needs."""

    help = "Start the whole console and keep it running until Ctrl-C."
    requires_system_checks = ()
    _deaf_until = 0.0

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what a person may choose."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, help="default: 8000, or the next free one")
        parser.add_argument("--no-demo", action="store_true", help="start with empty tables")

    def handle(self, *, host: str, port: int | None, no_demo: bool, **_options: Any) -> None:
        """Run until somebody asks for the end."""
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, self._interrupt)
        try:
            self._run(Options(host=host, port=port, demo=not no_demo))
        except (supervisor.StartFailed, Unavailable, PortTaken, lock.Busy, OSError) as refusal:
            raise CommandError(str(refusal)) from refusal
        except KeyboardInterrupt:
            self._say("Stopped. Everything is kept in " + str(addresses.var_dir()))

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        # A wrapper may pass on the signal that the terminal sent already; it is one wish, not two.
        if time.monotonic() > self._deaf_until:
            self._deaf_until = time.monotonic() + 1.0
            raise KeyboardInterrupt

    def _run(self, options: Options) -> None:
        claimed = lock.claim(self._say)
        if isinstance(claimed, str):
            self._say(f"Countersign is already running at {claimed}")
            return
        self._say("Countersign is starting.")
        with supervisor.started(claimed, options, self._say) as address:
            self._welcome(address)
            try:
                threading.Event().wait()
            finally:
                self._say("Stopping.")

    def _welcome(self, address: str) -> None:
        self._say(f"\nCountersign is running at {address}\n")
        notes = addresses.run_dir() / "demo.json"
        if notes.exists():
            for line in _sign_ins(json.loads(notes.read_text())):
                self._say(line)
        self._say("\nCtrl-C stops it. Logs are in " + str(addresses.var_dir() / "log"))

    def _say(self, line: str) -> None:
        # A terminal that was closed must not stop the supervisor from its work.
        with contextlib.suppress(OSError):
            self.stdout.write(line)
            self.stdout.flush()


def _sign_ins(notes: list[dict[str, str]]) -> list[str]:
    """Return a line for each person, and one for the password that they share."""
    people: dict[str, list[dict[str, str]]] = {}
    for note in notes:
        people.setdefault(note["email"], []).append(note)
    lines = [
        f"  {email:<28} {held[0]['role']:<9} {', '.join(note['workspace'] for note in held)}"
        for email, held in people.items()
    ]
    words = sorted({note["password"] for note in notes})
    return [*lines, f"\n  password for all of them: {', '.join(words)}"]
