"""How does one attempt to ask a model go, and is another one worth it?

The client and its event loop live in a thread for one attempt and end with it: nothing is shared
between workers that fork, and whoever asks may write to the database while the answer comes.
"""

import asyncio
import contextlib
import queue
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
from pydantic_ai import exceptions as theirs
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import (
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
)
from pydantic_ai.models import Model, infer_model
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModelSettings
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.settings import ModelSettings

from agents.translating import clean, request_of
from agents.workflows import Message

# More than any answer that a person would read; a server that never ends is left.
CHARACTERS_AT_MOST = 1_000_000
_GRACE_SECONDS = 5.0
_CODE = re.compile(r"(?!None$)[\w.-]{1,60}")
# How it is said, whether asking again may help, and whether the provider is at fault.
_SAID: tuple[tuple[type[Exception], str, bool, bool], ...] = (
    (theirs.ModelRateLimitError, "takes no more at the moment", True, True),
    (theirs.ModelQuotaExceededError, "says that the account has nothing left", False, False),
    (theirs.ModelUnavailableError, "is not available", True, True),
    (theirs.ModelServerError, "failed", True, True),
    (theirs.ModelRequestTimeout, "did not answer in time", False, True),
    (theirs.ModelTimeoutError, "did not answer in time", True, True),
    (theirs.ModelConnectionError, "could not be reached, or broke off", True, True),
    (theirs.ModelAuthenticationError, "does not take our key", False, False),
    (theirs.ModelNotFoundError, "does not know this model, or this address", False, False),
    (theirs.ModelContextWindowExceededError, "cannot read so much at once", False, False),
    (theirs.ModelRequestRejectedError, "does not take what it was asked", False, False),
    (theirs.ModelAPIError, "did not answer", False, True),
    (theirs.AgentRunError, "answered with what is no answer", False, True),
    (theirs.UserError, "cannot be asked with this configuration", False, False),
    (ImportError, "needs a package that is not installed", False, False),
    (Exception, "could not be asked", False, True),
)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask: a name that pydantic_ai knows, or a model of a server of our own."""

    model: str
    url: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: for all of it, until the connection stands, and between two words."""

    whole: float
    connect: float
    idle: float


class Failed(Exception):
    """An attempt that brought no answer; the sentence has no subject and no secret.

    `wait` is for how many seconds the provider asked to be left alone.
    """

    def __init__(
        self, sentence: str, *, again: bool, at_fault: bool, wait: float | None = None
    ) -> None:
        """Keep what there is to say, and whether another attempt is worth it."""
        self.sentence = sentence
        self.again = again
        self.at_fault = at_fault
        self.wait = wait
        super().__init__(sentence)


class Unasked(Failed):
    """Nobody was asked, and asking again would not help."""

    def __init__(self, sentence: str) -> None:
        """Keep why."""
        super().__init__(sentence, again=False, at_fault=False)


def attempt(
    target: Target, message: Message, limits: Limits, said: Callable[[str], None] | None
) -> ModelResponse:
    """Ask once and return the answer; `said` hears the text so far, in the caller's thread.

    Raises: Failed, or what `said` raises; the request is given up then.
    """
    asking = _Asking(target, message, limits, streams=said is not None)
    asking.start()
    try:
        for text in asking.texts():
            if said is not None:
                said(clean(text))
    finally:
        asking.give_up()
    return asking.response()


