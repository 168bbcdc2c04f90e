"""Another version of the console beside this one: its code in a folder of its own, its processes.

The environment of libraries is ours; what an earlier version needs, later ones have had so far.
"""

import contextlib
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.supervision import parts
from console.supervision.processes import Process
from tests.chaos.product import TOP, git

EARLIER = TOP / "tests" / "chaos" / "earlier.py"
SECONDS = 600
# The first migration that no released version has.
FIRST_OF_THIS_RELEASE = "approvals/migrations/0009_effects_that_leave_the_house.py"


class Failed(Exception):
    """A command of one of the versions failed."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """The code of one version."""

    folder: Path

    def manage(self, *arguments: str) -> str:
        """Run one of its commands as the owner of the tables. Raises: Failed."""
        return self._run([sys.executable, "manage.py", *arguments])

    def has_command(self, name: str) -> bool:
        """Say whether it has a command of this name."""
        return (self.folder / f"console/management/commands/{name}.py").exists()

    def ask(self, verb: str, asked: Mapping[str, Any], *, inherits: tuple[int, ...] = ()) -> Any:
        """Let its code answer something; see earlier.py. Raises: Failed."""
        argv = [sys.executable, "-P", str(EARLIER), verb]
        return json.loads(self._run(argv, json.dumps(asked), inherits=inherits))

    def processes(self, listener: socket.socket) -> list[Process]:
        """Return its processes, serving on a socket of ours; their names say that they are old."""
        descriptor = listener.fileno()
        asked = {"descriptor": descriptor}
        told = self.ask("processes", asked, inherits=(descriptor,))
        return [
            Process(
                name=f"old-{name}",
                argv=("env", f"--chdir={self.folder}", *each["argv"]),
                env={**each["env"], "PYTHONPATH": str(self.folder)},
                is_ready=functools.partial(parts._answers, listener) if name == "web" else _at_once,
                stop_timeout=15.0,
                inherits=(descriptor,) if name == "web" else (),
            )
            for name, each in told.items()
        ]

    def _run(self, argv: list[str], given: str = "", *, inherits: tuple[int, ...] = ()) -> str:
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            input=given,
            pass_fds=inherits,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        if done.returncode:
            raise Failed(f"{' '.join(argv[1:])}: {done.stderr[-3000:]}")
        return done.stdout


def _at_once() -> bool:
    return True


@contextlib.contextmanager
def checked_out(ref: str) -> Iterator[Checkout]:
    """Yield the code of a version, which is gone afterwards. Raises: Failed."""
    folder = Path(tempfile.mkdtemp(prefix="countersign-earlier-", dir="/tmp"))
    try:
        git("worktree", "add", "--detach", "--force", str(folder), ref)
        if not (folder / "manage.py").exists():
            raise Failed(f"There is no version {ref} here.")
        yield Checkout(folder)
    finally:
        git("worktree", "remove", "--force", str(folder))
        shutil.rmtree(folder, ignore_errors=True)


def version_before() -> str:
    """Return the newest release that this is not; without any, what was before effects outside."""
    if tags := git("tag", "--sort=-creatordate", "--no-contains", "HEAD").split():
        return tags[0]
    return git("log", "-1", "--diff-filter=A", "--format=%H^", "--", FIRST_OF_THIS_RELEASE)
