"""Logs tell what happened, where and by whom; never what anybody sent."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection
from django.test import Client

from console.logs import Json, Line, named, redacted
from tests.house import House

IBAN = "LT121000011101001000"
DIAGNOSIS = "F32.2 severe depressive episode"
PASSWORD = "correct horse battery staple"


@pytest.fixture(params=[Line, Json])
def told(request: pytest.FixtureRequest) -> Iterator[StringIO]:
    """Everything that is logged meanwhile, in either format."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(request.param())
    root = logging.getLogger()
    level, root.level = root.level, logging.DEBUG
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def fail_with(error: Exception) -> None:
    try:
        raise error
    except type(error) as caught:
        logging.getLogger("console").exception("it failed: %s", caught)  # noqa: TRY401


@pytest.mark.parametrize(
    "text",
    [
        "csg_Zm9vYmFyYmF6cXV4",
        "Authorization: Bearer abcdefghijklmnop",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "password=hunter2hunter2",
        "smtp://user:hunter2hunter2@host:587",
        "Cookie: countersign_session=hunter2hunter2",
        "/path?token=hunter2hunter2",
        IBAN,
        "LT12 1000 0111 0100 1000",
    ],
)
def test_what_looks_like_a_secret_is_left_out(text: str) -> None:
    left = redacted(f"before {text} after")
    assert left.startswith("before ")
    assert left.endswith(" after")
    for secret in ("Zm9v", "abcdefgh", "MfKQ", "hunter2", "1000"):
        assert secret not in left


def test_only_errors_that_speak_of_the_machine_are_quoted() -> None:
    assert named(OperationalError("server closed")) == "OperationalError: server closed"
    assert named(ConnectionRefusedError(111, "refused")).startswith("ConnectionRefusedError: ")
    assert named(DataError(f"invalid input: {DIAGNOSIS}")) == "DataError"
    assert named(KeyError(DIAGNOSIS)) == "KeyError"


def test_an_error_says_where_it_happened_and_not_with_what(told: StringIO) -> None:
    fail_with(IntegrityError(f"DETAIL: Key (note)=({DIAGNOSIS}) already exists."))
    assert DIAGNOSIS not in told.getvalue()
    assert "IntegrityError" in told.getvalue()
    assert "test_logs.py" in told.getvalue()


def test_only_known_fields_are_told(told: StringIO) -> None:
    extra = {"actor": "person:1", "payload": DIAGNOSIS, "body": IBAN, "milliseconds": 3}
    logging.getLogger("console").info("answered", extra=extra)
    assert "person:1" in told.getvalue()
    assert DIAGNOSIS not in told.getvalue()
    assert IBAN not in told.getvalue()


def test_a_line_is_one_json_object(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("console").info("answered", extra={"status": 200})
    line = json.loads(Json().format(caplog.records[-1]))
    assert (line["message"], line["status"], line["level"]) == ("answered", 200, "INFO")
    assert set(line) <= {"at", "level", "logger", "message", "status", "request_id"}


@pytest.mark.django_db
def test_a_request_has_an_id_from_the_first_line_to_the_answer(
    house: House, told: StringIO
) -> None:
    ana = house.client("ana")
    given = ana.get(house.url("queue"), headers={"X-Request-ID": "proxy-4711-abc"})
    assert given["X-Request-ID"] == "proxy-4711-abc"
    assert "proxy-4711-abc" in told.getvalue()
    made = ana.get(house.url("queue"), headers={"X-Request-ID": "bad id\twith spaces"})
    assert len(made["X-Request-ID"]) == 32
    assert f"person:{house.people['ana'].id}" in told.getvalue()
    assert str(house.workspace.id) in told.getvalue()


@pytest.mark.django_db
def test_planted_secrets_are_found_in_no_log_ledger_or_outbox(
    house: House, told: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = Client(raise_request_exception=False)
    visitor.post("/sign-in/", {"username": "ana@acme.example", "password": PASSWORD})
    ana = house.client("ana", raise_request_exception=False)
    session = ana.cookies["countersign_session"].value
    secret = "csg_planted-secret-of-a-program"
    headers: Any = {"Authorization": f"Bearer {secret}"}
    body = json.dumps({"state": "vendors", "params": {"note": DIAGNOSIS, "iban": IBAN}})
    for method in ("get", "post"):
        call = getattr(visitor, method)
        call(f"/api/v1/proposals?note={IBAN}", headers=headers)
    visitor.post("/api/v1/jobs", body, content_type="application/json", headers=headers)
    proposal = house.propose("set_note", note=DIAGNOSIS)
    ana.get(house.url("proposals", proposal) + f"?iban={IBAN}")
    house.decide("ana", proposal)

    def break_down(*_: object, **__: object) -> None:
        raise ValueError(f"cannot show {DIAGNOSIS} {secret}")

    monkeypatch.setattr("console.access.queries.person_in", break_down)
    assert ana.get(house.url("queue")).status_code == 500
    fail_with(ValueError(f"{DIAGNOSIS} {secret} {session}"))

    logs, outbox = told.getvalue(), _everything_in("doorbell_ring")
    assert "ValueError" in logs
    for planted in (IBAN, DIAGNOSIS):
        assert planted not in logs + outbox
    # The ledger keeps a proposal's title, which its action type words; but no key to anything.
    for planted in (PASSWORD, session, secret):
        assert planted not in logs + outbox + _everything_in("ledger_entry")


def _everything_in(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t")  # noqa: S608
        return str(cursor.fetchone()[0])
