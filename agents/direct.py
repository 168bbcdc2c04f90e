"""Ask a model of a provider: with one owner of retries, behind the breaker that all share."""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings

from agents import pricing, providers
from agents.modelling import Cut
from agents.providers import Chosen, Unconfigured, named
from agents.workflows import Message, ModelFailed, Provider, Reply
from console.breakers.operations import guarding

if TYPE_CHECKING:
    from agents.attempting import Failed, Target

logger = logging.getLogger(__name__)

ATTEMPTS = 3
FIRST_PAUSE = 0.5
LOCAL = "local"

read_prices = lru_cache(maxsize=4)(pricing.read_prices)


def register() -> None:
    """Let names stand for models. Raises: UnreadablePrices, where the settings cannot be read."""
    read_prices(settings.MODEL_PRICES)
    providers.register("", provider)


def provider(model: str) -> Provider:
    """Return the provider for a name that nobody registered; the empty one is the setting's."""
    if model:
        return Direct(model)
    return Chosen(named(settings.MODEL)) if settings.MODEL else Unconfigured()


@dataclass(frozen=True, slots=True)
class Direct:
    """A model of a provider; `local:` names are of the server that the settings name."""

    name: str

    def complete(self, message: Message) -> Reply:
        """Return its answer when all of it is there. Raises: ModelFailed."""
        return self._ask(message, None)

    def stream(self, message: Message, said: Callable[[str], None]) -> Reply:
        """Return its answer; meanwhile tell the text so far. Raises: ModelFailed."""
        return self._ask(message, said)

    def _ask(self, message: Message, said: Callable[[str], None] | None) -> Reply:
        from agents.attempting import Failed  # noqa: PLC0415  (heavy; see agents/translating.py)

        until = time.monotonic() + settings.MODEL_SECONDS
        for number in range(ATTEMPTS):
            try:
                reply = self._attempt(message, said, until - time.monotonic())
            except Failed as failed:
                pause = _pause(failed, number, until - time.monotonic())
                told = self._told(failed, number)
                if pause is None:
                    raise ModelFailed(told) from None
                logger.warning("%s Asked again in %.1f s.", told, pause)
                time.sleep(pause)
            except Cut as cut:
                raise Cut(f"The model {self.name} {cut}.", cut.tokens, cut.money) from None
            else:
                return replace(reply, retries=number)
        raise AssertionError

    def _attempt(
        self, message: Message, said: Callable[[str], None] | None, seconds: float
    ) -> Reply:
        from agents.attempting import Failed, Limits, Unasked, attempt  # noqa: PLC0415
        from agents.translating import reply_of  # noqa: PLC0415

        target, dependency = self._target(), self._dependency()
        if not guarding.allow(dependency, now=_now()):
            raise Unasked("has failed too often and is left alone")
        limits = Limits(seconds, settings.MODEL_CONNECT_SECONDS, settings.MODEL_IDLE_SECONDS)
        try:
            response = attempt(target, message, limits, said)
        except Failed as failed:
            problem = failed.sentence if failed.at_fault else ""
            guarding.note(dependency, ok=not failed.at_fault, now=_now(), problem=problem)
            raise
        guarding.note(dependency, ok=True, now=_now())
        prices = read_prices(settings.MODEL_PRICES)
        return reply_of(response, message, prices, is_local=bool(target.url))

    def _target(self) -> "Target":
        from agents.attempting import Target, Unasked  # noqa: PLC0415

        head, _, model = self.name.partition(":")
        if head != LOCAL:
            return Target(self.name)
        if not settings.MODEL_URL:
            raise Unasked("has no server: COUNTERSIGN_MODEL_URL is not set")
        return Target(model, settings.MODEL_URL, settings.MODEL_KEY)

    def _dependency(self) -> str:
        """Return the name of the breaker: the server's, or the provider's."""
        head = self.name.partition(":")[0]
        parts = urlsplit(settings.MODEL_URL)
        host = parts.netloc.rpartition("@")[2]
        return f"model:{host if head == LOCAL else head}"[:160]

    def _told(self, failed: "Failed", number: int) -> str:
        from agents.attempting import Unasked  # noqa: PLC0415

        attempts = number if isinstance(failed, Unasked) else number + 1
        times = f", after {attempts} attempts" if attempts > 1 else ""
        return f"The model {self.name} {failed.sentence}{times}."


def _pause(failed: "Failed", number: int, left: float) -> float | None:
    """Return for how long to wait before asking again; nothing if that makes no sense."""
    if not failed.again or number + 1 >= ATTEMPTS:
        return None
    own = FIRST_PAUSE * 2**number * secrets.SystemRandom().uniform(0.5, 1.5)
    pause = max(own, failed.wait or 0.0)
    return pause if pause < left else None


def _now() -> datetime:
    return datetime.now(UTC)
