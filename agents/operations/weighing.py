"""What speaks against a proposal that a run has just made: a false claim, another opinion?"""

from collections.abc import Iterator
from uuid import UUID

from agents.guards import Setting, Settings
from agents.journal import Entry
from agents.verdicts import Verdict
from approvals.authority_claims import sentence_of
from approvals.queries.claims import false_authority, newly_false
from approvals.queries.opinions import differing
from console.canonical import Json


def weigh(workspace_id: UUID, entry: Entry, settings: Settings) -> Iterator[Verdict]:
    """Say what the console has found in a proposal, or what a reply has claimed besides."""
    if entry.proposal_id is None:
        return
    if entry.kind == "reply" and entry.started_at is not None:
        new = newly_false(workspace_id, entry.proposal_id, entry.started_at)
        yield from _verdict("false_authority", settings, entry, len(new), sentence_of(new))
    if entry.kind != "proposal":
        return
    claims = false_authority(workspace_id, entry.proposal_id)
    yield from _verdict("false_authority", settings, entry, len(claims), sentence_of(claims))
    paths = differing(workspace_id, entry.proposal_id)
    said = (
        "An independent look at the same snapshot comes to another effect, at "
        f"{', '.join(paths[:3])}{' and elsewhere' if len(paths) > 3 else ''}."  # noqa: PLR2004
    )
    yield from _verdict("second_opinion", settings, entry, len(paths), said)


def _verdict(
    rule: str, settings: Settings, entry: Entry, found: int, said: str
) -> Iterator[Verdict]:
    setting: Setting = settings[rule]
    if not found or setting.limit is None:
        return
    numbers: dict[str, Json] = {"counted": found, "limit": setting.limit}
    yield Verdict(
        rule=rule,
        strength=setting.strength if found >= setting.limit else "note",
        sentence=said,
        began_at=entry.index,
        steps=(entry.index,),
        agent=entry.agent,
        numbers=numbers,
    )
