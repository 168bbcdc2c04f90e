"""A migration beside people at work … takes its tables together, and gives way while it cannot."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import psycopg
import pytest
from django.db import OperationalError, connection, migrations
from django.db.migrations.state import ProjectState

from console import migrating
from console.migrating import AtOnce

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


class Probe(AtOnce):
    """A migration of two tables."""

    changes = ("probe_a", "probe_b")
    operations: ClassVar[list[Any]] = [
        migrations.RunSQL(["ALTER TABLE probe_a ADD COLUMN word text DEFAULT '100%'"]),
        migrations.RunSQL(["ALTER TABLE probe_b ADD COLUMN word text"]),
    ]


@pytest.fixture(autouse=True)
def tables() -> Iterator[None]:
    run("CREATE TABLE probe_a (id int); CREATE TABLE probe_b (id int)")
    yield
    run("DROP TABLE probe_a; DROP TABLE probe_b")


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def migrate() -> None:
    with connection.schema_editor(atomic=True) as editor:
        Probe("probe", "console").apply(ProjectState(), editor)


def work(seconds: float, then: str) -> None:
    """Hold the second table as a request does, and ask for the first one later."""
    known = connection.settings_dict
    with psycopg.connect(host=known["HOST"], user=known["USER"], dbname=known["NAME"]) as session:
        session.execute("SELECT FROM probe_b")
        time.sleep(seconds)
        session.execute(then)


def columns() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE column_name = 'word' AND table_name LIKE 'probe%'"
        )
        return {name for (name,) in cursor.fetchall()}


def test_lets_whoever_works_go_first() -> None:
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work, 1.5, "SELECT FROM probe_a")
        time.sleep(0.3)
        migrate()
        # Neither is broken off: that is what a deadlock would do to one of them.
        working.result(timeout=20)
    assert columns() == {"probe_a", "probe_b"}


def test_does_nothing_when_the_tables_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "TRIES", 2)
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work, 3.0, "SELECT 1")
        time.sleep(0.3)
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate()
        working.result(timeout=20)
    assert columns() == set()


def test_can_be_shown_without_being_run() -> None:
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        Probe("probe", "console").apply(ProjectState(), editor, collect_sql=True)
    assert any("ADD COLUMN word" in statement for statement in editor.collected_sql)
    assert columns() == set()
