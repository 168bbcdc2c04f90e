"""SQL: one statement and our key, together or not at all, whatever happens to the line."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from django.conf import settings as django_settings
from psycopg import sql

from approvals.connectors.hiding import Veil
from approvals.connectors.protocol import CannotBuild, Connector, NotReached, Order
from approvals.connectors.sql import _Line
from console.canonical import sha256
from tests.approvals.connectors.servers import KEY, NOON, certificate, loaded, order, sent, soon

OTHER = "f" * 32
DDL = """
CREATE TABLE countersign_effect (
    key text PRIMARY KEY, request_digest text NOT NULL, at timestamptz NOT NULL
);
CREATE TABLE entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, vendor text, amount numeric NOT NULL,
    details jsonb, CONSTRAINT amounts_are_positive CHECK (amount > 0)
);
CREATE TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
"""
TEXT = """
[books]
kind = "sql"
retry_class = "keyed"
retention_seconds = 86400
host = "HOST"
port = PORT
database = "DATABASE"
user = "USER"
tls = false
networks = ["127.0.0.0/8"]
[books.actions.send_payment]
statement = '''
INSERT INTO entry (vendor, amount, details) VALUES (%(vendor)s, %(amount)s, %(details)s)
RETURNING id'''
[books.actions.send_payment.values]
vendor = "{{/vendor_name}}"
amount = "{{/amount}}"
details = "{{/details?}}"
[books.actions.nobody]
statement = "UPDATE entry SET amount = 1 WHERE vendor = %(vendor)s"
values = { vendor = "nobody at all" }
[books.actions.twice]
statement = "INSERT INTO late VALUES (1), (1)"
rows = 2
[books.actions.wait]
statement = "SELECT pg_sleep(20)"
"""


@pytest.fixture(scope="module")
def server() -> dict[str, Any]:
    """Where the PostgreSQL of the tests is."""
    parts = urlsplit(django_settings.DATABASE_URL)
    folder = parse_qs(parts.query).get("host", [""])[0]
    return {
        "host": folder or parts.hostname,
        "port": parts.port or 5432,
        "user": parts.username,
        "password": parts.password,
    }


@pytest.fixture(scope="module")
def database(server: dict[str, Any], worker_id: str) -> Iterator[str]:
    """A database of somebody else."""
    name = f"their_books_{worker_id}"
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as owner:
        owner.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with psycopg.connect(**server, dbname=name) as theirs:
            theirs.execute(DDL)
        yield name
        owner.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


@pytest.fixture
def theirs(server: dict[str, Any], database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**server, dbname=database, autocommit=True) as found:
        found.execute("TRUNCATE countersign_effect, entry, late")
        yield found


def connected(folder: Path, server: dict[str, Any], database: str, **other: Any) -> Connector:
    text = TEXT
    for name, value in {**server, "database": database, **other}.items():
        text = text.replace(f'"{name.upper()}"', f'"{value}"')
    text = text.replace("PORT", str(other.get("port", server["port"])))
    if server["password"]:
        text = text.replace("tls = false", 'tls = false\npassword = "env:PASSWORD"')
    return loaded(folder, text, PASSWORD=server["password"] or "")


@pytest.fixture
def books(
    tmp_path: Path, server: dict[str, Any], database: str, theirs: psycopg.Connection[Any]
) -> Connector:
    return connected(tmp_path, server, database)


def rows(theirs: psycopg.Connection[Any], table: str = "entry") -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    [(count,)] = theirs.execute(query).fetchall()
    return int(count)


def test_effect_and_key_are_there_together(
    books: Connector, theirs: psycopg.Connection[Any]
) -> None:
    found = sent(books, order(details={"a": [1, None]}))
    assert found.outcome == "acknowledged"
    [(id_, vendor, amount, details)] = theirs.execute("SELECT * FROM entry").fetchall()
    assert (vendor, str(amount), details) == ("Nordlicht GmbH", "48200.00", {"a": [1, None]})
    assert found.reference == str(id_)
    [(key, digest, _)] = theirs.execute("SELECT * FROM countersign_effect").fetchall()
    built = books.build(order(details={"a": [1, None]}))
    assert (key, digest) == (KEY, sha256(built))


def test_an_optional_value_that_is_absent_is_null(
    books: Connector, theirs: psycopg.Connection[Any]
) -> None:
    assert sent(books, order()).outcome == "acknowledged"
    assert theirs.execute("SELECT details FROM entry").fetchall() == [(None,)]
    with pytest.raises(CannotBuild, match="/amount"):
        books.build(Order(KEY, "send_payment", {"vendor_name": "x"}, NOON))


def test_the_same_key_again_does_nothing_more_and_another_order_is_refused(
    books: Connector, theirs: psycopg.Connection[Any]
) -> None:
    what = order()
    assert sent(books, what).outcome == "acknowledged"
    again = sent(books, what)
    assert (again.outcome, again.reference, rows(theirs)) == ("acknowledged", KEY, 1)
    other = sent(books, order(amount="48200.01"))
    assert (other.outcome, rows(theirs)) == ("refused", 1)
    assert "another request" in other.says


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (order(amount="-1"), "amounts_are_positive"),
        (order(amount="1; DROP TABLE entry"), "invalid input syntax"),
        (Order(KEY, "nobody", {}, NOON), "changed 0 rows"),
        # Found out only while committing.
        (Order(KEY, "twice", {}, NOON), "late_id_key"),
    ],
)
def test_what_the_server_rolled_back_is_refused(
    books: Connector, theirs: psycopg.Connection[Any], what: Order, says: str
) -> None:
    found = sent(books, what)
    assert found.outcome == "refused"
    assert says in found.says
    assert (rows(theirs), rows(theirs, "late"), rows(theirs, "countersign_effect")) == (0, 0, 0)
    assert books.ask(what, books.build(what), soon()).says == "absent"


def test_a_commit_that_the_server_calls_a_rollback_is_refused() -> None:
    their = mock.Mock()
    their.execute.return_value.statusmessage = "ROLLBACK"
    found = _Line(their, sql.Identifier("t"), Veil())._commit("17")
    assert (found.outcome, found.says) == ("refused", "The server answered ROLLBACK.")


def test_a_value_stays_a_value(books: Connector, theirs: psycopg.Connection[Any]) -> None:
    names = ["'); DROP TABLE entry; --", "%s %(amount)s %%", "{{key}}", "\\'", '"', "ä\U0001f600"]
    for place, name in enumerate(names):
        what = order(key=f"{place:032x}", vendor_name=name)
        assert sent(books, what).outcome == "acknowledged"
    found = theirs.execute("SELECT vendor FROM entry ORDER BY id").fetchall()
    assert [name for (name,) in found] == names


def test_a_statement_that_takes_too_long_is_ended(
    books: Connector, theirs: psycopg.Connection[Any]
) -> None:
    began = time.monotonic()
    found = sent(books, Order(KEY, "wait", {}, NOON), seconds=2.5)
    assert time.monotonic() - began < 4
    assert found.outcome in {"refused", "unknown"}
    time.sleep(0.3)
    assert rows(theirs, "countersign_effect") == 0


def test_a_key_that_is_under_way_is_neither_absent_nor_refused(
    books: Connector, server: dict[str, Any], database: str
) -> None:
    what = order()
    earlier = books.reach(what, soon(10))
    # As if the first sending stood still within its transaction.
    earlier._mark({"key": KEY}, "digest")  # type: ignore[attr-defined]
    assert books.ask(what, b"", soon()).detail == "The transaction is still under way."
    assert sent(books, what, seconds=2.5).outcome == "unknown"
    earlier.close()
    time.sleep(0.2)
    assert books.ask(what, b"", soon()).says == "absent"
    assert sent(books, what).outcome == "acknowledged"


def test_asked_and_listed_it_says_what_it_has(books: Connector) -> None:
    what = order()
    assert books.ask(what, books.build(what), soon()).says == "absent"
    sent(books, what)
    found = books.ask(what, books.build(what), soon())
    assert (found.says, found.reference) == ("executed", KEY)
    assert books.ask(what, b"another", soon()).says == "unclear"
    sent(books, order(key=OTHER, details=None))
    [first, second] = books.listed(NOON, NOON.replace(year=2100), soon())
    assert (first.key, second.key) == (KEY, OTHER)
    assert list(books.listed(NOON.replace(year=2099), NOON.replace(year=2100), soon())) == []


def test_testing_logs_in_and_looks_at_the_table(
    books: Connector, tmp_path: Path, server: dict[str, Any]
) -> None:
    assert "lets us in, and has the table" in books.test(soon())
    without = connected(tmp_path, server, "postgres")
    with pytest.raises(NotReached, match="countersign_effect"):
        without.test(soon())
    with pytest.raises(NotReached, match="does not exist"):
        connected(tmp_path, server, "nowhere").reach(order(), soon())


def test_a_server_that_is_not_there_or_says_nothing_is_not_reached(
    tmp_path: Path, server: dict[str, Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        connector = connected(tmp_path, server, "books", host="127.0.0.1", port=port)
        began = time.monotonic()
        with pytest.raises(NotReached):
            connector.reach(order(), soon(2.2))
        assert time.monotonic() - began < 4
    with pytest.raises(NotReached):
        connector.reach(order(), soon())
    assert connector.ask(order(), b"", soon()).says == "unclear"


def test_a_deadline_that_is_over_sends_nothing(
    books: Connector, theirs: psycopg.Connection[Any]
) -> None:
    line = books.reach(order(), soon(2.1))
    time.sleep(2.2)
    found = line.send(books.build(order()))
    line.close()
    assert (found.outcome, rows(theirs)) == ("refused", 0)


@contextmanager
def cutting(unix: str, word: bytes, *, before: bool) -> Iterator[int]:
    """Stand between us and a server, and cut the line at a word: before it arrives, or after."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def lead() -> None:
            ours, _ = listener.accept()
            with ours, socket.socket(socket.AF_UNIX) as theirs_:
                theirs_.connect(unix)
                back = threading.Thread(target=copy, args=(theirs_, ours), daemon=True)
                back.start()
                while some := ours.recv(65_536):
                    if word in some:
                        if not before:
                            # What the server answers is not let through.
                            stopped.set()
                            theirs_.sendall(some)
                            time.sleep(0.3)
                        break
                    theirs_.sendall(some)
                theirs_.shutdown(socket.SHUT_RDWR)

        def copy(source: socket.socket, sink: socket.socket) -> None:
            with suppress(OSError):
                while some := source.recv(65_536):
                    if stopped.is_set():
                        return
                    sink.sendall(some)

        stopped = threading.Event()
        thread = threading.Thread(target=lead, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=5)


