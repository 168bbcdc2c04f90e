"""What is there to measure in a folder or a file, and with which part of the guards?

A file is told by what its records hold, not by its name: runs with `steps`, runs with judged
`proposals`, runs with a `label`, or one object with `attack_cases`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agents.packs import attacks, recorded_runs
from agents.packs.attacks import Attacks
from agents.packs.recorded_runs import BadRuns

PARTS: Final = ("breaker", "attribution", "proposals", "injection")
_ENDINGS: Final = (".json", ".json.gz", ".jsonl", ".jsonl.gz")


@dataclass(slots=True)
class Found:
    """The records to be measured, by what they are good for."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    proposals: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    attacks: list[Attacks] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing at all."""
        return not (self.runs or self.proposals or self.failures or self.attacks)


def read(path: Path) -> Found:
    """Read a file, a folder of files, or one with the folders `PARTS`. Raises: BadRuns."""
    if not path.exists():
        raise BadRuns(f"{path} does not exist.")
    found = Found()
    for each in _files(path):
        _take(found, each)
    if found.is_empty:
        raise BadRuns(f"{path} holds nothing that can be measured.")
    return found


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    folders = [path / part for part in PARTS if (path / part).is_dir()] or [path]
    return sorted(
        each for folder in folders for each in folder.iterdir() if each.name.endswith(_ENDINGS)
    )


def _take(found: Found, path: Path) -> None:
    """Add what a file holds."""
    if recorded_runs.is_one_object(path, "attack_cases"):
        try:
            found.attacks.append(attacks.read(path))
        except attacks.BadRecording as error:
            raise BadRuns(str(error)) from error
        return
    taken = 0
    for record in recorded_runs.records(path):
        for member, kept in (
            ("steps", found.runs),
            ("proposals", found.proposals),
            ("label", found.failures),
        ):
            if member in record:
                kept.append(record)
                taken += 1
    if not taken:
        raise BadRuns(f"{path.name} holds no runs: no record has steps, proposals or a label.")
