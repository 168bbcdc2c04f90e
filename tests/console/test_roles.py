"""Roles: each process may do what its work needs, with the rows of the workspace it works in."""

from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from channels.db import database_sync_to_async
from django.apps import apps
from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client

from console import tenancy
from console.access.queries import token_for
from console.database.base import DatabaseWrapper
from console.database.privileges import (
    AUDITOR,
    EVERYBODYS,
    FORMER,
    SENDER,
    TABLES,
    WEB,
    WORKER,
    WORKSPACE,
    privileges,
)
from console.database.roles import ROLES, grant_roles
from tests.agents import programs
from tests.console.test_tenants import ROUTES, World, address
from tests.house import House, now
from tests.roles import acting_as, ask

pytestmark = pytest.mark.django_db
STAYING = sorted(name for name, table in TABLES.items() if table.stays)
PROCESSES = (WEB, WORKER, SENDER)
_COUNT = "SELECT count(*) FROM {}"
_DISTINCT = "SELECT DISTINCT {} FROM {}"
HERE = "SELECT coalesce(current_setting('countersign.workspace', true), '')"


def refused() -> Any:
    """Expect the database to refuse because of the role."""
    return pytest.raises(
        DatabaseError, match=r"permission denied|must be owner|row-level security policy"
    )


def models() -> dict[str, Any]:
    """Return every model by its table."""
    known = apps.get_models(include_auto_created=True)
    return {model._meta.db_table: model for model in known}


class TestTheTable:
    """What is decided about each table."""

    def test_has_a_line_for_every_table_and_for_no_other(self) -> None:
        there = ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert {str(name) for (name,) in there} == TABLES.keys()
        assert models().keys() <= TABLES.keys()

    def test_lets_no_table_of_a_workspace_be_everybodys(self) -> None:
        for name, model in models().items():
            columns = {field.column for field in model._meta.local_concrete_fields}
            assert (TABLES[name].rows == WORKSPACE) is (WORKSPACE in columns), name

    def test_names_only_columns_that_exist(self) -> None:
        for name, table in TABLES.items():
            if name in models():
                columns = {f.column for f in models()[name]._meta.local_concrete_fields}
                for words in (table.web, table.worker, table.sender, table.auditor):
                    named = [p.partition("(")[2].rstrip(")") for p in privileges(words)]
                    assert {c.strip() for c in ",".join(named).split(",")} - {""} <= columns, name

    def test_is_what_the_database_grants(self) -> None:
        for name, table in TABLES.items():
            for role, words in zip(PROCESSES, (table.web, table.worker, table.sender), strict=True):
                held = {p for p in ("SELECT", "INSERT", "UPDATE", "DELETE") if _may(role, p, name)}
                assert held == {p for p in privileges(words) if "(" not in p}, (role, name)
            for verb in ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"):
                assert not _may(AUDITOR, verb, name), name

    @pytest.mark.parametrize(
        ("table", "who"),
        [
            *((f"approvals_{row}", {WEB}) for row in ("decision", "signature", "comment")),
            *((f"approvals_{row}", {WEB}) for row in ("resolution", "breakglass")),
            ("access_stepup", {WEB}),
            ("access_apitoken", {WEB}),
            ("django_session", {WEB}),
            ("access_membership", set()),
            ("access_user", set()),
            # What is brought in from elsewhere comes in through the web, and nothing else of it.
            ("agents_step", {WEB, WORKER}),
            ("approvals_attempt", {SENDER}),
            ("approvals_connector", {SENDER}),
        ],
    )
    def test_says_who_alone_adds(self, table: str, who: set[str]) -> None:
        assert {role for role in ROLES if _may(role, "INSERT", table)} == who

    def test_is_granted_twice_without_a_change(self) -> None:
        policies = "SELECT oid, polname, polrelid FROM pg_policy ORDER BY oid"
        before = ask(policies)
        grant_roles()
        assert ask(policies) == before


def _may(role: str, verb: str, table: str) -> bool:
    return bool(
        ask("SELECT has_table_privilege(%s, %s, %s)", role, f'public."{table}"', verb)[0][0]
    )


