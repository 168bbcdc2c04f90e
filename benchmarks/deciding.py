"""How long does a reviewer wait after pressing the button, with twenty of them at work?

Each signs in on a connection of their own and approves proposals on States of their own, through
the form of the page as HTMX sends it: the answer holds the facts and what is next. The yardstick
is a view that locks a row and inserts one, on the same server and database, and does nothing else.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection
from itertools import count, cycle
from queue import SimpleQueue
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from approvals import queries
from approvals.models import Decision, Execution
from approvals.operations.installing import install
from approvals.operations.proposing import Request, propose
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.policy import Terms, Threshold
from approvals.queries.invariants import broken
from approvals.rulebook import Rule
from benchmarks import bare_page, world
from benchmarks.clients import Answers, Ask, crowd
from benchmarks.figures import Figure, Part, percentile
from benchmarks.servers import console
from console.access.models import User, Workspace
from console.access.operations.granting import enrol, grant
from console.actors import Actor, agent
from snapshots.diff import Change

REVIEWERS = 20
DECISIONS, QUICK_DECISIONS = 400, 100
CSRF = "a" * 32
ANYTHING = {"type": "object", "additionalProperties": True}
_rounds = count(1)


def measure(*, rounds: int, quick: bool) -> Part:
    """Return what an approval takes at 20 reviewers, and what the bare view takes."""
    part = Part("deciding")
    decisions = QUICK_DECISIONS if quick else DECISIONS
    place = world.workspace("deciding")
    people = _furnish(place)
    bare = [_bare(decisions) for _ in range(rounds)]
    with console("web") as address:
        done = [_decide(address, place, people, decisions) for _ in range(rounds)]
    for percent in (50, 95):
        yardstick = _took(part, f"lock a row and insert one, p{percent}", bare, percent)
        _took(part, f"a decision, {REVIEWERS} reviewers, p{percent}", done, percent, yardstick)
    part.add("decisions", "1/s", [each.per_second for each in done])
    _check(part, place, done, bare)
    return part


def _took(
    part: Part, name: str, rounds: list[Answers], percent: int, against: Figure | None = None
) -> Figure:
    values = [percentile(each.milliseconds, percent) for each in rounds]
    return part.add(name, "ms", values, against=against)


def _check(part: Part, place: Workspace, done: list[Answers], bare: list[Answers]) -> None:
    wrong = [status for each in (*done, *bare) for status in each.wrong]
    if wrong:
        part.faults.append(f"{len(wrong)} answers were not as wanted, such as {wrong[0]}")
    wanted = sum(len(each.milliseconds) for each in done)
    kept = Decision.objects.filter(workspace=place).count()
    executed = Execution.objects.filter(workspace=place, status="succeeded").count()
    if not wanted == kept == executed:
        part.faults.append(f"{wanted} approvals left {kept} decisions and {executed} executions")
    part.faults += [f"not true: {item.sentence}" for item in broken()]


def _furnish(place: Workspace) -> list[User]:
    setup = world.setup(place)
    declare(setup, ActionTypeSpec("adjust", "Adjust", "Adjust {account}", ANYTHING, "stated"))
    terms = Terms("one reviewer", 1, 1, (Threshold(approve=1),), 7 * 24 * 3600)
    install(actor=setup, rules=[Rule("true", terms)], now=_now())
    people = [enrol(f"r{n}@deciding.invalid", f"Reviewer {n}", "") for n in range(REVIEWERS)]
    for person in people:
        grant(setup, place.id, person, "reviewer")
    return people


def _propose(setup: Actor, decisions: int) -> list[UUID]:
    """Make proposals, each on a State of its own, so that nobody's makes another's stale."""
    proposer = agent("bench", setup.workspace_id, behind=setup.ref)
    nth = next(_rounds)
    made = []
    for number in range(decisions):
        head = world.state(setup, f"bench/{nth}/{number}")
        change = Change("replace", "/accounts/0007/balance", 700, 700 + number)
        request = Request(
            state_key=head.key,
            action_type="adjust",
            params={"account": "0007"},
            origin=f"bench:{nth}",
            origin_step=str(number),
            stated=(change,),
        )
        made.append(propose(actor=proposer, request=request, now=_now()))
    return made


def _decide(address: str, place: Workspace, people: list[User], decisions: int) -> Answers:
    waiting: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
    for proposal_id in _propose(world.setup(place), decisions):
        found = queries.detail(place.id, proposal_id).revision
        form = {"revision": found.number, "digest": found.digest, "choice": "approve"}
        path = f"/w/{place.slug}/proposals/{proposal_id}/decide/"
        waiting.put((path, urlencode(form).encode()))
    seats = cycle([_cookies(person) for person in people])
    ask = _clicking(waiting, lambda: next(seats))
    return crowd(address, ask, clients=REVIEWERS, requests=decisions, wanted=HTTPStatus.OK)


def _clicking(waiting: "SimpleQueue[tuple[str, bytes]]", sit: Callable[[], str]) -> Ask:
    """Return what presses the button of the next proposal, as the person of that connection."""
    seated: dict[HTTPConnection, str] = {}

    def ask(client: HTTPConnection) -> int:
        cookies = seated.get(client) or seated.setdefault(client, sit())
        path, body = waiting.get_nowait()
        client.request("POST", path, body=body, headers=_headers(cookies))
        answer = client.getresponse()
        answer.read()
        return answer.status

    return ask


def _headers(cookies: str) -> dict[str, str]:
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": cookies,
        "X-CSRFToken": CSRF,
        "HX-Request": "true",
    }


def _cookies(person: User) -> str:
    """Sign a person in, as the sign-in page would."""
    session = SessionStore()
    session[SESSION_KEY] = str(person.id)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.create()
    return (
        f"{settings.SESSION_COOKIE_NAME}={session.session_key}; {settings.CSRF_COOKIE_NAME}={CSRF}"
    )


def _bare(decisions: int) -> Answers:
    with connection.cursor() as cursor:
        cursor.execute(bare_page.TABLES)
    cases = cycle(range(1, 1001))

    def ask(client: HTTPConnection) -> int:
        client.request("POST", f"/vote/{next(cases)}/", body=b"choice=approve")
        answer = client.getresponse()
        answer.read()
        return answer.status

    with _bare_console() as address:
        load = partial(crowd, address, ask, clients=REVIEWERS, wanted=HTTPStatus.OK)
        load(requests=REVIEWERS * 2)
        return load(requests=decisions)


@contextmanager
def _bare_console() -> Iterator[str]:
    before = os.environ["DJANGO_SETTINGS_MODULE"]
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.bare"
    try:
        with console("web") as address:
            yield address
    finally:
        os.environ["DJANGO_SETTINGS_MODULE"] = before


def _now() -> datetime:
    return datetime.now(UTC)
