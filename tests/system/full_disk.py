"""What happens when the disk is full: `python -m tests.system.full_disk FOLDER [--shared]`.

FOLDER lies on the disk of the database that DATABASE_URL names, and is filled. Prints what was
tried and how each ended as one JSON object; ends with a traceback where anything was half done.
With --shared the write-ahead log lies there too, and the server itself may fall.
"""

import contextlib
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import OperationalError, connection  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from psycopg.errors import DiskFull  # noqa: E402

from console.ledger import queries as ledger  # noqa: E402
from snapshots.operations.restoring import restore  # noqa: E402
from tests.house import ROLES, House, now  # noqa: E402
from tests.snapshots.test_thinning import Diary  # noqa: E402

VERSIONS = 40
LEFT_BYTES = 700_000
TRIES = 2_000
_chance = random.Random(4)


def main() -> None:
    """Fill, try, look, make room, go on."""
    folder, is_shared = Path(sys.argv[1]), "--shared" in sys.argv
    call_command("migrate", verbosity=0)
    diary, browser, address = furnish()
    ballast = folder / "ballast"
    fill(ballast)
    ends: dict[str, str | int] = {
        "commit": until_refused(lambda: diary.write(noise(len(diary.versions) + 1)), is_shared),
        "rollback": until_refused(lambda: go_back(diary), is_shared),
        "thinning": until_refused(diary.thin, is_shared),
    }
    if not is_shared:
        ends["page"] = page_while_full(browser, address)
        look(diary)
    ballast.unlink()
    come_back()
    look(diary)
    diary.write(noise(len(diary.versions) + 1))
    go_back(diary)
    ends["let_go"] = diary.sweep()
    look(diary)
    print(json.dumps(ends))  # noqa: T201


def furnish() -> tuple[Diary, Client, str]:
    """Make a State with something to let go, and sign Ada in."""
    house = House.build("acme", ROLES)
    diary = Diary(noise(1))
    for number in range(2, VERSIONS + 1):
        diary.write(noise(number))
    return (
        diary,
        house.client("ada", SERVER_NAME="localhost"),
        house.url("retention", diary.state_id) + "run/",
    )


def noise(number: int) -> dict[str, Any]:
    """Return a document of which a third is new each time, and nothing can be compressed."""
    lines = {f"l{n}": _chance.randbytes(600).hex() for n in range(number % 3, 30, 3)}
    return {"number": number, "lines": lines}


def fill(ballast: Path) -> None:
    """Leave so little room that some writes still go through."""
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(100_000))
            file.flush()
    os.truncate(ballast, max(0, ballast.stat().st_size - LEFT_BYTES))


def until_refused(act: Callable[[], Any], is_shared: bool) -> str:
    """Repeat an act until the disk refuses it; anything but that refusal is a bug."""
    for _ in range(TRIES):
        try:
            done = act()
        except OperationalError as error:
            if not is_shared and not isinstance(error.__cause__, DiskFull):
                raise
            connection.close()
            return "refused"
        if getattr(done, "is_more", True) is False:
            return "done"
    return "never refused"


def go_back(diary: Diary) -> None:
    """Roll back to the second version."""
    head = diary.head
    row = restore(
        actor=diary.clerk,
        base=head,
        number=2,
        cause_id=f"r{head.number}",
        reason="full",
        now=now(),
    )
    diary.versions[row.number] = diary.versions[2]


def page_while_full(browser: Client, address: str) -> str:
    """Ask for a sweep from a page; it must say that nothing was changed."""
    answer = browser.post(address)
    said = answer.content.decode() if answer.status_code == 503 else ""
    return "said so" if "Nothing was changed" in said else f"{answer.status_code} {said}"


def come_back() -> None:
    """Wait until the database answers."""
    for _ in range(300):
        with contextlib.suppress(OperationalError):
            connection.close()
            connection.ensure_connection()
            return
        time.sleep(0.1)
    raise TimeoutError


def look(diary: Diary) -> None:
    """Read everything, and check everything."""
    connection.ensure_connection()
    assert diary.faults() == []
    assert diary.head.number == len(diary.versions), (diary.head.number, len(diary.versions))
    diary.readable()
    assert ledger.verify(diary.clerk.workspace_id).objection is None


if __name__ == "__main__":
    # Nothing was collected for this process.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        main()