class TestStaying:
    """What stays is changed by nobody, whatever the code says."""

    @pytest.mark.parametrize("role", [*ROLES, FORMER])
    def test_is_refused_to_every_role(self, role: str) -> None:
        for table in STAYING:
            first = models()[table]._meta.local_concrete_fields[0].column
            for statement in (
                f"UPDATE {table} SET {first} = {first}",  # noqa: S608
                f"DELETE FROM {table}",  # noqa: S608
                f"TRUNCATE {table} CASCADE",
                f"ALTER TABLE {table} DISABLE TRIGGER ALL",
                f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
                f"DROP TABLE {table}",
            ):
                with refused(), acting_as(role):
                    ask(statement)

    @pytest.mark.parametrize("role", [*ROLES, FORMER])
    @pytest.mark.parametrize(
        "statement",
        [
            "SET session_replication_role = replica",
            "DROP TRIGGER an_execution_has_its_decisions ON approvals_execution",
            "CREATE OR REPLACE FUNCTION why_not_executed(e approvals_execution) RETURNS text"
            " LANGUAGE sql AS 'SELECT NULL::text'",
            "CREATE TABLE mine (id int)",
            "ALTER TABLE approvals_decision DROP CONSTRAINT one_decision_per_person_per_revision",
            "DELETE FROM django_migrations",
            "SET ROLE countersign_web_of_others",
        ],
    )
    def test_promises_are_not_theirs_to_change(self, role: str, statement: str) -> None:
        with (
            pytest.raises(DatabaseError, match=r"permission denied|must be owner|does not exist"),
            acting_as(role),
        ):
            ask(statement)

    @pytest.mark.parametrize("table", STAYING)
    def test_is_refused_even_to_the_owner(self, table: str) -> None:
        triggers = ask(
            "SELECT tgenabled, tgtype FROM pg_trigger"
            " WHERE tgrelid = %s::regclass AND tgfoid = 'refuse_to_change'::regproc",
            table,
        )
        # A is ENABLE ALWAYS; 8, 16 and 32 are the bits of DELETE, UPDATE and TRUNCATE.
        assert {enabled for enabled, _ in triggers} == {"A"}
        covered = 0
        for _, kind in triggers:
            covered |= kind
        assert covered & 56 == 56
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            ask(f"TRUNCATE {table} CASCADE")

    def test_is_every_table_that_only_grows(self) -> None:
        guarded = ask(
            "SELECT tgrelid::regclass::text FROM pg_trigger"
            " WHERE tgfoid = 'refuse_to_change'::regproc"
            " GROUP BY 1 HAVING bit_or(tgtype::int) & 56 = 56"
        )
        # Executions and the like change by rules of their own, and are never removed.
        assert set(STAYING) == {str(name) for (name,) in guarded}


