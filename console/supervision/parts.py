"""Which processes make up the console, and with which words are they started?"""

import contextlib
import functools
import http.client
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from console.supervision import addresses
from console.supervision.processes import Process

DEFAULT_PORT = 8000
PORTS_TRIED = 50
# Only the sender talks to the outside; no other process is given the keys for it.
SECRETS_OF_SENDER = "CONNECTOR_"
# Only workers ask models.
KEYS_OF_MODELS = frozenset({"COUNTERSIGN_MODEL_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"})
CELERY = ("-m", "celery", "-A", "console.celery", "worker", "--loglevel", "INFO")
QUIET = ("--prefetch-multiplier=1", "--without-gossip", "--without-mingle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may choose when starting the console; without `port`, the first free one."""

    host: str = "127.0.0.1"
    port: int | None = None
    demo: bool = True


class PortTaken(Exception):
    """The port that was asked for is taken by another program, or not ours to take."""


def runs_own_database() -> bool:
    """Return whether PostgreSQL is one of the parts."""
    return not os.environ.get("DATABASE_URL")


def runs_own_valkey() -> bool:
    """Return whether Valkey is one of the parts: RabbitMQ alone carries no live pages."""
    return not os.environ.get("BROKER_URL") or _channel_url() == addresses.own_channel_url()


def listen(options: Options) -> socket.socket:
    """Return a listening socket, which outlives every web process that serves it.

    So the port cannot be lost to another program, and while the web process is replaced its
    visitors wait instead of being turned away.

    Raises: PortTaken.
    """
    wanted = options.port or int(os.environ.get("COUNTERSIGN_PORT") or 0)
    ports = [wanted] if wanted else range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED)
    for port in ports:
        if listener := _try_to_listen(options.host, port):
            return listener
    raise PortTaken(f"Port {ports[0]} of {options.host} is taken, or not ours to take.")


def address_of(listener: socket.socket) -> str:
    """Return the address for people."""
    host, port = listener.getsockname()
    return f"http://{_reachable(host)}:{port}"


def console(listener: socket.socket) -> tuple[Process, ...]:
    """Return the console's own processes."""
    web = ("-m", "console.serving", "--fd", str(listener.fileno()))
    # Beside it, because it works in the database as a worker does; in a thread, because it waits.
    restorer = (*CELERY, *QUIET, "-Q", "restorations", "-P", "threads", "-c", "1")
    worker = (*CELERY, *QUIET, "-Q", "runs", "-c", "2", "-n", "worker@%h")
    # Of its own, because hosts of others are slow and neither runs nor effects wait for them; in
    # threads, because it mostly waits: one process of 128 MB instead of two of 142.
    courier = (*CELERY, *QUIET, "-Q", "deliveries", "-P", "threads", "-c", "2", "-n", "courier@%h")
    python = functools.partial(_python, address_of(listener))
    is_ready = functools.partial(_answers, listener)
    return (
        python("web", *web, stage=2, is_ready=is_ready, inherits=(listener.fileno(),)),
        python("sender", "manage.py", "send", stage=3),
        python("restorer", *restorer, "-n", "restorer@%h", stage=3),
        python("worker", *worker, stage=3),
        python("courier", *courier, stage=3),
        python("timer", "manage.py", "timer", stage=4),
    )


def environment(role: str, address: str) -> dict[str, str]:
    """Return what a process of this role may know."""
    own = {
        name: value
        for name, value in os.environ.items()
        if (role == "sender" or not name.startswith(SECRETS_OF_SENDER))
        and (role == "worker" or name not in KEYS_OF_MODELS)
        and not name.startswith(addresses.DATABASE_URL_OF)
    }
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    if role != "courier" and "EMAIL_URL" in own:
        # The others say whether mail goes out; the password is for whoever sends it.
        own["EMAIL_URL"] = _without_password(own["EMAIL_URL"])
    if role == "sender" and not own.get("CONNECTOR_SETTINGS"):
        # The demo's, or the operator's own beside the data; made before this process is started.
        kept = addresses.connector_settings()
        own.update({"CONNECTOR_SETTINGS": str(kept)} if kept.exists() else {})
    return {
        **own,
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "console.settings"),
        "DATABASE_URL": addresses.database_url_of(role),
        "BROKER_URL": os.environ.get("BROKER_URL") or addresses.default_broker_url(),
        "CHANNEL_URL": _channel_url(),
        "COUNTERSIGN_ADDRESS": address,
        "COUNTERSIGN_PROCESS": role,
        "PYTHONUNBUFFERED": "1",
    }


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _channel_url() -> str:
    return os.environ.get("CHANNEL_URL") or addresses.default_channel_url()


def _python(
    address: str,
    role: str,
    *arguments: str,
    stage: int,
    is_ready: Callable[[], bool] = lambda: True,
    inherits: tuple[int, ...] = (),
) -> Process:
    return Process(
        name=role,
        stage=stage,
        argv=(sys.executable, *arguments),
        env=environment(role, address),
        is_ready=is_ready,
        inherits=inherits,
        # A step that runs is waited for; what it was doing is safe in the database either way.
        stop_timeout=15.0,
    )


def _try_to_listen(host: str, port: int) -> socket.socket | None:
    # macOS lets us listen beside a program that listens on all addresses, so we knock first.
    try:
        socket.create_connection((_reachable(host), port), timeout=1).close()
    except (OSError, OverflowError):
        with contextlib.suppress(OSError, OverflowError):
            return socket.create_server((host, port), backlog=128)
    return None


def _reachable(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 (recognised, not bound)


def _answers(listener: socket.socket) -> bool:
    host, port = listener.getsockname()
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
