"""The whole product over a folder that is thrown away, started without `manage.py up`.

Two web processes, two workers, two timers, everything else once. The second web process and the
second worker reach PostgreSQL over a wire that can be cut, the sender the bank over another.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import django
import psycopg
import redis

from console.supervision import addresses, embedded, lock, parts
from console.supervision.processes import Process
from console.supervision.supervisor import Supervisor
from tests.chaos import bank
from tests.chaos.proxy import Wire

TOP = Path(__file__).parents[2]
FOREIGN = ("DATABASE_URL", "BROKER_URL", "CHANNEL_URL", "TEST_DATABASE_URL", "COUNTERSIGN_CHAOS")
SECRET = "CONNECTOR_BANK_TOKEN"
# Quiet, it takes ten; a busy machine is no reason to fail.
START_SECONDS = 300.0
# What has a second one, because the product promises to go on with the first one dead.
TWICE = ("web", "worker", "timer")
# So short that what is lost is found again within the run; in production they are longer.
SHORT = {
    "RUN_LEASE_SECONDS": "4",
    "SEND_LEASE_SECONDS": "8",
    "RECONCILE_SECONDS": "60",
    "LOG_LEVEL": "WARNING",
}


@dataclass
class Product:
    """The running product and everything that can be done to it."""

    var: Path
    supervisor: Supervisor
    failpoints: Path
    bank_dir: Path
    to_bank: Wire
    to_database: Wire
    addresses: list[str] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)

    @property
    def run(self) -> Path:
        """Return the folder of sockets."""
        return addresses.run_dir()

    def pid(self, name: str) -> int:
        """Return the process that has this name at this moment."""
        return self.supervisor.pids()[name]

    def names(self, kind: str) -> list[str]:
        """Return the processes of one kind, such as both workers."""
        return [name for name in self.supervisor.pids() if name.partition("-")[0] == kind]

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> bool:
        """Send a process a signal, and say whether there was anybody to receive it."""
        # It is no crash loop when we did it, so the supervisor need not be more and more patient.
        self.supervisor._restarts.pop(name, None)
        return send(self.pid(name), number)

    def kill_child(self, name: str, chance: random.Random) -> bool:
        """Kill one of the processes that a process has forked."""
        children = children_of(self.pid(name))
        return bool(children) and send(chance.choice(children), signal.SIGKILL)

    def arm(self, failpoint: str, order: str = "kill") -> None:
        """Let the process that comes by this failpoint first do something."""
        draft = self.failpoints / f".draft.{failpoint}"
        draft.write_text(order)
        draft.replace(self.failpoints / failpoint)

    def disarm(self) -> None:
        """Take back what nobody came by."""
        for left in self.failpoints.glob("[a-z]*"):
            left.unlink(missing_ok=True)

    def armed(self) -> list[str]:
        """Return the failpoints that still wait for somebody."""
        return [path.name for path in self.failpoints.glob("[a-z]*")]

    def taken(self) -> Counter[str]:
        """Return how often somebody came by, by failpoint."""
        found = Counter[str]()
        for path in self.failpoints.glob(".*.*.*"):
            if not path.name.startswith(".draft."):
                found[path.name[1:].rsplit(".", 2)[0]] += 1
        return found

    def mood(self, weights: Mapping[str, float], **seconds: float) -> None:
        """Tell the bank how to behave from now on."""
        draft = self.bank_dir / "control.draft"
        draft.write_text(json.dumps({"weights": dict(weights), "seconds": seconds}))
        draft.replace(self.bank_dir / "control.json")

    def broker(self) -> "redis.Redis":
        """Return a connection to Valkey."""
        return redis.Redis(unix_socket_path=str(self.run / "valkey.sock"), socket_timeout=5)

    def flush(self) -> None:
        """Let the broker forget everything."""
        with contextlib.closing(self.broker()) as connection:
            connection.flushall()

    def lose_broker(self) -> None:
        """Kill the broker and throw its files away; it starts again with nothing."""
        pid = self.pid("valkey")
        send(pid, signal.SIGSTOP)
        for path in (self.var / "valkey").iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.kill("valkey")

    def database_answers(self) -> bool:
        """Say whether PostgreSQL takes connections."""
        with contextlib.suppress(psycopg.Error):
            psycopg.connect(
                host=str(self.run), user=embedded.USER, dbname="countersign", connect_timeout=2
            ).close()
            return True
        return False

    def rss(self) -> dict[str, int]:
        """Return the bytes of memory of every process with its children, by name."""
        pids = self.supervisor.pids().items()
        return {name: _rss(pid) + sum(map(_rss, family_of(pid))) for name, pid in pids}

    def said(self, name: str) -> str:
        """Return what a process has logged last."""
        path = self.var / "log" / f"{name}.log"
        return path.read_text(errors="replace")[-20_000:] if path.exists() else ""


@contextlib.contextmanager
def running(
    seed: int,
    *,
    before: Callable[[], None],
    folder: Path | None = None,
    single: bool = False,
    disk: Path | None = None,
) -> Iterator[Product]:
    """Yield the product on new data; nothing of it is left afterwards but its logs, in `folder`.

    `before` is called when there are tables and Django is set up, and nothing works on them yet.
    PostgreSQL keeps its data on the `disk`, if one is given.
    """
    var = Path(tempfile.mkdtemp(prefix="countersign-chaos-", dir="/tmp"))
    try:
        with contextlib.ExitStack() as stack:
            own_environment(var)
            product = stack.enter_context(servers(var, seed, disk))
            _set_up()
            before()
            _console(product, stack, single=single)
            yield product
    finally:
        if folder is not None:
            shutil.copytree(var / "log", folder / "log", dirs_exist_ok=True)
        shutil.rmtree(var, ignore_errors=True)


def send(pid: int, number: int) -> bool:
    """Send a signal, and say whether there was anybody to receive it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has forked and that live."""
    with contextlib.suppress(OSError):
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(word) for word in found.split()]
    return []


def family_of(pid: int) -> list[int]:
    """Return all that descend from a process."""
    children = children_of(pid)
    return children + [each for child in children for each in family_of(child)]


def own_environment(var: Path, settings: str = "tests.chaos.settings") -> None:
    """Forget the servers that the environment names: whatever is there is somebody's data."""
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(
        COUNTERSIGN_VAR=str(var),
        DJANGO_SETTINGS_MODULE=settings,
        CONNECTOR_SETTINGS=str(var / "connectors.toml"),
        **{SECRET: bank.TOKEN},
    )


