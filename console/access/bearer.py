"""How does a program prove who it is? A bearer token, with the scope that an endpoint asks for."""

from datetime import UTC, datetime
from typing import cast

from django.http import HttpRequest
from ninja.security import HttpBearer

from console import tenancy
from console.access import queries
from console.access.operations.keying import note_use
from console.actors import Actor
from console.errors import Forbidden
from console.limiting.meeting import meet_caller, meet_stranger


class ScopeMissing(Forbidden):
    """This token does not carry the scope that the endpoint needs."""

    code = "scope_missing"


class ClientRequest(HttpRequest):
    """A request of a program; `actor` is the token, with the person who made it behind it."""

    actor: Actor


class Bearer(HttpBearer):
    """Let in live tokens that carry one scope."""

    def __init__(self, scope: str) -> None:
        """Remember the scope."""
        super().__init__()
        self.scope = scope

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        """Return the token as an actor, or nothing when it is unknown, revoked or over."""
        now = datetime.now(UTC)
        found = queries.token_for(token, now)
        if found is None:
            meet_stranger(request)
            return None
        tenancy.enter(found.workspace_id)
        actor = queries.token_as_actor(found)
        meet_caller(request, actor)
        if self.scope not in found.scopes:
            raise ScopeMissing(f"This token lacks the scope {self.scope}.", scope=self.scope)
        note_use(found, now)
        actor = queries.token_as_actor(found)
        cast(ClientRequest, request).actor = actor
        return actor
