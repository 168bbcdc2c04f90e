"""PostgreSQL, told in which workspace we work before it is asked anything.

The setting belongs to the session, so it costs a round trip only where it changes. What was set in
a transaction goes with that transaction's rollback, and is then set again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from console import tenancy

SETTING = "countersign.workspace"
_SET = "SELECT set_config('countersign.workspace', %s, false)"
# A name no workspace has: nobody knows what the session holds.
_UNKNOWN = "?"


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that carries the workspace."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Begin with a session that nobody has told anything."""
        super().__init__(*args, **options)
        self._carried = tenancy.NOWHERE
        self._may_be_undone = False
        self._is_switching = False

    @property
    def pool(self) -> Any:
        """Return the pool, whose connections come back from others without their workspace."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if isinstance(options, dict):
            options.setdefault("reset", _forget)
        return super().pool

    def connect(self) -> None:
        """Connect; what Django itself asks on the way is about no workspace."""
        with self._switching():
            super().connect()

    def set_autocommit(self, autocommit: bool, *args: Any, **options: Any) -> None:  # noqa: FBT001  (Django's own signature)
        """Begin or end to gather statements; between two transactions nothing may be asked."""
        if not autocommit:
            self.ensure_connection()
        with self._switching():
            super().set_autocommit(autocommit, *args, **options)

    @contextmanager
    def _switching(self) -> Iterator[None]:
        before, self._is_switching = self._is_switching, True
        try:
            yield
        finally:
            self._is_switching = before

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a session that was told nothing yet."""
        self._carried, self._may_be_undone = tenancy.NOWHERE, False
        return super().get_new_connection(conn_params)

    def ensure_connection(self) -> None:
        """Connect if need be, and say where we work: every statement comes through here first."""
        super().ensure_connection()
        wanted = tenancy.current()
        if wanted != self._carried and not self._is_switching:
            self._carry(wanted)

    def _carry(self, wanted: str) -> None:
        connection: psycopg.Connection[Any] = self.connection
        if connection.closed or connection.info.transaction_status == TransactionStatus.INERROR:
            # Nothing can be asked here before the rollback, and after it we are asked again.
            return
        with self.wrap_database_errors:
            psycopg.Cursor(connection).execute(_SET, [wanted], prepare=True)
        self._carried = wanted
        self._may_be_undone = connection.info.transaction_status != TransactionStatus.IDLE

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._may_be_undone = False

    def _rollback(self) -> None:
        super()._rollback()  # type: ignore[misc]
        self._doubt()

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc]
        self._doubt()

    def _doubt(self) -> None:
        if self._may_be_undone:
            self._carried = _UNKNOWN


def _forget(connection: psycopg.Connection[Any]) -> None:
    """Let a session forget whose it was, in the pool's own thread."""
    connection.execute(f"RESET {SETTING}")
    if not connection.autocommit:
        connection.commit()
