"""Every role of people calls everything with whatever the document allows: no answer is a failure.

With sessions, as a browser would; what programs with a token may do stands in test_openapi.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error, status_code_conformance
from schemathesis.core.result import Ok

from approvals.models import Execution
from console.api import api
from console.wsgi import application
from tests.api.robots import JOBS, PROPOSALS, Robot
from tests.story import BOOK, Cast

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]
BACKEND = "django.contrib.auth.backends.ModelBackend"
CHECKS = [not_a_server_error, status_code_conformance]
ROLES = ["ana", "ada", "cleo", "eve", "zoe"]
OFTEN = pytest.mark.parametrize("examples", [3, pytest.param(60, marks=pytest.mark.nightly)])
JOB = {"workflow": "pay", "state": BOOK, "input": {"amount": 70}}
PAY = {"state": BOOK, "action_type": "pay", "params": {"vendor": "V7", "amount": 70}}
FORGED = "a" * 32


@pytest.fixture(autouse=True)
def one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the connection: between requests Django would close one that is in a transaction."""
    monkeypatch.setattr(DatabaseWrapper, "close_if_unusable_or_obsolete", lambda _self: None)


@pytest.fixture
def ids(cast: Cast, robot: Robot) -> dict[str, Any]:
    """Return ids of what there is."""
    paid = cast.ask(5, origin="run:paid")
    cast.decide(cast.ana, paid)
    return {
        "job_id": robot.post(JOBS, JOB).json()["id"],
        "proposal_id": robot.post(PROPOSALS, PAY).json()["id"],
        "execution_id": str(Execution.objects.get(proposal=paid).id),
        "state_id": str(cast.book.state_id),
        "number": 1,
    }


def signed_in(cast: Cast, name: str) -> dict[str, Any]:
    """Return what a browser of somebody sends with every request."""
    client = Client()
    client.force_login(cast.user(getattr(cast, name)), backend=BACKEND)
    home = cast.other if name == "zoe" else cast.workspace
    cookies = {each.key: each.value for each in client.cookies.values()}
    return {
        "cookies": {**cookies, django_settings.CSRF_COOKIE_NAME: FORGED},
        "headers": {"X-CSRFToken": FORGED, "Countersign-Workspace": home.slug},
    }


@OFTEN
@pytest.mark.parametrize("name", ROLES)
def test_everybody_is_answered(cast: Cast, ids: dict[str, Any], name: str, examples: int) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    session = signed_in(cast, name)
    answered: Counter[int] = Counter()

    def ask(case: schemathesis.Case[Any]) -> None:
        # As often as not the id is one that there is, though perhaps not for this person.
        if sum(answered.values()) % 2:
            case.path_parameters.update({n: ids.get(n, v) for n, v in case.path_parameters.items()})
        if case.path.endswith("/wait"):
            case.query["seconds"] = 0
        answer = case.call_and_validate(checks=CHECKS, **session)
        assert b"CSRF" not in answer.content
        answered[answer.status_code] += 1

    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        _try(found.ok(), ask, examples)
    assert answered[200] > 0
    assert answered[404] + answered[422] > 0


def _try(operation: Any, ask: Callable[[Any], None], examples: int) -> None:
    decorated = given(case=operation.as_strategy())(ask)
    settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )(decorated)()


def test_the_document_is_walked_whole() -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    paths: dict[str, Any] = api.get_openapi_schema()["paths"]
    expected = sum(len(methods) for methods in paths.values())
    assert sum(1 for _ in schema.get_all_operations()) == expected
