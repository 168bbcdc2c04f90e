"""Runs over HTTP: take one along as a trace, bring traces of agents elsewhere in."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ninja import Router, Schema

from agents.operations.importing import TracesInvalid, bring_in
from agents.otlp import NotTraces, stories
from agents.showing import telling
from agents.showing.telling import Format
from console.access.bearer import Bearer, ClientRequest
from console.endpoints import PROBLEMS

router = Router()
runs_router = Router()


class TracesIn(Schema):
    """An `ExportTraceServiceRequest` of OpenTelemetry as JSON (OTLP/JSON)."""

    resourceSpans: list[Any]  # noqa: N815  (OpenTelemetry's name)


class BroughtIn(Schema):
    """A run that was brought in: by this call, or by one before it (`is_new` says which)."""

    trace_id: str
    job: UUID
    run: UUID
    steps: int
    left_out: int
    is_new: bool


class Taken(Schema):
    """What became of each trace; `partialSuccess` is empty, as OpenTelemetry asks for it."""

    partialSuccess: dict[str, Any]  # noqa: N815
    runs: list[BroughtIn]


@runs_router.get(
    "/{uuid:run_id}/trace",
    auth=Bearer("jobs:read"),
    response={200: dict[str, Any], **PROBLEMS},
    summary="Take a run along",
)
def get_trace(request: ClientRequest, run_id: UUID, format: Format = "json") -> Any:  # noqa: A002
    """Return a whole run with all its steps, as our JSON or as OpenTelemetry spans (`otlp`)."""
    return telling.document(request.actor.workspace_id, run_id, format)


@router.post(
    "",
    auth=Bearer("traces:write"),
    response={200: Taken, **PROBLEMS},
    summary="Bring in traces of agents elsewhere",
)
def bring_traces(request: ClientRequest, payload: TracesIn, state: str = "") -> Taken:
    """Keep each trace as a run that is looked at and never worked on; the same trace is once."""
    try:
        found = stories({"resourceSpans": payload.resourceSpans})
    except NotTraces as error:
        raise TracesInvalid.because(error) from error
    made = bring_in(
        actor=request.actor,
        stories=found,
        source="otlp",
        state_key=state,
        now=datetime.now(UTC),
    )
    runs = [
        BroughtIn(
            trace_id=each.trace_id,
            job=each.job_id,
            run=each.run_id,
            steps=each.steps,
            left_out=each.left_out,
            is_new=each.is_new,
        )
        for each in made
    ]
    return Taken(partialSuccess={}, runs=runs)
