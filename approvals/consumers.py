"""Open pages of proposals: what their regions show, and what rings for them."""

from typing import Any
from urllib.parse import parse_qs

from approvals import queries
from approvals.showing.proposal import proposal
from approvals.showing.waiting import queue
from console.errors import NotFound
from console.paging import BadCursor
from console.regions import Region

_DIGITS_AT_MOST = 9


class Queue(Region):
    """The queue, from the page that the reader turned to."""

    fragment = "approvals/_queue.html"
    region_id = "queue"

    def topics(self) -> list[tuple[str, object]]:
        """Return the workspace's queue."""
        return [("queue", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return what waits. Raises: NotFound."""
        try:
            return queue(self.actor, _asked(self.scope, "cursor"))
        except BadCursor as error:
            raise NotFound from error


class Proposal(Region):
    """One proposal as it stands now; the form below it is not part of the region."""

    fragment = "approvals/_proposal.html"
    region_id = "proposal"

    def topics(self) -> list[tuple[str, object]]:
        """Return the proposal, and the State that its diff was made on."""
        return [("proposal", self.ids["proposal_id"]), ("state", self._state_id)]

    def context(self) -> dict[str, Any]:
        """Return the proposal's facts. Raises: NotFound."""
        found = queries.detail(self.workspace.id, self.ids["proposal_id"])
        self._state_id = found.proposal.state_id
        return proposal(found, self.actor, seen=_number(_asked(self.scope, "seen")))


def _asked(scope: Any, name: str) -> str:
    """Return a word from the query of the socket's address."""
    query: str = scope["query_string"].decode("ascii", "replace")
    return parse_qs(query).get(name, [""])[0]


def _number(text: str) -> int:
    is_number = text.isdecimal() and len(text) <= _DIGITS_AT_MOST
    return int(text) if is_number else 0
