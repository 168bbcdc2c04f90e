"""How is a run of the benchmark told: as a table for a person, as JSON for a comparison?"""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.db import connection

from benchmarks.figures import Figure, Part

LESS_IS_BETTER = ("ms", "s", "bytes")
RESULTS = Path(__file__).parent / "results"
MEASURED = (
    *("django", "daphne", "celery", "channels", "psycopg", "orjson", "zstandard"),
    *("dbos", "langgraph-checkpoint-postgres", "jsonpatch", "deepdiff"),
)


def table(parts: Iterable[Part]) -> str:
    """Return every figure on one line, with its ratio and what it is the ratio to."""
    lines: list[str] = []
    for part in parts:
        lines += ["", part.name, "-" * len(part.name)]
        lines += [_line(figure) for figure in part.figures]
        lines += [f"  note: {remark}" for remark in part.remarks]
        lines += [f"  WRONG: {fault}" for fault in part.faults]
    return "\n".join(lines)


def write(parts: Sequence[Part], began: datetime, *, quick: bool) -> Path:
    """Keep everything that was measured, and on what; return the file."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{began:%Y-%m-%d-%H%M%S}.json"
    result = {
        "began_at": began.isoformat(),
        "quick": quick,
        "machine": _machine(),
        "parts": [_part(part) for part in parts],
    }
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def _line(figure: Figure) -> str:
    shown = f"{_number(figure.value)} {figure.unit}"
    spread = f"[{_number(min(figure.values))} .. {_number(max(figure.values))}]"
    return f"  {figure.name:<48} {shown:>16} {spread:>22}  {_told(figure)}".rstrip()


def _told(figure: Figure) -> str:
    told = _compared(figure)
    if not figure.is_promised:
        return told
    return f"{told}  ({_promised(figure)}: {'kept' if figure.is_kept else 'MISSED'})".lstrip()


def _compared(figure: Figure) -> str:
    if figure.against is None or figure.ratio is None:
        return ""
    against = figure.against.called or figure.against.name
    if figure.ratio < 1 and figure.unit in LESS_IS_BETTER:
        return f"{1 / figure.ratio:.2f} times less than {against}"
    return f"{figure.ratio:.2f} x {against}"


def _promised(figure: Figure) -> str:
    promises = {
        "at least {:g}": figure.at_least,
        "at most {:g}": figure.at_most,
        "at least {:g} times less": figure.less_by,
        f"at most {{:g}} {figure.unit}": figure.within,
    }
    kept = [text.format(value) for text, value in promises.items() if value is not None]
    return " and ".join(kept)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _part(part: Part) -> dict[str, Any]:
    figures = [figure.to_json() for figure in part.figures]
    return {
        "name": part.name,
        "figures": figures,
        "remarks": part.remarks,
        "faults": part.faults,
    }


def _machine() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        server = cursor.fetchone()[0]
    return {
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "postgresql": server,
        "packages": {name: version(name) for name in MEASURED},
    }
