"""Which events are told, in which words, and what of them may leave the house?

Words, kinds and numbers only: no name of a person, no amount, nothing that an agent wrote.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from console.canonical import Json

How = Literal["immediate", "digest", "off"]


@dataclass(frozen=True, slots=True)
class Group:
    """Events that a person wants to hear of in one way; an `alarm` cannot be switched off."""

    label: str
    how: How
    alarm: bool = False

    @property
    def choices(self) -> tuple[How, ...]:
        """Return the ways that a person may choose from."""
        return ("immediate", "digest") if self.alarm else ("immediate", "digest", "off")


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of event: its group, what is said of one, and what is said of many in a digest.

    What `waits` for a decision is told with its deadline.
    """

    group: str
    one: str
    many: str
    waits: bool = False


GROUPS: dict[str, Group] = {
    "new": Group("New proposals that I may decide", "digest"),
    "mine": Group(
        "What waits for me: assigned, due soon, escalated, a review owed, a run paused by a guard",
        "immediate",
    ),
    "talk": Group("Questions, answers and requested changes", "immediate"),
    "outcome": Group("What became of proposals that I am behind", "digest"),
    "alarm": Group(
        "Alarms: nobody may decide, an execution failed or is in doubt, the glass was broken, a "
        "way out is gone or differs, a webhook ended",
        "immediate",
        alarm=True,
    ),
}
EVENTS: dict[str, Event] = {
    "proposal.made": Event(
        "new", "A proposal waits for you", "proposals are waiting for people", waits=True
    ),
    "proposal.assigned": Event(
        "mine", "A proposal was assigned to you", "proposals were assigned to you", waits=True
    ),
    "proposal.due_soon": Event(
        "mine", "A proposal is due soon", "proposals were due soon", waits=True
    ),
    "proposal.escalated": Event(
        "mine", "A proposal was escalated to you", "proposals were escalated to you", waits=True
    ),
    "run.paused": Event("mine", "A guard paused a run", "runs were paused by guards"),
    "review.owed": Event("mine", "A review is owed", "reviews are owed"),
    "question.asked": Event("talk", "A question waits for an answer", "questions were asked"),
    "question.answered": Event("talk", "A question was answered", "questions were answered"),
    "question.lapsed": Event("talk", "A question stayed unanswered", "questions stayed unanswered"),
    "changes.requested": Event("talk", "Changes were requested", "proposals came back for changes"),
    "proposal.settled": Event("outcome", "A proposal was settled", "proposals were settled"),
    "proposal.nobody_may_decide": Event(
        "alarm", "Nobody may decide a proposal", "proposals had nobody who may decide"
    ),
    "execution.failed": Event("alarm", "An execution failed", "executions failed"),
    "execution.in_doubt": Event(
        "alarm", "Nobody knows whether an effect happened", "effects came into doubt"
    ),
    "doubt.overdue": Event(
        "alarm", "An effect is in doubt for too long", "effects were in doubt for too long"
    ),
    "execution.quarantined": Event(
        "alarm", "An execution was set aside", "executions were set aside"
    ),
    "discrepancy.found": Event(
        "alarm", "Our list and a provider’s differ", "times our list and a provider’s differed"
    ),
    "compensation.failed": Event(
        "alarm", "An effect outside was not undone", "effects outside were not undone"
    ),
    "connector.gone": Event(
        "alarm", "A connector is not seen any more", "connectors were not seen any more"
    ),
    "sending.stopped": Event("alarm", "Sending was stopped", "times sending was stopped"),
    "glass.broken": Event("alarm", "The glass was broken", "times the glass was broken"),
    "policy.alarm": Event("alarm", "A policy raised an alarm", "alarms of policies"),
    "ledger.checkpoint_failed": Event(
        "alarm", "A checkpoint of the ledger failed", "checkpoints of the ledger failed"
    ),
    "invariant.broken": Event(
        "alarm", "A promise of the database is broken", "promises of the database were broken"
    ),
    "webhook.ended": Event("alarm", "A webhook was switched off", "webhooks were switched off"),
}
# Sent on purpose from its page, to one webhook, whatever that one listens to.
TEST = "webhook.test"
_CODE = re.compile(r"^[a-z][a-z_.]{0,39}$")
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?([+-]\d\d:\d\d|Z)$")
# What may be said besides: a number, one of our own words, or a time.
_NUMBERS = frozenset({"level", "revision", "needed", "missing"})
_WORDS = frozenset({"status", "outcome"})
_TIMES = frozenset({"due_at", "at"})


def unknown(names: list[str]) -> list[str]:
    """Return the events that do not exist, in the order given."""
    return [name for name in names if name not in EVENTS]


def how_of(event: str, chosen: Mapping[str, str]) -> How:
    """Return how somebody who chose this hears of an event."""
    group = GROUPS[EVENTS[event].group]
    wanted = chosen.get(EVENTS[event].group, group.how)
    return next((how for how in group.choices if how == wanted), group.how)


def tellable(data: Mapping[str, Json]) -> dict[str, Json]:
    """Return the part of `data` that may leave the house; anything else is dropped."""
    return {name: value for name, value in sorted(data.items()) if _is_tellable(name, value)}


def _is_tellable(name: str, value: Json) -> bool:
    if name in _NUMBERS:
        return type(value) is int and 0 <= value <= 1_000_000  # noqa: PLR2004  (of no meaning)
    if not isinstance(value, str):
        return False
    return bool((name in _WORDS and _CODE.match(value)) or (name in _TIMES and _TIME.match(value)))
