"""Jobs over HTTP: submitted once, looked at, waited for, cancelled."""

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from agents.models import Job, Run
from agents.operations.cancelling import cancel
from agents.operations.running import work
from agents.operations.waking import wake_run
from console.access.models import ApiToken
from console.doorbell.models import Ring
from tests.api.robots import JOBS, Robot, code_of, robot_of
from tests.story import BOOK, Cast, now

pytestmark = pytest.mark.django_db
BODY: dict[str, Any] = {
    "workflow": "pay",
    "state": BOOK,
    "input": {"amount": 70},
    "label": "March run",
}


def submitted(robot: Robot, key: str | None = None, **other: object) -> str:
    answer = robot.post(JOBS, {**BODY, **other}, key=key)
    assert answer.status_code == 202, answer.content
    return str(answer.json()["id"])


class TestSubmitting:
    """A job is written down at once, and only once."""

    def test_answers_202_with_where_to_look(self, robot: Robot) -> None:
        answer = robot.post(JOBS, BODY)
        job_id = answer.json()["id"]
        assert (answer.status_code, answer["Location"]) == (202, f"{JOBS}/{job_id}")
        assert answer.json() == {
            "id": job_id,
            "status": "queued",
            "links": {
                "self": f"{JOBS}/{job_id}",
                "wait": f"{JOBS}/{job_id}/wait",
                "cancel": f"{JOBS}/{job_id}/cancel",
            },
        }

    def test_writes_job_run_and_bell_together(self, cast: Cast, robot: Robot) -> None:
        job = Job.objects.get(id=submitted(robot))
        token = ApiToken.objects.get()
        assert (job.submitter, job.lineage) == (
            f"client:{token.id}",
            [f"client:{token.id}", cast.eve.ref],
        )
        assert Run.objects.get().status == "queued"
        assert list(Ring.objects.values_list("task", flat=True)) == ["agents.work"]
        assert cast.said(f"job:{job.id}") == ["job.submitted"]

    def test_needs_no_more_than_workflow_and_state(self, cast: Cast, robot: Robot) -> None:
        answer = robot.post(JOBS, {"workflow": "recorded", "state": BOOK, "input": {"calls": []}})
        assert answer.status_code == 202
        shown = robot.get(answer["Location"]).json()
        assert (shown["label"], shown["state"]) == ("", BOOK)

    def test_answers_a_repeated_request_with_the_same_body(self, robot: Robot) -> None:
        first, second = (robot.post(JOBS, BODY, key="k-1") for _ in range(2))
        assert (first.status_code, second.status_code) == (202, 202)
        assert (first.json(), first["Location"]) == (second.json(), second["Location"])
        assert (Job.objects.count(), Run.objects.count(), Ring.objects.count()) == (1, 1, 1)

    def test_reads_the_same_body_in_whatever_way_it_is_written(self, robot: Robot) -> None:
        first = submitted(robot, key="k-1")
        turned = (
            b'{"label":"March\\u0020run","state":"ledger/acme",\n'
            b'"input":{"amount":7e1},"workflow":"pay"}'
        )
        assert robot.post(JOBS, turned, key="k-1").json()["id"] == first

    @pytest.mark.parametrize(
        "other", [{"input": {"amount": 71}}, {"label": "April run"}, {"workflow": "recorded"}]
    )
    def test_refuses_another_body_under_the_same_key(
        self, robot: Robot, other: dict[str, object]
    ) -> None:
        first = submitted(robot, key="k-1")
        answer = robot.post(JOBS, {**BODY, **other}, key="k-1")
        assert code_of(answer) == "422 key_reused"
        assert answer.json()["job"] == first
        assert Job.objects.count() == 1

    def test_takes_the_same_key_of_other_tokens(self, cast: Cast, robot: Robot) -> None:
        made = {submitted(each, key="k-1") for each in (robot, robot_of(cast, cast.eve))}
        assert len(made) == 2

    @pytest.mark.parametrize(
        ("key", "code"),
        [
            ("", "400 idempotency_key_required"),
            ("   ", "400 idempotency_key_required"),
            ("k" * 121, "422 invalid"),
        ],
    )
    def test_needs_a_usable_key(self, robot: Robot, key: str, code: str) -> None:
        headers = {"Idempotency-Key": key} if key else {}
        assert code_of(robot.post(JOBS, BODY, key="", headers=headers)) == code
        assert not Job.objects.exists()

    @pytest.mark.parametrize("key", ["k" * 120, "ü", "a b", "'; DROP TABLE agents_job; --", "%00"])
    def test_takes_whatever_a_client_calls_its_key(self, robot: Robot, key: str) -> None:
        assert submitted(robot, key=key) == submitted(robot, key=key)

    @pytest.mark.parametrize(
        ("other", "code", "named"),
        [
            ({"workflow": "steal"}, "422 unknown_workflow", "workflow"),
            ({"workflow": "Pay"}, "422 unknown_workflow", "workflow"),
            ({"state": "ledger/nobody"}, "422 unknown_state", "state"),
            ({"input": {}}, "422 invalid_input", "input.amount"),
            ({"input": {"amount": "70"}}, "422 invalid_input", "input.amount"),
            ({"input": {"amount": 70, "iban": "x"}}, "422 invalid_input", "input.iban"),
            ({"input": []}, "422 invalid", "input"),
            ({"input": None}, "422 invalid", "input"),
            ({"workflow": ""}, "422 invalid", "workflow"),
            ({"workflow": None}, "422 invalid", "workflow"),
            ({"workflow": 7}, "422 invalid", "workflow"),
            ({"workflow": "x" * 81}, "422 invalid", "workflow"),
            ({"state": "x" * 201}, "422 invalid", "state"),
            ({"label": "x" * 201}, "422 invalid", "label"),
            ({"label": ["x"]}, "422 invalid", "label"),
            ({"urgency": 9}, "422 invalid", "urgency"),
            ({"priority": 101}, "422 invalid", "priority"),
            ({"budget": {"tokens": 0}}, "422 invalid", "budget.tokens"),
            ({"budget": {"money": 0.5}}, "422 invalid", "budget.money"),
            ({"budget": {"money": "0.00"}}, "422 budget_invalid", "budget.money"),
            ({"budget": {"hours": 1}}, "422 invalid", "budget.hours"),
            ({"id": str(uuid4())}, "422 invalid", "id"),
            ({"workspace": "zenith"}, "422 invalid", "workspace"),
        ],
    )
    def test_names_what_is_wrong(
        self, robot: Robot, other: dict[str, object], code: str, named: str
    ) -> None:
        answer = robot.post(JOBS, {**BODY, **other})
        assert code_of(answer) == code
        body = answer.json()
        assert named in {body.get("field"), *(each["field"] for each in body.get("errors", []))}
        assert not Job.objects.exists()

    def test_tells_which_workflows_there_are(self, robot: Robot) -> None:
        answer = robot.post(JOBS, {**BODY, "workflow": "steal"})
        assert {"pay", "recorded"} <= set(answer.json()["known"])

    @pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b'"x"', b"{}", b"[[]]"])
    def test_refuses_a_body_that_is_no_job(self, robot: Robot, body: bytes) -> None:
        assert code_of(robot.post(JOBS, body)) == "422 invalid"


