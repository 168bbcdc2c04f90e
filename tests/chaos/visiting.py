"""People who come in through the door: address and password over HTTP, then the queue's page."""

import random
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.conf import settings

from console.actors import Actor, system
from tests.chaos.calling import NOBODY, Answer, Tally
from tests.chaos.workload import Workload
from tests.chaos.world import Person, Place

VISIT_EVERY = 3.0
DOOR = "/sign-in/"


def places(world: Mapping[str, Any], password: str, address: str) -> list[Place]:
    """Return the workspaces of a world that somebody else made, with people who have signed in."""
    return [_place(slug, told, password, address) for slug, told in world.items()]


def _place(slug: str, told: Mapping[str, Any], password: str, address: str) -> Place:
    workspace, people = UUID(told["id"]), {}
    for name, who in told["people"].items():
        cookies = Visit(address, Tally()).sign_in(who["email"], password)
        if settings.SESSION_COOKIE_NAME not in cookies:
            raise LookupError(f"{name} could not sign in.")
        actor = Actor("person", who["id"], name, workspace, frozenset({who["role"]}))
        people[name] = Person(actor, {**_headers(cookies), "Countersign-Workspace": slug})
    return Place(slug, system("setup", workspace), told["token"], people, tuple(told["states"]))


def visit_always(
    chance: random.Random, workload: Workload, world: Mapping[str, Any], password: str
) -> None:
    """Let somebody sign in anew and look at the queue, again and again."""
    while workload.pause(VISIT_EVERY):
        slug = chance.choice([*world])
        who = chance.choice([*world[slug]["people"].values()])
        visit = Visit(chance.choice(workload.addresses), workload.tally)
        cookies = visit.sign_in(who["email"], password)
        workload.did["signed in" if settings.SESSION_COOKIE_NAME in cookies else "not let in"] += 1
        page = visit.ask("GET", f"/w/{slug}/queue/", headers=_headers(cookies))
        workload.did[f"queue answered {page.status if page else NOBODY}"] += 1


class Visit:
    """One connection of a browser."""

    def __init__(self, address: str, tally: Tally) -> None:
        """Remember whom to ask."""
        self._netloc, self._tally = urlsplit(address).netloc, tally

    def sign_in(self, email: str, password: str) -> dict[str, str]:
        """Fill in the form; return the cookies that came of it."""
        form = self.ask("GET", DOOR)
        cookies = _cookies(form)
        fields = {
            "username": email,
            "password": password,
            "csrfmiddlewaretoken": cookies.get(settings.CSRF_COOKIE_NAME, ""),
        }
        headers = {**_headers(cookies), "Content-Type": "application/x-www-form-urlencoded"}
        answer = self.ask("POST", DOOR, urlencode(fields), headers=headers)
        return {**cookies, **_cookies(answer)}

    def ask(
        self, method: str, path: str, body: str = "", *, headers: Mapping[str, str] | None = None
    ) -> HTTPResponse | None:
        """Ask once; nothing comes back where nobody answers."""
        connection = HTTPConnection(self._netloc, timeout=30)
        try:
            connection.request(method, path, body=body or None, headers=dict(headers or {}))
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            self._tally.note(method, path, Answer(NOBODY))
            return None
        finally:
            connection.close()
        again = answer.headers.get("Retry-After", "")
        self._tally.note(method, path, Answer(answer.status, retry_after=again))
        return answer


def _cookies(answer: HTTPResponse | None) -> dict[str, str]:
    found = SimpleCookie()
    for line in answer.headers.get_all("Set-Cookie") or [] if answer else []:
        found.load(line)
    return {name: morsel.value for name, morsel in found.items()}


def _headers(cookies: Mapping[str, str]) -> dict[str, str]:
    return {
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "X-CSRFToken": cookies.get(settings.CSRF_COOKIE_NAME, ""),
    }
