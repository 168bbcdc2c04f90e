"""What did the sweeps do, and what would the next one do?"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agents.operations.retaining import SUBJECT, Sweep, outlook, policy
from agents.showing.addresses import listed_at
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.ledger import queries as ledger
from snapshots import queries as snapshots
from snapshots.queries.holds import Outlook
from snapshots.retention import NEVER_BEFORE, WHY, Policy
from snapshots.showing.values import size

if TYPE_CHECKING:
    from console.ledger.models import Entry
    from snapshots.models import State

STATES_AT_ONCE = 25
SWEEPS_SHOWN = 20
RANGES_SHOWN = 40
# Looking ahead reads a line for each snapshot; a page does so for this many, then links.
LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True)
class Done:
    """One line of what sweeps did."""

    seq: int
    at: datetime
    who: str
    states: int
    let_go: int
    kept: int
    bytes_before: str
    bytes_after: str
    readings: int
    refused: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Ahead:
    """What the next sweep would do to one State."""

    state: "State"
    stays: int
    goes: int
    let_go: int
    stored: str
    going: str


def overview(workspace: Workspace, *, after: str, now: datetime) -> dict[str, Any]:
    """Return what `agents/retention.html` shows: a page of States by key, and the last sweeps."""
    after = after.replace("\x00", "")
    found = snapshots.by_key(workspace.id, prefix="", after=after, at_most=STATES_AT_ONCE + 1)
    rows, more = found[:STATES_AT_ONCE], len(found) > STATES_AT_ONCE
    at = listed_at("agents:retention", workspace.slug)
    entries = ledger.entries(workspace.id).filter(subject=SUBJECT)
    return {
        "rules": rules(policy()),
        "rows": _ahead(workspace.id, rows, now),
        "sweeps": [_done(entry) for entry in entries.order_by("-seq")[:SWEEPS_SHOWN]],
        "next_url": at(after=rows[-1].key) if more else "",
        "first_url": at() if after else "",
    }


def _ahead(workspace_id: UUID, rows: Sequence["State"], now: datetime) -> list[dict[str, Any]]:
    left = LOOKED_AT
    shown: list[dict[str, Any]] = []
    for state in rows:
        left -= state.number
        ahead = _row(state, outlook(workspace_id, state.id, now=now)) if left >= 0 else None
        shown.append({"state": state, "ahead": ahead})
    return shown


def _row(state: "State", found: Outlook) -> Ahead:
    return Ahead(
        state=state,
        stays=len(found.verdict.stays),
        goes=len(found.verdict.goes),
        let_go=found.let_go,
        stored=size(found.stored_bytes),
        going=size(found.going_bytes),
    )


def of_state(
    workspace: Workspace, actor: Actor, state_id: UUID, *, now: datetime
) -> dict[str, Any]:
    """Return what `agents/retention_state.html` shows. Raises: NotFound (404)."""
    head = snapshots.head(workspace.id, state_id)
    found = outlook(workspace.id, state_id, now=now)
    entries = ledger.entries(workspace.id).filter(subject=f"state:{state_id}", verb="state.thinned")
    spans = ranges(found.verdict.goes)
    return {
        "head": head,
        "rules": rules(policy()),
        "stays": len(found.verdict.stays),
        "goes": len(found.verdict.goes),
        "let_go": found.let_go,
        "stored": size(found.stored_bytes),
        "going": size(found.going_bytes),
        "is_held": set(found.verdict.stays.values()) == {"held"},
        "reasons": _reasons(found),
        "spans": spans[:RANGES_SHOWN],
        "spans_left": max(0, len(spans) - RANGES_SHOWN),
        "sweeps": [_done(entry) for entry in entries.order_by("-seq")[:SWEEPS_SHOWN]],
        "can_run": allows(actor.roles, "administer") and bool(found.verdict.goes),
    }


def _reasons(found: Outlook) -> list[tuple[str, int]]:
    counts = Counter(found.verdict.stays.values())
    return [(WHY[why], counts[why]) for why in WHY if counts[why]]


def rules(now: Policy) -> list[str]:
    """Say the policy as sentences."""
    all_days = _days(max(now.all_for, NEVER_BEFORE))
    hourly = _days(now.hourly_for)
    finer = (
        [f"Up to an age of {hourly}, the last snapshot of each hour keeps it."]
        if now.hourly_for > now.all_for
        else []
    )
    return [
        f"Every snapshot keeps its content for {all_days}.",
        *finer,
        "After that, the last snapshot of each day keeps it.",
        "For ever: the policies, the first and the newest, what has a name, a pin or a legal hold, "
        "what people decided and decided on, rollbacks, what they went back to and what lies next "
        "to them.",
        "Who, when, why and the digest of every snapshot stay in any case.",
    ]


def _days(length: timedelta) -> str:
    days = length / timedelta(days=1)
    return "1 day" if days == 1 else f"{days:g} days"


def ranges(numbers: Iterable[int]) -> list[str]:
    """Say ascending numbers as stretches: 2–8, 10."""
    stretches: list[list[int]] = []
    for number in numbers:
        if stretches and stretches[-1][1] == number - 1:
            stretches[-1][1] = number
        else:
            stretches.append([number, number])
    return [f"{first}–{last}" if last > first else str(first) for first, last in stretches]


def _done(entry: "Entry") -> Done:
    body = entry.body
    return Done(
        seq=entry.seq,
        at=entry.at,
        who=entry.actor["name"],
        states=body.get("states", 1),
        let_go=body["let_go"],
        kept=body.get("kept", 0),
        bytes_before=size(body["bytes_before"]),
        bytes_after=size(body["bytes_after"]),
        readings=body.get("readings", 0),
        refused=body.get("refused", []),
    )


def said(done: Sweep, *, is_more: bool) -> str:
    """Say what a sweep that somebody asked for has done."""
    if not done.let_go:
        return "There was nothing to let go."
    one = "1 snapshot" if done.let_go == 1 else f"{done.let_go:,} snapshots"
    more = " There is more: run it again, or leave it to the daily sweep." if is_more else ""
    return (
        f"The content of {one} was let go; {size(done.bytes_before)} became "
        f"{size(done.bytes_after)}.{more}"
    )
