"""How do the processes of the console start, stay up and stop together?"""

import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Iterator

from console.supervision import addresses, canaries, embedded, lock, parts, preparing
from console.supervision.guardian import Guardian
from console.supervision.processes import Child, Process, Say

POLL_SECONDS = 0.1
SHORTEST_PAUSE_SECONDS = 0.4
LONGEST_PAUSE_SECONDS = 10.0
HEALTHY_AGE_SECONDS = 20.0


class StartFailed(Exception):
    """A process ended, or stayed silent, before it was ready."""


@contextlib.contextmanager
def running(options: parts.Options, say: Say = lambda _line: None) -> Iterator[str]:
    """Yield the address of a running console; start one, and stop it after, if there is none.

    Raises: StartFailed, Unavailable, Busy; their messages are for the person at the terminal.
    """
    found = lock.claim(say)
    if isinstance(found, str):
        yield found
    else:
        with started(found, options, say) as address:
            yield address


@contextlib.contextmanager
def started(claimed: lock.Lock, options: parts.Options, say: Say) -> Iterator[str]:
    """Run the console under this lock and yield its address."""
    var, run = addresses.var_dir(), addresses.run_dir()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.closing(claimed))
        listener = stack.enter_context(parts.listen(options))
        supervisor = stack.enter_context(Supervisor(say, (claimed.descriptor,)))
        embedded.forget_previous_life(var, run)
        if parts.runs_own_database():
            supervisor.start(embedded.postgres(var, run))
            embedded.create_database(run)
        if parts.runs_own_valkey():
            supervisor.start(embedded.valkey(var, run))
        preparing.prepare(demo=options.demo)
        supervisor.start(*parts.console(listener))
        supervisor.watch()
        address = parts.address_of(listener)
        stack.enter_context(claimed.published(address))
        yield address


class Supervisor:
    """Starts children, keeps them alive, and stops them stage by stage."""

    def __init__(self, say: Say, inherited: tuple[int, ...] = ()) -> None:
        """Begin without children; they will hold the `inherited` descriptors."""
        self._say = say
        self._inherited = inherited
        self._children: dict[str, Child] = {}
        self._restarts: dict[str, Restart] = {}
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        self._guardian = None if sys.platform == "linux" else Guardian()

    def __enter__(self) -> "Supervisor":
        """Promise that no child outlives the block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Keep the promise."""
        self.stop()

    def pids(self) -> dict[str, int]:
        """Return the children in the order of their start."""
        return {name: child.pid for name, child in self._children.items()}

    def start(self, *processes: Process) -> None:
        """Start processes together and wait until all are ready.

        Raises: StartFailed with the last lines that the culprit said.
        """
        for child in [self._spawn(process) for process in processes]:
            deadline = time.monotonic() + child.process.ready_timeout
            while not child.process.is_ready():
                if child.exit_status() is not None or time.monotonic() > deadline:
                    raise StartFailed(_obituary(child))
                time.sleep(POLL_SECONDS / 4)

    def watch(self) -> None:
        """Restart, from now on, whatever ends."""
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()
        threading.Thread(
            target=canaries.listen_to, args=(self, self._stopping), name="canaries", daemon=True
        ).start()

    def listeners(self) -> dict[str, tuple[frozenset[str], float]]:
        """Return for each worker the queues it listens to, and for how many seconds it has run."""
        with self._changing:
            children = list(self._children.values())
        found = {c.process.name: (canaries.queues_in(c.process.argv), c.age()) for c in children}
        return {name: (queues, age) for name, (queues, age) in found.items() if queues}

    def end(self, name: str, why: str) -> None:
        """End a process, so that it is started again."""
        with self._changing:
            child = self._children[name]
        self._say(f"{name} {why}; it is started again.")
        child.ask_to_stop()
        child.end(child.process.stop_timeout)

    def stop(self) -> None:
        """Stop the children in order; when interrupted again, kill those that are left."""
        self._stopping.set()
        with self._changing:
            children = sorted(self._children.values(), key=_stage, reverse=True)
        try:
            for _, members in itertools.groupby(children, key=_stage):
                _stop_together(list(members))
        except KeyboardInterrupt:
            for child in children:
                child.end(patience=0)
        self._stopped.set()
        if self._guardian:
            self._guardian.dismiss()

    def _spawn(self, process: Process) -> Child:
        child = Child(process, self._say, self._inherited)
        self._children[process.name] = child
        if self._guardian:
            self._guardian.watch(child.pid, process.stop_signal)
        return child

    def _watch(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            with self._changing:
                for child in list(self._children.values()):
                    if child.exit_status() is not None and not self._stopping.is_set():
                        self._replace(child)
        # Linux ends a child with the thread that started it, so this one stays for the farewell.
        self._stopped.wait()

    def _replace(self, child: Child) -> None:
        name = child.process.name
        restart = self._restarts.setdefault(name, Restart())
        if restart.due_at is None:
            child.bury()
            if self._guardian:
                self._guardian.forget(child.pid)
            pause = restart.plan(lived_seconds=child.age())
            self._say(f"{name} ended with status {child.exit_status()}; again in {pause:g} s.")
        elif time.monotonic() >= restart.due_at:
            self._start_again(child.process, restart)

    def _start_again(self, process: Process, restart: "Restart") -> None:
        try:
            self._spawn(process)
        except OSError as error:
            pause = restart.plan(lived_seconds=0)
            self._say(f"{process.name} cannot be started ({error}); again in {pause:g} s.")
        else:
            restart.due_at = None


class Restart:
    """When may a process that ended be started again?"""

    def __init__(self) -> None:
        """Begin with the shortest pause."""
        self.due_at: float | None = None
        self._pause = 0.0

    def plan(self, lived_seconds: float) -> float:
        """Set the time and return the pause: doubled each time, unless the last life was long."""
        longer = 0.0 if lived_seconds > HEALTHY_AGE_SECONDS else self._pause * 2
        self._pause = min(max(longer, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self.due_at = time.monotonic() + self._pause
        return self._pause


def _stage(child: Child) -> int:
    return child.process.stage


def _stop_together(children: list[Child]) -> None:
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.end(child.process.stop_timeout)


def _obituary(child: Child) -> str:
    status = child.exit_status()
    end = "is silent" if status is None else f"ended with status {status}"
    said = "\n".join(f"  {line}" for line in child.last_lines)
    return f"{child.process.name} {end} before it was ready. It said:\n{said}"
