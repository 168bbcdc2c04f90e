"""What may be done about an effect of which nobody knows whether it happened?

Its provider may say, or two people who had no part in it; nobody guesses. Values in, a yes, a time,
or the sentence that explains a no.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

Verdict = Literal["executed", "absent", "send_again"]
VERDICTS: Final[tuple[Verdict, ...]] = ("executed", "absent", "send_again")
PEOPLE_NEEDED: Final = 2
# Of the time in which a provider takes one key for one order, the part that we trust.
_TRUSTED_PART: Final = 0.8
_ANSWERS: Final = frozenset({"late_answer", "inquiry"})
_TOLD: Final = frozenset({"callback", "statement"})
ASKED_AFTER, ASKED_AT_LATEST = timedelta(seconds=5), timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Sending:
    """What matters of the newest sending, and of the provider's promises.

    `is_trusted` says that these promises are those of the connector it was sent through; what
    another one does not know, or would take twice for one, means nothing.
    """

    retry_class: str
    sent_at: datetime
    settle: timedelta
    retention: timedelta | None = None
    first_sent_at: datetime | None = None
    is_trusted: bool = True

    @property
    def settled_at(self) -> datetime:
        """Return from when on it means something that a provider does not know an order."""
        return self.sent_at + self.settle


@dataclass(frozen=True, slots=True)
class Seen:
    """What a provider, or somebody, said of it, and when."""

    says: str
    at: datetime
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """What one person says became of one sending."""

    person: str
    verdict: Verdict
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Involved:
    """Who may not say what became of it: who had a part in making it, and who decided on it."""

    lineage: Collection[str]
    deciders: Collection[str]


def objection_to_person(ref: str, involved: Involved, *, may_resolve: bool) -> str:
    """Say why somebody may not speak about what became of it, or nothing when they may."""
    if not ref.startswith("person:") or not may_resolve:
        return "What became of it is said by people whose role allows it, and by no program."
    if ref in involved.lineage:
        return "You took part in making this proposal, so others say what became of it."
    if ref in involved.deciders:
        return "You decided on this proposal, so others say what became of it."
    return ""


def agreed(words: Sequence[Word]) -> Word | None:
    """Return what two people agree on about one sending, or nothing.

    Who names a reference and who names none do not contradict each other; two references do. Who
    had it sent again, as it was absent, and nothing went out, says with others that it is absent.
    """
    for nth, word in enumerate(words):
        for other in words[nth + 1 :]:
            if _agree(word, other):
                return _clearer(word, other)
    return None


def _clearer(one: Word, other: Word) -> Word:
    return one if one.reference or other.verdict == "send_again" else other


def _agree(one: Word, other: Word) -> bool:
    references = {one.reference, other.reference} - {""}
    return (
        one.person != other.person
        and (one.verdict, other.verdict) != ("send_again", "send_again")
        and _meant(one) == _meant(other)
        and len(references) <= 1
    )


def _meant(word: Word) -> str:
    return "absent" if word.verdict == "send_again" else word.verdict


def is_disputed(words: Sequence[Word]) -> bool:
    """Say whether people contradict each other about one sending."""
    references = {word.reference for word in words} - {""}
    return len({_meant(word) for word in words}) > 1 or len(references) > 1


def objection_to_sending_again(
    sending: Sending, seen: Sequence[Seen], words: Sequence[Word], now: datetime
) -> str:
    """Say why it may not be sent again, or nothing when one person may have it sent.

    The provider itself has to say that it is absent, at a time when that means something, and
    nobody and nothing since may say otherwise. A key that is too old is like none.
    """
    if objection := _objection_to_way(sending, now):
        return objection
    if any(word.verdict == "executed" for word in words):
        return "Somebody says that it was executed, so it is not sent again."
    newest = max((one for one in seen if one.says != "unclear"), key=_when, default=None)
    if newest is None or newest.says != "absent" or newest.at < sending.settled_at:
        return "Its provider has not said, after the time it takes, that it is absent."
    return ""


def _objection_to_way(sending: Sending, now: datetime) -> str:
    """Say why its provider's word would not be enough, whatever it is."""
    if sending.retry_class not in {"keyed", "queryable"}:
        return "Its provider cannot be asked, so it is never sent again."
    if not sending.is_trusted:
        return "Its connector is another one by now, so nobody who could say is asked."
    if may_resend(sending, now):
        return "Its provider takes the same key twice for one, so it is sent again by itself."
    if now < sending.settled_at:
        return "It may still be under way; its absence means nothing before its time is over."
    return ""


def _when(seen: Seen) -> datetime:
    return seen.at


def may_resend(sending: Sending, now: datetime) -> bool:
    """Say whether the same bytes may be sent again by themselves: keyed, and still young.

    A key ages from the first time that it was sent.
    """
    if sending.retry_class != "keyed" or sending.retention is None or not sending.is_trusted:
        return False
    first = sending.first_sent_at or sending.sent_at
    return now - first < _TRUSTED_PART * sending.retention


def speaks_for_itself(source: str, reference: str) -> bool:
    """Say whether what was learned from a source is certain without people.

    An answer to our own bytes or question is; what others tell us names a reference; what a person
    heard never is.
    """
    return source in _ANSWERS or (source in _TOLD and bool(reference))


def ask_again_at(doubted_at: datetime, now: datetime) -> datetime:
    """Return when a provider is asked again: soon at first, then half as long as it is in doubt."""
    return now + min(max((now - doubted_at) / 2, ASKED_AFTER), ASKED_AT_LATEST)


def is_news(before: Seen | None, found: Seen, sending: Sending) -> bool:
    """Say whether a provider says something that it has not said before.

    That it is absent is news once more when the time has come from which on that means something.
    """
    if found.says == "absent" and not sending.is_trusted:
        return False
    if before is None or (before.says, before.reference) != (found.says, found.reference):
        return True
    return found.says == "absent" and before.at < sending.settled_at <= found.at