class _Asking:
    """One request in a thread and a loop of its own."""

    def __init__(self, target: Target, message: Message, limits: Limits, *, streams: bool) -> None:
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._target, self._message, self._limits = target, message, limits
        self._streams = streams
        self._heard: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._text = ""
        self._length = 0
        self._began = False
        self._outcome: ModelResponse | Failed | None = None
        self._cancel: Callable[[], Any] = lambda: None

    def start(self) -> None:
        """Begin to ask; what comes of it is heard in the thread that calls this."""
        self._thread.start()

    def texts(self) -> Any:
        """Yield the text so far whenever there is more of it, until the answer is there."""
        while (text := self._next()) is not None:
            yield text

    def give_up(self) -> None:
        """End the request if it is under way, and wait until its connection is closed."""
        with contextlib.suppress(RuntimeError):
            # Its loop is closed when the answer is there.
            self._cancel()
        self._thread.join(_GRACE_SECONDS)

    def response(self) -> ModelResponse:
        """Return the answer. Raises: Failed."""
        if isinstance(self._outcome, ModelResponse):
            return self._outcome
        raise self._outcome or Failed("did not answer in time", again=False, at_fault=True)

    def _run(self) -> None:
        try:
            self._outcome = asyncio.run(self._ask())
        except asyncio.CancelledError:
            self._outcome = None
        except Failed as failed:
            self._outcome = failed
        except Exception as error:  # noqa: BLE001  (adapters of many providers; all are told)
            self._outcome = _failure(error, began=self._began)
        finally:
            self._heard.put(None)

    def _next(self) -> str | None:
        try:
            return self._heard.get(timeout=self._limits.whole + _GRACE_SECONDS)
        except queue.Empty:
            return None

    async def _ask(self) -> ModelResponse:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is not None:
            self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        told, parameters = request_of(self._message)
        settings = _settings(self._target, self._limits)
        model = _model(self._target)
        async with model:
            if not self._streams:
                return await model_request(
                    model, told, model_settings=settings, model_request_parameters=parameters
                )
            async with model_request_stream(
                model, told, model_settings=settings, model_request_parameters=parameters
            ) as stream:
                await self._listen(aiter(stream))
                return stream.get()

    async def _listen(self, events: Any) -> None:
        while True:
            # Until the first word the whole limit holds: a server may read or think for long.
            patience = self._limits.idle if self._began else None
            try:
                async with asyncio.timeout(patience):
                    event = await anext(events)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise Failed("fell silent in its answer", again=False, at_fault=True) from None
            self._began = True
            self._take(event)

    def _take(self, event: Any) -> None:
        more = ""
        if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
            more = event.part.content
        elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
            more = event.delta.content_delta
        self._length += len(more) or len(str(getattr(event, "delta", "")))
        if self._length > CHARACTERS_AT_MOST:
            raise Failed("said more than we listen to", again=False, at_fault=False)
        if more:
            self._text += more
            self._heard.put(self._text)


def _model(target: Target) -> Model[Any]:
    if not target.url:
        return infer_model(target.model)
    profile = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
    provider = OpenAICompatibleProvider(
        "local", base_url=target.url, api_key=target.key or None, profile=profile
    )
    return OpenAIChatModel(target.model, provider=provider)


def _settings(target: Target, limits: Limits) -> ModelSettings:
    # Its type still names the older client's.
    timeout = httpx2.Timeout(limits.whole, connect=limits.connect)
    settings = OpenAIResponsesModelSettings(
        timeout=timeout,  # type: ignore[typeddict-item]
        request_timeout=limits.whole,
        max_retries=0,
    )
    if not target.url:
        # What agents read stays in our journal; OpenAI would keep it for a month.
        settings["openai_store"] = False
    return settings


def _failure(error: Exception, *, began: bool) -> Failed:
    """Say what went wrong in words of ours: theirs may hold a part of the key."""
    _, sentence, again, at_fault = next(row for row in _SAID if isinstance(error, row[0]))
    if began and at_fault:
        # Asked again it would speak, and cost, a second time.
        return Failed("broke off in the middle of its answer", again=False, at_fault=True)
    codes = [str(getattr(error, name, "")) for name in ("status_code", "provider_error_code")]
    shown = ", ".join(code for code in codes if _CODE.fullmatch(code))
    wait = getattr(error, "retry_after", None)
    said = f"{sentence} ({shown})" if shown else sentence
    return Failed(said, again=again, at_fault=at_fault, wait=wait)
