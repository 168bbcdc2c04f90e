"""How many versions a second does a check of everything stored go through?

The check rebuilds every version and compares its digest. The yardstick writes the same contents
as bytes and hashes them, and does nothing else.
"""

import functools

from benchmarks import chains, own_states, world
from benchmarks.documents import Load
from benchmarks.figures import Part, in_turns
from benchmarks.keeping import timed
from benchmarks.own_states import Kept
from snapshots.content import content_digest
from snapshots.queries import checking

STEPS = 100
# Documents of each size, and how many versions are checked.
LOADS = ((1_000, "1 KB", 10_000), (100_000, "100 KB", 1_000), (1_000_000, "1 MB", 100))
QUICK_SHARE = 10


def measure(*, rounds: int, quick: bool) -> Part:
    """Return versions a second, by the size of the document."""
    part = Part("verifying")
    for size, name, total in LOADS:
        versions = max(total // QUICK_SHARE, 20) if quick else total
        kept, number = _kept(size, versions)
        subjects = {
            "hash": functools.partial(_hashed, kept),
            "check": functools.partial(_checked, part, kept, number),
        }
        found = in_turns(rounds, subjects)
        floor = part.add(f"write and hash {name}", "1/s", found["hash"], called="hashing alone")
        label = f"check {number:,} versions of {name}"
        part.add(label, "1/s", found["check"], against=floor)
    return part


def _kept(size: int, total: int) -> tuple[Kept, int]:
    kept = own_states.begun(Load(size, "scattered", 1, min(STEPS, total) - 1), seed=0)
    for changes in kept.steps:
        kept.commit(changes)
    number = kept.head.number
    if number < total:
        number = chains.fill(chains.stretch(kept.head.state_id), total)
    world.tidy()
    return kept, number


def _hashed(kept: Kept) -> float:
    took, _ = timed(lambda: [content_digest(document) for document in kept.documents])
    return len(kept.documents) / took * 1000


def _checked(part: Part, kept: Kept, number: int) -> float:
    head = kept.head
    took, checked = timed(functools.partial(checking.check, head.workspace_id, head.state_id))
    part.faults += [f"snapshot {fault.number}: {fault.says}" for fault in checked.faults]
    if checked.versions != number:
        part.faults.append(f"{checked.versions} of {number} versions were checked.")
    return checked.versions / took * 1000
