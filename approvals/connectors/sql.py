"""How does an order reach another PostgreSQL, and how is it known there by our key?

One statement of the settings, with values as parameters, in one transaction with a row of ours in a
table of theirs. Whatever happens to the connection, the row and the effect are there together or
not at all, so a lost answer can be asked for and an order can be repeated.
"""

import math
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import psycopg
from psycopg import sql
from psycopg.abc import RV, PQGen
from psycopg.types.json import Jsonb
from pydantic import AfterValidator, Field, model_validator

from approvals.connectors import templates
from approvals.connectors.declaring import Declared, Secret, Table, action_of
from approvals.connectors.hiding import Veil
from approvals.connectors.protocol import (
    Finding,
    Listed,
    NotReached,
    Order,
    Public,
    Receipt,
    RetryClass,
)
from console.canonical import FILE_LIMITS, Json, parse, sha256
from console.reaching.connecting import Unreached, left, pinned
from console.reaching.targets import Target, endpoint

# The client waits whole seconds, two of them at least, until a server lets it in.
_LOGIN_AT_LEAST = 2.0
_HOLE = re.compile(r"%\(([a-z][a-z0-9_]*)\)s")
_CHANGES = re.compile(r"\s*(insert|update|delete|merge|select|with)\s", re.IGNORECASE)
# Said while committing, these say that it was rolled back: data, constraint, conflict, raised.
_ROLLED_BACK = ("22", "23", "40", "42", "P0")
_COMPLETION_UNKNOWN = "40003"


def _statement(text: str) -> str:
    if not _CHANGES.match(text):
        raise ValueError("a statement begins with INSERT, UPDATE, DELETE, MERGE, SELECT or WITH")
    if ";" in text or "\x00" in text:
        raise ValueError("there is one statement, without a semicolon")
    if "%" in _HOLE.sub("", text).replace("%%", ""):
        raise ValueError("values are named %(so)s, and any other % is doubled")
    return text


def _values(value: dict[str, str]) -> dict[str, str]:
    if problem := templates.objection_to(dict(value)):
        raise ValueError(problem)
    return value


class Action(Table):
    """One statement and where its values are found; `rows` is how many it must change."""

    statement: Annotated[str, AfterValidator(_statement)]
    values: Annotated[dict[str, str], AfterValidator(_values)] = Field({})
    rows: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _names_every_value(self) -> "Action":
        asked = set(_HOLE.findall(self.statement))
        if asked != set(self.values):
            odd = ", ".join(sorted(asked ^ set(self.values)))
            raise ValueError(f"values: the statement and its values do not name the same: {odd}")
        return self


class Settings(Declared):
    """What is declared of a connector of kind `sql`."""

    can_keep: ClassVar[frozenset[RetryClass]] = frozenset({"keyed", "queryable"})

    kind: Literal["sql"]
    host: str
    port: int = Field(5432, ge=1, le=65_535)
    database: str = Field(min_length=1)
    user: str = Field(min_length=1)
    password: Secret | None = None
    tls: bool = True
    table: Annotated[str, Field(pattern=r"^([a-z_][a-z0-9_]*\.)?[a-z_][a-z0-9_]*$")] = (
        "countersign_effect"
    )
    actions: dict[str, Action] = Field(min_length=1)

    @property
    def is_socket(self) -> bool:
        """Tell whether the server is reached through a socket of this machine."""
        return self.host.startswith("/")

    @model_validator(mode="after")
    def _is_verified(self) -> "Settings":
        if self.tls and not self.is_socket and not self.ca_file:
            raise ValueError("ca_file: names the certificate of whoever signed the server's own")
        return self


