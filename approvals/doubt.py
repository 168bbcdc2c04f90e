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
ASKED_AFTER, ASKED_AT_LATEST = timedelta(seconds=5), timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Sending:
    """What matters of the newest sending, and of the provider's promises.

    `is_trusted` says that these promises are those of the connector it was sent through.
    """

    retry_class: str
    sent_at: datetime
    settle: timedelta
    retention: timedelta | None = None

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

    Who names a reference and who names none do not contradict each other; two references do.
    """
    for nth, word in enumerate(words):
        for other in words[nth + 1 :]:
            if _agree(word, other):
                return word if word.reference else other
    return None


def _agree(one: Word, other: Word) -> bool:
    references = {one.reference, other.reference} - {""}
    return (
        one.person != other.person
        and one.verdict == other.verdict != "send_again"
        and len(references) <= 1
    )


def is_disputed(words: Sequence[Word]) -> bool:
    """Say whether people contradict each other about one sending."""
    references = {word.reference for word in words} - {""}
    return len({word.verdict for word in words}) > 1 or len(references) > 1


def objection_to_sending_again(
    sending: Sending, seen: Sequence[Seen], words: Sequence[Word], now: datetime
) -> str:
    """Say why it may not be sent again, or nothing when one person may have it sent.

    The provider itself has to say that it is absent, at a time when that means something, and
    nobody and nothing since may say otherwise. A key that is too old is like none.
    """
    if sending.retry_class not in {"keyed", "queryable"}:
        return "Its provider cannot be asked, so it is never sent again."
    if may_resend(sending, sending.sent_at, now):
        return "Its provider takes the same key twice for one, so it is sent again by itself."
    if now < sending.settled_at:
        return "It may still be under way; its absence means nothing before its time is over."
    if any(word.verdict == "executed" for word in words):
        return "Somebody says that it was executed, so it is not sent again."
    newest = max((one for one in seen if one.says != "unclear"), key=_when, default=None)
    if newest is None or newest.says != "absent" or newest.at < sending.settled_at:
        return "Its provider has not said, after the time it takes, that it is absent."
    return ""


def _when(seen: Seen) -> datetime:
    return seen.at


def may_resend(sending: Sending, first_sent_at: datetime, now: datetime) -> bool:
    """Say whether the same bytes may be sent again by themselves: keyed, and still young."""
    if sending.retry_class != "keyed" or sending.retention is None:
        return False
    return now - first_sent_at < _TRUSTED_PART * sending.retention


def ask_again_at(doubted_at: datetime, now: datetime) -> datetime:
    """Return when a provider is asked again: soon at first, then half as long as it is in doubt."""
    return now + min(max((now - doubted_at) / 2, ASKED_AFTER), ASKED_AT_LATEST)


def is_news(before: Seen | None, found: Seen, sending: Sending) -> bool:
    """Say whether a provider says something that it has not said before.

    That it is absent is news once more when the time has come from which on that means something.
    """
    if before is None or (before.says, before.reference) != (found.says, found.reference):
        return True
    return found.says == "absent" and before.at < sending.settled_at <= found.at
