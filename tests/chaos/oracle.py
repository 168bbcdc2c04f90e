"""Did anything happen that must not? Both sides are asked: the bank's books, and our database.

What was promised to a client has to be there, what the bank did has to be ours, what we hold for
done the bank has to have done, and never twice. After that the invariants and the ledger's chain.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count

from agents.lifecycle import FINISHED
from agents.models import Job, Run, Step
from approvals.lifecycle import DONE, IN_FLIGHT, OPEN, UNSENT
from approvals.models import Attempt, Decision, Discrepancy, Execution, Proposal, Revision
from approvals.queries.invariants import broken
from console.ledger import queries as ledger
from tests.chaos.bank import Entry
from tests.chaos.workload import Asked
from tests.chaos.world import Place

SHOWN_AT_MOST = 20
# The parameter by which an entry of the bank finds its execution.
REF = "ref"


@dataclass(frozen=True, slots=True)
class Violation:
    """A sentence that does not hold, and the first things that break it."""

    sentence: str
    found: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is questioned."""

    places: Sequence[Place]
    asked: Sequence[Asked]
    entries: Sequence[Entry]
    cuts: Sequence[tuple[str, str]]
    decided: Sequence[tuple[str, int, str]] = ()


def question(evidence: Evidence) -> list[Violation]:
    """Return every sentence that does not hold."""
    found = [_asked(check, evidence) for check in CHECKS]
    found += [Violation(f"invariant: {b.sentence}", b.ids, len(b.ids)) for b in broken()]
    return [each for each in found if each.count]


def _asked(check: Callable[[Evidence], Iterator[str]], evidence: Evidence) -> Violation:
    wrong = list(check(evidence))
    return Violation((check.__doc__ or "").strip(), tuple(wrong[:SHOWN_AT_MOST]), len(wrong))


def every_entry_is_ours(evidence: Evidence) -> Iterator[str]:
    """Every entry of the bank belongs to an execution that was sent."""
    sent = _sent_refs()
    yield from (f"{e.door} {e.ref} ({e.mode})" for e in evidence.entries if e.ref not in sent)


def every_success_is_entered(evidence: Evidence) -> Iterator[str]:
    """What we hold for carried out stands in the bank's books."""
    entered = {entry.ref for entry in evidence.entries}
    for execution_id, ref in _refs(DONE):
        if ref not in entered:
            yield f"{execution_id} {ref}"


def no_failure_is_entered(evidence: Evidence) -> Iterator[str]:
    """What we hold for not carried out does not stand in the bank's books."""
    entered = {entry.ref for entry in evidence.entries}
    for execution_id, ref in _refs(("failed", "recalled", *UNSENT)):
        if ref in entered:
            yield f"{execution_id} {ref}"


def nothing_is_entered_twice(evidence: Evidence) -> Iterator[str]:
    """The bank entered no payment twice that people agreed to once, whatever the door can do."""
    agreed = _agreed_to()
    for ref, times in Counter(entry.ref for entry in evidence.entries).items():
        if times > max(agreed[ref], 1):
            doors = {entry.door for entry in evidence.entries if entry.ref == ref}
            yield f"{'/'.join(sorted(doors))} {ref}: {times} times"


def nothing_waits(_evidence: Evidence) -> Iterator[str]:
    """After the quiet phase no effect is on its way, and none is in doubt."""
    rows = Execution.objects.filter(status__in=[*UNSENT, *IN_FLIGHT]).exclude(retry_class="local")
    yield from (f"{row.id} {row.status} {row.retry_class}" for row in rows)


def every_attempt_is_known(_evidence: Evidence) -> Iterator[str]:
    """Every attempt was acknowledged, refused, or treated as unknown."""
    yield from (str(row.id) for row in Attempt.objects.filter(outcome=""))


def every_cut_was_doubted(evidence: Evidence) -> Iterator[str]:
    """No attempt whose answer was cut off counts as acknowledged or refused by itself."""
    cut = Counter(ref for ref, _part in evidence.cuts if ref)
    unknown = Counter[str]()
    rows = Attempt.objects.filter(outcome__in=["unknown", ""]).select_related("execution")
    refs = _refs_by_execution()
    for row in rows:
        unknown[refs.get(row.execution_id, "")] += 1
    yield from (
        f"{ref}: cut {n}, unknown {unknown[ref]}" for ref, n in cut.items() if unknown[ref] < n
    )


def blind_is_tried_once(_evidence: Evidence) -> Iterator[str]:
    """What cannot be asked is never sent twice."""
    rows = Attempt.objects.filter(retry_class="blind").values("execution")
    for row in rows.annotate(times=Count("id")).filter(times__gt=1):
        yield f"{row['execution']}: {row['times']} attempts"


def attempts_say_the_same(_evidence: Evidence) -> Iterator[str]:
    """All attempts of an execution carry the same bytes, under rising fences."""
    last: dict[UUID, Attempt] = {}
    for row in Attempt.objects.order_by("execution_id", "number"):
        before = last.get(row.execution_id)
        if before and (before.request_digest != row.request_digest or before.fence >= row.fence):
            yield f"{row.execution_id} #{row.number}"
        last[row.execution_id] = row


