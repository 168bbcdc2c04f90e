"""What did a run do, as the events that rules look back over?"""

from uuid import UUID

from agents import happened
from agents.imported import MESSAGE_OF
from agents.journal import Entry
from agents.models import Step
from agents.trail import Event
from console.canonical import Json

# A longer run is looked at from its end.
STEPS_AT_MOST = 2_000


def trail(run_id: UUID, *, at_most: int = STEPS_AT_MOST) -> list[Event]:
    """Return the newest steps of a run as events, in order; `index` is the step's.

    What the rules that watch a run see of it, and what the models said besides.
    """
    rows = Step.objects.filter(run=run_id).order_by("-index")[:at_most]
    return [event for row in reversed(list(rows)) for event in of_entry(as_entry(row))]


def of_entry(entry: Entry) -> list[Event]:
    """Return what one step tells."""
    if entry.kind == "event" and entry.name.startswith(MESSAGE_OF):
        actor = entry.name.removeprefix(MESSAGE_OF)
        said = entry.input.get("content") if isinstance(entry.input, dict) else None
        return [Event(entry.index, "message", actor, content=said)]
    if entry.kind != "model_call":
        return happened.events(entry)
    content = entry.error or _said(entry.output)
    return [Event(entry.index, "message", entry.agent, entry.name, content=content)]


def as_entry(row: Step) -> Entry:
    """Return a row as an entry of the journal."""
    return Entry(
        index=row.index,
        kind=row.kind,
        name=row.name,
        agent=row.agent,
        input=row.input,
        input_digest=row.input_digest,
        output=row.output,
        error=row.error,
        proposal_id=row.proposal_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def _said(output: Json) -> Json:
    return output.get("text", output) if isinstance(output, dict) else output
