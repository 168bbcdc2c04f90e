"""In which forms can a run be taken along?"""

from typing import Final, Literal
from uuid import UUID

from agents import otlp
from agents.journal import Entry
from agents.queries import stories
from console.canonical import Json

Format = Literal["json", "otlp"]
FORMATS: Final[tuple[Format, ...]] = ("json", "otlp")


def document(workspace_id: UUID, run_id: UUID, form: Format) -> Json:
    """Return a whole run as JSON: our own, or OpenTelemetry's. Raises: NotFound (404)."""
    story = stories.story(workspace_id, run_id)
    if form == "otlp":
        return otlp.told(story)
    return {
        "format": "countersign-run/1",
        "trace_id": story.trace_id,
        "label": story.label,
        "workflow": story.workflow,
        "about": dict(story.about),
        "input": story.asked,
        "result": story.result,
        "problem": story.problem,
        "steps": [_step(entry) for entry in story.entries],
    }


def _step(entry: Entry) -> Json:
    return {
        "index": entry.index,
        "kind": entry.kind,
        "name": entry.name,
        "agent": entry.agent,
        "input": entry.input,
        "input_sha256": entry.input_digest,
        "output": entry.output,
        "error": entry.error,
        "proposal": str(entry.proposal_id) if entry.proposal_id else None,
        "started_at": entry.started_at.isoformat() if entry.started_at else None,
        "ended_at": entry.ended_at.isoformat() if entry.ended_at else None,
    }
