"""Decide on several proposals with one act, each as if it were alone."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F

from approvals.models import Revision
from approvals.operations.deciding import Act, RevisionChanged, Seen, decide, try_out
from console.actors import Actor
from console.errors import Conflict, Forbidden, Invalid, NotFound, Refused

logger = logging.getLogger(__name__)

AT_MOST = 25
LEVEL = 1


class BulkInvalid(Invalid):
    """At least one and at most 25 proposals are decided on together."""

    code = "bulk_invalid"


class NotForBulk(Forbidden):
    """This one asks for more than one click, so look at it by itself."""

    code = "not_for_bulk"


class NotIndependent(Conflict):
    """Another one of these is about the same State; decide on this one after it."""

    code = "not_independent"


@dataclass(frozen=True, slots=True)
class Item:
    """One proposal, and what of it was on the screen."""

    proposal_id: UUID
    seen: Seen


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one: the outcome, or the code and the sentence of the refusal."""

    proposal_id: UUID
    ok: bool
    outcome: str = ""
    code: str = ""
    sentence: str = ""


def decide_many(
    *, actor: Actor, items: Sequence[Item], act: Act, dry_run: bool, now: datetime
) -> list[Result]:
    """Decide on each in a transaction of its own and say what became of each, in order.

    Only what asks for one click, and of several on one State only the first: what is decided on
    one must not change what another one means. A dry run says the same and keeps nothing.
    Raises: BulkInvalid (422).
    """
    if not 0 < len(items) <= AT_MOST:
        raise BulkInvalid(field="items")
    known = _wordings(actor, items)
    taken: set[UUID] = set()
    results = []
    for item in items:
        try:
            _refuse_unless_simple(item, known, taken)
            judge = try_out if dry_run else decide
            outcome = judge(
                proposal_id=item.proposal_id, seen=item.seen, actor=actor, act=act, now=now
            )
            results.append(Result(item.proposal_id, ok=True, outcome=outcome))
        except Refused as refused:
            results.append(_refused(item, refused))
        except Exception:
            # What was decided before this one stays decided, and has to be told.
            logger.exception("proposal %s was not decided in bulk", item.proposal_id)
            results.append(_refused(item, Unforeseen()))
    return results


class Unforeseen(Refused):
    """Something failed that we did not foresee; nothing was recorded for this one."""

    status = 500
    code = "unforeseen"


@dataclass(frozen=True, slots=True)
class _Wording:
    state_id: UUID
    number: int
    digest: str
    level: int


def _wordings(actor: Actor, items: Sequence[Item]) -> dict[UUID, _Wording]:
    rows = Revision.objects.filter(
        workspace_id=actor.workspace_id,
        proposal__in=[item.proposal_id for item in items],
        number=F("proposal__revision"),
    )
    found = rows.values_list("proposal", "proposal__state", "number", "digest", "terms__level")
    return {proposal: _Wording(*rest) for proposal, *rest in found}


def _refuse_unless_simple(item: Item, known: dict[UUID, _Wording], taken: set[UUID]) -> None:
    wording = known.get(item.proposal_id)
    if wording is None:
        raise NotFound
    if (item.seen.revision, item.seen.digest) != (wording.number, wording.digest):
        raise RevisionChanged(shown=item.seen.revision, current=wording.number)
    # What is decided on is this very wording, so its level is the one that counts.
    if wording.level != LEVEL:
        raise NotForBulk
    if wording.state_id in taken:
        raise NotIndependent
    taken.add(wording.state_id)


def _refused(item: Item, refused: Refused) -> Result:
    return Result(item.proposal_id, ok=False, code=refused.code, sentence=refused.sentence)
