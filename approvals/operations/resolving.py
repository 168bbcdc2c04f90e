"""Let people who had no part in an execution in doubt say what became of it; two settle it."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, get_args
from uuid import UUID

from django.db import IntegrityError, transaction

from approvals import doubt
from approvals.doubt import Seen, Verdict, Word
from approvals.models import Attempt, Execution, Resolution
from approvals.operations.finding import find_execution
from approvals.operations.nudging import nudge
from approvals.operations.recording import fail, succeed
from approvals.operations.settling import announce
from approvals.operations.verifying import Ground
from approvals.policy import says_something
from approvals.queries.involving import involved_in
from approvals.queries.promises import sending_of
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict, Forbidden, Invalid
from console.ledger.operations.appending import append
from console.live import ring

EVIDENCE_AT_MOST, REFERENCE_AT_MOST = 1_000, 200


class NotToResolve(Forbidden):
    """Somebody else has to say what became of it."""

    code = "not_to_resolve"


class NotInDoubt(Conflict):
    """What became of it is known by now; nothing was recorded."""

    code = "not_in_doubt"


class AttemptChanged(Conflict):
    """It was sent again after you opened this; look at the new attempt first."""

    code = "attempt_changed"
    status: ClassVar[int] = 412


class AlreadyResolved(Conflict):
    """You have said something else about this attempt before; your word stays as it is."""

    code = "already_resolved"


class MayNotBeSent(Conflict):
    """It may not be sent again. Nothing was recorded."""

    code = "may_not_be_sent_again"


class ResolutionInvalid(Invalid):
    """Something is missing from what you say."""

    code = "resolution_invalid"


@dataclass(frozen=True, slots=True)
class _Saying:
    """What one person says of one attempt, and on which evidence."""

    verdict: Verdict
    reference: str
    evidence: str


def take_over(*, actor: Actor, execution_id: UUID, now: datetime) -> None:
    """Make a person the owner of an execution in doubt: whom others ask about it.

    Locks: the State, the proposal, the execution.
    Raises: NotToResolve (403), NotFound (404), NotInDoubt (409).
    """
    with transaction.atomic(durable=True):
        execution, ground = find_execution(actor, execution_id, now)
        _refuse_unless_may(actor, execution)
        _refuse_unless_in_doubt(execution)
        if str(execution.owner_id) == actor.id:
            return
        execution.owner_id = UUID(actor.id)
        execution.save(update_fields=["owner"])
        append(actor, "execution.taken_over", f"proposal:{ground.proposal.id}", {})
        _ring(execution)


def resolve(
    *,
    actor: Actor,
    execution_id: UUID,
    attempt_number: int,
    verdict: str,
    reference: str,
    evidence: str,
    now: datetime,
) -> str:
    """Record what one person says became of the newest attempt, and return the status after it.

    Two who agree settle it; one may have it sent again where its provider says that it is absent.
    Who contradict each other leave it in doubt, and a third may agree with either.
    Locks: the State, the proposal, the execution.
    Raises: NotToResolve (403), NotFound (404), NotInDoubt, AlreadyResolved, MayNotBeSent (409),
    AttemptChanged (412), ResolutionInvalid (422).
    """
    saying = _usable(verdict, reference, evidence)
    with transaction.atomic(durable=True):
        execution, ground = find_execution(actor, execution_id, now)
        _refuse_unless_may(actor, execution)
        # A double click answers like the first one, also where that one settled it.
        if _said_before(actor, execution, attempt_number, saying):
            return execution.status
        _refuse_unless_in_doubt(execution)
        attempt = Attempt.objects.filter(execution=execution).latest("number")
        if attempt.number != attempt_number:
            raise AttemptChanged(shown=attempt_number, current=attempt.number)
        if saying.verdict == "send_again":
            _refuse_to_send(execution, attempt, now)
        _record(actor, execution, attempt_number, saying, now)
        _conclude(actor, execution, ground, attempt, saying)
    return execution.status


def _usable(verdict: str, reference: str, evidence: str) -> _Saying:
    known = {each: each for each in get_args(Verdict)}
    if verdict not in known:
        raise ResolutionInvalid("Say whether it was executed, is absent, or is sent again.")
    if not says_something(evidence) or len(evidence) > EVIDENCE_AT_MOST or "\x00" in evidence:
        sentence = f"Say what you base this on, in at most {EVIDENCE_AT_MOST} characters."
        raise ResolutionInvalid(sentence, field="evidence")
    if len(reference) > REFERENCE_AT_MOST or "\x00" in reference:
        sentence = f"A reference has at most {REFERENCE_AT_MOST} characters, none of them NUL."
        raise ResolutionInvalid(sentence, field="reference")
    named = reference.strip() if verdict == "executed" else ""
    return _Saying(known[verdict], named, evidence.strip())


def _refuse_unless_may(actor: Actor, execution: Execution) -> None:
    may, involved = allows(actor.roles, "resolve"), involved_in(execution)
    if objection := doubt.objection_to_person(actor.ref, involved, may_resolve=may):
        raise NotToResolve(objection)


def _refuse_unless_in_doubt(execution: Execution) -> None:
    if execution.status != "in_doubt":
        raise NotInDoubt(execution_status=execution.status)


def _said_before(actor: Actor, execution: Execution, number: int, saying: _Saying) -> bool:
    rows = Resolution.objects.filter(execution=execution, attempt_number=number)
    before = rows.filter(person=UUID(actor.id)).first()
    if before is None:
        return False
    if (before.verdict, before.reference) != (saying.verdict, saying.reference):
        raise AlreadyResolved(verdict=before.verdict)
    return True


def _refuse_to_send(execution: Execution, attempt: Attempt, now: datetime) -> None:
    seen = [
        Seen(row.says, row.at, row.reference)
        for row in execution.observations.exclude(source="person")
    ]
    words = _words(execution, attempt)
    sending = sending_of(execution, attempt)
    if objection := doubt.objection_to_sending_again(sending, seen, words, now):
        raise MayNotBeSent(f"{objection} Nothing was recorded.")


def _record(
    actor: Actor, execution: Execution, number: int, saying: _Saying, now: datetime
) -> None:
    row = Resolution(
        workspace_id=execution.workspace_id,
        execution=execution,
        attempt_number=number,
        person_id=UUID(actor.id),
        verdict=saying.verdict,
        reference=saying.reference,
        evidence=saying.evidence,
        at=now,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        # All else was asked for under the locks: who left us meanwhile, the database knows.
        raise NotToResolve from None


def _conclude(
    actor: Actor, execution: Execution, ground: Ground, attempt: Attempt, saying: _Saying
) -> None:
    agreed = doubt.agreed(_words(execution, attempt))
    if saying.verdict == "send_again":
        _send_again(execution, ground.now)
    elif agreed is not None and agreed.verdict == "executed":
        succeed(execution, ground, actor, reference=agreed.reference)
    elif agreed is not None:
        fail(execution, ground, actor, "Two people found that it was not carried out outside.")
    body: dict[str, Json] = {
        "attempt": attempt.number,
        "verdict": saying.verdict,
        "reference": saying.reference,
        "evidence": saying.evidence,
        "status": execution.status,
    }
    append(actor, "execution.resolved", f"proposal:{ground.proposal.id}", body)
    _ring(execution)


def _words(execution: Execution, attempt: Attempt) -> list[Word]:
    rows = Resolution.objects.filter(execution=execution, attempt_number=attempt.number)
    known = {each: each for each in get_args(Verdict)}
    found = rows.order_by("at", "id").values_list("person", "verdict", "reference")
    return [Word(str(person), known[verdict], named) for person, verdict, named in found]


def _send_again(execution: Execution, now: datetime) -> None:
    """Let the sender claim it anew; it verifies everything once more before it sends."""
    execution.status, execution.tries, execution.next_at = "ready", 0, now
    execution.save(update_fields=["status", "tries", "next_at"])
    nudge()


def _ring(execution: Execution) -> None:
    announce(execution.proposal_id, execution.workspace_id)
    ring("outside", execution.workspace_id)
