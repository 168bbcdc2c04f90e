"""Sentry and a collector hear that something failed and how long it took; never with what."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from django.core.exceptions import ImproperlyConfigured
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from console import reporting, spans
from tests.house import House

TOP = Path(__file__).parents[2]
DIAGNOSIS = "F32.2 severe depressive episode"


class Post(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.sent.append(envelope.get_event())


@pytest.fixture
def post() -> Iterator[Post]:
    one = Post()
    reporting.report_errors("https://key@sentry.example/1", transport=one)
    yield one
    sentry_sdk.get_global_scope().set_client(None)


@pytest.fixture
def measured() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    reporting.report_spans(exporter)
    yield exporter
    spans.use(None)


def test_an_error_is_reported_by_kind_and_place_alone(post: Post) -> None:
    payload = {"note": DIAGNOSIS}
    try:
        raise ValueError(f"cannot read {payload}")  # noqa: TRY301
    except ValueError:
        logging.getLogger("console").exception("failed with %s", DIAGNOSIS)
    sentry_sdk.flush()
    event = post.sent[0]
    text = json.dumps(event, default=str)
    assert DIAGNOSIS not in text
    assert event["exception"]["values"][0]["type"] == "ValueError"
    assert event["logentry"] == {"message": "failed with %s"}
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert frame["function"] == "test_an_error_is_reported_by_kind_and_place_alone"
    assert "vars" not in frame
    assert not {"request", "user", "extra", "breadcrumbs", "server_name"} & event.keys()


@pytest.mark.django_db
def test_a_request_is_a_span_with_ids_only(house: House, measured: InMemorySpanExporter) -> None:
    proposal = house.propose("set_note", note=DIAGNOSIS)
    house.client("ana").get(house.url("proposals", proposal) + "?note=typed")
    (span,) = measured.get_finished_spans()
    assert span.name == "request"
    assert dict(span.attributes or {}) == {
        "method": "GET",
        "route": "w/<slug:workspace>/proposals/<uuid:proposal_id>/",
        "status": 200,
        "request_id": (span.attributes or {})["request_id"],
        "actor": f"person:{house.people['ana'].id}",
        "workspace": str(house.workspace.id),
    }


def test_a_span_names_an_error_and_does_not_quote_it(measured: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="severe"), spans.span("send", execution="1"):
        raise ValueError(DIAGNOSIS)
    (span,) = measured.get_finished_spans()
    assert dict(span.attributes or {}) == {"execution": "1", "error": "ValueError"}
    assert not span.events
    assert not span.status.description


def test_without_a_collector_spans_are_nothing() -> None:
    with spans.span("run", run="1") as ids:
        assert ids == {"run": "1"}


@pytest.mark.parametrize(
    ("variable", "extra"),
    [("SENTRY_DSN", "sentry"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry")],
)
def test_an_address_without_its_package_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, variable: str, extra: str
) -> None:
    monkeypatch.setenv(variable, "https://key@collector.example/1")
    for module in ("sentry_sdk", "opentelemetry.sdk.trace"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImproperlyConfigured, match=rf"{variable} is set.*\[{extra}\]"):
        reporting.begin()


def test_nothing_is_loaded_unless_it_is_asked_for() -> None:
    program = (
        "import django, sys; django.setup();"
        "print([m for m in ('sentry_sdk', 'opentelemetry') if m in sys.modules])"
    )
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "console.settings"}
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=TOP,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[]"
