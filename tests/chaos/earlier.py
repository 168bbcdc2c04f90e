"""A world as an earlier version makes it, and the words with which it starts its processes.

Run inside that version's checkout, in whose code nothing of ours can be found:
`env -C CHECKOUT PYTHONPATH=CHECKOUT python -P …/earlier.py build|processes`, asked and answered in
JSON. Only what every version has had is used here.
"""

import json
import socket
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import django

SCOPES = ["jobs:read", "jobs:write", "proposals:read", "proposals:write"]
NOTE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 40}},
}


def build(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Make workspaces with people who have a password, a token, and records."""
    from console.supervision.preparing import collect_static  # noqa: PLC0415  (needs Django)

    collect_static()
    return {slug: _place(slug, hold, asked) for slug, hold in asked["holds"].items()}


def _place(slug: str, hold_seconds: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    from console.access.operations.granting import enrol, found, grant  # noqa: PLC0415
    from console.access.operations.keying import make_token  # noqa: PLC0415
    from console.access.queries import person_as_actor  # noqa: PLC0415
    from console.actors import system  # noqa: PLC0415

    workspace = found(slug, slug.title())
    setup, now = system("setup", workspace.id), datetime.now(UTC)
    people, maker = {}, setup
    for name, role in asked["people"].items():
        person = enrol(f"{name}@{slug}.invalid", name.title(), asked["password"])
        grant(setup, workspace.id, person, role)
        people[name] = {"id": str(person.id), "email": person.email, "role": role}
        if role == "engineer":
            maker = person_as_actor(person, workspace.id, {role})
    _declare(setup, hold_seconds)
    keys = _states(setup, asked["states"], now)
    lifetime = timedelta(days=2)
    _, token = make_token(actor=maker, name="Chaos", scopes=SCOPES, lifetime=lifetime, now=now)
    return {"id": str(workspace.id), "token": token, "people": people, "states": keys}


def _declare(setup: Any, hold_seconds: int) -> None:
    from approvals.effects import STATED  # noqa: PLC0415
    from approvals.operations.registering import ActionTypeSpec, declare  # noqa: PLC0415
    from approvals.rulebook import Rule  # noqa: PLC0415
    from tests.terms import asking, matching, set_rules  # noqa: PLC0415

    declare(setup, ActionTypeSpec("note", "Note", "Note {text}", NOTE_SCHEMA, STATED, risk=1))
    set_rules(setup, Rule(matching("*"), asking("one of us", hold_seconds=hold_seconds)))


def _states(setup: Any, count: int, now: datetime) -> list[str]:
    from snapshots.operations.creating import create_state  # noqa: PLC0415

    keys = [f"books/{number:04}" for number in range(count)]
    for key in keys:
        create_state(actor=setup, key=key, document={"payments": {}}, reason="opening", now=now)
    return keys


def processes(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return argv and environment of every process, by name, for a listening socket of ours."""
    from console.supervision import parts  # noqa: PLC0415

    with socket.socket(fileno=asked["descriptor"]) as listener:
        found = parts.console(listener)
        return {each.name: {"argv": each.argv, "env": dict(each.env or {})} for each in found}


VERBS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "build": build,
    "processes": processes,
}

if __name__ == "__main__":
    django.setup()
    json.dump(VERBS[sys.argv[1]](json.load(sys.stdin)), sys.stdout)
