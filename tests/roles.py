"""Work in the test database as one of the roles that the processes have."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from console import tenancy
from console.database.privileges import FORMER
from console.database.roles import grant_roles


@contextmanager
def acting_as(role: str, workspace_id: UUID | None = None) -> Iterator[None]:
    """Be this role for a while, in a workspace or in none; roll back what fails."""
    where = tenancy.within(workspace_id) if workspace_id else nullcontext()
    if workspace_id is None:
        tenancy.leave()
    with where, transaction.atomic():
        ask(f'SET LOCAL ROLE "{role}"')
        yield
        ask("RESET ROLE")


def be(role: str) -> None:
    """Be this role until the transaction of the test is over."""
    ask(f'SET LOCAL ROLE "{role}"')


def make_all() -> None:
    """Make and grant the roles, with the one of before beside them, as during an upgrade."""
    ask(
        f"DO $$ BEGIN CREATE ROLE {FORMER} LOGIN;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    grant_roles()


def ask(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall()) if cursor.description else []
