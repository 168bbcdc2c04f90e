"""How does an evidence pack become paper?

The template lays out a value; what agents and people wrote is data to it, never markup. The same
value with the same time gives the same bytes on the same machine.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import typst
from django.conf import settings

from approvals.formats import visible
from approvals.formats.shown import in_a_line
from console.canonical import Json

TEMPLATE = Path("templates/approvals/evidence.typ")
# What the sealed bytes and statements say is in the JSON file; on paper nobody could read it.
_NOT_PRINTED = frozenset(
    {
        "sealed",
        "statement",
        "rendering",
        "assertion",
        "terms",
        "sources",
        "request",
        "request_base64",
    }
)


def printed(pack: dict[str, Json], shown: Json, *, made_at: datetime) -> bytes:
    """Return the PDF of a pack; `shown` is what its rendering says."""
    value = {**_legible(pack), "shown": _readable(shown)}
    return typst.compile(
        settings.BASE_DIR / TEMPLATE,
        root=settings.BASE_DIR / TEMPLATE.parent,
        sys_inputs={"pack": orjson.dumps(value).decode()},
        format="pdf",
        timestamp=int(made_at.timestamp()),
    )


def _readable(shown: Any) -> Any:
    return {name: _legible(value) for name, value in shown.items()}


def _legible(value: Any) -> Any:
    """Return a value in which every character that cannot be seen stands under its name."""
    if isinstance(value, str):
        return in_a_line(visible(value, keep="\n\t"))
    if isinstance(value, list):
        return [_legible(item) for item in value]
    if isinstance(value, dict):
        return {key: _legible(item) for key, item in value.items() if key not in _NOT_PRINTED}
    return value
