"""What became of one effect that left the house, how do we know, and what can be done about it?"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from approvals import doubt
from approvals.doubt import Seen, Word
from approvals.formats import Segment
from approvals.operations.recording import NOT_SENT
from approvals.operations.resolving import EVIDENCE_AT_MOST
from approvals.queries import outside as queries
from approvals.queries.involving import involved_in
from approvals.queries.outside import Outside
from approvals.queries.promises import sending_of
from approvals.showing.carrying import after_silence, promise
from approvals.showing.outside import amount_of, left
from approvals.showing.texts import told
from console.access.rights import allows
from console.actors import Actor
from console.errors import Refused
from console.words import listed

if TYPE_CHECKING:
    from approvals.models import Attempt, Execution, Observation, Resolution

# How much of a request is laid before a reader; its digest is of all of it.
BYTES_SHOWN = 20_000
_FINDINGS = {
    "executed": "It happened.",
    "absent": "There is no such order.",
    "refused": "It was refused; nothing happened.",
    "unclear": "It cannot be told.",
}
_SOURCES = {
    "late_answer": "An answer that came late",
    "inquiry": "Asked for it",
    "callback": "A message of theirs",
    "statement": "Their own list",
    "person": "A person who asked",
}
_OUTCOMES = {
    "acknowledged": ("passed", "The provider says that it is done."),
    "refused": ("rejected", "The provider says that it did nothing."),
    "unknown": ("in_doubt", "No usable answer came: it may have happened, or not."),
    "": ("sent", "No answer has come yet."),
}
_UNSENT = "Until it is sent, whoever approved it, or an admin, takes it back on its proposal."
_GOES_AGAIN = (
    "Nothing at this moment: it was sent before, and a person had it sent again. If it cannot be,"
    " it is in doubt once more."
)
_NOTHING_TO_DO = {
    "held": _UNSENT,
    "ready": _UNSENT,
    "claimed": _UNSENT,
    "sent": "Nothing at this moment. If no answer comes in time it is in doubt, and people say here"
    " what became of it.",
    "succeeded": "Nothing is open. To undo it, roll the record back: what undoes it outside is then"
    " put before people as a proposal of its own.",
    "failed": "Nothing is open. If it is still wanted, it has to be proposed again.",
    "recalled": "Nothing is open. If it is still wanted, it has to be proposed again.",
    "compensating": "Decide on the step whose turn it is; its proposal is linked above.",
}
_LINES = {
    "execution.compensated": ("compensated", "noted that it was undone outside"),
    "execution.compensating": ("compensating", "put before people what undoes it outside"),
    "execution.compensation_failed": ("compensation_failed", "noted that it was not undone"),
    "execution.asked_about": ("search", "had the provider asked"),
    "execution.failed": ("failed", "ended it: not carried out"),
    "execution.given_back": ("changes_requested", "gave it back to people"),
    "execution.quarantined": ("quarantined", "set it aside: begun too often"),
    "execution.recalled": ("recalled", "took the approval back"),
    "execution.taken_over": ("person", "sees to it"),
    "execution.tried_again": ("rotate-ccw", "let it be tried again"),
}
VERDICTS = {
    "executed": "It happened",
    "absent": "It did not happen",
    "send_again": "Send it again",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened, in the words of people; `quoted` is what somebody else wrote."""

    at: datetime
    icon: str
    what: str
    who: str = ""
    quoted: tuple[Segment, ...] = ()
    reference: tuple[Segment, ...] = ()
    notes: tuple[str, ...] = ()
    request: "Request | None" = None


@dataclass(frozen=True, slots=True)
class Request:
    """The bytes of one sending, as they left, without secrets."""

    number: int
    digest: str
    text: tuple[Segment, ...]
    size: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the provider says, and how it came to us."""

    at: datetime
    source: str
    icon: str
    says: str
    reference: tuple[Segment, ...]
    detail: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Saying:
    """What one person said became of it."""

    person: str
    verdict: str
    reference: tuple[Segment, ...]
    evidence: tuple[Segment, ...]
    at: datetime
    is_mine: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of the way back, in its order."""

    number: int
    title: tuple[Segment, ...]
    execution_id: UUID
    proposal_id: UUID | None
    status: str
    label: str
    text: tuple[Segment, ...]
    due_at: datetime | None
    is_this: bool
    is_irreversible: bool


@dataclass(frozen=True, slots=True)
class WayBack:
    """How far what was owed for one cause has been undone outside."""

    turns: list[Turn] = field(default_factory=list)
    done: int = 0
    irreversible: int = 0


