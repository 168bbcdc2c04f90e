"""In a hand: find out what differs between two documents, by us and by others.

Every comparison gets two documents that were parsed anew and share nothing. What it found is
carried out on the old one, and the result must be the new one to the byte.
"""

import gc
import importlib
import random
import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from benchmarks.documents import WAYS, document
from benchmarks.keeping import timed
from snapshots.content import content_bytes
from snapshots.diff import apply, diff

# Compares two documents, and returns what carries the difference out.
Work = Callable[[Any, Any], Callable[[Any], Any]]
_pair: list[bytes] = []


def prepare(size: int, way: str) -> None:
    """Invent two documents; later questions are about these."""
    old = document(size, seed=1)
    new = WAYS[way](old, random.Random(11))
    _pair[:] = [content_bytes(old), content_bytes(new)]
    for name in ("jsonpatch", "deepdiff"):
        # Importing is not comparing.
        _module(name)


def compare(name: str, times: int) -> float:
    """Return the median milliseconds of some comparisons in a row; raise where one is wrong."""
    return statistics.median(_compared(name, BY[name]) for _ in range(times))


def _compared(name: str, work: Work) -> float:
    old, new = (orjson.loads(written) for written in _pair)
    gc.collect()
    took, carry_out = timed(partial(work, old, new))
    if content_bytes(carry_out(old)) != _pair[1]:
        raise RuntimeError(f"What {name} found does not lead to the new document.")
    return took


def _by_ours(old: Any, new: Any) -> Callable[[Any], Any]:
    changes = diff(old, new)
    return lambda document: apply(document, changes)


def _by_jsonpatch(old: Any, new: Any) -> Callable[[Any], Any]:
    carry_out: Callable[[Any], Any] = _module("jsonpatch").make_patch(old, new).apply
    return carry_out


def _by_deepdiff(old: Any, new: Any) -> Callable[[Any], Any]:
    found = _module("deepdiff").DeepDiff(old, new)
    return lambda document: document + _module("deepdiff").Delta(found)


def _module(name: str) -> Any:
    # Installed for benchmarks only; the checks of `make lint` run without it.
    return importlib.import_module(name)


BY: dict[str, Work] = {"ours": _by_ours, "jsonpatch": _by_jsonpatch, "deepdiff": _by_deepdiff}