class TestRows:
    """Which rows a role sees, whatever its query forgot."""

    def test_every_table_of_a_workspace_is_guarded_against_its_owner_too(self) -> None:
        flags = dict(
            ask(
                "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
                " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            )
        )
        for name, table in TABLES.items():
            assert flags[name] is (table.rows != EVERYBODYS), name

    def test_the_web_sees_one_workspace_or_none(self, house: House, elsewhere: House) -> None:
        for table, column in (
            *(("access_workspace", "id"), ("access_membership", WORKSPACE)),
            *(("snapshots_state", WORKSPACE), ("ledger_entry", WORKSPACE)),
        ):
            query = _DISTINCT.format(column, table)
            with acting_as(WEB, house.workspace.id):
                assert ask(query) == [(house.workspace.id,)], table
            with acting_as(WEB):
                assert ask(query) == [], table

    @pytest.mark.parametrize("role", [WORKER, SENDER])
    def test_workers_see_all_or_the_one_they_work_in(
        self, house: House, elsewhere: House, role: str
    ) -> None:
        query = "SELECT DISTINCT workspace_id FROM snapshots_state"
        both = {house.workspace.id, elsewhere.workspace.id}
        with acting_as(role):
            assert {found for (found,) in ask(query)} == both
        with acting_as(role, house.workspace.id):
            assert ask(query) == [(house.workspace.id,)]

    @pytest.mark.parametrize("role", [AUDITOR, FORMER])
    def test_the_auditor_and_the_former_role_see_all(
        self, house: House, elsewhere: House, role: str
    ) -> None:
        with acting_as(role):
            assert len(ask("SELECT DISTINCT workspace_id FROM ledger_entry")) == 2

    def test_the_web_adds_nothing_elsewhere(self, house: House, elsewhere: House) -> None:
        add = (
            "INSERT INTO notices_preference"
            " (id, workspace_id, person_id, chosen, digest_hour, zone, changed_at)"
            " VALUES (%s, %s, %s, '{}', 7, 'UTC', now())"
        )
        person = house.people["ana"].id
        with acting_as(WEB, house.workspace.id):
            ask(add, uuid4(), house.workspace.id, person)
        with refused(), acting_as(WEB, house.workspace.id):
            ask(add, uuid4(), elsewhere.workspace.id, person)
        with refused(), acting_as(WEB):
            ask(add, uuid4(), house.workspace.id, person)

    def test_the_web_changes_nothing_elsewhere(self, house: House, elsewhere: House) -> None:
        rename = "UPDATE snapshots_state SET key = 'mine' WHERE id = %s RETURNING id"
        with acting_as(WEB, house.workspace.id):
            assert ask(rename, elsewhere.book.state_id) == []
        move = "UPDATE snapshots_state SET workspace_id = %s WHERE id = %s"
        with refused(), acting_as(WEB, house.workspace.id):
            ask(move, elsewhere.workspace.id, house.book.state_id)

    def test_the_web_observes_only_as_a_person(self, house: House) -> None:
        add = (
            "INSERT INTO approvals_observation SELECT (jsonb_populate_record("
            "NULL::approvals_observation, jsonb_build_object("
            "'id', %s::text, 'workspace_id', %s::text, 'source', 'inquiry'))).*"
        )
        with refused(), acting_as(WEB, house.workspace.id):
            ask(add, uuid4(), house.workspace.id)

    def test_an_index_can_be_searched_with_the_workspace(self, house: House) -> None:
        query = "SELECT * FROM approvals_proposal"
        with acting_as(WEB, house.workspace.id):
            plan = "\n".join(str(line) for (line,) in ask(f"EXPLAIN {query}"))
        assert "InitPlan" in plan
        assert "SubPlan" not in plan.replace("InitPlan", "")


class TestSecrets:
    """What people and programs prove themselves with is for whoever checks it."""

    @pytest.mark.parametrize("role", [WORKER, SENDER, AUDITOR])
    @pytest.mark.parametrize("secret", ["password FROM access_user", "data FROM mfa_authenticator"])
    def test_is_not_read_by_others(self, role: str, secret: str) -> None:
        with refused(), acting_as(role):
            ask(f"SELECT {secret}")

    @pytest.mark.parametrize("role", [WORKER, SENDER])
    @pytest.mark.parametrize("table", ["access_apitoken", "django_session"])
    def test_is_not_even_counted_by_workers(self, role: str, table: str) -> None:
        with refused(), acting_as(role):
            ask(_COUNT.format(table))

    @pytest.mark.parametrize("role", [WORKER, SENDER, AUDITOR])
    def test_questions_before_the_workspace_are_for_the_web(self, role: str) -> None:
        with refused(), acting_as(role):
            ask("SELECT * FROM workspaces_of_person(%s)", uuid4())


class TestCarrying:
    """The connection knows in which workspace we work."""

    def here(self) -> str:
        return str(ask(HERE)[0][0])

    def test_through_rollbacks(self) -> None:
        first, second = uuid4(), uuid4()
        with tenancy.within(first):
            assert self.here() == str(first)
            with transaction.atomic():
                sid = transaction.savepoint()
                with tenancy.within(second):
                    assert self.here() == str(second)
                    transaction.savepoint_rollback(sid)
                    assert self.here() == str(second)
                assert self.here() == str(first)
        assert self.here() == ""

    def test_through_a_failed_statement(self) -> None:
        first, second = uuid4(), uuid4()
        with tenancy.within(first):
            with suppress(DatabaseError), transaction.atomic():
                tenancy.enter(second)
                assert self.here() == str(second)
                ask("SELECT 1 / 0")
            assert self.here() == str(second)

    def test_is_not_a_query(self, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(1), tenancy.within(uuid4()):
            ask("SELECT 1")

    async def test_across_threads(self) -> None:
        workspace = uuid4()
        await database_sync_to_async(tenancy.enter)(workspace)
        assert tenancy.current() == str(workspace)
        assert await database_sync_to_async(self.here)() == str(workspace)

    def test_a_connection_comes_back_to_the_pool_without_it(self) -> None:
        plain: Any = settings.DATABASES["default"]["OPTIONS"]
        options = {
            **plain,
            "pool": {"min_size": 1, "max_size": 1},
        }
        known: Any = {**connection.settings_dict, "OPTIONS": options, "CONN_MAX_AGE": 0}
        pooled = DatabaseWrapper(known, alias="pooled")
        try:
            with tenancy.within(uuid4()), pooled.cursor() as cursor:
                cursor.execute(HERE)
                assert cursor.fetchone() == (tenancy.current(),)
            pooled.close()
            # Asked beneath us: nothing is told to the session, so it says what it still knows.
            with pooled.pool.connection() as raw:
                assert raw.execute(HERE).fetchone() == ("",)
        finally:
            pooled.close()
            pooled.close_pool()

    def test_a_request_begins_nowhere(self) -> None:
        tenancy.enter(uuid4())
        assert tenancy.begin_nowhere(lambda _request: tenancy.current())(None) == ""


class TestPages:
    """Every page and every answer of the API, as the role of the web process."""

    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture
    def requests_as(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Let requests be answered by the role that the list ends with."""
        plain, roles = BaseHandler.get_response, ["none"]

        def answer(self: BaseHandler, request: Any) -> Any:
            ask(f"SET ROLE {roles[-1]}")
            try:
                return plain(self, request)
            finally:
                ask("RESET ROLE")

        monkeypatch.setattr(BaseHandler, "get_response", answer)
        return roles

    def test_show_their_own_and_nothing_else(self, requests_as: list[str], client: Client) -> None:
        programs.register()
        mine, theirs = World.build("alpha"), World.build("omega")
        client.force_login(mine.person, settings.AUTHENTICATION_BACKENDS[1])
        shown: set[str] = set()
        for name, needed in ROUTES:
            here = address(name, mine.slug, needed, mine.ids)
            pages = []
            for role in ("none", WEB):
                requests_as.append(role)
                page = client.get(here)
                body = _body(page)
                said = {key for key, value in mine.ids.items() if str(value).encode() in body}
                pages.append((page.status_code, said))
            assert pages[0] == pages[1], name
            shown |= pages[1][1]
            foreign = client.get(address(name, theirs.slug, needed, theirs.ids))
            assert foreign.status_code in {404, 405}, name
        assert {"run_id", "job_id", "proposal_id", "state_id", "restoration_id"} <= shown

    def test_forgetting_the_workspace_shows_nothing_more(self) -> None:
        programs.register()
        mine, theirs = World.build("alpha"), World.build("omega")
        token = token_for(mine.secret, now())
        assert token is not None
        for table in ("agents_run", "agents_step", "approvals_proposal", "notices_webhook"):
            with acting_as(WEB, token.workspace_id):
                seen = ask(_COUNT.format(table))
            both = ask(_COUNT.format(table))
            assert 0 < seen[0][0] < both[0][0], table
        assert theirs.ids

    def test_answer_programs(self, requests_as: list[str], client: Client) -> None:
        requests_as.append(WEB)
        programs.register()
        mine, theirs = World.build("alpha"), World.build("omega")
        robot = {"Authorization": f"Bearer {mine.secret}"}
        for place in ("jobs", "proposals", "states", "agents", "restorations", "drift"):
            answer = client.get(f"/api/v1/{place}", headers=robot)
            assert answer.status_code == 200, place
            for value in theirs.ids.values():
                assert not (isinstance(value, UUID) and str(value).encode() in answer.content)
        assert client.get("/api/v1/jobs", headers=robot).json()["items"]


def _body(page: Any) -> bytes:
    return b"".join(page.streaming_content) if page.streaming else bytes(page.content)
