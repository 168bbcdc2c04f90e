"""The ledger's open page: new lines appear as they are written."""

from typing import Any
from urllib.parse import parse_qs

from console.ledger.showing import ledger
from console.regions import Region


class Ledger(Region):
    """The newest entries, of one subject if the page asks for one."""

    fragment = "ledger/_entries.html"
    region_id = "entries"

    def topics(self) -> list[tuple[str, object]]:
        """Return the workspace's ledger."""
        return [("ledger", self.workspace.id)]

    def context(self) -> dict[str, Any]:
        """Return the newest entries."""
        asked = parse_qs(self.scope["query_string"].decode("ascii", "replace"))
        return ledger(self.workspace, self.actor, subject=asked.get("subject", [""])[0])
