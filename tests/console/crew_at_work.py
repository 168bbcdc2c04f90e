"""A parent with two children that write their process ids, for tests: `python -m … FOLDER`."""

import logging
import os
import sys
import time
from functools import partial
from pathlib import Path

from console.supervision.alive import get_on
from console.supervision.crew import Crew, Stopping


def work(folder: Path, name: str, stopping: Stopping) -> None:
    """Say who is at work, until asked to end."""
    draft = folder / f".{name}"
    draft.write_text(str(os.getpid()))
    draft.rename(folder / name)
    while not stopping:
        time.sleep(0.01)
    (folder / f"{name}.ended").touch()


def hang(folder: Path, _stopping: Stopping) -> None:
    """Get on for a moment and never again, whatever is asked."""
    with (folder / "hung").open("a") as file:
        file.write("x")
    get_on()
    while True:
        time.sleep(60)


def give_up(folder: Path, _stopping: Stopping) -> None:
    """Fail at once, every time."""
    with (folder / "tries").open("a") as file:
        file.write("x")
    raise ZeroDivisionError


if __name__ == "__main__":
    place = Path(sys.argv[1])
    works = {name: partial(work, place, name) for name in ("one", "other")}
    logging.basicConfig(filename=place / "log")
    others = {"broken": partial(give_up, place), "hanging": partial(hang, place)}
    Crew({**works, **others}, lambda _line: None, {"hanging": 1.0}).keep()
