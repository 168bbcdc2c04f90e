"""What does somebody need who has to prove, without us, how a proposal was decided?

One value: everything about one proposal, as the rows have it, with every digest beside the bytes
that it is of. The JSON file is its canonical bytes; the PDF prints the same value for people.
"""

import base64
import json
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from approvals import lifecycle, packing
from approvals.operations.exporting import note_export
from approvals.packing import FORMAT, in_utc
from approvals.policy import SIGNED, Terms
from approvals.queries.dossier import Everything, everything
from approvals.queries.signing import rendering
from approvals.showing.printing import printed
from console.actors import Actor
from console.canonical import Json, canonical_bytes, digest
from console.errors import Conflict

if TYPE_CHECKING:
    from approvals.models import (
        Attempt,
        Compensation,
        Decision,
        Evidence,
        Execution,
        InfoRequest,
        Observation,
        Resolution,
        Review,
        Revision,
        Signature,
    )
    from console.access.models import User
    from console.ledger.models import Entry

Form = Literal["json", "pdf"]
HOW_TO_CHECK = [
    "sha256(canonical JSON of this object without its member 'digest') is 'digest' (RFC 8785).",
    "For each revision: sha256(UTF-8 of 'sealed') is 'digest'. Decisions name that digest.",
    "For each signature: sha256(UTF-8 of 'statement') is 'digest', sha256(UTF-8 of 'rendering') is"
    " 'render_digest', and the statement names both and the decision.",
    "For each signature by passkey: the challenge in 'client_data' is the statement's digest, and"
    " 'signature' holds over authenticator_data + sha256(client_data) for 'public_key' (COSE).",
    "For each ledger line: sha256('previous' + canonical JSON of workspace, seq, at, actor, verb,"
    " subject and body) is 'digest'. Where two numbers follow each other, the second line's"
    " 'previous' is the first line's 'digest'.",
    "For each attempt: sha256 of 'request', as UTF-8 or out of 'request_base64', is"
    " 'request_digest'. No secret is among these bytes.",
    "Lines of other proposals are not in this file; ask for the ledger to see that these lines"
    " stand in it, under the same numbers and digests.",
    "`manage.py check_evidence FILE.json` does all of this, without a database.",
]


class StillBlind(Conflict):
    """Reviewers decide on this without knowing of each other; ask again once it is settled."""

    code = "still_blind"


def dossier(found: Everything, *, by: Actor, now: datetime) -> dict[str, Json]:
    """Return the value of the evidence pack, with its own digest."""
    value: dict[str, Json] = {
        "format": FORMAT,
        "made": {"at": in_utc(now), "by": by.to_json()},
        "workspace": {
            "id": str(found.proposal.workspace_id),
            "name": found.proposal.workspace.name,
        },
        "proposal": _proposal(found),
        "revisions": [_revision(row) for row in found.revisions],
        "rendering": rendering(found.proposal, found.current).decode(),
        "evidence": [_exhibit(row) for row in found.evidence],
        "decisions": [_decision(row) for row in found.decisions],
        "signatures": [_signature(row) for row in found.signatures],
        "comments": [
            {"revision": row.revision, "by": row.actor, "at": in_utc(row.at), "text": row.text}
            for row in found.comments
        ],
        "questions": [_question(row) for row in found.questions],
        "broken_glass": [
            {
                "revision": row.revision,
                "digest": row.digest,
                "by": _person(row.person),
                "reason": row.reason,
                "at": in_utc(row.at),
            }
            for row in found.glasses
        ],
        "executions": [_execution(row, found) for row in found.executions],
        "reviews": [_review(row) for row in found.reviews],
        "ledger": {
            "lines": [_line(row) for row in found.lines],
            "end": None if found.end is None else _end(found.end),
        },
        "how_to_check": [*HOW_TO_CHECK],
    }
    return {**value, "digest": digest(value)}


def _proposal(found: Everything) -> dict[str, Json]:
    row = found.proposal
    return {
        "id": str(row.id),
        "title": row.title,
        "status": row.status,
        "action_type": {"name": row.action_type.name, "label": row.action_type.label},
        "state": {"id": str(row.state_id), "key": row.state.key},
        "revision": row.revision,
        "proposer": row.proposer,
        "origin": row.origin,
        "origin_step": row.origin_step,
        "external_ref": row.external_ref,
        "risk": row.risk,
        "level": row.level,
        "policy": row.policy,
        "created_at": in_utc(row.created_at),
        "due_at": in_utc(row.due_at),
        "escalated_at": _time(row.escalated_at),
        "settled_at": _time(row.settled_at),
        "settled_by": row.settled_by,
        "settled_reason": row.settled_reason,
    }


def _revision(row: "Revision") -> dict[str, Json]:
    asked: list[Json] = [*packing.in_words(Terms.from_json(row.terms))]
    return {
        "number": row.number,
        "sealed": bytes(row.sealed).decode(),
        "digest": row.digest,
        "base": {"number": row.base_number, "digest": row.base_digest, "epoch": row.base_epoch},
        "outlet": row.outlet,
        "checks": row.checks,
        "terms": row.terms,
        "terms_in_words": asked,
        "lineage": row.lineage,
        "author": row.author,
        "sources": row.sources,
        "measure": row.measure,
        "rationale": row.rationale,
        "why": row.why,
        "created_at": in_utc(row.created_at),
    }


def _exhibit(row: "Evidence") -> dict[str, Json]:
    return {
        "number": row.number,
        "label": row.label,
        "source": row.source,
        "content": row.content,
        "paths": row.paths,
        "digest": row.digest,
        "created_at": in_utc(row.created_at),
    }


