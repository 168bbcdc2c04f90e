"""Two workspaces: whatever belongs to the other one is not there."""

import re
from typing import Any
from uuid import UUID, uuid4

import pytest

from agents.models import Agent, Job, Pause, Run
from agents.verdicts import Verdict
from approvals import queries
from approvals.models import Execution, Proposal
from console.api import api
from console.errors import NotFound
from snapshots.diff import Change
from snapshots.models import Mark
from tests.api.robots import JOBS, PROPOSALS, RESTORATIONS, Robot, code_of, robot_of
from tests.story import BOOK, Cast, now

pytestmark = pytest.mark.django_db
PAY = {"state": BOOK, "action_type": "pay", "params": {"vendor": "V7", "amount": 70}}
JOB = {"workflow": "pay", "state": BOOK, "input": {"amount": 70}}


@pytest.fixture
def stranger(cast: Cast) -> Robot:
    """A program of Zoe's, with every scope, in the other workspace."""
    return robot_of(cast, cast.zoe)


@pytest.fixture
def ids(cast: Cast, robot: Robot) -> dict[str, str]:
    """What Eve's program has made, and what there is to see for it."""
    state = f"/api/v1/states/{cast.book.state_id}"
    Agent.objects.create(
        workspace_id=cast.workspace.id,
        name="scout",
        status_at=now(),
        seen_at=now(),
        created_at=now(),
    )
    cast.move_world(Change("replace", "/balance", 1000, 900))
    job_id = robot.post(JOBS, JOB).json()["id"]
    return {
        "job_id": job_id,
        "run_id": str(Job.objects.get(id=job_id).current_run_id),
        "proposal_id": robot.post(PROPOSALS, PAY).json()["id"],
        "state_id": str(cast.book.state_id),
        "mark_id": robot.post(f"{state}/marks", {"kind": "pin", "number": 1}).json()["id"],
        "restoration_id": robot.post(RESTORATIONS, {"state": BOOK, "to": 1}).json()["id"],
        "number": "1",
        "name": "scout",
    }


@pytest.fixture
def all_ids(cast: Cast, ids: dict[str, str]) -> dict[str, str]:
    """The same, and the execution of another proposal."""
    paid = cast.ask(5, origin="run:paid")
    cast.decide(cast.ana, paid)
    execution = Execution.objects.get(proposal=paid)
    # A run of its own, so that the job's stays as it is.
    held = Run.objects.create(
        workspace_id=cast.workspace.id,
        job_id=ids["job_id"],
        number=2,
        status="paused",
        queued_at=now(),
        created_at=now(),
    )
    pause = Pause.objects.create(
        workspace_id=cast.workspace.id,
        run=held,
        step=0,
        rule="talk",
        verdict=Verdict("talk", "pause", "It talks.").to_json(),
        created_at=now(),
    )
    return {**ids, "execution_id": str(execution.id), "pause_id": str(pause.id)}


# What a request says besides its address.
BODIES = {
    "withdraw": {"reason": "mine"},
    "marks": {"kind": "pin", "number": 1},
    "outside": {"document": {}},
    "pause": {"reason": "mine"},
    "stop": {"reason": "mine"},
    "comments": {"text": "mine"},
    "answer": {"text": "mine"},
    "revise": {"params": {"vendor": "V7", "amount": 60}},
}
# Nobody has asked anything there.
NOT_NOW = {"answer": 409}


def routes_with_ids(*, tokens: bool = True) -> list[tuple[str, str]]:
    """Return the routes with an id that let tokens in, or those for people only."""
    schema: dict[str, Any] = api.get_openapi_schema()
    return [
        (method, path)
        for path, methods in schema["paths"].items()
        for method, call in methods.items()
        if "{" in path and any("Bearer" in way for way in call["security"]) is tokens
    ]


@pytest.mark.parametrize(("method", "path"), routes_with_ids(tokens=False))
def test_what_is_for_people_no_token_learns_or_does(robot: Robot, method: str, path: str) -> None:
    anything = re.sub(r"\{\w+\}", str(uuid4()), path)
    answer: Any = robot.client.generic(
        method.upper(), anything, "{}", content_type="application/json", headers=robot.headers
    )
    assert code_of(answer) == "403 people_only"