class Sql:
    """One database of somebody else."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Take the settings. Raises: BadTarget."""
        self._settings, self._veil = settings, settings.veil()
        self._table = sql.Identifier(*settings.table.split("."))
        self._target = _target(settings)
        place = settings.host if self._target is None else self._target.host
        self._public = settings.public(
            name,
            f"postgresql://{place}:{settings.port}/{settings.database}",
            actions=tuple(sorted(settings.actions)),
            can_ask=True,
            can_list=True,
            extra={"table": settings.table},
        )

    @property
    def public(self) -> Public:
        """Return what everybody may know."""
        return self._public

    def build(self, order: Order) -> bytes:
        """Return statement and values as JSON."""
        action = action_of(order, self._settings.actions, self._public.name)
        values = templates.values_of(order)
        said: dict[str, Json] = {
            "action": order.action,
            "at": templates.moment(order),
            "key": order.key,
            "rows": action.rows,
            "sql": action.statement,
            # What may be absent, and is, is NULL.
            "values": {name: templates.fill(each, values) for name, each in action.values.items()},
        }
        return templates.written(said)

    def reach(self, order: Order, until: float) -> "_Line":
        """Connect, with TLS, and log in."""
        return _Line(self._connect(until), self._table, self._veil)

    def ask(self, order: Order, body: bytes, until: float) -> Finding:
        """Look for the row of an order."""
        try:
            with self._connect(until) as their:
                return self._found(their, order.key, sha256(body))
        except (NotReached, psycopg.Error, TimeoutError) as error:
            return Finding("unclear", detail=self._veil.over(_first_line(error)))

    def listed(self, since: datetime, until: datetime, deadline: float) -> Iterator[Listed]:
        """Read the rows of a time."""
        query = sql.SQL("SELECT key, at FROM {} WHERE at >= %s AND at < %s ORDER BY at, key")
        try:
            with self._connect(deadline) as their, their.cursor(name="listed") as rows:
                rows.execute(query.format(self._table), [since, until])
                for key, at in rows:
                    yield Listed(str(key), str(key), at)
        except (psycopg.Error, TimeoutError) as error:
            raise NotReached(self._veil.over(_first_line(error))) from None

    def test(self, until: float) -> str:
        """Log in and look at the table of keys."""
        query = sql.SQL("SELECT has_table_privilege(%s, 'SELECT, INSERT')")
        try:
            with self._connect(until) as their:
                row = their.execute(query, [self._settings.table]).fetchone()
        except (psycopg.Error, TimeoutError) as error:
            raise NotReached(self._veil.over(_first_line(error))) from None
        if not row or not row[0]:
            raise NotReached(f"We may not read and write the table {self._settings.table}.")
        return f"{self._public.address} lets us in, and has the table {self._settings.table}."

    def _found(self, their: "_Timed", key: str, digest: str) -> Finding:
        # Whoever is still within the transaction holds this lock.
        free = their.execute("SELECT pg_try_advisory_xact_lock(%s)", [_number(key)]).fetchone()
        query = sql.SQL("SELECT request_digest, at FROM {} WHERE key = %s").format(self._table)
        row = their.execute(query, [key]).fetchone()
        if row is not None and row[0] != digest:
            return Finding("unclear", detail="The key is there, with another request.")
        if row is not None:
            return Finding("executed", key, f"Recorded at {row[1].isoformat()}.")
        if free is None or not free[0]:
            return Finding("unclear", detail="The transaction is still under way.")
        return Finding("absent", detail="There is no row with this key.")

    def _connect(self, until: float) -> "_Timed":
        failed = NotReached("There is no address.")
        for hostaddr in self._addresses(until):
            try:
                return _login(self._settings, hostaddr, until)
            except psycopg.Error as error:
                failed = NotReached(self._veil.over(_first_line(error)))
            except TimeoutError:
                raise NotReached("No connection in time.") from None
        raise failed

    def _addresses(self, until: float) -> list[str]:
        if self._target is None:
            return [""]
        try:
            return pinned(self._target, self._settings.reach(self._settings.port), until)
        except (Unreached, TimeoutError) as error:
            raise NotReached(str(error)) from None


