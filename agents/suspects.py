"""Which steps may have started what went wrong in a run, and why is each one suspected?

This is inference over what was written down, never proof; who shows it must say so. Each suspicion
is a rule that can be told in a sentence. What is read is the run alone: the words of agents and
people (English ones, where words matter), the calls, their results. A step's suspicions add up.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agents import hearing
from agents.breaker import PEOPLE
from agents.trail import Event, pairs
from agents.verdicts import Verdict
from console.canonical import Json

SUSPECTS_AT_MOST: Final = 10
# How much each kind of suspicion weighs. What contradicts a result outweighs what only came
# before; what is only in the place where most things go wrong breaks ties.
WEIGHTS: Final = {
    "denied": 5.0,
    "guard": 3.5,
    "in_the_way": 3.0,
    "failed_write": 2.5,
    "misread": 2.5,
    "asked_here": 2.0,
    "unseen_value": 2.0,
    "first_seen": 1.5,
    "refused_wish": 1.5,
    # Agents add up more than can be followed here.
    "strange_amount": 1.0,
    "unconfirmed": 1.0,
    "failed": 0.6,
    "first_write": 0.5,
}


@dataclass(frozen=True, slots=True)
class Suspect:
    """A step that may have started it: how much speaks for it, and what."""

    step: int
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class _Sign:
    step: int
    kind: str
    reason: str


def rank(
    events: Sequence[Event],
    target_index: int | None = None,
    *,
    verdicts: Iterable[Verdict] = (),
) -> list[Suspect]:
    """Return the suspect steps of a run, the most suspect first.

    With a target (the step of a write that turned out wrong) only what came before it is looked
    at, and where its values came from counts; without one the whole run went wrong.
    """
    seen = [each for each in events if target_index is None or each.index <= target_index]
    signs = [
        *_denied(seen),
        *_misread(seen),
        *_guards(verdicts, target_index),
        *_in_the_way(seen),
        *_writes(seen, target_index),
        *_refused_wish(seen),
        *_failed(seen),
    ]
    return _added_up(signs)


def _added_up(signs: Sequence[_Sign]) -> list[Suspect]:
    found: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for sign in signs:
        found[sign.step].setdefault(sign.kind, sign.reason)
    suspects = [
        Suspect(
            step,
            round(sum(WEIGHTS[kind] for kind in kinds), 2),
            " ".join(reason for _, reason in sorted(kinds.items(), key=_weight)),
        )
        for step, kinds in found.items()
    ]
    return sorted(suspects, key=lambda each: (-each.score, each.step))[:SUSPECTS_AT_MOST]


def _weight(kind_and_reason: tuple[str, str]) -> float:
    return -WEIGHTS[kind_and_reason[0]]


# What an agent said against what it had read.


def _denied(events: Sequence[Event]) -> Iterator[_Sign]:
    """An agent says that there is none, and a result about the same thing holds one."""
    read: list[Json] = []
    for event in events:
        if event.kind == "result" and not event.error:
            read.append(hearing.value_of(event.content))
        elif _is_said(event):
            for denied in hearing.denied(_text(event), read):
                yield _Sign(
                    event.index,
                    "denied",
                    f"It says that there is no {denied}, and a result before it holds one.",
                )


def _misread(events: Sequence[Event]) -> Iterator[_Sign]:
    """An agent names a number that nothing before it holds and that follows from nothing."""
    known = hearing.Numbers()
    for event in events:
        if _is_said(event) and known.has_read:
            for number in known.strange_in(_text(event)):
                yield _Sign(
                    event.index,
                    "strange_amount" if _is_amount(number) else "misread",
                    f"It says {number}, which neither a result nor a person had said before.",
                )
        known.add(event.content, is_result=event.kind == "result")
        known.add(event.args, is_result=False)


def _is_amount(number: str) -> bool:
    return "." in number or "," in number


# What went wrong, and where its values came from.


def _writes(events: Sequence[Event], target_index: int | None) -> Iterator[_Sign]:
    made = [
        (call, result)
        for call, result in pairs(events)
        if call.writes and (target_index is None or call.index == target_index)
    ]
    failed = [call for call, result in made if result is not None and result.error]
    if failed:
        yield from _origins(events, failed[0], "failed_write", "failed")
    if not made:
        return
    first, last = made[0][0], made[-1][0]
    yield _Sign(first.index, "first_write", "It is the first write.")
    yield from _asked(events, last)
    if target_index is not None:
        yield from _origins(events, last, "first_seen", "turned out wrong")
        yield from _unseen(events, last)
    for call, _ in made:
        yield from _unconfirmed(events, call)


def _origins(events: Sequence[Event], write: Event, kind: str, what: str) -> Iterator[_Sign]:
    """The work for a write began where the parameter that was known last began to turn up."""
    found: dict[str, Event] = {}
    for name, value in hearing.leaves(write.args):
        origin = _first_with(value, events, write.index)
        if origin and (name not in found or origin.index < found[name].index):
            found[name] = origin
    if not found:
        return
    name, origin = max(found.items(), key=lambda each: each[1].index)
    called = name or "value"
    said = f"The {called} of the write in step {write.index}, which {what}, was first seen here."
    yield _Sign(_asked_in(origin, events), kind, said)


def _unseen(events: Sequence[Event], write: Event) -> Iterator[_Sign]:
    unseen = [
        name
        for name, value in hearing.leaves(write.args)
        if not _first_with(value, events, write.index)
    ]
    if unseen:
        names = ", ".join(unseen[:3])
        yield _Sign(write.index, "unseen_value", f"Nothing before it holds its {names}.")


def _asked(events: Sequence[Event], write: Event) -> Iterator[_Sign]:
    """The last thing that a person wanted before a write, a mere yes apart, is what it does."""
    wishes = [
        event
        for event in events
        if event.index < write.index
        and _is_by_person(event)
        and not hearing.is_consent(_text(event))
    ]
    if wishes:
        yield _Sign(
            wishes[-1].index,
            "asked_here",
            f"Here a person said what the write in step {write.index} does.",
        )


def _unconfirmed(events: Sequence[Event], write: Event) -> Iterator[_Sign]:
    """Where people are asked before a write, one without a yes is odd."""
    before = [event for event in events if event.index < write.index]
    said = [event for event in before if _is_by_person(event)]
    consents = [event for event in said if hearing.is_consent(_text(event))]
    written = [event.index for event in before if event.kind == "call" and event.writes]
    since = max(written, default=-1)
    if said and said[-1].index > since and said[-1] not in consents:
        yield _Sign(write.index, "unconfirmed", "It writes, and nobody had said yes to it.")


def _in_the_way(events: Sequence[Event]) -> Iterator[_Sign]:
    """An agent refuses a wish because of what it has done itself: that came too early."""
    written = [
        call.index for call, result in pairs(events) if call.writes and result and not result.error
    ]
    for event in events:
        earlier = [index for index in written if index < event.index]
        if earlier and _is_said(event) and hearing.is_too_late(_text(event)):
            yield _Sign(
                earlier[-1],
                "in_the_way",
                f"Step {event.index} refuses a wish because this was done already.",
            )
            return


def _refused_wish(events: Sequence[Event]) -> Iterator[_Sign]:
    """The last wish of a person that an agent said no to."""
    wish: Event | None = None
    found: tuple[Event, Event] | None = None
    for event in events:
        if _is_by_person(event):
            wish = event
        elif wish is not None and _is_said(event) and hearing.is_refusal(_text(event)):
            found = (wish, event)
    if found is not None:
        wish, refusal = found
        yield _Sign(
            wish.index, "refused_wish", f"It wants what step {refusal.index} says cannot be done."
        )


def _failed(events: Sequence[Event]) -> Iterator[_Sign]:
    for call, result in pairs(events):
        if result is not None and result.error:
            yield _Sign(call.index, "failed", "The call failed.")


def _guards(verdicts: Iterable[Verdict], target_index: int | None) -> Iterator[_Sign]:
    for verdict in verdicts:
        began = verdict.began_at
        if began is not None and (target_index is None or began <= target_index):
            yield _Sign(began, "guard", f"A guard's verdict began here: {verdict.sentence}")


# Reading events.


def _first_with(value: Json, events: Sequence[Event], before: int) -> Event | None:
    for event in events:
        if event.index >= before:
            return None
        if event.kind != "call" and hearing.holds(event.content, value):
            return event
    return None


def _asked_in(origin: Event, events: Sequence[Event]) -> int:
    """Return the step that fetched a result; other events stand for themselves."""
    for event in events:
        if event.kind == "call" and origin.kind == "result" and event.call_id == origin.call_id:
            return event.index
    return origin.index


def _is_said(event: Event) -> bool:
    return event.kind == "message" and event.actor not in PEOPLE


def _is_by_person(event: Event) -> bool:
    return event.kind == "message" and event.actor in PEOPLE


def _text(event: Event) -> str:
    return event.content if isinstance(event.content, str) else hearing.as_text(event.content)
