"""Which PostgreSQL and Valkey do the tests use?

Those named by TEST_DATABASE_URL and TEST_BROKER_URL; else new ones in a folder that is thrown away.
Started once, before settings are read, and shared by all workers of pytest-xdist.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from console.supervision import addresses, embedded
from console.supervision.supervisor import Supervisor

# The data is thrown away, so nothing has to survive a power loss.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Start the servers before pytest-django sets Django up."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        stack = ExitStack()
        early_config.add_cleanup(stack.close)
        _start(stack)
    return (yield)


def _start(stack: ExitStack) -> None:
    # Sockets need a short path; pytest's own folders, and macOS's, are too long for them.
    var = Path(tempfile.mkdtemp(prefix="countersign-tests-", dir="/tmp"))
    stack.callback(shutil.rmtree, var, ignore_errors=True)
    os.environ["COUNTERSIGN_VAR"] = str(var)
    # The middleware that serves static files is made while tests are collected.
    (var / "static").mkdir()
    supervisor = stack.enter_context(Supervisor(lambda line: print(line, file=sys.stderr)))  # noqa: T201
    os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL") or _database(supervisor)
    os.environ["BROKER_URL"] = os.environ.get("TEST_BROKER_URL") or _broker(supervisor)
    os.environ["CHANNEL_URL"] = addresses.default_channel_url()
    # Tests ask a hundred times faster than people; those about limits set their own.
    for name in ("TOKEN", "ADDRESS", "WORKSPACE", "SIGN_IN", "DOWNLOADS"):
        os.environ.setdefault(f"RATE_{name}", "off")


def _database(supervisor: Supervisor) -> str:
    var, run = addresses.var_dir(), addresses.run_dir()
    supervisor.start(embedded.postgres(var, run, *FAST))
    embedded.create_database(run)
    return addresses.default_database_url()


def _broker(supervisor: Supervisor) -> str:
    supervisor.start(embedded.valkey(addresses.var_dir(), addresses.run_dir()))
    return addresses.default_broker_url()
