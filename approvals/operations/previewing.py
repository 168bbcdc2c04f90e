"""Work out what an action would do to a State as it stands now.

Proposing, rebasing and executing all come through here, so the diff a reviewer reads and the
change that is carried out are made by the same lines.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar

from approvals import effects, grounding, legible
from approvals.authority_claims import Claim
from approvals.effects import CannotDo, Check, Measure
from approvals.fields import rows
from approvals.models import ActionType, Proposal, Revision
from approvals.parameters import title
from approvals.queries import fields_of, outlet_of
from console.canonical import Json, canonical_bytes, sha256
from console.errors import Invalid
from snapshots import pointer
from snapshots import queries as snapshots
from snapshots.content import NotContent
from snapshots.diff import BadChange, Change, DoesNotFit, diff
from snapshots.pointer import BadPointer, NothingThere
from snapshots.queries import Head

# What a row keeps: 18 digits before the point and 6 behind it.
_LARGEST, _FINEST = Decimal(10) ** 18, -6


SOMETHING = "Something changes"


class EffectImpossible(Invalid):
    """The action is not possible on the State as it stands."""

    code = "effect_impossible"


class PreconditionFailed(EffectImpossible):
    """The record no longer says what the proposer relied on."""

    code = "precondition_failed"
    status: ClassVar[int] = 412


@dataclass(frozen=True, slots=True)
class Precondition:
    """What the State has to say at a JSON Pointer for as long as the action waits."""

    path: str
    equals: Json

    def to_json(self) -> dict[str, Json]:
        """Return what is sealed."""
        return {"path": self.path, "equals": self.equals}


@dataclass(frozen=True, slots=True)
class Preview:
    """The effect of an action on one snapshot, and the bytes that decisions are bound to.

    `is_described` is false when something changes that no field of the action type describes.
    `outlet` is where it leaves the house: see the row of a revision. `claims` are what is said in
    its favour and is not so.
    """

    base: Head
    changes: list[Change]
    checks: list[Check]
    title: str
    sealed: bytes
    is_described: bool
    measure: Measure
    sources: tuple[dict[str, Json], ...] = ()
    outlet: dict[str, Json] | None = None
    claims: tuple[Claim, ...] = ()

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the sealed bytes."""
        return sha256(self.sealed)


def preview(
    action_type: ActionType,
    params: dict[str, Any],
    stated: list[Change],
    base: Head,
    preconditions: Sequence[Precondition] = (),
    sources: Sequence[dict[str, Json]] = (),
) -> Preview:
    """Return the effect on the snapshot `base` stands at; `sources` say where values came from.

    Raises: EffectImpossible (422), PreconditionFailed (412).
    """
    document = snapshots.content(base.state_id, base.number)
    refuse_unless_met(document, preconditions)
    outlet = _outlet_of(action_type)
    try:
        effect = effects.resolve(action_type.effect, stated, action_type.measures)
        after = effect.preview(document, params)
        changes = diff(document, after, keys=base.list_keys)
        checks = effect.checks(document, params)
        facts = effect.facts(document, params)
        measure = _storable(effect.measure(document, params))
    except (CannotDo, BadChange, DoesNotFit, NotContent) as error:
        raise EffectImpossible(str(error)) from error
    fields = fields_of(action_type)
    sentence = title(action_type.sentence, {**params, **facts})
    odd = legible.check(legible.Wording(changes, fields, params, sentence, measure))
    traced = grounding.beside(sources, changes, params, action_type.params_schema)
    if not changes:
        checks = [*checks, Check(SOMETHING, passed=False, sentence="The record stays as it is.")]
    said = [*([odd] if odd else []), *grounding.checks(traced, params, measure)]
    return Preview(
        base=base,
        changes=changes,
        checks=[*checks, *said],
        title=sentence,
        sealed=_seal(action_type.name, params, base, changes, preconditions, outlet),
        is_described=not fields
        or all(row.described for row in rows(changes, fields, document, after)),
        measure=measure,
        sources=tuple(traced),
        outlet=outlet,
    )


def preview_again(
    proposal: Proposal,
    current: Revision,
    head: Head,
    *,
    params: dict[str, Any] | None = None,
    stated: Sequence[Change] | None = None,
    sources: Sequence[dict[str, Json]] | None = None,
) -> Preview:
    """Return what a proposal would do to its State as it stands now; what is not said stays.

    Where values came from is known of those that stay, unless it is said anew.
    Raises: EffectImpossible (422), PreconditionFailed (412).
    """
    params = current.params if params is None else params
    if stated is None:
        stated = [Change.from_json(item) for item in current.stated or []]
    if sources is None:
        sources = grounding.carried(current.sources, current.params, params)
    shown = preview(
        proposal.action_type, params, list(stated), head, preconditions_of(current), sources
    )
    # Whatever is worded otherwise by now, this was said.
    return replace(shown, claims=tuple(map(Claim.from_json, current.false_authority)))


def preconditions_of(revision: Revision) -> list[Precondition]:
    """Return what a wording relies on, from its sealed bytes."""
    kept = json.loads(bytes(revision.sealed)).get("preconditions", [])
    return [Precondition(item["path"], item["equals"]) for item in kept]


def refuse_unless_met(document: Json, preconditions: Sequence[Precondition]) -> None:
    """Let through a document that says what was relied on. Raises: PreconditionFailed (412)."""
    for item in preconditions:
        if _at(document, item.path) != [canonical_bytes(item.equals)]:
            place = item.path or "the whole record"
            sentence = f"{place} no longer says what the proposer relied on."
            raise PreconditionFailed(sentence, path=item.path)


def _at(document: Json, path: str) -> list[bytes]:
    """Return the bytes of what stands at a path, so that 1 is not true; nothing without one."""
    try:
        return [canonical_bytes(pointer.get(document, path))]
    except (BadPointer, NothingThere):
        return []


def _storable(measure: Measure) -> Measure:
    """Let through an amount that a row can keep exactly. Raises: CannotDo."""
    amount = measure.amount
    if amount is not None and (
        abs(amount) >= _LARGEST or int(amount.normalize().as_tuple().exponent) < _FINEST
    ):
        raise CannotDo("An amount has at most 18 digits before the point, and 6 behind it.")
    return measure


def _outlet_of(action_type: ActionType) -> dict[str, Json] | None:
    """Return where an effect leaves the house, if it does. Raises: EffectImpossible (422)."""
    if not action_type.connector:
        return None
    outlet = outlet_of(action_type)
    if outlet is None:
        sentence = f"No connector {action_type.connector!r} carries out {action_type.name!r} here."
        raise EffectImpossible(sentence)
    return outlet


def _seal(
    name: str,
    params: dict[str, Any],
    base: Head,
    changes: list[Change],
    preconditions: Sequence[Precondition],
    outlet: dict[str, Json] | None,
) -> bytes:
    shown: list[Json] = [change.to_json() for change in changes]
    relied_on: list[Json] = [item.to_json() for item in preconditions]
    value: dict[str, Json] = {
        "action_type": name,
        "params": params,
        "state": str(base.state_id),
        "base": {"number": base.number, "digest": base.digest, "epoch": base.epoch},
        "changes": shown,
    }
    if relied_on:
        value["preconditions"] = relied_on
    if outlet:
        value["outlet"] = outlet
    return canonical_bytes(value)
