"""What do agents keep? Invented documents of a wanted size, and how one step changes them.

A document holds messages, a memory of records under keys, and a ledger. A step changes one record
in a hundred: *scattered* rewrites some anywhere, *local* adds messages at the end, drops as many
of the oldest, and puts a line into the middle of the ledger.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

SHARE = 0.01
LARGE_BYTES = 20_000
RECORD_BYTES, SMALL_RECORD_BYTES = 420, 150
_VOCABULARY = (
    "patient dose claim ledger transfer review approve reject policy limit account balance risk "
    "agent tool call result error retry memo note follow up schedule lab value normal high low "
    "invoice vendor amount currency settle hold release audit trace evidence"
)
_WORDS = _VOCABULARY.split()

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Load:
    """Some documents of one size, each of them changed in steps of one way."""

    size: int
    way: str
    documents: int
    steps: int


def document(size: int, seed: int) -> Document:
    """Return a document of about `size` bytes."""
    chosen, record_bytes = random.Random(seed), _record_bytes(size)
    made: Document = {
        "config": {"model": "m-1", "budget_ms": 30_000, "tools": ["a", "b", "c"]},
        "messages": [],
        "memory": {},
        "ledger": [],
        "counters": {"steps": 0, "tokens": 0, "records": 0},
    }
    length = number = 0
    while length < size - LARGE_BYTES // 100:
        record = _record(chosen, number, record_bytes)
        length += len(orjson.dumps(record)) + 1
        if number % 5 < 2:
            made["messages"].append(record)
        elif number % 5 < 4:
            made["memory"][f"k{number:06}"] = record
        else:
            made["ledger"].append(record)
        number += 1
    made["counters"]["records"] = number
    return made


def versions(load: Load, seed: int) -> list[Document]:
    """Return a document and what each step makes of it; what did not change is shared."""
    chosen, found = random.Random(seed), [document(load.size, seed)]
    for _ in range(load.steps):
        found.append(WAYS[load.way](found[-1], chosen))
    return found


def _scattered(old: Document, chosen: random.Random) -> Document:
    new: Document = {
        **old,
        "messages": list(old["messages"]),
        "memory": dict(old["memory"]),
        "ledger": list(old["ledger"]),
    }
    places: list[tuple[str, Any]] = [
        *(("messages", at) for at in range(len(new["messages"]))),
        *(("memory", key) for key in new["memory"]),
        *(("ledger", at) for at in range(len(new["ledger"]))),
    ]
    for _ in range(_changed(old)):
        part, key = chosen.choice(places)
        was = new[part][key]
        text, score = _sentence(chosen, len(was["text"]) // 8), round(chosen.random(), 4)
        new[part][key] = {**was, "text": text, "score": score}
    return _counted(new, 0)


def _local(old: Document, chosen: random.Random) -> Document:
    number, first = _changed(old), old["counters"]["records"]
    record_bytes = _record_bytes(RECORD_BYTES * _held(old))
    added = [_record(chosen, first + nth, record_bytes) for nth in range(number + 1)]
    ledger = list(old["ledger"])
    ledger.insert(len(ledger) // 2, added.pop())
    new = {**old, "messages": old["messages"][number:] + added, "ledger": ledger[1:]}
    return _counted(new, number + 1)


def _changed(old: Document) -> int:
    return max(1, round(_held(old) * SHARE))


def _held(old: Document) -> int:
    return len(old["messages"]) + len(old["memory"]) + len(old["ledger"])


def _counted(new: Document, records: int) -> Document:
    was = new["counters"]
    steps, tokens = was["steps"] + 1, was["tokens"] + 17
    return {
        **new,
        "counters": {"steps": steps, "tokens": tokens, "records": was["records"] + records},
    }


def _record_bytes(size: int) -> int:
    return RECORD_BYTES if size >= LARGE_BYTES else SMALL_RECORD_BYTES


def _record(chosen: random.Random, number: int, record_bytes: int) -> dict[str, Any]:
    return {
        "id": f"rec-{number:06}",
        "kind": chosen.choice(["fact", "tool", "note"]),
        "text": _sentence(chosen, (record_bytes - 170) // 8),
        "score": round(chosen.random(), 4),
        "ok": chosen.random() < 0.5,
        "source": {"tool": chosen.choice(_WORDS), "at": 1_700_000_000 + number, "seq": number},
    }


def _sentence(chosen: random.Random, words: int) -> str:
    return " ".join(
        chosen.choice(_WORDS) + (str(chosen.randrange(1000)) if chosen.random() < 0.25 else "")
        for _ in range(max(4, words))
    )


WAYS: dict[str, Callable[[Document, random.Random], Document]] = {
    "scattered": _scattered,
    "local": _local,
}
