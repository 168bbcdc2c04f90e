"""Record what became of something that was sent: under its fence, or as an observation.

What is true is never dropped: an answer that comes too late for its fence is kept, and settles what
is in doubt. Success outside is a fact; where the record cannot follow it, that is said instead.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from django.db import OperationalError, transaction

from approvals.connectors.protocol import Finding, Outcome, Receipt, Word
from approvals.doubt import speaks_for_itself
from approvals.models import Attempt, Execution, Observation, Resolution
from approvals.operations.differing import note_contradiction
from approvals.operations.doubting import doubt, mark_again, tell_again
from approvals.operations.executing import ring_after
from approvals.operations.finding import find_execution
from approvals.operations.giving_up import PROBLEM_AT_MOST, drop
from approvals.operations.settling import announce
from approvals.operations.telling import tell_failed
from approvals.operations.undoing import note_undone
from approvals.operations.verifying import Ground
from console.actors import Actor, system
from console.canonical import Json
from console.errors import Refused
from console.ledger.operations.appending import append
from console.live import ring
from console.locking import Busy
from snapshots.diff import Change
from snapshots.operations.committing import Cause, commit

logger = logging.getLogger(__name__)

Source = Literal["late_answer", "inquiry", "callback", "statement", "person"]
SAYS_AT_MOST, REFERENCE_AT_MOST, DETAIL_AT_MOST = 1000, 200, 1000
_SAYS: Final[dict[Outcome, Word]] = {
    "acknowledged": "executed",
    "refused": "refused",
    "unknown": "unclear",
}
NOT_SENT: Final = "Its time was over before the first byte; nothing was sent."
SAID_EXECUTED: Final = "It was to be sent again, and something says that it had happened."
NO_REASON: Final = "It refused without a reason."


def record(attempt: Attempt, receipt: Receipt, *, now: datetime) -> str:
    """Write what came back for an attempt and return how its execution stands then.

    Where somebody else has it by now the answer is kept as an observation.
    Locks: the State, the proposal, the execution. Raises: Busy (409).
    """
    actor = system("sender", attempt.workspace_id)
    with transaction.atomic(durable=True):
        execution, ground = find_execution(actor, attempt.execution_id, now)
        if (execution.status, execution.fence) == ("sent", attempt.fence):
            _close(attempt, receipt, now)
            _conclude(execution, ground, attempt, receipt, actor)
        else:
            finding = Finding(_SAYS[receipt.outcome], receipt.reference, receipt.says)
            _observe(execution, ground, actor, "late_answer", finding)
    return execution.status


def _close(attempt: Attempt, receipt: Receipt, now: datetime) -> None:
    attempt.outcome, attempt.ended_at = receipt.outcome, now
    attempt.answer_status = receipt.status
    attempt.answer = _storable(receipt.says, SAYS_AT_MOST)
    attempt.reference = _storable(receipt.reference, REFERENCE_AT_MOST)
    fields = ["outcome", "ended_at", "answer_status", "answer", "reference"]
    attempt.save(update_fields=fields)


def _conclude(
    execution: Execution, ground: Ground, attempt: Attempt, receipt: Receipt, actor: Actor
) -> None:
    if receipt.outcome == "acknowledged":
        succeed(execution, ground, actor, reference=attempt.reference)
    elif known := _known_executed(execution):
        succeed(execution, ground, actor, reference=known.reference)
    elif receipt.outcome == "refused" and not _may_have_happened(execution, attempt):
        said = f"The provider refused it: {attempt.answer or NO_REASON}"
        fail(execution, ground, actor, NOT_SENT if attempt.answer == NOT_SENT else said)
    else:
        why = attempt.answer or "No answer came that says whether it happened."
        execution.proposal = ground.proposal
        doubt(execution, attempt, actor=actor, why=why, now=ground.now)


def _known_executed(execution: Execution) -> Observation | None:
    """Return what says for certain that it has happened, as while it was being sent again."""
    rows = Observation.objects.filter(execution=execution, says="executed").order_by("-at")
    return next((row for row in rows if speaks_for_itself(row.source, row.reference)), None)


def _may_have_happened(execution: Execution, attempt: Attempt) -> bool:
    """Say whether an earlier sending is still unknown: refusing this one says nothing of that."""
    absent = Resolution.objects.filter(execution=execution, verdict="send_again")
    earlier = Attempt.objects.filter(execution=execution, outcome="unknown")
    earlier = earlier.exclude(number__in=absent.values("attempt_number"))
    return earlier.exclude(id=attempt.id).exists()


def keep_answer(attempt: Attempt, receipt: Receipt, *, now: datetime) -> None:
    """Keep an answer that could not be recorded in any other way; the attempt is left in doubt."""
    Observation.objects.create(
        workspace_id=attempt.workspace_id,
        execution_id=attempt.execution_id,
        source="late_answer",
        says=_SAYS[receipt.outcome],
        reference=_storable(receipt.reference, REFERENCE_AT_MOST),
        detail=_storable(receipt.says, DETAIL_AT_MOST),
        at=now,
    )


def observe(
    *, actor: Actor, execution_id: UUID, source: Source, finding: Finding, now: datetime
) -> str:
    """Keep what was learned of an execution and return how it stands then.

    It settles what is in doubt where it says for certain what happened; that it is absent does not.
    What contradicts how it was settled is opened as a difference for people.
    Locks: the State, the proposal, the execution. Raises: NotFound (404), Busy (409).
    """
    with transaction.atomic(durable=True):
        execution, ground = find_execution(actor, execution_id, now)
        _observe(execution, ground, actor, source, finding)
    return execution.status


def _observe(
    execution: Execution, ground: Ground, actor: Actor, source: Source, finding: Finding
) -> None:
    reference = _storable(finding.reference, REFERENCE_AT_MOST)
    detail = _storable(finding.detail, DETAIL_AT_MOST)
    Observation.objects.create(
        workspace_id=execution.workspace_id,
        execution=execution,
        source=source,
        says=finding.says,
        reference=reference,
        detail=detail,
        at=ground.now,
    )
    is_doubted = finding.says == "executed" and source != "person"
    is_doubted = is_doubted and mark_again(execution, SAID_EXECUTED, ground.now)
    note_contradiction(execution, finding.says, reference, ground.now)
    body: dict[str, Json] = {"source": source, "says": finding.says, "reference": reference}
    settled = _settled_by(execution, source, finding)
    if settled == "executed":
        succeed(execution, ground, actor, reference=reference)
    elif settled == "refused":
        fail(execution, ground, actor, f"The provider says it refused it: {detail or NO_REASON}")
    elif is_doubted:
        execution.proposal = ground.proposal
        tell_again(execution, actor=actor, why=SAID_EXECUTED, now=ground.now)
    append(actor, "execution.observed", f"proposal:{ground.proposal.id}", body)
    announce(ground.proposal.id, execution.workspace_id)
    ring("outside", execution.workspace_id)


def _settled_by(execution: Execution, source: Source, finding: Finding) -> Word | None:
    """Return what an observation settles a doubt as, or nothing."""
    if execution.status != "in_doubt" or finding.says not in {"executed", "refused"}:
        return None
    if not speaks_for_itself(source, finding.reference):
        return None
    if finding.says == "refused" and source == "late_answer" and _sent_more_than_once(execution):
        return None
    return finding.says


def _sent_more_than_once(execution: Execution) -> bool:
    return Attempt.objects.filter(execution=execution).count() > 1


def succeed(execution: Execution, ground: Ground, actor: Actor, *, reference: str) -> None:
    """Let what happened outside be the State's next snapshot; part of the caller's transaction.

    If somebody moved the same place meanwhile there is none, and the execution says so.
    """
    execution.status, execution.executed_at = "succeeded", ground.now
    execution.reference = _storable(reference, REFERENCE_AT_MOST)
    execution.problem, execution.lease_until, execution.next_at = "", None, None
    # What it undoes is locked before the ledger, whose lock is the whole workspace's.
    note_undone(ground.proposal, actor, ground.now)
    execution.snapshot_number = _captured(ground, actor, _keep_problem_in(execution))
    if execution.snapshot_number is None:
        tell_failed(ground.proposal, now=ground.now)
    execution.save(
        update_fields=[
            *("status", "executed_at", "reference", "problem", "lease_until", "next_at"),
            "snapshot_number",
        ]
    )
    body: dict[str, Json] = {
        "revision": execution.revision,
        "snapshot": execution.snapshot_number,
        "reference": execution.reference,
        "problem": execution.problem,
    }
    append(actor, "execution.succeeded", f"proposal:{ground.proposal.id}", body)
    ring("outside", execution.workspace_id)
    ring_after(ground.proposal)


def _keep_problem_in(execution: Execution) -> Callable[[str], None]:
    def keep(sentence: str) -> None:
        said = f"It happened outside, but the record could not follow: {sentence}"
        execution.problem = said[:PROBLEM_AT_MOST]

    return keep


def _captured(ground: Ground, actor: Actor, keep_problem: Callable[[str], None]) -> int | None:
    """Return the number of the snapshot in which the effect stands now, if it can stand there."""
    current, proposal = ground.current, ground.proposal
    base = replace(
        ground.head,
        number=current.base_number,
        digest=current.base_digest,
        epoch=current.base_epoch,
    )
    try:
        with transaction.atomic():
            snapshot = commit(
                actor=actor,
                base=base,
                changes=[Change.from_json(item) for item in current.changes],
                cause=Cause("proposal", str(proposal.id)),
                reason=proposal.title,
                now=ground.now,
                merge=True,
            )
    except (Busy, OperationalError):
        raise
    except Refused as refused:
        keep_problem(refused.sentence)
    except Exception as error:
        # What happened has happened; a fault of ours does not undo it.
        logger.exception("%s happened outside and has no snapshot", proposal.id)
        keep_problem(type(error).__name__)
    else:
        return snapshot.number
    return None


def fail(execution: Execution, ground: Ground, actor: Actor, why: str) -> None:
    """Let it fail: nothing happened outside; part of the caller's transaction.

    Where something has said otherwise, that stands open as a difference.
    """
    execution.lease_until = execution.next_at = None
    execution.save(update_fields=["lease_until", "next_at"])
    if known := _known_executed(execution):
        execution.status = "failed"
        note_contradiction(execution, known.says, known.reference, ground.now)
    drop(execution, ground, actor, why)
    ring("outside", execution.workspace_id)


def _storable(text: str, at_most: int) -> str:
    """Return what a provider said as a row can keep it."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()[:at_most]