def execution(found: Outside, actor: Actor, now: datetime, seen: str = "") -> dict[str, Any]:
    """Return what `approvals/_outside_one.html` shows; `seen` is what the reader's form was for."""
    row = found.execution
    outlet = found.revision.outlet or {}
    current = mark(found)
    return {
        "execution": row,
        "row": left(row, found.revision, queries.compensated_of(row.workspace_id, _causes(found))),
        "amount": amount_of(found.revision.measure),
        "key": row.id.hex,
        "kind": outlet.get("kind", ""),
        "promise": promise(row.retry_class),
        "after_silence": after_silence(row.retry_class),
        "connector": found.connector,
        "has_moved_out": _has_moved_out(found),
        "story": sorted(_story(found), key=lambda moment: moment.at),
        "findings": list(_findings(found)),
        "asks_at": row.next_at if row.next_at and row.next_at > now else None,
        "discrepancies": [(each, told(each.text)) for each in found.discrepancies],
        "sayings": [_saying(each, actor) for each in _of_now(found)],
        "is_disputed": doubt.is_disputed(_words(found)),
        "way_back": way_back(found),
        "undoes": found.compensates,
        "seen": current,
        "is_outdated": bool(seen) and seen != current,
    }


def mark(found: Outside) -> str:
    """Return a word that differs whenever what can be done has changed."""
    row = found.execution
    parts = (row.status, len(found.attempts), len(_of_now(found)), row.owner_id or "")
    return "-".join(map(str, parts))


def _causes(found: Outside) -> list[str]:
    return [found.compensation.cause] if found.compensation else []


def _of_now(found: Outside) -> list["Resolution"]:
    """Return what people said about the newest attempt: what they said before is settled."""
    newest = found.attempts[-1].number if found.attempts else 0
    return [each for each in found.resolutions if each.attempt_number == newest]


def _has_moved_out(found: Outside) -> bool:
    """Say whether the way out is another one by now than the one that people approved."""
    outlet = found.revision.outlet or {}
    return found.connector is not None and outlet.get("digest") != found.connector.digest


def _story(found: Outside) -> Iterator[Moment]:
    row = found.execution
    yield Moment(
        row.created_at, "approved", "approved it" if _who(found) else "Approved", _who(found)
    )
    for attempt in found.attempts:
        yield from _sending(attempt)
    for each in found.observations:
        yield Moment(
            each.at,
            "info",
            f"{_SOURCES[each.source]}: {_FINDINGS[each.says]}",
            reference=told(each.reference),
            quoted=told(each.detail),
        )
    for said in found.resolutions:
        what = f"says of attempt {said.attempt_number}: {VERDICTS[said.verdict].lower()}"
        evidence, reference = told(said.evidence), told(said.reference)
        yield Moment(said.at, "person", what, said.person.name, evidence, reference)
    for line in found.lines:
        icon, what = _LINES[line.verb]
        why = told(str(line.body.get("reason", "")))
        yield Moment(line.at, icon, what, line.actor["name"], why)
    if row.doubted_at:
        notes = ("Nobody knows whether it happened. It is not sent again blindly.",)
        yield Moment(row.doubted_at, "in_doubt", "In doubt", notes=notes)
    if row.executed_at:
        yield Moment(row.executed_at, "snapshot", "Recorded as carried out")


def _who(found: Outside) -> str:
    names = [each.person.name for each in found.decisions if each.choice == "approve"]
    return listed(names) if names else found.execution.proposal.settled_by


def _sending(attempt: "Attempt") -> Iterator[Moment]:
    notes = (f"An answer was waited for until {attempt.deadline_at:%H:%M:%S} UTC.",)
    yield Moment(
        attempt.sent_at,
        "sent",
        f"Attempt {attempt.number} was sent",
        notes=notes if not attempt.outcome else (),
        request=_request(attempt),
    )
    if attempt.ended_at:
        icon, says = _outcome(attempt)
        status = attempt.answer_status
        yield Moment(
            attempt.ended_at,
            icon,
            f"Attempt {attempt.number}: {says}",
            quoted=told(attempt.answer),
            reference=told(attempt.reference),
            notes=() if status is None else (f"Their status: {status}.",),
        )


def _request(attempt: "Attempt") -> Request:
    body = bytes(attempt.request)
    text = body[:BYTES_SHOWN].decode(errors="replace")
    is_cut = len(body) > BYTES_SHOWN
    return Request(attempt.number, attempt.request_digest, told(text), len(body), is_cut)


def _findings(found: Outside) -> Iterator[Finding]:
    """Return what the provider says, newest first: its answers, and what it was asked for."""
    heard = [*map(_answer, filter(_has_answered, found.attempts)), *map(_seen, found.observations)]
    yield from sorted(heard, key=lambda each: each.at, reverse=True)


def _has_answered(attempt: "Attempt") -> bool:
    return attempt.ended_at is not None


def _outcome(attempt: "Attempt") -> tuple[str, str]:
    if attempt.answer == NOT_SENT:
        return "rejected", "Nothing was sent."
    return _OUTCOMES[attempt.outcome]


