"""Open pages of runs and jobs: what their regions show, and what rings for them."""

from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from agents.showing import jobs, runs
from agents.showing.addresses import number
from console.errors import NotFound
from console.paging import BadCursor
from console.regions import Region


class RunList(Region):
    """The list of runs, from the page that the reader turned to."""

    fragment = "agents/_runs.html"
    region_id = "runs"

    def topics(self) -> list[tuple[str, object]]:
        """Return the workspace's runs."""
        return [("runs", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return the rows that the page was opened with. Raises: NotFound."""
        status, cursor = _asked(self.scope, "status"), _asked(self.scope, "cursor")
        try:
            return runs.run_list(
                self.workspace, since=_since(self.scope), status=status, cursor=cursor
            )
        except BadCursor as error:
            raise NotFound from error


class JobList(Region):
    """The list of jobs, from the page that the reader turned to."""

    fragment = "agents/_jobs.html"
    region_id = "jobs"

    def topics(self) -> list[tuple[str, object]]:
        """Return the workspace's runs; a job changes with its run."""
        return [("runs", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return the rows that the page was opened with. Raises: NotFound."""
        cursor = _asked(self.scope, "cursor")
        try:
            return jobs.job_list(
                self.workspace, self.actor, since=_since(self.scope), cursor=cursor
            )
        except BadCursor as error:
            raise NotFound from error


class Run(Region):
    """One run, growing from the step that the page began with."""

    fragment = "agents/_run.html"
    region_id = "run"

    def topics(self) -> list[tuple[str, object]]:
        """Return the run."""
        return [("run", self.ids["run_id"])]

    def context(self) -> dict[str, Any]:
        """Return the run as it stands. Raises: NotFound."""
        first = number(_asked(self.scope, "first"))
        return runs.run(self.workspace, self.actor, self.ids["run_id"], first=first)


def _since(scope: Any) -> datetime | None:
    try:
        since = datetime.fromisoformat(_asked(scope, "since"))
    except ValueError:
        return None
    return since if since.tzinfo else None


def _asked(scope: Any, name: str) -> str:
    """Return a word from the query of the socket's address."""
    query: str = scope["query_string"].decode("ascii", "replace")
    return parse_qs(query).get(name, [""])[0]
