"""Does what is approved still stand: its bytes, the world, its effect, the policies, the limits?

Asked in the transaction that decides and again in the one that executes, under their locks. Each
question is one line, so that a test can show what happens without it.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import ClassVar

from approvals import exposing, legible, queries
from approvals.models import Proposal, Revision
from approvals.operations.exposing import lock_buckets, spent
from approvals.operations.framing import frame_again, frame_alone, shares_of
from approvals.operations.previewing import Preview, preconditions_of, preview_again
from approvals.operations.previewing import refuse_unless_met as _refuse_unless_met
from approvals.policy import AUTO, Terms
from console.canonical import sha256
from console.errors import Conflict
from snapshots import queries as snapshots
from snapshots.queries import Head


class WorldChanged(Conflict):
    """The record changed after this proposal was made; load the new diff before you approve."""

    code = "world_changed"
    status: ClassVar[int] = 412


class PolicyChanged(Conflict):
    """The policies ask for something else since you opened this; load the new terms first."""

    code = "policy_changed"
    status: ClassVar[int] = 412


class LimitExceeded(Conflict):
    """With what else waits and was carried out this is beyond a limit; load the new terms."""

    code = "limit_exceeded"
    status: ClassVar[int] = 412


class OutletChanged(WorldChanged):
    """It would leave the house by another way than the one that was approved."""

    code = "outlet_changed"


class Altered(Conflict):
    """These are not the bytes that were proposed. Nothing was changed; tell an administrator."""

    code = "bytes_altered"


@dataclass
class Ground:
    """What an approval stands on, under the locks of whoever asks."""

    head: Head
    proposal: Proposal
    current: Revision
    now: datetime

    @cached_property
    def shown(self) -> Preview:
        """Return what the action would do now. Raises: EffectImpossible (422)."""
        return preview_again(self.proposal, self.current, self.head)

    @cached_property
    def terms(self) -> Terms:
        """Return the terms that the wording stands under."""
        return queries.terms_of(self.proposal, self.current)


def verify(ground: Ground) -> None:
    """Refuse what would not be carried out as it was shown, or not under the terms it was shown.

    Locks: the buckets of its limits until the transaction ends.
    Raises: WorldChanged, PreconditionFailed, PolicyChanged, LimitExceeded (412), Altered (409),
    DeniedByPolicy (403), EffectImpossible (422).
    """
    verify_effect(ground)
    verify_terms(ground)


def verify_effect(ground: Ground) -> None:
    """Refuse what would not do exactly what was shown.

    Raises: WorldChanged, OutletChanged, PreconditionFailed (412), Altered (409),
    EffectImpossible (422).
    """
    _refuse_if_altered(ground)
    _refuse_other_outlet(ground)
    _refuse_after_rollback(ground)
    _refuse_unless_preconditions_hold(ground)
    _refuse_unless_on_base(ground)
    _refuse_other_effect(ground)


def verify_terms(ground: Ground) -> None:
    """Refuse what policies or limits ask more for by now.

    Raises: PolicyChanged, LimitExceeded (412), DeniedByPolicy (403).
    """
    _refuse_other_terms(ground)
    _refuse_beyond_limits(ground)


def why_unshowable(ground: Ground) -> str:
    """Say what of an action cannot be laid before anybody, or nothing."""
    shown, fields = ground.shown, queries.fields_of(ground.proposal.action_type)
    return legible.cannot_be_shown(
        legible.Wording(shown.changes, fields, ground.current.params, shown.title, shown.measure)
    )


def _refuse_if_altered(ground: Ground) -> None:
    if sha256(bytes(ground.current.sealed)) != ground.current.digest:
        raise Altered


def _refuse_other_outlet(ground: Ground) -> None:
    """Refuse a way out whose settings are not those that were shown."""
    outlet, action_type = ground.current.outlet, ground.proposal.action_type
    # None where a type names no connector, or one that nobody has announced.
    if outlet != (queries.outlet_of(action_type) if action_type.connector else None):
        raise OutletChanged


def _refuse_after_rollback(ground: Ground) -> None:
    if ground.head.epoch != ground.current.base_epoch:
        raise WorldChanged("The State was brought back after this was proposed.")


def _refuse_unless_preconditions_hold(ground: Ground) -> None:
    if relied_on := preconditions_of(ground.current):
        document = snapshots.content(ground.head.state_id, ground.head.number)
        _refuse_unless_met(document, relied_on)


def _refuse_unless_on_base(ground: Ground) -> None:
    head, current = ground.head, ground.current
    if (head.number, head.digest) != (current.base_number, current.base_digest):
        raise WorldChanged


def _refuse_other_effect(ground: Ground) -> None:
    if ground.shown.digest != ground.current.digest:
        raise WorldChanged("The action would not do what was approved. Nothing was changed.")


def _refuse_other_terms(ground: Ground) -> None:
    """Ask the policies again if they are not those that the terms were taken from."""
    if ground.terms.number == queries.policies(ground.proposal.workspace_id).number:
        return
    ask = frame_alone if ground.terms.level == AUTO else frame_again
    asked = ask(ground.proposal, ground.current, ground.shown, ground.now).terms
    if not ground.terms.same_demands(asked):
        raise PolicyChanged


def _refuse_beyond_limits(ground: Ground) -> None:
    """Count again what waits before it and what was carried out, under lock."""
    proposal = ground.proposal
    found = shares_of(ground.terms, ground.shown, proposal.agent)
    buckets = lock_buckets(proposal.workspace_id, found)
    counted = spent(buckets, found, ground.now, proposal.id)
    broken = [(share, total) for share, total in counted if exposing.is_beyond(share, total)]
    if denied := exposing.denial(broken):
        raise LimitExceeded(denied)
    if not exposing.is_covered(ground.terms, [share.limit for share, _ in broken]):
        raise LimitExceeded(exposing.sentence(*broken[0]))