class _Timed(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which every wait ends at the same moment."""

    until = math.inf

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        return super().wait(gen, interval, left(self.until))


class _Line:
    """A session that has logged in, and begins its transaction with the first order."""

    def __init__(self, their: _Timed, table: sql.Identifier, veil: Veil) -> None:
        self._their, self._table, self._veil = their, table, veil

    def send(self, body: bytes) -> Receipt:
        """Carry out the statement together with our row, and commit."""
        order = _object(parse(body, FILE_LIMITS))
        try:
            self._limit()
        except (psycopg.Error, TimeoutError) as error:
            return Receipt("refused", says=f"Nothing was sent: {self._told(error)}")
        try:
            if (known := self._mark(order, sha256(body))) is not None:
                return known
        except (psycopg.Error, TimeoutError) as error:
            # An earlier sending of this key may hold the row and commit yet.
            return Receipt("unknown", says=self._told(error))
        return self._carried_out(order)

    def close(self) -> None:
        """Hang up; what was not committed is rolled back."""
        self._their.close()

    def _limit(self) -> None:
        milliseconds = str(max(1, int(left(self._their.until) * 1_000)))
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            self._their.execute("SELECT set_config(%s, %s, true)", [name, milliseconds])

    def _mark(self, order: dict[str, Any], digest: str) -> Receipt | None:
        """Write our row; where it stands already, say what that means."""
        key = order["key"]
        self._their.execute("SELECT pg_advisory_xact_lock(%s)", [_number(key)])
        write = "INSERT INTO {} (key, request_digest, at) VALUES (%s, %s, clock_timestamp())"
        write += " ON CONFLICT (key) DO NOTHING"
        query = sql.SQL(write).format(self._table)
        if self._their.execute(query, [key, digest]).rowcount == 1:
            return None
        read = sql.SQL("SELECT request_digest FROM {} WHERE key = %s").format(self._table)
        row = self._their.execute(read, [key]).fetchone()
        if row is not None and row[0] == digest:
            return Receipt("acknowledged", key, says="This order was carried out before.")
        return Receipt("refused", says="This key is taken by another request.")

    def _carried_out(self, order: dict[str, Any]) -> Receipt:
        values = {name: _adapted(value) for name, value in order["values"].items()}
        try:
            cursor = self._their.execute(order["sql"], values)
            reference = _reference(cursor) or order["key"]
        except (psycopg.Error, TimeoutError) as error:
            return self._failed(error, is_certain=getattr(error, "sqlstate", None) is not None)
        if problem := _wrong_count(cursor.rowcount, order["rows"]):
            return Receipt("refused", says=problem)
        return self._commit(self._veil.reference(reference))

    def _commit(self, reference: str) -> Receipt:
        try:
            # A transaction that failed is ended by COMMIT without an error, as ROLLBACK.
            said = self._their.execute("COMMIT").statusmessage
        except (psycopg.Error, TimeoutError) as error:
            return self._failed(error, is_certain=_says_rolled_back(error))
        if said != "COMMIT":
            return Receipt("refused", says=f"The server answered {said}.")
        return Receipt("acknowledged", reference, says="Committed.")

    def _failed(self, error: Exception, *, is_certain: bool) -> Receipt:
        return Receipt("refused" if is_certain else "unknown", says=self._told(error))

    def _told(self, error: Exception) -> str:
        return self._veil.over(_first_line(error))


def _target(settings: Settings) -> Target | None:
    if settings.is_socket:
        return None
    return endpoint(settings.host, settings.port, settings.reach(settings.port), tls=settings.tls)


def _login(settings: Settings, hostaddr: str, until: float) -> _Timed:
    seconds = left(until)
    if seconds < _LOGIN_AT_LEAST:
        raise TimeoutError
    # Everything that the environment could say otherwise (PGSSLMODE, PGOPTIONS, ~/.pgpass).
    network = _network(settings, hostaddr)
    their = _Timed.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.database,
        user=settings.user,
        password=settings.password.get_secret_value() if settings.password else "",
        passfile="/dev/null",
        service=None,
        options="",
        application_name="countersign",
        client_encoding="UTF8",
        gssencmode="disable",
        target_session_attrs="any",
        connect_timeout=int(seconds),
        tcp_user_timeout=int(seconds * 1_000),
        prepare_threshold=None,
        **network,
    )
    their.until = until
    return their


def _network(settings: Settings, hostaddr: str) -> dict[str, Any]:
    if not hostaddr:
        return {"hostaddr": "", "sslmode": "disable"}
    if not settings.tls:
        return {"hostaddr": hostaddr, "sslmode": "disable"}
    return {
        "hostaddr": hostaddr,
        "sslmode": "verify-full",
        "sslrootcert": settings.ca_file,
        "sslcert": "",
        "sslkey": "",
    }


def _reference(cursor: psycopg.Cursor[tuple[Any, ...]]) -> str:
    if cursor.description is None:
        return ""
    row = cursor.fetchone()
    return "" if row is None or row[0] is None else str(row[0])


def _wrong_count(changed: int, wanted: int | None) -> str:
    if changed == wanted or (wanted is None and changed > 0):
        return ""
    return f"Rolled back: the statement changed {changed} rows, {wanted or 'some'} were wanted."


def _says_rolled_back(error: Exception) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith(_ROLLED_BACK) and state != _COMPLETION_UNKNOWN


def _first_line(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "No answer in time."
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _adapted(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict | list) else value


def _number(key: str) -> int:
    """Return a key as the number of a lock; what it takes of it is enough to tell keys apart."""
    return int(sha256(key.encode())[:15], 16)


def _object(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = value
    return found
