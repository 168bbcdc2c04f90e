"""The API keeps to its own document: every answer has a status and a shape that stands there."""

from typing import Any

import pytest
import schemathesis
from django.db.backends.postgresql.base import DatabaseWrapper
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from console.api import api
from console.wsgi import application
from tests.api.robots import JOBS, PROPOSALS, Robot
from tests.story import BOOK, Cast

pytestmark = pytest.mark.django_db
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
PROBLEMS = {"400", "401", "403", "404", "409", "410", "412", "413", "422", "429"}
OWN_PROBLEMS = {("post", "/api/v1/proposals/{proposal_id}/decisions"): {"428"}}
JOB = {"workflow": "pay", "state": BOOK, "input": {"amount": 70}}
PAY = {"state": BOOK, "action_type": "pay", "params": {"vendor": "V7", "amount": 70}}


@pytest.fixture(autouse=True)
def one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the connection: between requests Django would close one that is in a transaction."""
    monkeypatch.setattr(DatabaseWrapper, "close_if_unusable_or_obsolete", lambda _self: None)


def document() -> dict[str, Any]:
    found: dict[str, Any] = api.get_openapi_schema()
    return found


def made(cast: Cast, robot: Robot) -> dict[str, Any]:
    """Return ids of what there is."""
    state = f"/api/v1/states/{cast.book.state_id}"
    return {
        "job_id": robot.post(JOBS, JOB).json()["id"],
        "proposal_id": robot.post(PROPOSALS, PAY).json()["id"],
        "state_id": str(cast.book.state_id),
        "mark_id": robot.post(f"{state}/marks", {"kind": "pin", "number": 1}).json()["id"],
        "number": 1,
    }


OPERATIONS = [(m.upper(), path) for path, methods in document()["paths"].items() for m in methods]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_answers_as_the_document_says(cast: Cast, robot: Robot, method: str, path: str) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    ids = made(cast, robot)
    turns = iter(range(10_000))

    @given(case=schema[path][method].as_strategy())
    @settings(
        max_examples=20,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def try_one(case: schemathesis.Case[Any]) -> None:
        # Every other time the id is one that there is.
        if next(turns) % 2:
            case.path_parameters.update({n: ids.get(n, v) for n, v in case.path_parameters.items()})
        if path.endswith("/wait"):
            case.query["seconds"] = 0
        case.call_and_validate(headers=robot.headers, checks=CHECKS)

    try_one()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_asks_for_a_token_first(cast: Cast, method: str, path: str) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)

    @given(case=schema[path][method].as_strategy())
    @settings(max_examples=3, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def try_one(case: schemathesis.Case[Any]) -> None:
        case.headers.pop("Authorization", None)
        answer = case.call_and_validate(checks=CHECKS)
        assert answer.status_code == 401

    try_one()


class TestTheDocument:
    """What integrators read is complete."""

    def test_names_each_operation_with_words_and_problems(self) -> None:
        assert len(OPERATIONS) > 20
        for path, methods in document()["paths"].items():
            for method, operation in methods.items():
                assert operation["summary"]
                assert operation["description"]
                problems = {str(code) for code in operation["responses"] if int(code) >= 400}
                assert problems == PROBLEMS | OWN_PROBLEMS.get((method, path), set())

    def test_describes_each_model(self) -> None:
        for name, model in document()["components"]["schemas"].items():
            assert model.get("description") or "enum" in model, name

    def test_is_there_for_everybody(self) -> None:
        answer = Robot().get("/api/v1/openapi.json")
        assert (answer.status_code, answer.json()["info"]["title"]) == (200, "Countersign")

    def test_is_shown_without_anything_from_elsewhere(self) -> None:
        answer = Robot().get("/api/docs")
        html = answer.content.decode()
        assert answer.status_code == 200
        assert "http://" not in html
        assert "https://" not in html
        assert "unsafe" not in answer["Content-Security-Policy"]
