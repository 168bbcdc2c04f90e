"""Where do model answers come from when no network and no key is wanted?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agents.workflows import Message, Reply


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