@pytest.mark.parametrize(("method", "path"), routes_with_ids())
def test_an_id_of_the_other_workspace_is_not_there(
    robot: Robot, stranger: Robot, all_ids: dict[str, str], method: str, path: str
) -> None:
    ids, verb = all_ids, path.rpartition("/")[2]
    body = BODIES.get(verb)
    path += "?seconds=0" if path.endswith("wait") else ""
    sent = {"body": body} if method in {"post", "put"} else {}
    theirs = getattr(stranger, method)(path.format(**ids), **sent)
    assert code_of(theirs) == "404 not_found"
    nobodys = {name: ids[name] if name == "number" else str(uuid4()) for name in ids}
    invented = getattr(stranger, method)(path.format(**nobodys), **sent)
    assert invented.content == theirs.content
    assert Job.objects.get().current_run.status == "queued"  # type: ignore[union-attr]
    assert Proposal.objects.get(id=ids["proposal_id"]).status == "pending"
    assert Mark.objects.get().removed_at is None
    own = getattr(robot, method)(path.format(**ids), **sent)
    assert own.status_code in {200, 201, NOT_NOW.get(verb)}


def test_every_route_with_an_id_is_tried() -> None:
    assert len(routes_with_ids()) > 20


def test_lists_hold_only_what_is_ones_own(
    robot: Robot, stranger: Robot, ids: dict[str, str]
) -> None:
    for path, mine in ((JOBS, ids["job_id"]), (PROPOSALS, ids["proposal_id"])):
        assert [item["id"] for item in robot.get(path).json()["items"]] == [mine]
        assert stranger.get(path).json() == {"items": [], "next_cursor": ""}


def test_a_cursor_of_the_other_workspace_opens_nothing(
    robot: Robot, stranger: Robot, ids: dict[str, str]
) -> None:
    for path, body in ((JOBS, JOB), (PROPOSALS, {**PAY, "params": {"vendor": "V9", "amount": 1}})):
        robot.post(path, body)
        cursor = robot.get(path, limit=1).json()["next_cursor"]
        assert cursor
        assert stranger.get(path, cursor=cursor).json()["items"] == []


def test_the_same_keys_names_and_states_mean_ones_own(
    cast: Cast, robot: Robot, stranger: Robot
) -> None:
    mine, theirs = (each.post(PROPOSALS, PAY, key="k-1").json()["id"] for each in (robot, stranger))
    assert mine != theirs
    rows = {str(row.id): row.state_id for row in Proposal.objects.all()}
    assert rows == {mine: cast.book.state_id, theirs: cast.other_book.state_id}


def test_a_state_or_an_action_type_of_the_other_workspace_is_unknown(
    cast: Cast, stranger: Robot
) -> None:
    cast.open_drawer("ledger/secret")
    for path, body in ((PROPOSALS, PAY), (JOBS, JOB)):
        answer = stranger.post(path, {**body, "state": "ledger/secret"})
        assert code_of(answer) == "422 unknown_state"
    cast.declare_note("acme_only")
    answer = stranger.post(PROPOSALS, {**PAY, "action_type": "acme_only", "params": {}})
    assert code_of(answer) == "422 unknown_action_type"


def test_a_proposer_learns_nothing_of_the_other_workspace(cast: Cast, ids: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        queries.answer(cast.other.id, UUID(ids["proposal_id"]))


def test_people_of_the_other_workspace_decide_nothing(cast: Cast, ids: dict[str, str]) -> None:
    browser = Robot().client
    browser.force_login(cast.user(cast.zoe), backend="django.contrib.auth.backends.ModelBackend")
    seen = cast.look(UUID(ids["proposal_id"])).revision
    form = {"choice": "approve", "revision": seen.number, "digest": seen.digest}
    for slug in ("acme", "zenith"):
        answer = browser.post(f"/w/{slug}/proposals/{ids['proposal_id']}/decide/", form)
        assert answer.status_code == 404
    assert cast.answer(UUID(ids["proposal_id"])).status == "pending"
