"""How is work measured in another process, without its start being measured too?

A hand is a process that has everything loaded and waits to be asked.
"""

import importlib
import multiprocessing
import os
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

import django

_fresh = multiprocessing.get_context("spawn")


class Hand:
    """A process that answers questions with the functions of one module."""

    def __init__(self, module: str) -> None:
        """Start the process; it imports the module after Django is set up."""
        self._pipe, theirs = _fresh.Pipe()
        self._process = _fresh.Process(target=_serve, args=(theirs, module), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        """Wait until the process is ready."""
        self.answer()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the process end."""
        self._pipe.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.terminate()

    def ask(self, function: str, *arguments: Any) -> None:
        """Begin one call; the answer is fetched with `answer`."""
        self._pipe.send((function, arguments))

    def answer(self) -> Any:
        """Return what the call in progress returned. Raises: RuntimeError where it raised."""
        is_well, answer = self._pipe.recv()
        if not is_well:
            raise RuntimeError(answer)
        return answer

    def call(self, function: str, *arguments: Any) -> Any:
        """Ask and wait for the answer."""
        self.ask(function, *arguments)
        return self.answer()


def together(hands: Sequence[Hand], function: str, *arguments: Any) -> list[Any]:
    """Ask several hands at the same moment and return their answers."""
    for hand in hands:
        hand.ask(function, *arguments)
    return [hand.answer() for hand in hands]


def _serve(pipe: Connection, module: str) -> None:
    # Whoever is asked connects to the database as a worker does.
    os.environ["COUNTERSIGN_PROCESS"] = "worker"
    django.setup()
    functions = importlib.import_module(module)
    pipe.send((True, None))
    while True:
        try:
            name, arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((True, getattr(functions, name)(*arguments)))
        except Exception as error:  # noqa: BLE001  (whoever asked is told)
            pipe.send((False, f"{type(error).__name__}: {error}"))
