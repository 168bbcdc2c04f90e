"""Which papers speak for which of the changed values, and what do they say?"""

from collections.abc import Iterator
from typing import Any

from agents.packs.care.record import next_order
from agents.workflows import Exhibit

_LABELS = {
    "message": "Note",
    "patient": "Chart",
    "result": "Laboratory result",
    "drug": "Formulary",
}
# Kind of paper to the values of an order for which it is read.
_SPEAKS_FOR = {
    "message": (
        "dose",
        "every_hours",
        "route",
        "drug",
        "changed_on",
        "change_reason",
        "since",
        "stop_reason",
        "indication",
    ),
    "patient": ("dose", "drug", "status"),
    "result": ("dose", "every_hours", "drug", "stop_reason"),
    "drug": ("dose", "route", "status"),
}
_CHANGED = {
    "adjust_dose": ("dose", "every_hours", "changed_on", "change_reason"),
    "change_route": ("route", "dose", "every_hours", "changed_on", "change_reason"),
    "stop_order": ("status", "stopped_on", "stop_reason"),
    "start_order": (
        "drug",
        "dose",
        "unit",
        "route",
        "every_hours",
        "status",
        "since",
        "indication",
    ),
}


def exhibit(
    document: Any, action: dict[str, Any], kind: str, key: str, paper: dict[str, Any]
) -> Exhibit:
    """Return a paper as evidence, word for word, with the values it speaks for."""
    changed = _CHANGED[action["action_type"].removesuffix("_high_risk")]
    params = action["params"]
    number = params.get("order") or next_order(document, params["patient"])
    order = f"/patients/{params['patient']}/orders/{number}"
    return Exhibit(
        label=f"{_LABELS[kind]} {key}",
        source=f"{kind}:{key}",
        content=_letter(paper) if kind == "message" else "\n".join(_lines(paper)),
        paths=tuple(f"{order}/{name}" for name in changed if name in _SPEAKS_FOR[kind]),
    )


def _letter(message: dict[str, Any]) -> str:
    head = [f"{name.capitalize()}: {message[name]}" for name in ("from", "to", "date", "subject")]
    return "\n".join([*head, "", message["body"]])


def _lines(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _lines(part, f"{name}, {_worded(key)}" if name else _worded(key))
    elif isinstance(value, list):
        for number, part in enumerate(value, start=1):
            yield from _lines(part, f"{name} {number}")
    else:
        yield f"{name}: {value}"


def _worded(key: str) -> str:
    return key.replace("_", " ")
