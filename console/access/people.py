"""How does a person use the API? With the browser's session and its CSRF token, never a key."""

from http import HTTPStatus
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import APIKeyCookie

from console import tenancy
from console.access import queries
from console.access.bearer import ClientRequest
from console.access.models import User
from console.access.rights import Right, allows
from console.actors import Actor
from console.errors import Forbidden, Invalid, NotFound
from console.limiting.meeting import meet_caller

HEADER = "Countersign-Workspace"


class PeopleOnly(Forbidden):
    """No token can do this: it takes a person who is signed in."""

    code = "people_only"


class WorkspaceUnsaid(Invalid):
    """Say in the header Countersign-Workspace in which of your workspaces you act."""

    code = "workspace_unsaid"


class People(APIKeyCookie):
    """Let in people who are signed in and hold a right in the workspace that the header names.

    Where `only` is false a token may come, too, through a `Bearer` that stands before this one.
    """

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self, right: Right, *, only: bool = True) -> None:
        """Remember the right."""
        super().__init__()
        self.right, self.only = right, only

    def __call__(self, request: HttpRequest) -> Actor | None:
        """Return the person as an actor. Raises: PeopleOnly (403) for a token."""
        if "Authorization" in request.headers:
            if self.only:
                raise PeopleOnly
            return None
        if not request.user.is_authenticated:
            return None
        try:
            self._get_key(request)
        except HttpError as error:
            raise HttpError(HTTPStatus.FORBIDDEN, "The CSRF token is missing or wrong.") from error
        return self.authenticate(request, None)

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor:
        """Return the person as an actor of the workspace. Raises: NotFound, Forbidden."""
        person = cast("User", request.user)
        found = queries.person_in(person, request.headers.get(HEADER) or _only_one(person))
        if found is None:
            raise NotFound
        actor = found[1]
        tenancy.enter(actor.workspace_id)
        meet_caller(request, actor)
        if not allows(actor.roles, self.right):
            raise Forbidden
        cast("ClientRequest", request).actor = actor
        return actor


def _only_one(person: User) -> str:
    known = queries.workspaces_of(person.id)
    if len(known) != 1:
        raise WorkspaceUnsaid
    return known[0].slug
