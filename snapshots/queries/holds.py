"""What keeps the content of a State's snapshots, and what would the next sweep let go?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import (
    BooleanField,
    Case,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    Q,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from snapshots import stored
from snapshots.models import Mark, Part, Snapshot
from snapshots.queries.walking import kind_of
from snapshots.retention import Line, Needed, Policy, Verdict, Version, kept

_REASONS = {"hold": "held", "name": "named", "pin": "pinned"}
_HAS_DATA = ExpressionWrapper(Q(data__isnull=False), output_field=BooleanField())
STORED_BYTES = Coalesce(Func(F("data"), function="octet_length", output_field=IntegerField()), 0)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What stays of a State and what goes, and how all of it is stored.

    A State that `is_frozen` is not even stored anew: it holds the policies, is under a hold, or is
    being brought back.
    """

    verdict: Verdict
    lines: Sequence[Line]
    parts_bytes: int
    is_frozen: bool

    @property
    def let_go(self) -> int:
        """Return how many were let go before."""
        return sum(not line.is_stored for line in self.lines)

    @property
    def stored_bytes(self) -> int:
        """Return the bytes in which the versions are stored now."""
        return self.parts_bytes + sum(line.stored_bytes for line in self.lines)

    @property
    def going_bytes(self) -> int:
        """Return the bytes of what goes; what stays may need some of them to be written anew."""
        goes = set(self.verdict.goes)
        return sum(line.stored_bytes for line in self.lines if line.number in goes)


def marked(workspace_id: UUID, state_id: UUID) -> Needed:
    """Return the numbers that are marked, each with the strongest mark; None is the whole State."""
    found: dict[int | None, str] = {}
    strength = Case(
        When(kind="hold", then=Value(0)),
        When(kind="name", then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    rows = Mark.objects.filter(workspace=workspace_id, state=state_id, removed_at=None)
    for number, kind in rows.order_by(strength).values_list("number", "kind"):
        found.setdefault(number, _REASONS[kind])
    return found


def outlook(
    workspace_id: UUID, state_id: UUID, *, needed: Needed, policy: Policy, now: datetime
) -> Outlook:
    """Return what a sweep at `now` lets go; `needed` is what others need besides the marks.

    A sweep asks this itself, so a dry run says what a run does.
    """
    rows = Snapshot.objects.filter(workspace=workspace_id, state=state_id).order_by("number")
    found = rows.annotate(has_data=_HAS_DATA, size=STORED_BYTES).values_list(
        "number",
        "cause",
        "created_at",
        "codec",
        "base_number",
        "has_data",
        "size",
        "document_bytes",
    )
    versions, lines = [], []
    for number, cause, at, codec, base, has_data, size, weight in found.iterator(chunk_size=5000):
        is_reference = codec == stored.REFERENCE
        is_stored = has_data or is_reference
        start = number if is_reference else base
        is_old = has_data and codec == stored.FIRST and start != number
        versions.append(Version(number, cause, at, base if is_reference else None, is_stored))
        lines.append(Line(number, start, size, weight, is_stored, is_old))
    wanted = {**needed, **marked(workspace_id, state_id)}
    if kind_of(workspace_id, state_id) == "policies":
        # What was decided can only be explained by the rules as they were then.
        wanted[None] = "policies"
    verdict = kept(versions, needed=wanted, policy=policy, now=now)
    return Outlook(verdict, lines, _parts_bytes(state_id), is_frozen=None in wanted)


def _parts_bytes(state_id: UUID) -> int:
    size: int | None = Part.objects.filter(state=state_id).aggregate(all=Sum(STORED_BYTES))["all"]
    return size or 0
