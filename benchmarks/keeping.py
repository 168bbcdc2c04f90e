"""What does a store of documents tell of itself, whoever made it?"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Written:
    """How long each version took to write, and what one left behind, in bytes.

    `ledger_bytes` is what says who did it and why, `compared` the milliseconds that it took to
    find out what a step had changed; both where a store knows of such things.
    """

    milliseconds: list[float]
    table_bytes: float
    log_bytes: float
    ledger_bytes: float = 0.0
    compared: list[float] = field(default_factory=list)


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return the milliseconds of a call, and what it returned."""
    began = time.perf_counter()
    result = work()
    return (time.perf_counter() - began) * 1000, result