def _answer(attempt: "Attempt") -> Finding:
    icon, says = _outcome(attempt)
    source = f"The answer to attempt {attempt.number}"
    at = attempt.ended_at or attempt.sent_at
    return Finding(at, source, icon, says, told(attempt.reference), told(attempt.answer))


def _seen(each: "Observation") -> Finding:
    icon = {"executed": "passed", "refused": "rejected", "absent": "circle-slash"}.get(each.says)
    return Finding(
        each.at,
        _SOURCES[each.source],
        icon or "in_doubt",
        _FINDINGS[each.says],
        told(each.reference),
        told(each.detail),
    )


def _saying(each: "Resolution", actor: Actor) -> Saying:
    return Saying(
        person=each.person.name,
        verdict=VERDICTS[each.verdict],
        reference=told(each.reference),
        evidence=told(each.evidence),
        at=each.at,
        is_mine=str(each.person_id) == actor.id,
    )


def way_back(found: Outside) -> WayBack:
    """Return what is owed for the same cause, in its turns, and how much of it is done."""
    turns = [_turn(each, found.execution.id) for each in found.turns]
    return WayBack(
        turns=turns,
        done=sum(each.status == "compensated" for each in turns),
        irreversible=sum(each.is_irreversible for each in turns),
    )


def _turn(each: Any, here: UUID) -> Turn:
    status = _status_of(each)
    return Turn(
        number=each.number,
        title=told(each.execution.proposal.title),
        execution_id=each.execution_id,
        proposal_id=each.proposal_id,
        status=status,
        label=_TURNS[status],
        text=told(each.text),
        due_at=None if status == "compensated" else each.due_at,
        is_this=each.execution_id == here,
        is_irreversible=each.is_irreversible,
    )


_TURNS = {
    "failed": "Cannot be undone",
    "compensated": "Undone",
    "compensation_failed": "Could not be undone",
    "compensating": "Waits for people",
}


def _status_of(each: Any) -> str:
    if each.is_irreversible:
        return "failed"
    known = each.execution.status
    return known if known in _TURNS else "compensating"


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person has put into a form so far."""

    verdict: str = ""
    reference: str = ""
    evidence: str = ""
    reason: str = ""


def acting(
    found: Outside,
    actor: Actor,
    now: datetime,
    *,
    typed: Typed | None = None,
    refused: Refused | None = None,
) -> dict[str, Any]:
    """Return what `approvals/_outside_act.html` shows: what this person can do, or why nothing."""
    row = found.execution
    shown: dict[str, Any] = {"typed": typed or Typed(), "refused": refused, "act": "nothing"}
    if row.status == "quarantined":
        return {**shown, "act": "set_aside", "may_see_to": allows(actor.roles, "administer")}
    if row.status == "compensation_failed":
        return {**shown, "act": "undo_again", "may_undo": allows(actor.roles, "resolve")}
    if row.status != "in_doubt":
        return {**shown, "act_says": [_nothing_to_do(row)]}
    return {**shown, "act": "resolve", **_resolving(found, actor, now)}


def _nothing_to_do(row: "Execution") -> str:
    if row.was_sent and _NOTHING_TO_DO.get(row.status) == _UNSENT:
        return _GOES_AGAIN
    return _NOTHING_TO_DO.get(row.status, "Nothing is open.")


def _resolving(found: Outside, actor: Actor, now: datetime) -> dict[str, Any]:
    row = found.execution
    barred = doubt.objection_to_person(
        actor.ref, involved_in(row), may_resolve=allows(actor.roles, "resolve")
    )
    not_again = _not_again(found, now)
    return {
        "barred": barred,
        "can_speak": not barred,
        "has_spoken": any(str(each.person_id) == actor.id for each in _of_now(found)),
        "attempt_number": found.attempts[-1].number if found.attempts else 0,
        "not_again": not_again,
        "may_send_again": not not_again,
        "can_take_over": not barred and str(row.owner_id) != actor.id,
        "can_ask_now": bool(found.connector and found.connector.can_ask)
        and allows(actor.roles, "resolve"),
        "evidence_at_most": EVIDENCE_AT_MOST,
    }


def _not_again(found: Outside, now: datetime) -> str:
    """Say why it may not be sent again, or nothing when one person may have it sent."""
    if not found.attempts:
        return "It was never sent."
    seen = [
        Seen(row.says, row.at, row.reference)
        for row in found.observations
        if row.source != "person"
    ]
    sending = sending_of(found.execution, found.attempts[-1])
    return doubt.objection_to_sending_again(sending, seen, _words(found), now)


def _words(found: Outside) -> list[Word]:
    known = {each: each for each in doubt.VERDICTS}
    return [
        Word(str(row.person_id), known[row.verdict], row.reference)  # type: ignore[index]
        for row in _of_now(found)
    ]