def _decision(row: "Decision") -> dict[str, Json]:
    return {
        "id": str(row.id),
        "revision": row.revision,
        "digest": row.digest,
        "by": _person(row.person),
        "stands_for": _person(row.stands_for),
        "choice": row.choice,
        "reason_code": row.reason_code,
        "reason": row.reason,
        "ticked": row.ticked,
        "fact": row.fact,
        "at": in_utc(row.decided_at),
    }


def _signature(row: "Signature") -> dict[str, Json]:
    return {
        "decision": str(row.decision_id),
        "person": str(row.person_id),
        "printed_name": row.printed_name,
        "meaning": row.meaning,
        "method": row.method,
        "signed_at": in_utc(row.signed_at),
        "statement": bytes(row.statement).decode(),
        "digest": row.digest,
        "rendering": bytes(row.rendering).decode(),
        "render_digest": row.render_digest,
        "assertion": row.assertion,
    }


def _question(row: "InfoRequest") -> dict[str, Json]:
    return {
        "number": row.number,
        "revision": row.revision,
        "by": _person(row.person),
        "question": row.question,
        "asked_at": in_utc(row.asked_at),
        "answer": row.answer,
        "answered_by": row.answered_by,
        "answered_at": _time(row.answered_at),
        "withdrawn_at": _time(row.withdrawn_at),
    }


def _execution(row: "Execution", found: Everything) -> dict[str, Json]:
    made = found.snapshots.get(row.snapshot_number or 0)
    return {
        "revision": row.revision,
        "digest": row.digest,
        "status": row.status,
        "by_broken_glass": row.break_glass_id is not None,
        "created_at": in_utc(row.created_at),
        "due_at": in_utc(row.due_at),
        "executed_at": _time(row.executed_at),
        "problem": row.problem,
        "key": row.id.hex,
        "connector": row.connector,
        "retry_class": row.retry_class,
        "reference": row.reference,
        "doubted_at": _time(row.doubted_at),
        "attempts": [_attempt(each) for each in found.attempts if each.execution_id == row.id],
        "observations": [
            _observation(each) for each in found.observations if each.execution_id == row.id
        ],
        "resolutions": [
            _resolution(each) for each in found.resolutions if each.execution_id == row.id
        ],
        "compensations": [
            _compensation(each) for each in found.compensations if each.execution_id == row.id
        ],
        "snapshot": None
        if made is None
        else {
            "number": made.number,
            "parent_number": made.parent_number,
            "epoch": made.epoch,
            "digest": made.digest,
            "cause": made.cause,
            "cause_id": made.cause_id,
            "by": made.actor,
            "at": in_utc(made.created_at),
        },
    }


def _attempt(row: "Attempt") -> dict[str, Json]:
    return {
        "number": row.number,
        **_request(bytes(row.request)),
        "request_digest": row.request_digest,
        "sent_at": in_utc(row.sent_at),
        "deadline_at": in_utc(row.deadline_at),
        "outcome": row.outcome,
        "answer_status": row.answer_status,
        "answer": row.answer,
        "reference": row.reference,
        "ended_at": _time(row.ended_at),
    }


def _request(body: bytes) -> dict[str, Json]:
    try:
        return {"request": body.decode()}
    except UnicodeDecodeError:
        return {"request_base64": base64.b64encode(body).decode()}


def _observation(row: "Observation") -> dict[str, Json]:
    return {
        "source": row.source,
        "says": row.says,
        "reference": row.reference,
        "detail": row.detail,
        "at": in_utc(row.at),
    }


def _resolution(row: "Resolution") -> dict[str, Json]:
    return {
        "attempt": row.attempt_number,
        "by": _person(row.person),
        "verdict": row.verdict,
        "reference": row.reference,
        "evidence": row.evidence,
        "at": in_utc(row.at),
    }


def _compensation(row: "Compensation") -> dict[str, Json]:
    return {
        "cause": row.cause,
        "turn": row.number,
        "proposal": None if row.proposal_id is None else str(row.proposal_id),
        "is_irreversible": row.is_irreversible,
        "text": row.text,
        "due_at": _time(row.due_at),
    }


def _review(row: "Review") -> dict[str, Json]:
    return {
        "cause": row.cause,
        "number": row.number,
        "due_at": in_utc(row.due_at),
        "by": _person(row.person),
        "verdict": row.verdict,
        "text": row.text,
        "at": _time(row.at),
    }


def _line(row: "Entry") -> dict[str, Json]:
    return {
        "seq": row.seq,
        "at": row.at.isoformat(timespec="microseconds"),
        "actor": row.actor,
        "verb": row.verb,
        "subject": row.subject,
        "body": row.body,
        "previous": row.previous,
        "digest": row.digest,
    }


def _end(row: "Entry") -> dict[str, Json]:
    return {"seq": row.seq, "digest": row.digest}


def _person(person: "User | None") -> dict[str, Json] | None:
    return None if person is None else {"id": str(person.id), "name": person.name}


def _time(at: datetime | None) -> str | None:
    return None if at is None else in_utc(at)


def packed(*, actor: Actor, proposal_id: UUID, form: Form, now: datetime) -> bytes:
    """Return the evidence pack of a proposal as a file, and note in the ledger who took it.

    Raises: NotFound (404), StillBlind (409).
    """
    found = everything(actor.workspace_id, proposal_id)
    is_blind = any(row.terms["level"] >= SIGNED for row in found.revisions)
    if is_blind and lifecycle.is_open(found.proposal.status):
        raise StillBlind
    value = dossier(found, by=actor, now=now)
    if form == "json":
        body = canonical_bytes(value)
    else:
        body = printed(value, json.loads(str(value["rendering"])), made_at=now)
    note_export(actor=actor, proposal_id=proposal_id, digest=str(value["digest"]), form=form)
    return body
