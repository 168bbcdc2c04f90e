"""Around a decision over HTTP: whose turn it is, what is asked and said, and other wordings."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from approvals import packing
from approvals.models import Execution, Proposal, Revision
from console.access.models import StepUp
from console.actors import Actor
from console.api import api
from tests.api.robots import PROPOSALS, Robot, code_of, robot_of
from tests.story import BOOK, Cast, now

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
PAY = {"state": BOOK, "action_type": "pay", "params": {"vendor": "V7", "amount": 70}}
PAY_60 = {"params": {"vendor": "V7", "amount": 60}}
WHY = {"question": "Which invoice is this for?"}
TEXT = {"text": "Invoice 7, line 2."}
FOR_PEOPLE = [
    "claim",
    "release",
    "assign",
    "snooze",
    "edit",
    "break-glass",
    "info-requests",
    "info-requests/take-back",
]


def person(cast: Cast, who: Actor, **options: Any) -> Robot:
    """Return a browser's session of somebody, without any key."""
    found = Robot()
    found.client = Client(raise_request_exception=False, **options)
    found.client.force_login(cast.user(who), backend=BACKEND)
    return found


@pytest.fixture
def ana(cast: Cast) -> Robot:
    return person(cast, cast.ana)


@pytest.fixture
def ada(cast: Cast) -> Robot:
    return person(cast, cast.ada)


@pytest.fixture
def path(robot: Robot) -> str:
    """The address of a payment that Eve's program proposed."""
    return f"{PROPOSALS}/{robot.post(PROPOSALS, PAY).json()['id']}"


def row(path: str) -> Proposal:
    return Proposal.objects.get(id=path.rpartition("/")[2])


def seen(path: str) -> dict[str, Any]:
    """Return what is on the screen of somebody who looks now."""
    shown = Revision.objects.get(proposal=row(path), number=row(path).revision)
    return {"revision": shown.number, "digest": shown.digest}


