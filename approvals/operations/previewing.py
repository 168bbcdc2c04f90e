"""Work out what an action would do to a State as it stands now.

Proposing, rebasing and executing all come through here, so the diff a reviewer reads and the
change that is carried out are made by the same lines.
"""

from dataclasses import dataclass
from typing import Any

from approvals import effects
from approvals.effects import CannotDo, Check, Measure
from approvals.fields import rows
from approvals.models import ActionType
from approvals.parameters import title
from approvals.queries import fields_of
from console.canonical import Json, canonical_bytes, sha256
from console.errors import Invalid
from snapshots import queries as snapshots
from snapshots.content import NotContent
from snapshots.diff import BadChange, Change, DoesNotFit, diff
from snapshots.queries import Head


class EffectImpossible(Invalid):
    """The action is not possible on the State as it stands."""

    code = "effect_impossible"


@dataclass(frozen=True, slots=True)
class Preview:
    """The effect of an action on one snapshot, and the bytes that decisions are bound to.

    `is_described` is false when something changes that no field of the action type describes.
    """

    base: Head
    changes: list[Change]
    checks: list[Check]
    title: str
    sealed: bytes
    is_described: bool
    measure: Measure

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the sealed bytes."""
        return sha256(self.sealed)


def preview(
    action_type: ActionType, params: dict[str, Any], stated: list[Change], base: Head
) -> Preview:
    """Return the effect on the snapshot `base` stands at.

    Raises: EffectImpossible (422).
    """
    document = snapshots.content(base.state_id, base.number)
    try:
        effect = effects.resolve(action_type.effect, stated, action_type.measures)
        after = effect.preview(document, params)
        changes = diff(document, after, keys=base.list_keys)
        checks = effect.checks(document, params)
        facts = effect.facts(document, params)
        measure = effect.measure(document, params)
    except (CannotDo, BadChange, DoesNotFit, NotContent) as error:
        raise EffectImpossible(str(error)) from error
    return Preview(
        base=base,
        changes=changes,
        checks=checks,
        title=title(action_type.sentence, {**params, **facts}),
        sealed=_seal(action_type.name, params, base, changes),
        is_described=not action_type.fields
        or all(row.described for row in rows(changes, fields_of(action_type), document, after)),
        measure=measure,
    )


def _seal(name: str, params: dict[str, Any], base: Head, changes: list[Change]) -> bytes:
    shown: list[Json] = [change.to_json() for change in changes]
    value: Json = {
        "action_type": name,
        "params": params,
        "state": str(base.state_id),
        "base": {"number": base.number, "digest": base.digest, "epoch": base.epoch},
        "changes": shown,
    }
    return canonical_bytes(value)
