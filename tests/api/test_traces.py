"""Runs over the API: taken along as traces, brought in from agents elsewhere."""

import json
from typing import Any
from uuid import uuid4

import pytest

from agents.models import Job, Run, Step
from agents.operations.importing import STATE
from agents.operations.running import work
from tests.agents.test_otlp import document, span
from tests.api.robots import JOBS, Robot, code_of, robot_of
from tests.story import BOOK, Cast

pytestmark = pytest.mark.django_db
TRACES = "/api/v1/traces"
JOB = {"workflow": "pay", "state": BOOK, "input": {"amount": 70}}
CALLED = span(
    1,
    gen_ai__operation__name="execute_tool",
    gen_ai__tool__name="get_order",
    gen_ai__tool__call__arguments='{"id": 1}',
)


def address(run_id: object) -> str:
    return f"/api/v1/runs/{run_id}/trace"


def test_a_run_is_taken_along_and_brought_in_elsewhere(cast: Cast, robot: Robot) -> None:
    robot.post(JOBS, JOB)
    work()
    run = Run.objects.get()
    ours = robot.get(address(run.id)).json()
    assert ours["format"] == "countersign-run/1"
    assert [each["kind"] for each in ours["steps"]] == ["proposal"]
    told = robot.get(address(run.id), format="otlp").json()
    there = robot_of(cast, cast.zoe)
    answer = there.post(f"{TRACES}?state={BOOK}", told)
    assert answer.status_code == 200, answer.content
    assert answer.json()["partialSuccess"] == {}
    [made] = answer.json()["runs"]
    assert (made["trace_id"], made["steps"], made["is_new"]) == (run.id.hex, 1, True)
    back = there.get(address(made["run"])).json()
    assert [each["input_sha256"] for each in back["steps"]] == [
        each["input_sha256"] for each in ours["steps"]
    ]
    assert there.get(f"{JOBS}/{made['job']}").json()["workflow"] == "imported"


def test_the_same_trace_is_once_and_another_story_under_its_id_is_refused(robot: Robot) -> None:
    first, second = (robot.post(TRACES, document(CALLED)).json()["runs"][0] for _ in range(2))
    assert (first["is_new"], second["is_new"]) == (True, False)
    assert first["run"] == second["run"]
    other = {**CALLED, "status": {"code": 2, "message": "away"}}
    assert code_of(robot.post(TRACES, document(other))) == "422 key_reused"
    assert (Job.objects.count(), Step.objects.count()) == (1, 1)


def test_runs_that_name_no_state_stand_under_one_of_their_own(robot: Robot) -> None:
    robot.post(TRACES, document(CALLED))
    assert Job.objects.get().state.key == STATE
    answer = robot.post(f"{TRACES}?state=nowhere", document(CALLED))
    assert code_of(answer) == "422 unknown_state"


def test_each_needs_its_scope(cast: Cast, robot: Robot) -> None:
    robot.post(JOBS, JOB)
    run = Run.objects.get()
    reader = robot_of(cast, cast.eve, "jobs:read")
    assert code_of(reader.post(TRACES, document(CALLED))) == "403 scope_missing"
    writer = robot_of(cast, cast.eve, "traces:write")
    assert code_of(writer.get(address(run.id))) == "403 scope_missing"
    assert writer.post(TRACES, document(CALLED)).status_code == 200
    assert code_of(reader.get(address(uuid4()))) == "404 not_found"
    assert code_of(reader.get(address(run.id), format="xml")) == "422 invalid"


DEEP: Any = "[" * 40 + "]" * 40


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "422 invalid"),
        (b"{", "400 malformed_json"),
        (b"{}", "422 invalid"),
        (b'{"resourceSpans": 1}', "422 invalid"),
        (b'{"resourceSpans": []}', "422 traces_invalid"),
        (b'{"resourceSpans": [1]}', "422 traces_invalid"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}', "422 traces_invalid"),
        (b'{"resourceSpans": ' + DEEP.encode() + b"}", "422 json_too_deep"),
        (b'{"resourceSpans": [], "resourceSpans": []}', "422 duplicate_key"),
        (b'{"resourceSpans": ["' + b"x" * 1_000_000 + b'"]}', "413 body_too_large"),
        (b'{"resourceSpans": ["\\u0000"]}', "422 nul_character"),
    ],
)
def test_what_is_no_trace_is_refused_and_nothing_is_kept(
    robot: Robot, sent: bytes, code: str
) -> None:
    assert code_of(robot.post(TRACES, sent)) == code
    assert not Run.objects.exists()


def test_one_bad_trace_keeps_all_others_out(robot: Robot) -> None:
    robot.post(TRACES, document(CALLED))
    new = {**CALLED, "traceId": "e" * 32}
    known = {**CALLED, "name": "x", "attributes": [*CALLED["attributes"], *_named("other")]}
    assert code_of(robot.post(TRACES, document(new, known))) == "422 key_reused"
    assert Run.objects.count() == 1


def _named(name: str) -> list[dict[str, Any]]:
    return [{"key": "gen_ai.agent.name", "value": {"stringValue": name}}]


def test_values_within_texts_stay_texts_where_they_are_no_json(robot: Robot) -> None:
    deep = span(
        1,
        gen_ai__operation__name="execute_tool",
        gen_ai__tool__name="t",
        gen_ai__tool__call__arguments=DEEP,
        gen_ai__tool__call__result='{"a": "\\u0000"}',
    )
    assert robot.post(TRACES, document(deep)).status_code == 200
    step = Step.objects.get()
    assert step.input == DEEP
    assert step.output == '{"a": "\\u0000"}'
    assert json.loads(json.dumps(step.input)) == DEEP