class TestLooking:
    """A job tells how it stands and what became of it."""

    def test_shows_a_job_through_its_life(self, cast: Cast, robot: Robot) -> None:
        job_id = submitted(robot)
        queued = robot.get(f"{JOBS}/{job_id}").json()
        assert (queued["status"], queued["run"]["steps"], queued["finished_at"]) == (
            "queued",
            0,
            None,
        )
        work()
        waiting = robot.get(f"{JOBS}/{job_id}").json()
        assert waiting["status"] == "waiting"
        proposal_id = UUID(waiting["run"]["waiting_for"])
        cast.decide(cast.ana, proposal_id)
        wake_run(UUID(waiting["run"]["id"]))
        work()
        done = robot.get(f"{JOBS}/{job_id}").json()
        assert (done["status"], done["result"], done["problem"]) == ("succeeded", "approved", "")
        assert (done["workflow"], done["state"], done["label"]) == ("pay", BOOK, "March run")
        assert done["run"]["waiting_for"] is None
        assert done["finished_at"]

    def test_lists_the_newest_first_page_by_page(self, robot: Robot) -> None:
        made = [submitted(robot, label=str(n)) for n in range(7)]
        seen: list[str] = []
        cursor, pages = "", 0
        while cursor or not pages:
            page = robot.get(JOBS, limit=3, cursor=cursor).json()
            seen += [job["id"] for job in page["items"]]
            cursor, pages = page["next_cursor"], pages + 1
        assert (seen, pages) == (made[::-1], 3)

    def test_ends_a_list_that_fills_its_last_page(self, robot: Robot) -> None:
        for _ in range(3):
            submitted(robot)
        assert robot.get(JOBS, limit=3).json()["next_cursor"] == ""

    def test_goes_on_where_it_was_although_new_jobs_came(self, robot: Robot) -> None:
        made = [submitted(robot) for _ in range(4)]
        first = robot.get(JOBS, limit=2).json()
        submitted(robot)
        second = robot.get(JOBS, limit=2, cursor=first["next_cursor"]).json()
        assert [job["id"] for job in second["items"]] == made[1::-1]

    @pytest.mark.parametrize("limit", ["0", "-1", "101", "x", "1e9", ""])
    def test_refuses_a_page_of_no_size(self, robot: Robot, limit: str) -> None:
        assert code_of(robot.get(JOBS, limit=limit)) == "422 invalid"

    def test_asks_the_database_as_often_for_many_as_for_few(
        self, robot: Robot, django_assert_num_queries: Any
    ) -> None:
        submitted(robot)
        robot.get(JOBS)
        with django_assert_num_queries(3):
            robot.get(JOBS)
        for _ in range(9):
            submitted(robot)
        with django_assert_num_queries(3):
            assert len(robot.get(JOBS).json()["items"]) == 10


