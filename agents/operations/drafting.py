"""Ask a model, and let people read along while it speaks."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.conf import settings

from agents import store
from agents.store import Claim
from agents.workflows import Message, Provider, Reply
from console.live import ring
from console.locking import Busy

# Four times a second is as fast as people follow.
SECONDS_BETWEEN = 0.25
# The end is what is read; the whole answer stands in the step when it is there.
CHARACTERS = 20_000
# A turn takes new runs for a minute, and its task is ended after four; see CELERY in the settings.
SECONDS_OF_A_RUN = 170.0


def ask(claimed: Claim, index: int, agent: str, message: Message, provider: Provider) -> Reply:
    """Return the answer of a model; while it comes, its Draft says how far it got.

    The Draft goes when the step is written down, or when the run turns out to be in other hands.
    Raises: ModelFailed; Fenced; Busy (409) when the worker has no time left for an answer, so that
    the run goes on in a turn of its own.
    """
    told = _Told(claimed, index, agent)
    stream: Callable[[Message, Callable[[str], None]], Reply] | None
    stream = getattr(provider, "stream", None)
    if stream is not None and not _has_time(claimed):
        raise Busy
    return provider.complete(message) if stream is None else stream(message, told.said)


def _has_time(claimed: Claim) -> bool:
    gone = time.monotonic() - claimed.taken_at
    return gone + settings.MODEL_SECONDS <= max(SECONDS_OF_A_RUN, settings.MODEL_SECONDS + 1)


@dataclass(slots=True)
class _Told:
    """What of an answer was shown, and when."""

    claimed: Claim
    index: int
    agent: str
    _at: float = field(default=float("-inf"))

    def said(self, text: str) -> None:
        """Show the text so far, unless that was done a moment ago. Raises: Fenced."""
        now = time.monotonic()
        if now - self._at < SECONDS_BETWEEN:
            return
        self._at = now
        store.draft(self.claimed, self.index, self.agent, text[-CHARACTERS:])
        ring("run", self.claimed.run_id)
