"""How long does a migration keep everybody off the tables that it changes?

Django works out each statement when its turn comes, for seconds in all, with the locks of those
before it held meanwhile. Here all are worked out first; then the tables are taken together, and
whoever works there goes first when that takes long: no request waits for us while we wait for it.
"""

import time
from typing import Any, ClassVar

from django.db import OperationalError, migrations, transaction

# At first shorter than PostgreSQL's deadlock_timeout, so that we give way and no request is broken
# off; each time longer, because beside much traffic no short moment would ever come.
TRIES, FIRST_WAIT, LONGER, LONGEST_WAIT, PAUSE_SECONDS = 40, 300, 1.12, 3_000, 0.3
# As long as whatever else waits for a lock; see SESSION_SETTINGS.
AFTERWARDS = "3s"


class AtOnce(migrations.Migration):
    """A migration of operations that are nothing but SQL, whose statements run at once.

    Locks: `changes`, until its transaction ends: milliseconds where those tables are small.
    Raises: OperationalError when they could not be had in a minute; nothing is done then.
    """

    changes: ClassVar[tuple[str, ...]] = ()

    def apply(self, project_state: Any, schema_editor: Any, collect_sql: bool = False) -> Any:  # noqa: FBT001, FBT002  (Django's own signature)
        """Word every statement, then run them."""
        if collect_sql:
            return super().apply(project_state, schema_editor, collect_sql)
        draft = type(schema_editor)(schema_editor.connection, collect_sql=True, atomic=False)
        with draft:
            state = super().apply(project_state, draft, collect_sql=True)
        self._take(schema_editor)
        for statement in draft.collected_sql:
            if not statement.startswith("--"):
                schema_editor.execute(statement, params=None)
        return state

    def _take(self, schema_editor: Any) -> None:
        """Lock the tables; those that were had are given back before the next try."""
        if not self.changes:
            return
        for number in range(TRIES):
            try:
                with transaction.atomic(schema_editor.connection.alias):
                    schema_editor.execute(f"SET LOCAL lock_timeout = {_wait(number)}")
                    schema_editor.execute(f"LOCK TABLE {', '.join(self.changes)}")
                    schema_editor.execute(f"SET LOCAL lock_timeout = '{AFTERWARDS}'")
            except OperationalError:
                if number == TRIES - 1:
                    raise
                time.sleep(PAUSE_SECONDS)
            else:
                return


def _wait(number: int) -> int:
    """Return for how many milliseconds a table is waited for at this try."""
    return int(min(FIRST_WAIT * LONGER**number, LONGEST_WAIT))
