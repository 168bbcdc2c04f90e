"""Put a patch before people: work out what it changes on the State, and propose these changes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from approvals.models import Proposal
from approvals.operations.proposing import ParamsInvalid, Request, propose
from console.actors import Actor
from console.canonical import Json
from console.errors import Invalid
from snapshots import queries as snapshots
from snapshots.content import NotContent
from snapshots.diff import Change, diff
from snapshots.patches import PatchRefused, merged, patched
from snapshots.queries import Head


class PatchFailed(Invalid):
    """The patch cannot be carried out on the State as it stands."""

    code = "patch_failed"


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch in one of two public formats: RFC 6902 or RFC 7396."""

    format: Literal["json_patch", "merge_patch"]
    body: Json


def propose_patch(*, actor: Actor, request: Request, patch: Patch, now: datetime) -> UUID:
    """Propose what a patch changes, as stated changes that a reviewer reads as a diff.

    A repeated request is worked out on the snapshot that the first one met, so it is the same one
    although the State has moved.
    Raises: what `propose` raises, PatchFailed (422).
    """
    base = _base_of_the_first(actor, request) or snapshots.named(
        actor.workspace_id, request.state_key
    )
    stated = _stated(base, patch)
    base_number = base.number if request.base_number is None else request.base_number
    wanted = replace(request, stated=tuple(stated), base_number=base_number)
    return propose(actor=actor, request=wanted, now=now)


def _base_of_the_first(actor: Actor, request: Request) -> Head | None:
    """Return where the State stood when this request came before, if it did."""
    rows = Proposal.objects.filter(workspace_id=actor.workspace_id, origin=request.origin)
    known = rows.filter(origin_step=request.origin_step).first()
    if known is None:
        return None
    first = known.revisions.get(number=1)
    head = snapshots.head(actor.workspace_id, known.state_id)
    return replace(head, number=first.base_number, digest=first.base_digest)


def _stated(base: Head, patch: Patch) -> list[Change]:
    document = snapshots.content(base.state_id, base.number)
    carry_out: Callable[[Json, Json], Json] = merged if patch.format == "merge_patch" else patched
    try:
        changes = diff(document, carry_out(document, patch.body), keys=base.list_keys)
    except PatchRefused as error:
        raise PatchFailed(str(error), operation=error.index) from error
    except NotContent as error:
        raise PatchFailed(str(error)) from error
    if not changes:
        raise ParamsInvalid("This patch changes nothing.", field=patch.format)
    return changes
