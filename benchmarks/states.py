"""What does a version of a State cost to write, keep, read and go back to, next to LangGraph?

Both keep the same documents, in steps that change one record in a hundred, on the same
PostgreSQL, in turns. A third keeps every version whole and compressed: the floor under reading.
"""

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import world
from benchmarks.documents import Load
from benchmarks.figures import Figure, Part
from benchmarks.hands import Hand
from benchmarks.keeping import Written
from benchmarks.own_states import FURTHER

SHOWN = 50
SIZES = {1_000: "1 KB", 100_000: "100 KB", 1_000_000: "1 MB"}
OURS, FLOOR = "State", "whole, zstd"
ONE, MEMBERS = "LangGraph", "LangGraph, by member"
LOADS = tuple(
    Load(size, way, documents, 100)
    for size, documents in ((1_000, 10), (100_000, 2), (1_000_000, 1))
    for way in ("scattered", "local")
)
QUICK_LOADS = (
    Load(1_000, "scattered", 3, 100),
    Load(100_000, "local", 1, 100),
    Load(1_000_000, "scattered", 1, 60),
)
# How often something is asked; a list of LangGraph's at 1 MB takes a second.
ASKED, LISTED, ROLLED_BACK = 20, 3, 9
# What is promised by size: write, keep, go back.
WRITE_LESS_BY = {1_000: 2.0, 100_000: 10.0, 1_000_000: 25.0}
KEEP_LESS_BY = {1_000: 4.0, 100_000: 15.0, 1_000_000: 35.0}
BACK_LESS_BY = {1_000_000: 50.0}
BACK_WITHIN_MS = HISTORY_WITHIN_MS = 1.0
READ_AT_MOST = 1.5
TOLD = {
    "write": ("write", "ms"),
    "in turns": ("write, after another process", "ms"),
    "say": ("a line in the ledger alone", "ms"),
    "compare": ("find out what changed", "ms"),
    "bytes": ("a version", "bytes"),
    "ledger": ("its line in the ledger", "bytes"),
    "log": ("log of both", "bytes"),
    "newest": ("read the newest", "ms"),
    "any": ("read any", "ms"),
    "again": ("read the same again", "ms"),
    "history": (f"history of {SHOWN}", "ms"),
    "back": ("roll back", "ms"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is measured of everybody, by the name of the store."""

    name: str
    hand: Hand
    shape: Sequence[str] = ()
    other: Hand | None = None

    def measure(self, load: Load) -> dict[str, float]:
        """Write the documents, ask for them, and return medians."""
        written: Written = self.hand.call("write", load, *self.shape)
        found = {
            "write": statistics.median(written.milliseconds),
            "bytes": written.table_bytes,
            "log": written.log_bytes,
            "ledger": written.ledger_bytes,
            "compare": statistics.median(written.compared or [0.0]),
        }
        if self.other:
            found["in turns"] = statistics.median(self._in_turns(self.other, load))
        for name, (function, arguments) in self._questions().items():
            self.hand.call(function, 2, *arguments[1:])
            found[name] = statistics.median(self.hand.call(function, *arguments))
        return found

    def _in_turns(self, other: Hand, load: Load) -> list[float]:
        """Let two processes write to one State in turns: neither has what the other wrote."""
        head, found = self.hand.call("first"), []
        other.call("follow", load, head)
        for nth in range(FURTHER):
            took, head = (other, self.hand)[nth % 2].call("take_turn", head)
            found.append(took)
        return found[1:]

    def _questions(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        read: dict[str, tuple[str, tuple[int, ...]]] = {
            "newest": ("read_newest", (ASKED,)),
            "any": ("read_any", (ASKED,)),
        }
        if self.name == FLOOR:
            return read
        history = {"history": ("list_history", (LISTED, SHOWN))}
        more = {"again": ("read_again", (ASKED,)), "say": ("say", (ASKED,))}
        return {
            **read,
            **(more if self.name == OURS else {}),
            **history,
            "back": ("roll_back", (ROLLED_BACK,)),
        }


def measure(*, rounds: int, quick: bool) -> Part:
    """Return milliseconds and bytes of each version, by the size of the document."""
    part = Part("states")
    with ExitStack() as stack:
        own, other, theirs, whole = (
            stack.enter_context(Hand(f"benchmarks.{module}"))
            for module in ("own_states", "own_states", "langgraph_states", "whole_documents")
        )
        ours = Asked(OURS, own, other=other)
        stores = [Asked(ONE, theirs, ["one"]), ours, Asked(FLOOR, whole)]
        if not quick:
            stores.append(Asked(MEMBERS, theirs, ["members"]))
        for load in QUICK_LOADS if quick else LOADS:
            _tell(part, load, _in_turns(rounds, stores, load))
        part.remarks.append(f"LangGraph's checkpoint saver {theirs.call('version')}")
    return part


def _in_turns(
    rounds: int, stores: Sequence[Asked], load: Load
) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {store.name: {} for store in stores}
    for number in range(rounds):
        first = number % len(stores)
        for store in [*stores[first:], *stores[:first]]:
            world.tidy()
            for name, value in store.measure(load).items():
                found[store.name].setdefault(name, []).append(value)
    return found


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells one load: theirs, the floor, ours, and what is promised."""

    part: Part
    load: Load
    found: dict[str, dict[str, list[float]]]

    def tell(self, name: str, **promises: float | None) -> None:
        """Add theirs, and ours against it."""
        theirs = self._add(name, ONE)
        if MEMBERS in self.found:
            self._add(name, MEMBERS, theirs)
        self._add(name, OURS, theirs, **promises)

    def tell_floor(self, name: str, **promises: float | None) -> None:
        """Add what keeping everything whole costs, and ours against it."""
        self._add(name, OURS, self._add(name, FLOOR), **promises)

    def tell_ours(self, name: str) -> None:
        """Add what nobody else has."""
        self._add(name, OURS)

    def _add(
        self,
        name: str,
        who: str,
        against: Figure | None = None,
        **promises: float | None,
    ) -> Figure:
        what, unit = TOLD[name]
        title = f"{SIZES[self.load.size]} {self.load.way}, {what}: {who}"
        if against and against.called == FLOOR:
            title = f"{title}, to {FLOOR}"
        values = self.found[who][name]
        return self.part.add(title, unit, values, against=against, called=who, **promises)


def _tell(part: Part, load: Load, found: dict[str, dict[str, list[float]]]) -> None:
    teller, size = Teller(part, load, found), load.size
    teller.tell("write", less_by=WRITE_LESS_BY[size])
    teller.tell_ours("in turns")
    teller.tell_ours("say")
    teller.tell_ours("compare")
    teller.tell("bytes", less_by=KEEP_LESS_BY[size])
    teller.tell_ours("ledger")
    teller.tell("log")
    teller.tell("newest")
    teller.tell("any")
    teller.tell_floor("any", at_most=READ_AT_MOST)
    teller.tell_ours("again")
    teller.tell("history", within=HISTORY_WITHIN_MS)
    teller.tell("back", less_by=BACK_LESS_BY.get(size), within=BACK_WITHIN_MS)
