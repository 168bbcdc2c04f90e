"""Open pages of runs and jobs: what their regions show, and what rings for them."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from django.template.loader import render_to_string

from agents.showing import board, drift, jobs, memory, pauses, restorations, runs
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


class Restoration(Region):
    """One restoration: how far it has got; once it is confirmed, no form is left."""

    fragment = "agents/_restoration.html"
    region_id = "restoration"
    pause_seconds = 0.1

    def topics(self) -> list[tuple[str, object]]:
        """Return the restoration, and the States for whose sake its plan may go out of date."""
        planned = self._shown["restoration"].plan["states"]
        states = [("state", each["state_id"]) for each in planned]
        return [("restoration", self.ids["restoration_id"]), *states]

    def context(self) -> dict[str, Any]:
        """Return the restoration as it stands. Raises: NotFound."""
        restoration_id, now = self.ids["restoration_id"], datetime.now(UTC)
        self._shown = restorations.restoration(self.workspace, self.actor, restoration_id, now=now)
        return self._shown

    def _render(self) -> str:
        html = super()._render()
        if self._shown["mode"] != "settled":
            # What somebody types stays; that it is too late is said above it.
            return html
        context = {"workspace": self.workspace, **self._shown}
        settled = render_to_string("agents/_restoration_confirm.html", context).strip()
        partial = '<hx-partial hx-target="#confirm" hx-swap="outerMorph">'
        return f"{html}{partial}{settled}</hx-partial>"


class Board(Region):
    """The board of agents; it beats often enough that a silent worker is seen to be silent."""

    fragment = "agents/_board.html"
    region_id = "board"
    # Every beginning and end of a run rings here, and nobody reads faster than this.
    pause_seconds = 1.0
    heartbeat_seconds = 10.0

    def topics(self) -> list[tuple[str, object]]:
        """Return the workspace's agents and its runs."""
        return [("agents", self.workspace.id), ("runs", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return the cards that the page was opened with. Raises: NotFound."""
        which, named = _asked(self.scope, "which"), _asked(self.scope, "q")
        cursor = _asked(self.scope, "cursor")
        try:
            return board.agent_list(
                self.workspace, self.actor, which=which, named=named, cursor=cursor
            )
        except BadCursor as error:
            raise NotFound from error


class Agent(Region):
    """One agent: how it stands, what it did, what was done to it."""

    fragment = "agents/_agent.html"
    region_id = "agent"
    pause_seconds = 1.0
    heartbeat_seconds = 10.0

    def topics(self) -> list[tuple[str, object]]:
        """Return the workspace's agents and its runs."""
        return [("agents", self.workspace.id), ("runs", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return the agent as it stands. Raises: NotFound."""
        cursor = _asked(self.scope, "cursor")
        try:
            return board.agent_detail(
                self.workspace, self.actor, self.ids["agent_id"], cursor=cursor
            )
        except BadCursor as error:
            raise NotFound from error


class PauseList(Region):
    """The runs that a guard has paused, from the page that the reader turned to."""

    fragment = "agents/_pauses.html"
    region_id = "pauses"

    def topics(self) -> list[tuple[str, object]]:
        """Return the workspace's queue, where paused runs wait, too."""
        return [("queue", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return the rows that the page was opened with. Raises: NotFound."""
        tab, cursor = _asked(self.scope, "tab"), _asked(self.scope, "cursor")
        try:
            return pauses.pause_list(self.workspace, self.actor, tab=tab, cursor=cursor)
        except BadCursor as error:
            raise NotFound from error


class Pause(Region):
    """One paused run: why it waits; once somebody has answered, no form is left."""

    fragment = "agents/_pause.html"
    region_id = "pause"

    def topics(self) -> list[tuple[str, object]]:
        """Return the workspace's queue, where an answer rings."""
        return [("queue", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return the pause as it stands. Raises: NotFound."""
        self._shown = pauses.pause(self.workspace, self.actor, self.ids["pause_id"])
        return self._shown

    def _render(self) -> str:
        html = super()._render()
        if self._shown["mode"] != "settled":
            # What somebody types stays.
            return html
        context = {"workspace": self.workspace, **self._shown}
        settled = render_to_string("agents/_pause_answer.html", context).strip()
        partial = '<hx-partial hx-target="#pause-answer" hx-swap="outerMorph">'
        return f"{html}{partial}{settled}</hx-partial>"


class Drift(Region):
    """The newest measurement of every State, from the page that the reader turned to."""

    fragment = "agents/_drift.html"
    region_id = "drift"

    def topics(self) -> list[tuple[str, object]]:
        """Return the workspace's drift."""
        return [("drift", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return the States that the page was opened with."""
        tab, after = _asked(self.scope, "tab"), _asked(self.scope, "after")
        return drift.board(self.workspace, self.actor, tab=tab, after=after)


class DriftOfState(Region):
    """One State's series of measurements."""

    fragment = "agents/_drift_series.html"
    region_id = "drift-series"

    def topics(self) -> list[tuple[str, object]]:
        """Return the State's drift."""
        return [("drift", self.ids["state_id"])]

    def context(self) -> dict[str, Any]:
        """Return the measurements as they stand. Raises: NotFound."""
        cursor, state_id = _asked(self.scope, "cursor"), self.ids["state_id"]
        try:
            return drift.of_state(self.workspace, self.actor, state_id, cursor=cursor)
        except BadCursor as error:
            raise NotFound from error


class Memory(Region):
    """What an agent keeps in mind, and what a sweep would take now."""

    fragment = "agents/_memory.html"
    region_id = "memory"

    def topics(self) -> list[tuple[str, object]]:
        """Return the memory's State."""
        return [("state", self.ids["state_id"])]

    def context(self) -> dict[str, Any]:
        """Return the entries as they stand. Raises: NotFound."""
        asked = (_asked(self.scope, "tab"), _asked(self.scope, "after"))
        state_id, now = self.ids["state_id"], datetime.now(UTC)
        return memory.memory(self.workspace, self.actor, state_id, asked=asked, now=now)


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
