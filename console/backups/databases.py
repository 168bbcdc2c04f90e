"""Which database is copied, and with which programs?"""

import os
import subprocess
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from console.supervision.embedded import Unavailable, client_program

# What Django's settings call the parts of an address, and what PostgreSQL calls them.
_NAMES = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
# Of our own connections, and of no meaning to a program that copies.
_OURS = frozenset({"options", "pool"})


class CannotCopy(Exception):
    """A backup was not taken, or not brought back; the message says why and what was left."""


@dataclass(frozen=True, slots=True)
class Database:
    """The address of a database as its parts, in the words of PostgreSQL."""

    parts: dict[str, str]

    @classmethod
    def of_settings(cls, known: dict[str, Any]) -> "Database":
        """Return the one that Django works with."""
        parts = {ours: str(known[name]) for name, ours in _NAMES.items() if known.get(name)}
        more = {name: str(value) for name, value in known["OPTIONS"].items() if name not in _OURS}
        return cls({**more, **parts})

    @classmethod
    def of_url(cls, url: str) -> "Database":
        """Return the one at an address."""
        split = urlsplit(url)
        found = {
            "dbname": unquote(split.path.lstrip("/")),
            "user": unquote(split.username or ""),
            "password": unquote(split.password or ""),
            "host": split.hostname or "",
            "port": str(split.port or ""),
            **dict(parse_qsl(split.query)),
        }
        return cls({name: value for name, value in found.items() if value})

    @property
    def name(self) -> str:
        """Return the database's name."""
        return self.parts.get("dbname", "")

    def named(self, name: str) -> "Database":
        """Return another database of the same server."""
        return replace(self, parts={**self.parts, "dbname": name})

    def url(self) -> str:
        """Return the address as a setting is written; it holds the password."""
        rest = {name: value for name, value in self.parts.items() if name not in _IN_URL}
        who = quote(self.parts.get("user", ""), safe="")
        if word := self.parts.get("password"):
            who += f":{quote(word, safe='')}"
        return f"postgresql://{who}@/{quote(self.name, safe='')}?{urlencode(rest)}"

    def connect(self, *, autocommit: bool = False) -> psycopg.Connection[TupleRow]:
        """Connect, without the limits on time that our processes work under. Raises: CannotCopy."""
        try:
            return psycopg.connect(autocommit=autocommit, **self.parts)  # type: ignore[arg-type]
        except psycopg.OperationalError as error:
            raise CannotCopy(f"The database {self.name} cannot be reached: {error}") from error

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs against it, and return what it printed.

        Raises: CannotCopy.
        """
        try:
            path = client_program(program, self.major())
        except Unavailable as error:
            raise CannotCopy(str(error)) from error
        done = subprocess.run(
            [str(path), *arguments],
            env={**os.environ, **self._environment()},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise CannotCopy(f"{program} failed: {done.stderr.strip()}")
        return done.stdout

    def major(self) -> int:
        """Return the server's major version."""
        with self.connect() as connection:
            return connection.info.server_version // 10_000

    def create(self) -> bool:
        """Make the database if the server has none of this name; return whether it did."""
        with self._beside().connect(autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.name])
            if found.fetchone():
                return False
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.name)))
            return True

    def drop(self) -> None:
        """Remove it, whoever is connected."""
        with self._beside().connect(autocommit=True) as connection:
            name = sql.Identifier(self.name)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def _beside(self) -> "Database":
        # Every server has it, unless its owner took it away.
        return self.named("postgres")

    def _environment(self) -> dict[str, str]:
        # Not as arguments: everybody on the machine can read those.
        return {_VARIABLES[name]: value for name, value in self.parts.items() if name in _VARIABLES}


_IN_URL = frozenset({"dbname", "user", "password"})
_VARIABLES = {
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "host": "PGHOST",
    "port": "PGPORT",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}
