"""The public API, version 1."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from agents.api.jobs import router as jobs
from approvals.api import router as proposals
from console import problems

api = problems.DocumentedAPI(
    title="Countersign",
    version="1",
    description="Submit jobs and proposals. No token can decide: people do that in the browser.",
    docs_url=None,
    parser=problems.StrictParser(),
)
problems.install(api)
api.add_router("/jobs", jobs, tags=["jobs"])
api.add_router("/proposals", proposals, tags=["proposals"])


def docs(request: HttpRequest) -> HttpResponse:
    """Show the API's documentation (Swagger UI, from our own static files)."""
    return render(request, "api/docs.html")
