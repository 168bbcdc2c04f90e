"""What does writing leave behind: bytes in tables with all that belongs to them, bytes of WAL?

The write-ahead log counts everything that the server wrote meanwhile, so nobody else writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_TABLES = "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) AS name"
_LOG = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"


@dataclass(frozen=True, slots=True)
class Footprint:
    """Where tables and log stand."""

    tables: int
    log: int

    def since(self, earlier: "Footprint", versions: int) -> tuple[float, float]:
        """Return how many bytes of tables and of log each version has cost."""
        return (self.tables - earlier.tables) / versions, (self.log - earlier.log) / versions


def footprint(cursor: Any, tables: Sequence[str]) -> Footprint:
    """Return where these tables, their indexes and long values, and the log stand."""
    cursor.execute(_TABLES, [list(tables)])
    [size] = cursor.fetchone()
    cursor.execute(_LOG)
    [log] = cursor.fetchone()
    return Footprint(int(size), int(log))
