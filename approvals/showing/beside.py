"""What else waits for people in the queue, beside proposals, that a higher room knows of?

A room that stands on this one offers its items when it is loaded; the queue shows them without
knowing what they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from approvals.formats import Segment
from console.actors import Actor

SHOWN_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Item:
    """One row: what it is called, what is to be said of it, since when, and where it is decided.

    `page` is the name of an address that takes the workspace and `id`; `status` names the icon.
    """

    id: UUID
    page: str
    status: str
    tag: str
    title: tuple[Segment, ...]
    note: tuple[Segment, ...]
    about: str
    at: datetime
    is_my_turn: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """Items of one kind: the first of them, how many there are, and the page that lists all."""

    name: str
    label: str
    page: str
    items: Sequence[Item]
    count: int
    is_more: bool = False

    @property
    def total(self) -> str:
        """Return how many wait, as far as they were counted."""
        return f"{self.count:,}{'+' if self.is_more else ''}"


Provider = Callable[[Actor], Offer | None]
_providers: list[Provider] = []


def offer(provider: Provider) -> None:
    """Let the queue ask a room for what waits there; a room does this when it is loaded."""
    if provider not in _providers:
        _providers.append(provider)


def offered(actor: Actor) -> list[Offer]:
    """Return what waits elsewhere for people of this workspace; what is empty is left out."""
    found = (look(actor) for look in _providers)
    return [each for each in found if each is not None and each.count]
