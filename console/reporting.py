"""To whom else do we tell how we are? To Sentry and to a collector of spans, if they are named.

Neither is installed with the console: `countersign[sentry]` and `countersign[telemetry]`. What
leaves is made anew of names and numbers of ours, so nothing can be forgotten in it.
"""

import importlib
import os
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from console import logs, spans, tracing

_FRAME = ("filename", "function", "lineno", "module", "in_app")
_EVENT = ("event_id", "timestamp", "level", "platform", "logger", "release", "environment")


def begin() -> None:
    """Begin to report where an address is set. Raises: ImproperlyConfigured."""
    if os.environ.get("SENTRY_DSN"):
        report_errors(os.environ["SENTRY_DSN"])
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        report_spans()


def report_errors(dsn: str, **options: Any) -> None:
    """Send errors to Sentry; `options` are for tests."""
    sentry = _needed("sentry_sdk", "SENTRY_DSN", "sentry")
    logging = _needed("sentry_sdk.integrations.logging", "SENTRY_DSN", "sentry")
    sentry.init(
        dsn=dsn,
        environment=os.environ.get("SENTRY_ENVIRONMENT", "production"),
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[logging.LoggingIntegration(level=None, sentry_logs_level=None)],
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        server_name="",
        max_breadcrumbs=0,
        before_send=told_of,
        **options,
    )


def told_of(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """Return what leaves of an error: its kind, where it happened, and the request's id."""
    told = {name: event[name] for name in _EVENT if name in event}
    record = hint.get("log_record")
    if record is not None and isinstance(record.msg, str):
        # The words of the line as we wrote them; what they are filled with stays here.
        told["logentry"] = {"message": logs.redacted(record.msg)}
    found = (event.get("exception") or {}).get("values") or []
    told["exception"] = {"values": [_error(each) for each in found]}
    told["tags"] = {
        "process": os.environ.get("COUNTERSIGN_PROCESS", ""),
        "request_id": tracing.request_id(),
    }
    return told


def _error(value: dict[str, Any]) -> dict[str, Any]:
    frames = (value.get("stacktrace") or {}).get("frames") or []
    kept = [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]
    return {
        "type": value.get("type"),
        "module": value.get("module"),
        "stacktrace": {"frames": kept},
    }


def report_spans(exporter: Any = None) -> None:
    """Send spans to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, or to this exporter."""
    named = "OTEL_EXPORTER_OTLP_ENDPOINT"
    trace = _needed("opentelemetry.sdk.trace", named, "telemetry")
    export = _needed("opentelemetry.sdk.trace.export", named, "telemetry")
    resources = _needed("opentelemetry.sdk.resources", named, "telemetry")
    process = os.environ.get("COUNTERSIGN_PROCESS", "console")
    resource = resources.Resource({"service.name": f"countersign-{process}"})
    provider = trace.TracerProvider(resource=resource)
    if exporter is None:
        otlp = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
        exporter = _needed(otlp, named, "telemetry").OTLPSpanExporter()
        provider.add_span_processor(export.BatchSpanProcessor(exporter))
    else:
        provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    spans.use(provider.get_tracer("countersign"))


def _needed(module: str, variable: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise ImproperlyConfigured(
            f"{variable} is set, but the package for it is not installed: "
            f"install countersign[{extra}] or unset {variable}."
        ) from missing
