"""What may stand in a log? Names, numbers and ids of ours; nothing that came from outside.

An error is told by its kind and by where it happened. Its words may quote a payload, so only those
of errors that speak of connections and files are kept.
"""

import logging
import re
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from console import tracing

# Fields that a line may carry besides its message; all others are left out.
ALLOWED = frozenset(
    {
        "actor",
        "attempt",
        "connector",
        "execution",
        "method",
        "milliseconds",
        "operation",
        "proposal",
        "queue",
        "route",
        "run",
        "state",
        "status",
        "task_id",
        "task_name",
        "workspace",
    }
)
# Their words name hosts, files and locks, never rows.
SPEAK_OF_THE_MACHINE = ("OperationalError", "OSError", "TimeoutError", "ConnectionError")
SECRETS = (
    (re.compile(r"csg_[A-Za-z0-9_-]{8,}"), "csg_…"),
    (re.compile(r"whsec_[A-Za-z0-9+/=_-]{8,}"), "whsec_…"),
    (re.compile(r"(?i)(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 …"),
    (re.compile(r"(?i)(password|passwd|secret|token|cookie|authorization)(\W{1,3})\S+"), r"\1\2…"),
    (re.compile(r"(?i)([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@"), r"\1:…@"),
    (re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"), "IBAN …"),
    (re.compile(r"\?\S+"), "?…"),
)
_Error = tuple[type[BaseException], BaseException, TracebackType | None]


def redacted(text: str) -> str:
    """Return a text without what looks like a secret."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


def named(error: BaseException) -> str:
    """Return an error's kind, with its words where they speak of the machine alone."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    if any(kind in SPEAK_OF_THE_MACHINE for kind in kinds):
        return redacted(f"{kinds[0]}: {error}")
    return kinds[0]


def where(error: _Error) -> str:
    """Return a traceback without its error's words."""
    frames = traceback.extract_tb(error[2])
    lines = [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return "\n".join([named(error[1]), *lines])


def said(record: logging.LogRecord) -> str:
    """Return a line's message; errors in it are named, not quoted."""
    given = record.args
    arguments: Any = given
    if isinstance(given, tuple):
        arguments = tuple(named(a) if isinstance(a, BaseException) else a for a in given)
    elif given:
        arguments = {
            k: named(v) if isinstance(v, BaseException) else v for k, v in dict(given).items()
        }
    message = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    return redacted(message % arguments if arguments else message)


class Line(logging.Formatter):
    """For people: one line, then where an error happened."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        fields = [f"{name}={value}" for name, value in _fields(record).items()]
        line = " ".join([at, record.levelname, record.name, said(record), *fields])
        error: Any = record.exc_info
        return f"{line}\n{where(error)}" if error and error[1] else line


class Json(JsonFormatter):
    """For machines: one object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {
            "at": at,
            "level": record.levelname,
            "logger": record.name,
            "message": said(record),
            **_fields(record),
        }
        error: Any = record.exc_info
        if error and error[1]:
            told["error"] = where(error)
        return self.serialize_log_record(told)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    found = {name: value for name, value in vars(record).items() if name in ALLOWED}
    if known := tracing.request_id():
        found["request_id"] = known
    return found
