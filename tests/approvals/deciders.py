"""People who decide through the page's own forms, at every level."""

from typing import Any
from uuid import UUID

from django.test import Client

from approvals.queries.facts import fact_of
from approvals.rulebook import Rule
from console.access.models import User
from tests.access.proving import PASSWORD, code_of, with_code
from tests.house import House, now
from tests.terms import asking, matching, set_rules

HTMX = {"HX-Request": "true"}


def ask_for(house: House, action: str = "change_bank", **terms: Any) -> None:
    """Let one policy ask this of an action, and of nothing else anything."""
    set_rules(house.setup, Rule(matching(action), asking("For this test", **terms)))


class Signer:
    """Somebody with a password and a code, before one browser."""

    def __init__(self, house: House, name: str) -> None:
        """Give them a code, and sign them in."""
        self.house, self.name = house, name
        self.secret = with_code(house.people[name].id)
        house.people[name] = User.objects.get(id=house.people[name].id)
        self.browser: Client = house.client(name)

    def form(self, proposal: UUID, **typed: Any) -> dict[str, Any]:
        """Return a level 3 form, filled in."""
        shown = self.house.detail(proposal)
        asked = fact_of(shown.proposal, shown.revision, self.house.actor(self.name))
        assert asked is not None
        return {
            **self.house.form(proposal),
            "fact": asked.expected,
            "meaning": "reviewed",
            "password": PASSWORD,
            "code": code_of(self.secret, now()),
            **typed,
        }

    def decide(self, proposal: UUID, *, status: int = 200, **typed: Any) -> str:
        """Send the form as HTMX does."""
        answer = self.browser.post(
            self.house.url("proposals", proposal, "decide"),
            self.form(proposal, **typed),
            headers=HTMX,
        )
        assert answer.status_code == status, answer.content.decode()
        return answer.content.decode()

    def page(self, proposal: UUID) -> str:
        """Open the page."""
        answer = self.browser.get(self.house.url("proposals", proposal))
        assert answer.status_code == 200, answer.content.decode()
        return answer.content.decode()
