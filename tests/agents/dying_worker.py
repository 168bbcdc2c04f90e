"""A worker that kills itself at a chosen moment: `python -m tests.agents.dying_worker MOMENT N`.

MOMENT is before or after; N counts the statements of the engine that write (a step, a wait, an
ending, a proposal, a pause). Without arguments it works until nothing is ready.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()

from agents import store  # noqa: E402
from agents.operations import interrupting, replaying, running  # noqa: E402
from approvals.operations import asking, proposing, rewording  # noqa: E402
from tests.agents import programs  # noqa: E402

_left = [0]


def _deadly(moment: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        _left[0] -= 1
        if _left[0] == 0 and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = function(*args, **kwargs)
        if _left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    return call


def main() -> None:
    """Work, and die on time."""
    programs.register()
    if len(sys.argv) > 1:
        moment, _left[0] = sys.argv[1], int(sys.argv[2])
        for module, name in [
            (store, "record"),
            (store, "suspend"),
            (running, "end"),
            (proposing, "propose"),
            (rewording, "reword"),
            (asking, "answer"),
            (replaying, "observe"),
            (interrupting, "pause"),
        ]:
            setattr(module, name, _deadly(moment, getattr(module, name)))
    running.work()


if __name__ == "__main__":
    main()