@contextlib.contextmanager
def servers(var: Path, seed: int, disk: Path | None = None) -> Iterator[Product]:
    """Run the bank, PostgreSQL and Valkey, and the wires to the first two."""
    for name in ("bank", "failpoints", "log"):
        (var / name).mkdir()
    ended: Counter[str] = Counter()
    journal = (var / "log" / "supervisor.log").open("a", buffering=1)

    def say(line: str) -> None:
        journal.write(f"{time.time():.3f} {line}\n")
        name, word, _ = line.partition(" ended with status")
        if word:
            ended[name] += 1

    claimed = lock.claim(say)
    if isinstance(claimed, str):
        raise TypeError(f"Somebody runs a console in our own new folder: {claimed}")
    with journal, contextlib.closing(claimed), Supervisor(say, (claimed.descriptor,)) as supervisor:
        port = _free_port()
        supervisor.start(_bank(var / "bank", port, seed))
        supervisor.start(embedded.postgres(disk or var, addresses.run_dir()))
        embedded.create_database(addresses.run_dir())
        supervisor.start(embedded.valkey(var, addresses.run_dir()))
        to_bank = Wire(("127.0.0.1", port))
        to_database = Wire(addresses.run_dir() / ".s.PGSQL.5432")
        product = Product(
            var, supervisor, var / "failpoints", var / "bank", to_bank, to_database, ended=ended
        )
        yield product


