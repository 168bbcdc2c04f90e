"""Which servers are measured? New ones over a folder that is thrown away, started as in production.

Nothing is tuned for the benchmark: the database syncs every commit, and the console's processes
are started with the words that `manage.py up` uses.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import django

from console.supervision import addresses, embedded, lock, parts
from console.supervision.supervisor import Supervisor


def say(line: str) -> None:
    """Tell the person at the terminal; standard output belongs to the table."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def servers() -> Iterator[None]:
    """Run PostgreSQL and Valkey, set Django up and migrate."""
    with tempfile.TemporaryDirectory(
        prefix="countersign-bench-", ignore_cleanup_errors=True
    ) as folder:
        os.environ["COUNTERSIGN_VAR"] = str(Path(folder).resolve())
        # Whatever the environment names is somebody's data.
        os.environ["DATABASE_URL"] = addresses.default_database_url()
        os.environ["BROKER_URL"] = addresses.default_broker_url()
        os.environ["CHANNEL_URL"] = addresses.own_channel_url()
        claimed = lock.claim(say)
        if isinstance(claimed, str):
            raise TypeError(f"Somebody runs a console in our own new folder: {claimed}")
        with closing(claimed), Supervisor(say, (claimed.descriptor,)) as supervisor:
            supervisor.start(embedded.postgres(addresses.var_dir(), addresses.run_dir()))
            embedded.create_database(addresses.run_dir())
            supervisor.start(embedded.valkey(addresses.var_dir(), addresses.run_dir()))
            _set_up()
            yield


@contextmanager
def console(*names: str) -> Iterator[str]:
    """Run some of the console's own processes, by name, and yield the address of the web."""
    with parts.listen(parts.Options()) as listener, Supervisor(say) as supervisor:
        supervisor.start(*(part for part in parts.console(listener) if part.name in names))
        yield parts.address_of(listener)


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    from console.supervision.preparing import prepare  # noqa: PLC0415  (settings are read by now)

    prepare(demo=False)
