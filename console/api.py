"""The public API, version 1."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from agents.api.board import router as agents
from agents.api.budgets import router as budgets
from agents.api.drift import of_state as drift_of_state
from agents.api.drift import router as drift
from agents.api.guards import router as guards
from agents.api.jobs import router as jobs
from agents.api.pauses import router as pauses
from agents.api.restorations import router as restorations
from agents.api.traces import router as traces
from agents.api.traces import runs_router as runs
from approvals.api.authority import delegations_router, limits_router
from approvals.api.deciding import router as deciding
from approvals.api.evidence import router as evidence
from approvals.api.executions import router as executions
from approvals.api.handling import router as handling
from approvals.api.metrics import router as metrics
from approvals.api.outside import (
    connectors_router,
    discrepancies_router,
    reconciliations_router,
    sending_router,
)
from approvals.api.outside import router as leaving
from approvals.api.policies import router as policies
from approvals.api.proposals import router as proposals
from approvals.api.signing import router as signing
from approvals.api.talking import router as talking
from console import problems
from console.notices.api import router as webhooks
from snapshots.api import router as states
from snapshots.outside import router as outside

api = problems.DocumentedAPI(
    title="Countersign",
    version="1",
    description="Submit jobs and proposals. No token can decide: people do that in the browser.",
    docs_url=None,
    parser=problems.StrictParser(),
)
problems.install(api)
api.add_router("/agents", agents, tags=["agents"])
api.add_router("/authority-limits", limits_router, tags=["authority"])
api.add_router("/delegations", delegations_router, tags=["authority"])
api.add_router("/budgets", budgets, tags=["budgets"])
api.add_router("/connectors", connectors_router, tags=["outside"])
api.add_router("/discrepancies", discrepancies_router, tags=["outside"])
api.add_router("/executions", executions, tags=["executions"])
api.add_router("/guards", guards, tags=["agents"])
api.add_router("/jobs", jobs, tags=["jobs"])
api.add_router("/metrics", metrics, tags=["metrics"])
api.add_router("/outside", leaving, tags=["outside"])
api.add_router("/policies", policies, tags=["policies"])
api.add_router("/proposals", proposals, tags=["proposals"])
api.add_router("/proposals", deciding, tags=["proposals"])
api.add_router("/proposals", evidence, tags=["proposals"])
api.add_router("/proposals", handling, tags=["proposals"])
api.add_router("/proposals", signing, tags=["proposals"])
api.add_router("/proposals", talking, tags=["proposals"])
api.add_router("/reconciliations", reconciliations_router, tags=["outside"])
api.add_router("/restorations", restorations, tags=["restorations"])
api.add_router("/runs", runs, tags=["runs"])
api.add_router("/sending", sending_router, tags=["outside"])
api.add_router("/states", states, tags=["states"])
api.add_router("/states", outside, tags=["states"])
api.add_router("/drift", drift, tags=["drift"])
api.add_router("/states", drift_of_state, tags=["drift"])
api.add_router("/traces", traces, tags=["runs"])
api.add_router("/pauses", pauses, tags=["agents"])
api.add_router("/webhooks", webhooks, tags=["webhooks"])


def docs(request: HttpRequest) -> HttpResponse:
    """Show the API's documentation (Swagger UI, from our own static files)."""
    return render(request, "api/docs.html")
