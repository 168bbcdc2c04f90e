"""Which connectors does an operator offer? Read from one TOML file, strictly.

A table is a connector and its name; `kind` says which of the files here reads the rest. Only the
sender process has the file and the secrets that it points to.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from approvals.connectors import fhir, http, pain001, smtp, sql, webhook
from approvals.connectors.declaring import Declared
from approvals.connectors.protocol import Connector
from console.reaching.targets import BadTarget

FILE_AT_MOST = 1_000_000
_ABOUT = re.compile(r"([a-z_]+(?:\.[\w-]+)*): ")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}", re.ASCII)
# By name and not as one type: what a kind's settings are, only that kind knows.
KINDS: Mapping[str, tuple[type[Declared], Callable[[str, Any], Connector]]] = {
    "http": (http.Settings, http.Http),
    "webhook": (webhook.Settings, webhook.Webhook),
    "sql": (sql.Settings, sql.Sql),
    "smtp": (smtp.Settings, smtp.Smtp),
    "fhir": (fhir.Settings, fhir.Fhir),
    "pain001": (pain001.Settings, pain001.Pain001),
}


class BadSettings(ValueError):
    """The settings of connectors cannot be used; the message names the table and the key."""


def load(path: str, environ: Mapping[str, str]) -> dict[str, Connector]:
    """Return the connectors of a file, by name. Raises: BadSettings."""
    return {name: _connector(name, table, environ) for name, table in _read(path).items()}


def _read(path: str) -> dict[str, Any]:
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read: {error.strerror}.") from None
    if len(text) > FILE_AT_MOST:
        raise BadSettings(f"{path}: has more than {FILE_AT_MOST} bytes.")
    try:
        return tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # A decoder's own words may show the line, with whatever stands there.
        place = re.search(r"\(at (line \d+, column \d+|end of document)\)", str(error))
        raise BadSettings(f"{path}: is not TOML{f' ({place[1]})' if place else ''}.") from None


def _connector(name: str, table: Any, environ: Mapping[str, str]) -> Connector:
    if not isinstance(table, dict):
        raise BadSettings(f"{name}: stands outside of a table; a connector is a table [{name}].")
    if not _NAME.fullmatch(name):
        raise BadSettings(f"[{name}]: a name has small letters, digits, - and _, at most 60.")
    kind = str(table.get("kind", ""))
    if kind not in KINDS:
        raise BadSettings(f"[{name}] kind: is one of {', '.join(KINDS)}.")
    settings, connector = KINDS[kind]
    try:
        return connector(name, settings.model_validate(table, context={"environ": environ}))
    except ValidationError as error:
        raise BadSettings(_sentence(name, error)) from None
    except BadTarget as refused:
        key = "url" if "url" in settings.model_fields else "host"
        raise BadSettings(f"[{name}] {key}: {refused.sentence}") from None


def _sentence(name: str, error: ValidationError) -> str:
    """Say what is wrong first, by table and key, and never what was written there."""
    first = error.errors(include_input=False, include_url=False)[0]
    said = first["msg"].removeprefix("Value error, ")
    places = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        said = "there is no such key"
    elif first["type"] == "missing":
        said = "is missing"
    elif about := _ABOUT.match(said):
        # What a whole table objects to names its key itself.
        places.append(about[1])
        said = said[about.end() :]
    *tables, key = places
    return f"[{'.'.join([name, *tables])}] {key}: {said}."
