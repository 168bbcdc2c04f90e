"""Open pages of States: what their regions show, and what rings for them."""

from typing import Any
from urllib.parse import parse_qs

from console.errors import NotFound
from console.paging import BadCursor
from console.regions import Region
from snapshots.showing import history, states


class StateList(Region):
    """The list of States, from the page that the reader turned to."""

    fragment = "snapshots/_states.html"
    region_id = "states"

    def topics(self) -> list[tuple[str, object]]:
        """Return the workspace's States."""
        return [("states", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return the States under the prefix that was asked for."""
        prefix, after = _asked(self.scope, "q"), _asked(self.scope, "after")
        return states.state_list(self.workspace, prefix=prefix, after=after)


class State(Region):
    """The history of one State, from the page that the reader turned to."""

    fragment = "snapshots/_state.html"
    region_id = "state"

    def topics(self) -> list[tuple[str, object]]:
        """Return the State."""
        return [("state", self.ids["state_id"])]

    def context(self) -> dict[str, Any]:
        """Return what the reader asked for of the State's history. Raises: NotFound."""
        words = ("cursor", "cause", "marked", "path")
        asked = history.Asked.of({word: _asked(self.scope, word) for word in words})
        try:
            return history.history(self.workspace, self.actor, self.ids["state_id"], asked)
        except (BadCursor, history.PathInvalid) as error:
            raise NotFound from error


def _asked(scope: Any, name: str) -> str:
    """Return a word from the query of the socket's address."""
    query: str = scope["query_string"].decode("ascii", "replace")
    return parse_qs(query).get(name, [""])[0]