def every_approval_ends(_evidence: Evidence) -> Iterator[str]:
    """Every approved proposal has an execution that ended."""
    ended = Execution.objects.filter(status__in=[*DONE, "failed"]).values("proposal")
    rows = Proposal.objects.filter(status="approved").exclude(id__in=ended)
    yield from (f"{row.id} {row.status}" for row in rows)


def every_promised_job_is_there(evidence: Evidence) -> Iterator[str]:
    """Every job that a client was promised is in the table, under its key, once."""
    keys = Counter(Job.objects.values_list("idempotency_key", flat=True))
    ids = {str(each) for each in Job.objects.values_list("id", flat=True)}
    for each in evidence.asked:
        if each.kind == "job" and each.id and (each.id not in ids or keys[each.key] != 1):
            yield f"{each.ref} {each.id}"


def every_promised_proposal_is_there(evidence: Evidence) -> Iterator[str]:
    """Every proposal that a client was promised is in the table."""
    ids = {str(each) for each in Proposal.objects.values_list("id", flat=True)}
    for each in evidence.asked:
        if each.kind == "proposal" and each.id and each.id not in ids:
            yield f"{each.ref} {each.id}"


def every_promised_decision_is_there(evidence: Evidence) -> Iterator[str]:
    """Every decision that a person was told had been recorded is in the table, once."""
    rows = Decision.objects.values_list("proposal_id", "revision", "person_id")
    made = Counter((str(proposal), revision, str(who)) for proposal, revision, who in rows)
    for each in {*evidence.decided}:
        if made[each] != 1:
            yield f"{each}: {made[each]}"


def nothing_is_proposed_twice(_evidence: Evidence) -> Iterator[str]:
    """A payment was proposed once, however often it was asked for or begun anew."""
    rows = Proposal.objects.values_list("origin", "origin_step")
    for (origin, step), times in Counter(rows).items():
        if times > 1:
            yield f"{origin} {step}: {times}"


def every_run_ends(_evidence: Evidence) -> Iterator[str]:
    """Every job's run has ended after the quiet phase, unless it waits for people."""
    asking = set(Proposal.objects.filter(status__in=OPEN).values_list("origin", flat=True))
    for row in Run.objects.exclude(status__in=FINISHED):
        if f"run:{row.id}" not in asking:
            yield f"{row.id} {row.status} since {row.created_at:%H:%M:%S}"


def journals_have_no_gap(_evidence: Evidence) -> Iterator[str]:
    """Every run's journal counts its steps from nought without a gap."""
    counted = Counter(Step.objects.values_list("run_id", flat=True))
    for run in Run.objects.all():
        if counted[run.id] != run.next_step:
            yield f"{run.id}: {counted[run.id]} of {run.next_step}"


def the_ledger_is_whole(evidence: Evidence) -> Iterator[str]:
    """The ledger of every workspace is an unbroken chain."""
    for place in evidence.places:
        if objection := ledger.verify(place.id).objection:
            yield f"{place.slug}: {objection}"


def every_difference_is_the_banks(evidence: Evidence) -> Iterator[str]:
    """What the comparison found and nobody closed is what the bank says twice."""
    twice = {entry.key for entry in evidence.entries if entry.mode == "duplicate_callback"}
    for row in Discrepancy.objects.filter(closed_at=None):
        if row.kind != "twice" or row.key not in twice:
            yield f"{row.kind} {row.key}"


def records_hold_what_was_done(_evidence: Evidence) -> Iterator[str]:
    """A success without a snapshot says why."""
    rows = Execution.objects.filter(status__in=DONE, snapshot_number=None, problem="")
    yield from (str(row.id) for row in rows)


CHECKS: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    every_entry_is_ours,
    every_success_is_entered,
    no_failure_is_entered,
    nothing_is_entered_twice,
    nothing_waits,
    every_attempt_is_known,
    every_cut_was_doubted,
    blind_is_tried_once,
    attempts_say_the_same,
    every_approval_ends,
    every_promised_job_is_there,
    every_promised_proposal_is_there,
    every_promised_decision_is_there,
    nothing_is_proposed_twice,
    every_run_ends,
    journals_have_no_gap,
    the_ledger_is_whole,
    every_difference_is_the_banks,
    records_hold_what_was_done,
)


def _refs_by_execution() -> dict[UUID, str]:
    rows = Execution.objects.exclude(retry_class="local")
    wanted = {(row.proposal_id, row.revision): row.id for row in rows}
    proposals = {proposal for proposal, _ in wanted}
    found = {}
    for revision in Revision.objects.filter(proposal__in=proposals).iterator():
        if execution := wanted.get((revision.proposal_id, revision.number)):
            found[execution] = str(revision.params.get(REF, ""))
    return found


def _agreed_to() -> Counter[str]:
    """Return how many proposals of each payment were sent: a run that begins anew asks anew."""
    refs = _refs_by_execution()
    rows = Attempt.objects.values_list("execution", "execution__proposal").distinct()
    return Counter(ref for ref, _proposal in {(refs[each], proposal) for each, proposal in rows})


def _refs(statuses: Sequence[str]) -> Iterator[tuple[UUID, str]]:
    refs = _refs_by_execution()
    rows = Execution.objects.filter(status__in=statuses).exclude(retry_class="local")
    for row in rows:
        yield row.id, refs[row.id]


def _sent_refs() -> set[str]:
    refs = _refs_by_execution()
    sent = Attempt.objects.values_list("execution", flat=True).distinct()
    return {refs[execution] for execution in sent}
