"""Open pages of proposals: what their regions show, and what rings for them."""

from typing import Any
from urllib.parse import parse_qs, parse_qsl
from uuid import UUID

from approvals import filtering
from approvals.filtering import FilterInvalid
from approvals.queries import canaries
from approvals.showing.proposal import proposal
from approvals.showing.reading import reader
from approvals.showing.waiting import Place, place, queue
from console.errors import NotFound
from console.paging import BadCursor
from console.regions import Region

_DIGITS_AT_MOST = 9


class Queue(Region):
    """The queue, with the rows that its page was opened with."""

    fragment = "approvals/_queue.html"
    region_id = "queue"
    _at: Place | None = None

    def topics(self) -> list[tuple[str, object]]:
        """Return the workspace's queue."""
        return [("queue", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return what became of these rows, and how many are new. Raises: NotFound."""
        asked = dict(parse_qsl(self.scope["query_string"].decode("ascii", "replace")))
        try:
            filters = filtering.read(asked)
            found = queue(self.actor, filters, self._at or place(asked))
        except (BadCursor, FilterInvalid) as error:
            raise NotFound from error
        # A page that was empty is filled; from then on its rows stay where they are.
        self._at = found["place"]
        return found


class Proposal(Region):
    """One proposal as it stands now; the form below it is not part of the region."""

    fragment = "approvals/_proposal.html"
    region_id = "proposal"

    def topics(self) -> list[tuple[str, object]]:
        """Return the proposal, and the State that its diff was made on."""
        return [("proposal", self.ids["proposal_id"]), ("state", self._state_id)]

    def context(self) -> dict[str, Any]:
        """Return the proposal's facts. Raises: NotFound."""
        person = UUID(self.actor.id)
        found = canaries.detail(self.workspace.id, person, self.ids["proposal_id"])
        self._state_id = found.proposal.state_id
        who = reader(found, self.actor)
        seen, since = (_number(_asked(self.scope, name)) for name in ("seen", "since"))
        return proposal(who, seen=seen, looked_at=since or seen)


def _asked(scope: Any, name: str) -> str:
    """Return a word from the query of the socket's address."""
    query: str = scope["query_string"].decode("ascii", "replace")
    return parse_qs(query).get(name, [""])[0]


def _number(text: str) -> int:
    is_number = text.isdecimal() and len(text) <= _DIGITS_AT_MOST
    return int(text) if is_number else 0