def _bank(folder: Path, port: int, seed: int) -> Process:
    def is_ready() -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        return False

    argv = (sys.executable, "-m", "tests.chaos.bank", str(folder), str(port), str(seed))
    return Process(name="bank", argv=argv, is_ready=is_ready)


def _set_up() -> None:
    django.setup()
    from console.supervision.preparing import prepare  # noqa: PLC0415  (settings are read by now)

    prepare(demo=False)


def _console(product: Product, stack: contextlib.ExitStack, *, single: bool) -> None:
    write_connectors(product, product.to_bank.start())
    wire = product.to_database.start()
    first = stack.enter_context(parts.listen(parts.Options()))
    processes = [_hurtable(each, product) for each in parts.console(first)]
    product.addresses.append(parts.address_of(first))
    if not single:
        second = stack.enter_context(parts.listen(parts.Options()))
        processes += [
            _second(_hurtable(each, product), wire)
            for each in parts.console(second)
            if each.name in TWICE
        ]
        product.addresses.append(parts.address_of(second))
    product.supervisor.start(*processes)
    product.supervisor.watch()


def _hurtable(process: Process, product: Product) -> Process:
    own = {**(process.env or {}), **SHORT, "COUNTERSIGN_CHAOS": str(product.failpoints)}
    return replace(process, env=own, ready_timeout=START_SECONDS)


def _second(process: Process, port: int) -> Process:
    """Return its like with another name; what is called web or worker reaches us over the wire."""
    env = dict(process.env or {})
    if process.name != "timer":
        parts_of = urlsplit(env["DATABASE_URL"])
        who = parts_of.netloc.rpartition("@")[0]
        env["DATABASE_URL"] = f"postgresql://{who}@127.0.0.1:{port}{parts_of.path}"
    argv = tuple(word.replace("worker@%h", "worker2@%h") for word in process.argv)
    return replace(process, name=f"{process.name}-2", env=env, argv=argv)


def write_connectors(product: Product, port: int) -> None:
    """Tell the sender of the bank's three doors, which it reaches over the wire."""
    written = [_declared(door, port) for door in bank.DOORS]
    (product.var / "connectors.toml").write_text("".join(written))


def _declared(door: str, port: int) -> str:
    aspects = {name: text.format(door=door) for name, text in _ASPECTS[door].items()}
    return _TEMPLATE.format(door=door, port=port, **aspects)


_KEYED = "retention_seconds = 3600\n"
_KEY = 'key_header = "Idempotency-Key"\n'
_ASK = """[{door}.ask]
path = "/payments/{{{{key}}}}"
reference = "/reference"
absent = [404]
absent_at = "/error"
absent_words = ["we know nothing of this"]
"""
_LIST = """[{door}.list]
path = "/payments?since={{{{since}}}}&until={{{{until}}}}"
items = "/payments"
key = "/key"
reference = "/reference"
at = "/at"
"""
_ASPECTS = {
    "keyed": {"own": _KEYED + _KEY, "more": _ASK + _LIST},
    "queryable": {"own": _KEY, "more": _ASK + _LIST},
    "blind": {"own": "", "more": ""},
}
_TEMPLATE = """
[{door}]
kind = "http"
retry_class = "{door}"
url = "http://127.0.0.1:{port}/{door}"
bearer = "env:CONNECTOR_BANK_TOKEN"
networks = ["127.0.0.0/8"]
deadline_seconds = 2
settle_seconds = 8
{own}
[{door}.actions.pay_{door}]
path = "/payments"
body = {{ ref = "{{{{/ref}}}}", amount = "{{{{/amount}}}}", payee = "{{{{/payee}}}}" }}
reference = "/reference"
{more}"""


def _rss(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as found:
        port: int = found.getsockname()[1]
    return port


def git(*arguments: str) -> str:
    """Return what git says of this checkout."""
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
