"""What does Prometheus read? What this process counted, and what the timer last measured.

With METRICS_TOKEN the scraper shows it; without one only this machine may ask. No label but the
slug of a workspace says whose anything is.
"""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address

from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from console import tallies
from console.pulse.queries import Seen, beats

PREFIX = "countersign_"
POOL = ("pool_size", "pool_available", "requests_waiting")


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a scrape."""
    if not _may_ask(request):
        return HttpResponse(status=403, content="Not for you.", content_type="text/plain")
    registry = CollectorRegistry()
    registry.register(_Rows())
    body = generate_latest(tallies.REGISTRY) + generate_latest(registry)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)


def _may_ask(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return secrets.compare_digest(shown.encode(), settings.METRICS_TOKEN.encode())
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class _Rows:
    """Gauges of the rows; one query, of a table with a dozen of them."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            found = beats()
        except Error:
            found = {}
        reached = GaugeMetricFamily(f"{PREFIX}database_reached", "Whether the database answers.")
        reached.add_metric([], float(bool(found)))
        yield reached
        yield from _pool()
        yield _ages(found)
        measured = found.get("gauges")
        if measured is not None:
            yield from _measured(measured)


def _pool() -> Iterator[GaugeMetricFamily]:
    pool = getattr(connection, "pool", None)
    stats = pool.get_stats() if pool is not None else {}
    family = GaugeMetricFamily(
        f"{PREFIX}database_pool", "The pool of this process.", labels=["what"]
    )
    for name in POOL:
        family.add_metric([name], stats.get(name, 0))
    yield family


def _ages(found: dict[str, Seen]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        f"{PREFIX}heartbeat_age_seconds", "Since a part was last seen at work.", labels=["part"]
    )
    for name, seen in found.items():
        family.add_metric([name], (datetime.now(UTC) - seen.at).total_seconds())
    return family


def _measured(measured: Seen) -> Iterator[GaugeMetricFamily]:
    for name, value in measured.says["overall"].items():
        yield GaugeMetricFamily(f"{PREFIX}{name}", "Measured by the timer.", value=value)
    families: dict[str, GaugeMetricFamily] = {}
    for slug, name, detail, value in measured.says["workspaces"]:
        labels = ["workspace", "status"] if detail else ["workspace"]
        if name not in families:
            families[name] = GaugeMetricFamily(
                f"{PREFIX}{name}", "Measured by the timer.", labels=labels
            )
        families[name].add_metric([slug, detail] if detail else [slug], value)
    yield from families.values()
