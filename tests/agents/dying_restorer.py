"""A process that kills itself while it restores: `python -m tests.agents.dying_restorer ID N`.

N counts what it does: each part of carrying on, and each write within. It dies before the Nth.
With `confirm` before the id it confirms, as a web process would, instead of carrying on.
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()

from agents.models import Restoration  # noqa: E402
from agents.operations import restoring  # noqa: E402
from snapshots.operations import restoring as states  # noqa: E402
from tests.agents import turning_back  # noqa: E402
from tests.story import now  # noqa: E402

WRITES = [
    (restoring, "_bring_back"),
    (restoring, "lock_all"),
    (restoring, "invalidate"),
    (restoring, "supersede"),
    (states, "restore"),
    (states, "replace"),
    (restoring, "compensate"),
    (restoring, "append"),
    (restoring, "_read_back"),
    (restoring, "_start_anew"),
    (restoring, "start_again"),
    (restoring, "_finish"),
    (restoring, "ring_task"),
]
_calls = count(1)


def _deadly(function: Callable[..., Any], nth: int) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if next(_calls) == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    return call


def main() -> None:
    """Restore, and die on time."""
    turning_back.register()
    *act, restoration_id, nth = sys.argv[1:]
    for module, name in WRITES:
        setattr(module, name, _deadly(getattr(module, name), int(nth)))
    row = Restoration.objects.get(id=UUID(restoration_id))
    if act:
        turning_back.confirm_as_planner(row)
    else:
        restoring.carry_on(row.id, now=now())


if __name__ == "__main__":
    main()
