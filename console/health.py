"""Is this process alive, and can it serve?"""

import functools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, JsonResponse

PATIENCE_SECONDS = 0.5
CHECKED_EVERY_SECONDS = 5.0
RETRY_AFTER = "2"
_probing = threading.Lock()


def healthz(_request: HttpRequest) -> JsonResponse:
    """Say that the event loop takes requests in and that a worker thread answers them."""
    return JsonResponse({"status": "alive"})


def readyz(_request: HttpRequest) -> JsonResponse:
    """Say whether requests can be served here; if not, 503 and the part that is missing.

    Without a broker or a channel layer they can: work waits, and pages are told a little later.
    """
    # One at a time: where the database is slow, probes must not take what is left of the pool.
    if not _probing.acquire(timeout=PATIENCE_SECONDS):
        return _not_ready("probe", "an earlier probe still waits for its answer")
    try:
        return _look_at_all()
    finally:
        _probing.release()


def _look_at_all() -> JsonResponse:
    for part, look in _NEEDED.items():
        if missing := look():
            return _not_ready(part, missing)
    degraded = [part for part, look in _USEFUL.items() if look()]
    return JsonResponse({"status": "degraded" if degraded else "ready", "degraded": degraded})


def _not_ready(part: str, missing: str) -> JsonResponse:
    body = {"status": "not ready", "part": part, "problem": missing}
    answer = JsonResponse(body, status=503, headers={"Retry-After": RETRY_AFTER})
    # Asked again every moment, it must not fill the log with errors.
    answer._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  (Django's own mark)
    return answer


def _pool() -> str:
    pool = getattr(connection, "pool", None)
    if pool is None:
        return ""
    # A request of ours would only wait in the same line.
    stats = pool.get_stats()
    is_full = stats.get("pool_size", 0) >= stats.get("pool_max", 1)
    return "all connections are in use" if is_full and stats.get("requests_waiting") else ""


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        return f"the database does not answer ({type(error).__name__})"
    return ""


def _migrations() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT app, name FROM django_migrations")
            missing = _needed_migrations() - set(cursor.fetchall())
    except Error as error:
        return f"the migrations cannot be read ({type(error).__name__})"
    return f"{len(missing)} migrations have not been applied" if missing else ""


@functools.cache
def _needed_migrations() -> frozenset[tuple[str, str]]:
    loader = MigrationLoader(None)
    return frozenset(cast("list[tuple[str, str]]", loader.graph.leaf_nodes()))


def _static() -> str:
    storage: dict[str, Any] = settings.STORAGES["staticfiles"]
    if "Manifest" not in storage["BACKEND"]:
        return ""
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    return "" if manifest.exists() else "the static files were not collected"


def _valkey(url: str) -> str:
    """Return what is wrong with a Valkey or Redis; nothing about other kinds of brokers."""
    address = url.replace("redis+socket://", "unix://").replace("?virtual_host=", "?db=")
    if urlsplit(address).scheme not in {"redis", "rediss", "unix"}:
        return ""
    patience = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
    try:
        client = redis.Redis.from_url(address, **patience)
        try:
            client.ping()
        finally:
            client.close()
    except (redis.RedisError, OSError) as error:
        return type(error).__name__
    return ""


def _now_and_then(look: Callable[[], str]) -> Callable[[], str]:
    """Look at most every few seconds, however often somebody asks."""
    known: list[tuple[float, str]] = []

    def ask() -> str:
        if not known or time.monotonic() - known[-1][0] > CHECKED_EVERY_SECONDS:
            known[:] = [(time.monotonic(), look())]
        return known[-1][1]

    return ask


_NEEDED: dict[str, Callable[[], str]] = {
    "pool": _pool,
    "database": _database,
    "migrations": _now_and_then(_migrations),
    "static files": _static,
}
_USEFUL: dict[str, Callable[[], str]] = {
    "broker": _now_and_then(lambda: _valkey(settings.BROKER_URL)),
    "channel layer": _now_and_then(lambda: _valkey(settings.CHANNEL_URL)),
}