def items(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code in {200, 201}, answer.content
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_claim_and_release(cast: Cast, ana: Robot, path: str) -> None:
    until = ana.post(f"{path}/claim").json()["claimed_until"]
    assert row(path).claimed_until is not None
    assert until is not None
    ben = person(cast, cast.ben)
    assert code_of(ben.post(f"{path}/claim")) == "409 already_claimed"
    assert code_of(ben.post(f"{path}/release")) == "403 forbidden"
    assert ana.post(f"{path}/release").json() == {"claimed_until": None}
    assert row(path).claimed_by is None


def test_assign(cast: Cast, ana: Robot, ada: Robot, path: str) -> None:
    assert code_of(ana.post(f"{path}/assign", {"person": cast.ben.id})) == "403 forbidden"
    assert ada.post(f"{path}/assign", {"person": cast.ben.id}).json() == {"person": cast.ben.id}
    assert str(row(path).assignee_id) == cast.ben.id
    assert code_of(ada.post(f"{path}/assign", {"person": cast.eve.id})) == "422 not_assignable"
    assert code_of(ada.post(f"{path}/assign", {"person": cast.zoe.id})) == "422 not_assignable"
    assert ada.post(f"{path}/assign", {"person": None}).json() == {"person": None}
    assert code_of(ada.post(f"{path}/assign", {})) == "422 invalid"


def test_snooze(ana: Robot, path: str) -> None:
    later = (now() + timedelta(minutes=5)).isoformat()
    assert ana.post(f"{path}/snooze", {"until": later}).status_code == 200
    far = (now() + timedelta(days=5)).isoformat()
    assert code_of(ana.post(f"{path}/snooze", {"until": far})) == "422 snooze_invalid"
    assert ana.post(f"{path}/snooze", {"until": None}).json() == {"until": None}
    naive = "2030-01-01T00:00:00"
    assert code_of(ana.post(f"{path}/snooze", {"until": naive})).startswith("422")


def test_comments_of_people_and_of_the_program(
    cast: Cast, robot: Robot, ana: Robot, path: str
) -> None:
    for who, text in ((ana, "Who called?"), (robot, "I did."), (person(cast, cast.cleo), "Good.")):
        assert who.post(f"{path}/comments", {"text": text}).status_code == 201
    found = items(robot.get(f"{path}/comments"))
    assert [(each["kind"], each["text"], each["revision"]) for each in found] == [
        ("person", "Who called?", 1),
        ("client", "I did.", 1),
        ("person", "Good.", 1),
    ]
    first = robot.get(f"{path}/comments", limit=2).json()
    rest = ana.get(f"{path}/comments", limit=2, cursor=first["next_cursor"]).json()
    assert [*first["items"], *rest["items"]] == found
    assert rest["next_cursor"] == ""


def test_a_token_says_nothing_about_what_another_proposed(cast: Cast, path: str) -> None:
    other = robot_of(cast, cast.ada)
    for verb, body in (("comments", TEXT), ("revise", PAY_60)):
        assert code_of(other.post(f"{path}/{verb}", body)) == "403 forbidden"


def test_a_question_and_its_answer(robot: Robot, ana: Robot, path: str) -> None:
    assert [each["question"] for each in items(ana.post(f"{path}/info-requests", WHY))] == [
        WHY["question"]
    ]
    assert robot.get(path).json()["status"] == "info_requested"
    assert code_of(ana.post(f"{path}/info-requests", WHY)) == "409 not_pending"
    assert code_of(ana.post(f"{path}/info-requests/answer", TEXT)) == "403 forbidden"
    [answered] = items(robot.post(f"{path}/info-requests/answer", TEXT))
    assert (answered["answer"], answered["answered_by"]) == (TEXT["text"], "robot")
    assert robot.get(path).json()["status"] == "pending"
    assert code_of(robot.post(f"{path}/info-requests/answer", TEXT)) == "409 not_pending"
    [exhibit] = items(robot.get(f"{path}/evidence"))
    assert (exhibit["number"], exhibit["content"]) == (1, TEXT["text"])
    assert items(ana.get(f"{path}/info-requests")) == [answered]


def test_a_question_is_taken_back(cast: Cast, ana: Robot, path: str) -> None:
    ana.post(f"{path}/info-requests", WHY)
    ben = person(cast, cast.ben)
    assert code_of(ben.post(f"{path}/info-requests/take-back")) == "403 forbidden"
    [taken] = items(ana.post(f"{path}/info-requests/take-back"))
    assert taken["withdrawn_at"] is not None
    assert row(path).status == "pending"


def test_a_program_words_its_own_proposal_anew(robot: Robot, path: str) -> None:
    before = robot.get(path)["ETag"]
    proof = {"label": "Mail", "source": "mail 7", "content": "60, not 70."}
    body = {**PAY_60, "evidence": [proof], "rationale": "It was 60.", "why": "a slip"}
    for _ in range(2):
        assert robot.post(f"{path}/revise", body).json() == {"revision": 2}
    answer = robot.get(path)
    assert answer["ETag"] != before
    assert answer.json()["params"]["amount"] == 60
    assert [each["content"] for each in items(robot.get(f"{path}/evidence"))] == ["60, not 70."]
    assert robot.post(f"{path}/revise", {"rationale": "The mail."}).json() == {"revision": 3}
    assert robot.get(path).json()["params"]["amount"] == 60


def test_a_revision_has_to_fit(robot: Robot, path: str) -> None:
    for body, code in (
        ({"params": {"vendor": "V7"}}, "422 invalid_params"),
        ({"params": {"vendor": "V7", "amount": 1001}}, "422 effect_impossible"),
        ({"changes": [{"op": "remove", "path": "/balance", "old": 1000}]}, "422 invalid_params"),
        ({"parameters": {}}, "422 invalid"),
    ):
        assert code_of(robot.post(f"{path}/revise", body)) == code
    assert row(path).revision == 1


def test_a_reviewer_edits_and_another_approves(cast: Cast, ana: Robot, path: str) -> None:
    body = {**seen(path), **PAY_60, "reason": "The invoice says 60."}
    assert ana.post(f"{path}/edit", body).json() == {"revision": 2}
    assert code_of(ana.post(f"{path}/edit", body)) == "412 revision_changed"
    again = {**body, **seen(path)}
    assert code_of(ana.post(f"{path}/edit", again)).startswith("403")
    ben = person(cast, cast.ben)
    assert code_of(ben.post(f"{path}/edit", again)) == "422 edit_invalid"
    wrong = {**again, "params": {"vendor": "V7", "amount": "60"}}
    answer = ben.post(f"{path}/edit", wrong)
    assert code_of(answer) == "422 edit_invalid"
    assert [each["field"] for each in answer.json()["errors"]] == ["params.amount"]


def test_rebase_by_people_and_programs(robot: Robot, ana: Robot, path: str) -> None:
    for who in (robot, ana):
        assert who.post(f"{path}/rebase").json() == {"revision": 1}


def test_several_at_once(cast: Cast, robot: Robot, ana: Robot, path: str) -> None:
    cast.open_drawer("drawer/1")
    change = {"op": "add", "path": "/note", "value": "seen"}
    note = {"state": "drawer/1", "action_type": "adjust", "params": {}, "changes": [change]}
    other = f"{PROPOSALS}/{robot.post(PROPOSALS, note).json()['id']}"
    second = f"{PROPOSALS}/{robot.post(PROPOSALS, {**PAY, **PAY_60}).json()['id']}"
    wanted = [{"proposal": str(row(each).id), **seen(each)} for each in (path, other, second)]
    body = {"items": wanted, "choice": "approve"}
    tried = ana.post(f"{PROPOSALS}/decide-many?dry_run=true", body).json()
    assert not Execution.objects.exists()
    done = ana.post(f"{PROPOSALS}/decide-many", body).json()
    assert (tried["dry_run"], done["dry_run"]) == (True, False)
    assert tried["items"] == done["items"]
    assert [each["outcome"] or each["code"] for each in done["items"]] == [
        "approved",
        "approved",
        "not_independent",
    ]
    assert Execution.objects.count() == 2
    many = {"items": [wanted[0]] * 26, "choice": "approve"}
    assert code_of(ana.post(f"{PROPOSALS}/decide-many", many)) == "422 invalid"


def test_no_token_decides_on_several(robot: Robot, path: str) -> None:
    body = {"items": [{"proposal": str(row(path).id), **seen(path)}], "choice": "approve"}
    assert code_of(robot.post(f"{PROPOSALS}/decide-many", body)) == "403 people_only"


@pytest.mark.parametrize("verb", FOR_PEOPLE)
def test_what_is_for_people_is_closed_to_tokens(robot: Robot, path: str, verb: str) -> None:
    assert code_of(robot.post(f"{path}/{verb}", {})) == "403 people_only"


@pytest.mark.parametrize("verb", FOR_PEOPLE)
def test_what_is_for_reviewers_is_closed_to_others(cast: Cast, path: str, verb: str) -> None:
    assert code_of(person(cast, cast.cleo).post(f"{path}/{verb}", {})) == "403 forbidden"


def test_a_session_needs_the_pages_token(cast: Cast, path: str) -> None:
    careless = person(cast, cast.ana, enforce_csrf_checks=True)
    assert code_of(careless.post(f"{path}/claim")).startswith("403")
    assert row(path).claimed_by is None


def test_breaking_the_glass(cast: Cast, ana: Robot, ada: Robot, path: str) -> None:
    body = {**seen(path), "reason": "Payroll in ten minutes.", "step_up": str(uuid4())}
    assert code_of(ana.post(f"{path}/break-glass", body)) == "403 forbidden"
    assert code_of(ada.post(f"{path}/break-glass", body)) == "403 step_up_required"
    proof = StepUp.objects.create(
        person_id=UUID(cast.ada.id),
        purpose=packing.purpose(row(path).id, body["digest"], "break_glass"),
        method="password_totp",
        verified_at=now(),
    )
    made = ada.post(f"{path}/break-glass", {**body, "step_up": str(proof.id)}).json()
    assert Execution.objects.get(id=made["execution"]).status == "succeeded"


def test_what_happened_is_listed_in_order(robot: Robot, ana: Robot, path: str) -> None:
    ana.post(f"{path}/info-requests", WHY)
    robot.post(f"{path}/info-requests/answer", TEXT)
    robot.post(f"{path}/revise", PAY_60)
    found = items(robot.get(f"{path}/events"))
    assert [(each["verb"], each["actor"]) for each in found] == [
        ("proposal.made", "robot"),
        ("proposal.asked", "Ana"),
        ("proposal.answered", "robot"),
        ("proposal.reworded", "robot"),
    ]
    assert [each["seq"] for each in found] == sorted(each["seq"] for each in found)
    paged, cursor = [], ""
    for _ in found:
        answer = ana.get(f"{path}/events", limit=1, cursor=cursor).json()
        paged += answer["items"]
        cursor = answer["next_cursor"]
    assert (paged, cursor) == (found, "")
    assert code_of(robot.get(f"{path}/events", cursor="x")) == "400 cursor_invalid"


def test_before_a_signed_decision_nobody_learns_of_the_others(
    cast: Cast, robot: Robot, ana: Robot
) -> None:
    cast.policy(level=3, approvals=2)
    path = f"{PROPOSALS}/{robot.post(PROPOSALS, PAY).json()['id']}"
    ana.post(f"{path}/comments", {"text": "I will approve this."})
    ana.post(f"{path}/info-requests", WHY)
    robot.post(f"{path}/info-requests/answer", TEXT)
    ben = person(cast, cast.ben)
    for who in (ben, robot):
        seen_by = [(each["verb"], each["actor"]) for each in items(who.get(f"{path}/events"))]
        assert ("proposal.asked", "A reviewer") in seen_by
        assert "Ana" not in {name for _, name in seen_by}
        assert items(who.get(f"{path}/comments")) == []
        assert [each["person"] for each in items(who.get(f"{path}/info-requests"))] == [
            "A reviewer"
        ]
    assert [each["text"] for each in items(ana.get(f"{path}/comments"))] == ["I will approve this."]
    auditor = person(cast, cast.cleo)
    assert "Ana" in {each["actor"] for each in items(auditor.get(f"{path}/events"))}


def routes() -> list[tuple[str, str]]:
    """Return what this file is about and has an id, as method and the end of the address."""
    mine = {*FOR_PEOPLE, "comments", "info-requests/answer", "events", "evidence", "revise"}
    schema: dict[str, Any] = api.get_openapi_schema()["paths"]
    found = [(path.partition("{proposal_id}/")[2], methods) for path, methods in schema.items()]
    return [(m, end) for end, methods in found if end in {*mine, "rebase"} for m in methods]


BODIES: dict[str, Any] = {
    "assign": {"person": None},
    "snooze": {"until": None},
    "edit": {"revision": 1, "digest": "0" * 64, "params": {}, "reason": "because"},
    "break-glass": {"revision": 1, "digest": "0" * 64, "reason": "now", "step_up": str(uuid4())},
    "comments": TEXT,
    "info-requests": WHY,
    "info-requests/answer": TEXT,
    "revise": PAY_60,
}


@pytest.mark.parametrize(("method", "end"), routes())
def test_the_other_workspace_is_not_there(cast: Cast, path: str, method: str, end: str) -> None:
    zoe = person(cast, cast.zoe) if end != "revise" else robot_of(cast, cast.zoe)
    nobodys = f"{PROPOSALS}/{uuid4()}"
    answers = [
        zoe.get(f"{place}/{end}")
        if method == "get"
        else zoe.post(f"{place}/{end}", BODIES.get(end))
        for place in (path, nobodys)
    ]
    assert [code_of(answer) for answer in answers] == ["404 not_found"] * 2
    assert answers[0].content == answers[1].content
    assert row(path).status == "pending"


def test_every_route_is_tried() -> None:
    assert len(routes()) == 16