class TestWaiting:
    """A long poll answers as soon as there is something to say."""

    def test_answers_at_once_when_the_time_is_nought(self, robot: Robot) -> None:
        job_id = submitted(robot)
        assert robot.get(f"{JOBS}/{job_id}/wait", seconds=0).json()["status"] == "queued"

    def test_answers_at_once_when_the_job_has_ended_or_changed(
        self, cast: Cast, robot: Robot
    ) -> None:
        job_id = submitted(robot)
        answer = robot.get(f"{JOBS}/{job_id}/wait", seconds=30, status="running")
        assert answer.json()["status"] == "queued"
        cancel(actor=cast.ada, job_id=UUID(job_id), now=now())
        assert robot.get(f"{JOBS}/{job_id}/wait").json()["status"] == "terminated"

    def test_goes_on_waiting_while_a_job_is_between_two_runs(
        self, robot: Robot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job_id = submitted(robot)
        Run.objects.update(status="superseded", finished_at=now())
        waited: list[float] = []

        def queue(seconds: float) -> None:
            waited.append(seconds)
            Run.objects.update(status="queued", finished_at=None)

        monkeypatch.setattr("agents.api.jobs.time.sleep", queue)
        monkeypatch.setattr("agents.api.jobs.connection.close", lambda: None)
        answer = robot.get(f"{JOBS}/{job_id}/wait", seconds=30, status="running")
        assert (answer.json()["status"], len(waited)) == ("queued", 1)

    @pytest.mark.parametrize("seconds", ["-1", "31", "nan", "inf", "x", "1e99"])
    def test_waits_no_longer_than_it_should(self, robot: Robot, seconds: str) -> None:
        answer = robot.get(f"{JOBS}/{submitted(robot)}/wait", seconds=seconds)
        assert code_of(answer) == "422 invalid"

    @pytest.mark.django_db(transaction=True)
    def test_hears_of_an_end_while_it_waits(self, cast: Cast, robot: Robot) -> None:
        job_id = submitted(robot)

        def end() -> None:
            cancel(actor=cast.ada, job_id=UUID(job_id), now=now())
            connection.close()

        later = threading.Timer(0.3, end)
        later.start()
        begin = now()
        answer = robot.get(f"{JOBS}/{job_id}/wait", seconds=20, status="queued")
        later.join()
        assert answer.json()["status"] == "terminated"
        assert now() - begin < timedelta(seconds=10)


class TestCancelling:
    """A job ends when its submitter says so."""

    def test_ends_the_run_and_says_by_whom(self, robot: Robot) -> None:
        job_id = submitted(robot)
        for _ in range(2):
            body = robot.post(f"{JOBS}/{job_id}/cancel").json()
            assert (body["status"], body["problem_code"]) == ("terminated", "cancelled")
            assert body["problem"] == "Cancelled by robot."

    def test_withdraws_what_waited(self, cast: Cast, robot: Robot) -> None:
        job_id = submitted(robot)
        work()
        waiting_for = robot.get(f"{JOBS}/{job_id}").json()["run"]["waiting_for"]
        robot.post(f"{JOBS}/{job_id}/cancel")
        assert cast.answer(UUID(waiting_for)).status == "withdrawn"

    def test_is_refused_to_a_program_that_did_not_submit_it(self, cast: Cast, robot: Robot) -> None:
        job_id = submitted(robot)
        other = robot_of(cast, cast.ada)
        assert code_of(other.post(f"{JOBS}/{job_id}/cancel")) == "403 forbidden"
        assert robot.get(f"{JOBS}/{job_id}").json()["status"] == "queued"


ROUTES = [
    ("post", JOBS, "jobs:write"),
    ("get", JOBS, "jobs:read"),
    ("get", f"{JOBS}/{{id}}", "jobs:read"),
    ("get", f"{JOBS}/{{id}}/wait", "jobs:read"),
    ("post", f"{JOBS}/{{id}}/cancel", "jobs:write"),
]


class TestTokens:
    """Every door asks for a live token with the right scope."""

    @pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
    def test_are_asked_for_everywhere(
        self, cast: Cast, robot: Robot, method: str, path: str, scope: str
    ) -> None:
        address = path.format(id=submitted(robot))
        for secret in ("", "csg_wrong", "x" * 5_000):
            answer = getattr(Robot(secret), method)(address)
            assert code_of(answer) == "401 unauthenticated"
            assert answer["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
    def test_open_only_what_their_scopes_say(
        self, cast: Cast, robot: Robot, method: str, path: str, scope: str
    ) -> None:
        address = path.format(id=submitted(robot))
        others = {"jobs:read", "jobs:write", "proposals:read", "proposals:write"} - {scope}
        answer = getattr(robot_of(cast, cast.eve, *others), method)(address)
        assert code_of(answer) == "403 scope_missing"
        assert answer.json()["scope"] == scope

    @pytest.mark.parametrize(
        "header", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "bearer x y", "Token csg_x", "\u00fc"]
    )
    def test_come_as_bearer_and_in_no_other_way(
        self, cast: Cast, robot: Robot, header: str
    ) -> None:
        answer = Robot().get(JOBS, headers={"Authorization": header})
        assert code_of(answer) == "401 unauthenticated"

    def test_are_not_replaced_by_a_persons_session(self, cast: Cast) -> None:
        browser = Robot()
        browser.client.force_login(
            cast.user(cast.ana), backend="django.contrib.auth.backends.ModelBackend"
        )
        assert code_of(browser.get(JOBS)) == "401 unauthenticated"
        assert code_of(browser.post(JOBS, BODY)) == "401 unauthenticated"

    def test_end_at_once(self, robot: Robot) -> None:
        assert robot.get(JOBS).status_code == 200
        ApiToken.objects.update(revoked_at=now())
        assert code_of(robot.get(JOBS)) == "401 unauthenticated"
