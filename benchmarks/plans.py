"""Is a list served by an index? The rows that PostgreSQL visits tell, whatever the plan is called.

Every SELECT that a page makes is run again under EXPLAIN ANALYZE, and the rows that its scans
touched are added up: an index that fits touches about as many as the page shows.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection

# The queue counts what waits up to a thousand; everything else needs a page of rows.
VISITED_AT_MOST = 2500
_EXPLAIN = "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "


@dataclass(frozen=True, slots=True)
class Asked:
    """One statement that was sent to the database."""

    sql: str
    params: Any


@contextmanager
def listening() -> Iterator[list[Asked]]:
    """Collect the statements that this thread sends meanwhile."""
    asked: list[Asked] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        asked.append(Asked(sql, params))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(note):
        yield asked


def objections(asked: list[Asked], at_most: int = VISITED_AT_MOST) -> list[str]:
    """Return what is said about statements that touched more rows than a list needs."""
    found = [(statement, visited(statement)) for statement in asked if _reads(statement)]
    return [
        f"{rows:,} rows visited by {_short(statement.sql)}"
        for statement, rows in found
        if rows > at_most
    ]


def visited(statement: Asked) -> int:
    """Return how many rows the scans of a statement touched."""
    with connection.cursor() as cursor:
        cursor.execute(_EXPLAIN + statement.sql, statement.params)
        told = cursor.fetchone()[0]
    [plan] = orjson.loads(told) if isinstance(told, str) else told
    return sum(map(_touched, _nodes(plan["Plan"])))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def _touched(node: dict[str, Any]) -> int:
    if "Scan" not in node["Node Type"] or node["Node Type"] == "Bitmap Index Scan":
        return 0
    removed = (value for name, value in node.items() if name.startswith("Rows Removed"))
    rows: float = (node["Actual Rows"] + sum(removed)) * node["Actual Loops"]
    return round(rows)


def _reads(statement: Asked) -> bool:
    return statement.sql.startswith("SELECT") and " FOR " not in statement.sql


def _short(sql: str) -> str:
    tables = re.findall(r'(?:FROM|JOIN) "(\w+)"', sql)
    _, _, condition = sql.partition(" WHERE ")
    return f"{', '.join(dict.fromkeys(tables))} WHERE {condition.replace(chr(34), '')[:240]}"
