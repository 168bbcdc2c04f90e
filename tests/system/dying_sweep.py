"""A sweep that kills itself: `python -m tests.system.dying_sweep STATE MOMENT`.

MOMENT is `_write`, when one version was stored anew; `_let_go`, when all that goes was emptied; or
`ring`, when everything is written and the transaction is about to end.
"""

import os
import signal
import sys
from datetime import datetime
from typing import Any
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()

from console.actors import system  # noqa: E402
from snapshots import queries  # noqa: E402
from snapshots.models import State  # noqa: E402
from snapshots.operations import compacting, thinning  # noqa: E402
from tests.snapshots.test_thinning import NOW, POLICY  # noqa: E402

_MODULES = {"_write": compacting, "_let_go": compacting, "ring": thinning}


def main() -> None:
    """Sweep, and die on time."""
    state_id, moment = UUID(sys.argv[1]), sys.argv[2]
    module = _MODULES[moment]
    function = getattr(module, moment)

    def deadly(*args: Any) -> None:
        function(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, moment, deadly)
    sweep(state_id, NOW)


def sweep(state_id: UUID, now: datetime) -> None:
    """Do the next batch."""
    workspace_id = State.objects.get(id=state_id).workspace_id
    head = queries.head(workspace_id, state_id)
    actor = system("retention", workspace_id)
    thinning.thin(actor=actor, head=head, needed={}, policy=POLICY, now=now)


if __name__ == "__main__":
    main()
