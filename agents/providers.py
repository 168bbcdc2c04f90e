"""Where do model answers come from: a script, a recording, or whatever a name stands for?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agents.workflows import Message, ModelFailed, Provider, Reply

Factory = Callable[[str], Provider]

NOTHING_CONFIGURED = (
    "No model is configured: name one in the workflow, or set COUNTERSIGN_MODEL (docs/models.md)."
)


@dataclass(frozen=True, slots=True)
class Scripted:
    """Answers from a Python function: deterministic workflows and tests."""

    script: Callable[[Message], Reply]
    name: str = "scripted"

    def complete(self, message: Message) -> Reply:
        """Return what the script says."""
        return self.script(message)


@dataclass(slots=True)
class Recorded:
    """Answers in the order in which they were recorded."""

    replies: Sequence[Reply]
    name: str = "recorded"
    _position: int = field(default=0, repr=False)

    def complete(self, message: Message) -> Reply:
        """Return the next recorded answer. Raises: IndexError after the last one."""
        reply = self.replies[self._position]
        self._position += 1
        return reply


@dataclass(frozen=True, slots=True)
class Unconfigured:
    """Stands where a model was asked for and none is known; refuses when it is needed."""

    name: str = "default"

    def complete(self, message: Message) -> Reply:
        """Refuse. Raises: ModelFailed."""
        raise ModelFailed(NOTHING_CONFIGURED)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the operator chose; its name in the trace stays when they choose another one."""

    provider: Provider
    name: str = "default"

    @property
    def stream(self) -> Callable[[Message, Callable[[str], None]], Reply] | None:
        """Return how it speaks while it thinks, if it can."""
        return getattr(self.provider, "stream", None)

    def complete(self, message: Message) -> Reply:
        """Return its answer. Raises: ModelFailed."""
        return self.provider.complete(message)


_factories: dict[str, Factory] = {}


def register(name: str, factory: Factory) -> None:
    """Let a name stand for a provider; without a colon also for all names that begin `name:`.

    The factory is given the whole name; the one registered as `""` gets all names that nobody
    else knows, and the empty one. It is called when a run asks, never while packs are loaded.
    """
    _factories[name] = factory


def named(model: str = "") -> Provider:
    """Return the provider that a name stands for; the empty name is the operator's choice."""
    head = model.partition(":")[0]
    factory = _factories.get(model) or _factories.get(head) or _factories.get("")
    return factory(model) if factory else Unconfigured(model or "default")
