"""Make the roles of the processes, and give each what its work needs: no more, and no other rows.

Run by the owner of the tables after every migration; twice is once. What the owner may, nobody else
may: a role that owns no table cannot switch a trigger off, cut a table off, or let a constraint go.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from django.db import OperationalError, connection, transaction

from console.database.base import SETTING
from console.database.privileges import (
    AUDITOR,
    EVERYBODYS,
    FORMER,
    ITSELF,
    SENDER,
    TABLES,
    WEB,
    WORKER,
    WORKSPACE,
    Table,
    of_role,
    privileges,
)

ROLES = (WEB, WORKER, SENDER, AUDITOR)
# A subquery, so that it is asked once per statement and an index can be searched with its answer.
HERE = f"(SELECT nullif(current_setting('{SETTING}', true), '')::uuid)"
# With the eyes of the owner; see console/access/migrations/0003.
FUNCTIONS = ("workspaces_of_person(uuid)", "token_with_digest(text)")
# How long a table is waited for, how often, and how long others go first in between.
WAITS, TRIES, PAUSE_SECONDS = "500ms", 20, 0.5
# The former role works on as it did until the last process of before is gone.
_FORMER_DOES = "read add change remove"
_FORMER_STAYS = "read add"


@dataclass(frozen=True, slots=True)
class Policy:
    """Which rows of a table some roles see and write."""

    table: str
    name: str
    roles: tuple[str, ...]
    sees: str
    adds: str
    command: str = "ALL"

    def statement(self) -> str:
        """Return the statement that makes it."""
        checked = f" WITH CHECK ({self.adds})" if self.command == "ALL" else ""
        names = ", ".join(f'"{role}"' for role in self.roles)
        return (
            f'CREATE POLICY {self.name} ON "{self.table}" FOR {self.command} '
            f"TO {names} USING ({self.sees}){checked}"
        )

    @property
    def digest(self) -> str:
        """Return what is noted beside it, so that it is made anew only where it changed."""
        return sha256(self.statement().encode()).hexdigest()


def grant_roles() -> None:
    """Make what is missing, and take what is too much.

    Locks: one table after the other, and only where its policies change; whoever works meanwhile
    waits for a moment, and neither waits for two. Time: some seconds beside much traffic.
    Raises: ProgrammingError for whoever does not own the tables or may not make roles;
    OperationalError when a table cannot be had.
    """
    former = make_roles()
    _protect(former=former)
    with transaction.atomic():
        _run(_grants(_existing(), former=former))


def make_roles() -> bool:
    """Make the roles that are missing; return whether the one of before is there."""
    known = _column("SELECT rolname FROM pg_roles WHERE rolname LIKE 'countersign%'")
    for role in ROLES:
        if role not in known:
            _run([_MAKE_ROLE.format(role=role)])
    return FORMER in known


# Roles belong to the whole server: another database of it may make them at this moment. Whoever
# makes one may become it, so that `verify --as-auditor` can; a superuser may anyway.
_MAKE_ROLE = """
    DO $$ BEGIN
        CREATE ROLE "{role}" LOGIN;
        IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            GRANT "{role}" TO current_user;
        END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
"""


def become(role: str) -> None:
    """Work as a role from here on: what it may not do, we cannot either."""
    _run([f'SET ROLE "{role}"'])


def _grants(existing: set[str], *, former: bool) -> Iterator[str]:
    everyone = ", ".join([*ROLES, *([FORMER] if former else [])])
    yield f"GRANT USAGE ON SCHEMA public TO {everyone}"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {everyone}"
    for name in sorted(existing & TABLES.keys()):
        for role, words in of_role(TABLES[name]).items():
            yield from _grant(name, role, words)
        if former:
            yield from _grant(name, FORMER, _of_former(name))
    for function in FUNCTIONS:
        yield f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC"
        yield f"GRANT EXECUTE ON FUNCTION {function} TO {WEB}{f', {FORMER}' if former else ''}"


def _of_former(name: str) -> str:
    if name == "django_migrations":
        return "read"
    return _FORMER_STAYS if TABLES[name].stays else _FORMER_DOES


def _grant(table: str, role: str, words: str) -> Iterator[str]:
    if words:
        yield f'GRANT {", ".join(privileges(words))} ON "{table}" TO {role}'


def policies_of(name: str, table: Table, *, owner: str, former: bool) -> list[Policy]:
    """Return who sees which rows of a table; none where the rows are everybody's."""
    if table.rows == EVERYBODYS:
        return []
    by_column = table.rows in (WORKSPACE, ITSELF)
    here = f"{table.rows} = {HERE}" if by_column else table.rows
    # Workers sweep through all workspaces, and work in one; of what only refers to a row of it,
    # they do not look the row up again for each.
    theirs = f"{HERE} IS NULL OR {here}" if by_column else "true"
    adds = f"({here}) AND {table.web_adds}" if table.web_adds else here
    everything = (owner, *([FORMER] if former else []))
    return [
        Policy(name, "web_sees_its_workspace", (WEB,), here, adds),
        Policy(name, "workers_see_theirs_or_all", (WORKER, SENDER), theirs, theirs),
        Policy(name, "auditor_reads_all", (AUDITOR,), "true", "", command="SELECT"),
        Policy(name, "owner_sees_all", everything, "true", "true"),
    ]


def _protect(*, former: bool) -> None:
    owner = _column("SELECT current_user")[0]
    made = _made()
    for name in sorted(_existing() & TABLES.keys()):
        wanted = policies_of(name, TABLES[name], owner=owner, former=former)
        there = made.get(name, {})
        if there != {policy.name: policy.digest for policy in wanted}:
            _patiently(_replaced(name, there, wanted))


def _patiently(statements: Iterator[str]) -> None:
    """Run statements about one table in a transaction of their own, as soon as it can be had."""
    whole = [f"SET LOCAL lock_timeout = '{WAITS}'", *statements]
    for left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                _run(whole)
        except OperationalError:
            # Everybody else waits behind us: after a short time they go first.
            if not left:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _replaced(table: str, there: dict[str, str], wanted: list[Policy]) -> Iterator[str]:
    for name in there:
        yield f'DROP POLICY "{name}" ON "{table}"'
    for policy in wanted:
        yield policy.statement()
        yield f"COMMENT ON POLICY {policy.name} ON \"{table}\" IS '{policy.digest}'"
    switch = ("ENABLE", "FORCE") if wanted else ("NO FORCE", "DISABLE")
    yield from (f'ALTER TABLE "{table}" {word} ROW LEVEL SECURITY' for word in switch)


def _made() -> dict[str, dict[str, str]]:
    """Return the policies that there are, by table and name, with what is noted beside them."""
    found: dict[str, dict[str, str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, p.polname, coalesce(obj_description(p.oid, 'pg_policy'), '')"
            " FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid"
            " WHERE c.relnamespace = 'public'::regnamespace"
        )
        for table, name, note in cursor.fetchall():
            found.setdefault(table, {})[name] = note
    return found


def _existing() -> set[str]:
    return set(_column("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))


def _column(query: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [value for (value,) in cursor.fetchall()]


def _run(statements: Iterator[str] | list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
