"""Open pages of proposals: what their regions show, and what rings for them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl
from uuid import UUID

from approvals import filtering
from approvals.filtering import FilterInvalid
from approvals.queries import canaries
from approvals.queries.outside import outside
from approvals.showing.connectors import connectors
from approvals.showing.doubt import execution
from approvals.showing.outside import Asked
from approvals.showing.outside import outside as left
from approvals.showing.proposal import proposal
from approvals.showing.reading import reader
from approvals.showing.reconciling import Asked as Compared
from approvals.showing.reconciling import reconciliation
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
        asked = _words(self.scope)
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
    # Below the form that was there, a decided proposal says what became of it.
    also: ClassVar[Mapping[str, str]] = {"became": "approvals/_became.html"}

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


class Outside(Region):
    """A list of what left the house, as its page was opened."""

    fragment = "approvals/_outside.html"
    region_id = "outside"

    def topics(self) -> list[tuple[str, object]]:
        """Return what leaves the workspace, and its queue, where decisions let things leave."""
        return [("outside", self.workspace.id), ("queue", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return the list that was asked for. Raises: NotFound."""
        try:
            return left(self.workspace, self.actor, Asked.of(_words(self.scope)))
        except (BadCursor, FilterInvalid) as error:
            raise NotFound from error


class OutsideOne(Region):
    """What is known of one execution; the forms below it are not part of the region."""

    fragment = "approvals/_outside_one.html"
    region_id = "outside-one"

    def topics(self) -> list[tuple[str, object]]:
        """Return its proposal, and what leaves the workspace."""
        return [("proposal", self._proposal_id), ("outside", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return what is known of it now. Raises: NotFound."""
        found = outside(self.workspace.id, self.ids["execution_id"])
        self._proposal_id = found.execution.proposal_id
        return execution(found, self.actor, datetime.now(UTC), _asked(self.scope, "seen"))


class Connectors(Region):
    """The ways out, and how each is."""

    fragment = "approvals/_connectors.html"
    region_id = "connectors"

    def topics(self) -> list[tuple[str, object]]:
        """Return what leaves the workspace."""
        return [("outside", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return the page of them that was asked for. Raises: NotFound."""
        try:
            return connectors(self.workspace, self.actor, _asked(self.scope, "cursor"))
        except BadCursor as error:
            raise NotFound from error


class Reconciliation(Region):
    """How what we hold compares with what providers list."""

    fragment = "approvals/_reconciliation.html"
    region_id = "reconciliation"

    def topics(self) -> list[tuple[str, object]]:
        """Return what leaves the workspace."""
        return [("outside", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return the differences and comparisons that were asked for. Raises: NotFound."""
        try:
            return reconciliation(self.workspace, self.actor, Compared.of(_words(self.scope)))
        except BadCursor as error:
            raise NotFound from error


def _words(scope: Any) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode("ascii", "replace")))


def _asked(scope: Any, name: str) -> str:
    """Return a word from the query of the socket's address."""
    query: str = scope["query_string"].decode("ascii", "replace")
    return parse_qs(query).get(name, [""])[0]


def _number(text: str) -> int:
    is_number = text.isdecimal() and len(text) <= _DIGITS_AT_MOST
    return int(text) if is_number else 0