@pytest.mark.parametrize(("before", "executed"), [(True, False), (False, True)])
def test_a_line_that_is_cut_at_commit_is_unknown_and_can_be_asked(
    tmp_path: Path,
    server: dict[str, Any],
    database: str,
    books: Connector,
    before: bool,
    executed: bool,
) -> None:
    if not str(server["host"]).startswith("/"):
        pytest.skip("the server of the tests has no socket")
    unix = f"{server['host']}/.s.PGSQL.{server['port']}"
    what = order()
    with cutting(unix, b"COMMIT", before=before) as port:
        through = connected(tmp_path, server, database, host="127.0.0.1", port=port)
        assert sent(through, what).outcome == "unknown"
    time.sleep(0.2)
    found = books.ask(what, books.build(what), soon())
    assert found.says == ("executed" if executed else "absent")
    # Repeated with the same bytes, it is there once.
    assert sent(books, what).outcome == "acknowledged"


def test_the_environment_says_nothing_about_the_connection(
    books: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {
        "PGHOST": "127.0.0.1",
        "PGHOSTADDR": "127.0.0.1",
        "PGPORT": "9",
        "PGDATABASE": "nowhere",
        "PGUSER": "nobody",
        "PGOPTIONS": "-c statement_timeout=1",
        "PGSSLMODE": "require",
    }.items():
        monkeypatch.setenv(name, text)
    assert "lets us in" in books.test(soon())


@contextmanager
def secured(
    answer: bytes, context: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[bytes]]]:
    """Answer the wish for TLS, and keep what is said afterwards."""
    said: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def lead() -> None:
            with suppress(OSError):
                plain, _ = listener.accept()
                with plain:
                    plain.recv(8)
                    plain.sendall(answer)
                    if context is None:
                        said.append(plain.recv(1_000))
                        return
                    with context.wrap_socket(plain, server_side=True) as inside:
                        said.append(inside.recv(1_000))

        thread = threading.Thread(target=lead, daemon=True)
        thread.start()
        yield listener.getsockname()[1], said
        listener.close()
        thread.join(timeout=5)


def test_tls_is_always_verified(tmp_path: Path, server: dict[str, Any]) -> None:
    good, context = certificate(tmp_path)
    _, other = certificate(tmp_path, "other.example")
    for answer, speaks, is_heard in [
        (b"N", None, False),
        (b"S", other, False),
        (b"S", context, True),
    ]:
        with secured(answer, speaks) as (port, said):
            text = TEXT.replace("tls = false", f'ca_file = "{good}"').replace("PORT", str(port))
            connector = loaded(tmp_path, text.replace('"HOST"', '"127.0.0.1"'))
            with pytest.raises(NotReached):
                connector.reach(order(), soon(2.5))
        # The name of a user is told to nobody whose certificate is not right.
        assert any(b"USER" in each for each in said) == is_heard
