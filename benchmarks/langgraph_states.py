"""In a hand: the same documents kept by LangGraph's checkpoint saver on the same PostgreSQL.

It gets the same Unix socket, a database of its own, and the connection that its documentation
asks for. A document is one channel, or each of its members is one; of these only those that a
step changed are written, as a graph would.
"""

import functools
import importlib
import time
from dataclasses import dataclass, field
from importlib.metadata import version as release
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import dict_row, tuple_row

from benchmarks.documents import Document, Load, versions
from benchmarks.footprints import footprint
from benchmarks.keeping import Written, timed
from console.supervision import addresses, embedded

DATABASE = "langgraph"
TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
ONE = "state"


@dataclass(slots=True)
class Thread:
    """One document's checkpoints, as a graph keeps them."""

    by_member: bool
    documents: list[Document]
    base: dict[str, Any]
    newest: dict[str, Any]
    channels: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    saved: list[dict[str, Any]] = field(default_factory=list)

    def put(self, document: Document, source: str) -> float:
        """Save the next checkpoint and return the milliseconds of the call alone."""
        values = dict(document) if self.by_member else {ONE: document}
        changed = [name for name, value in values.items() if self.channels.get(name) != value]
        new = {name: _saver().get_next_version(self.versions.get(name), None) for name in changed}
        self.channels, self.versions = values, {**self.versions, **new}
        checkpoint = _checkpoints().empty_checkpoint()
        checkpoint.update(channel_values=values, channel_versions=dict(self.versions))
        metadata = {"source": source, "step": len(self.saved), "parents": {}}
        began = time.perf_counter()
        self.newest = _saver().put(self.newest, checkpoint, metadata, new)
        took = (time.perf_counter() - began) * 1000
        self.saved.append(self.newest)
        return took


_threads: list[Thread] = []


def version() -> str:
    """Return the release that is measured."""
    return release("langgraph-checkpoint-postgres")


def write(load: Load, channels: str) -> Written:
    """Save every step of every document; later questions are about these.

    Shape: `channels` is `one` or `members`.
    """
    _threads[:] = [_begun(load, seed, channels) for seed in range(load.documents)]
    cursor = _saver().conn.cursor(row_factory=tuple_row)
    cursor.execute("CHECKPOINT")
    before = footprint(cursor, TABLES)
    took = [
        thread.put(document, "loop") for thread in _threads for document in thread.documents[1:]
    ]
    after = footprint(cursor, TABLES)
    return Written(took, *after.since(before, len(took)))


def read_newest(times: int) -> list[float]:
    """Read the newest checkpoint, some times."""
    return [_read(thread, -1, thread.base) for thread in _chosen(times)]


def read_any(times: int) -> list[float]:
    """Read checkpoints from all over the history."""
    return [
        _read(thread, at := nth * 37 % len(thread.documents), thread.saved[at])
        for nth, thread in enumerate(_chosen(times))
    ]


def list_history(times: int, size: int) -> list[float]:
    """List the newest checkpoints; each comes with everything it holds."""
    return [timed(functools.partial(_listed, thread.base, size))[0] for thread in _chosen(times)]


def roll_back(times: int) -> list[float]:
    """Make the content of an early checkpoint the newest again, as `update_state` does.

    Another one each time: what a thread holds already is not written again.
    """
    return [_rolled_back(thread, 1 + nth) for nth, thread in enumerate(_chosen(times))]


def _begun(load: Load, seed: int, channels: str) -> Thread:
    base = {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}
    thread = Thread(channels == "members", versions(load, seed), base, base)
    thread.put(thread.documents[0], "input")
    return thread


def _chosen(times: int) -> list[Thread]:
    return [_threads[nth % len(_threads)] for nth in range(times)]


def _read(thread: Thread, at: int, config: dict[str, Any]) -> float:
    took, found = timed(functools.partial(_saver().get_tuple, config))
    values = found.checkpoint["channel_values"]
    if (values if thread.by_member else values[ONE]) != thread.documents[at]:
        raise RuntimeError("LangGraph gave back another document than it got.")
    return took


def _listed(base: dict[str, Any], size: int) -> None:
    found = list(_saver().list(base, limit=size))
    if len(found) != size:
        raise RuntimeError(f"LangGraph listed {len(found)} checkpoints of {size}.")


def _rolled_back(thread: Thread, at: int) -> float:
    began = time.perf_counter()
    values = _saver().get_tuple(thread.saved[at]).checkpoint["channel_values"]
    document = values if thread.by_member else values[ONE]
    read = (time.perf_counter() - began) * 1000
    return read + thread.put(document, "update")


@functools.cache
def _saver() -> Any:
    embedded.create_database(addresses.run_dir(), DATABASE)
    url = f"postgresql://{embedded.USER}@/{DATABASE}?host={addresses.run_dir()}"
    connection = psycopg.connect(url, autocommit=True, prepare_threshold=0, row_factory=dict_row)
    # Installed for benchmarks only; the checks of `make lint` run without it.
    saver = importlib.import_module("langgraph.checkpoint.postgres").PostgresSaver(connection)
    saver.setup()
    return saver


@functools.cache
def _checkpoints() -> Any:
    return importlib.import_module("langgraph.checkpoint.base")
