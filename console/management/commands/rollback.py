"""Plan to bring a State back, and do it as a named person.

`manage.py rollback KEY --workspace SLUG --to NUMBER|NAME|clean [--keep N …] [--paths POINTER …]
[--no-memories] [--json] [--as EMAIL --reason TEXT --yes]`
"""

import json
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agents.operations.planning import plan
from agents.operations.restoring import carry_on, confirm
from agents.queries import restorations
from agents.restoring import CLEAN, Wanted
from console.access.models import Workspace
from console.access.queries import person_named
from console.actors import Actor, system
from console.errors import Refused
from console.locking import Busy
from snapshots import queries as snapshots
from snapshots.queries import Head, marks

BUSY_SECONDS = 30.0


class Command(BaseCommand):
    """Print what going back would do; with a person who answers for it, do it."""

    help = "Plan to bring a State back to a snapshot; with --as, --reason and --yes, do it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the State, where to, what stays, and who answers for it."""
        parser.add_argument("state_key")
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--to", required=True, metavar="NUMBER|NAME|clean")
        parser.add_argument("--keep", nargs="+", type=int, default=[], metavar="NUMBER")
        parser.add_argument("--paths", nargs="+", default=[], metavar="POINTER")
        parser.add_argument("--no-memories", action="store_true", help="leave memories as they are")
        parser.add_argument("--plan", action="store_true", help="only plan, whatever else is said")
        parser.add_argument("--as", dest="email", default="", help="who answers for it")
        parser.add_argument("--reason", default="")
        parser.add_argument("--yes", action="store_true", help="do it, having read the plan")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Plan, print, and go back if a person says so."""
        does_it = options["yes"] and not options["plan"]
        if does_it and not options["email"]:
            raise CommandError("Say --as whom: a person answers for every rollback.")
        try:
            actor = _actor(options["workspace"], options["email"])
            planned = plan(actor=actor, wanted=_wanted(actor, options), now=_now())
            if does_it:
                _go(actor, planned, options["reason"])
        except Refused as refused:
            raise CommandError(refused.sentence) from refused
        self._print(restorations.detail(actor.workspace_id, planned), as_json=options["json"])

    def _print(self, row: Any, *, as_json: bool) -> None:
        if as_json:
            told = {"id": str(row.id), "status": row.status, "problem": row.problem}
            self.stdout.write(json.dumps({**told, "plan": row.plan, "log": row.log}))
        else:
            for line in _told(row):
                self.stdout.write(_visible(line))
        if row.status == "refused":
            raise CommandError(row.problem)


def _actor(slug: str, email: str) -> Actor:
    workspace = Workspace.objects.filter(slug=slug).first()
    if workspace is None:
        raise CommandError(f"There is no workspace {slug!r}.")
    if not email:
        return system("rollback-command", workspace.id)
    found = person_named(email, slug)
    if found is None:
        raise CommandError(f"Nobody with the address {email!r} belongs to {slug!r}.")
    return found[1]


def _wanted(actor: Actor, options: dict[str, Any]) -> Wanted:
    state = snapshots.named(actor.workspace_id, options["state_key"])
    return Wanted(
        kind="rollback",
        state=state.state_id,
        to=_number(state, options["to"]),
        below=False if options["no_memories"] else None,
        keep=tuple(options["keep"]),
        paths=tuple(options["paths"]),
    )


def _number(state: Head, text: str) -> int | Literal["clean"]:
    """Read a snapshot's number, or the name that stands at one."""
    if text.isascii() and text.isdecimal():
        return int(text)
    if text == CLEAN:
        return "clean"
    named = marks.called(state.workspace_id, state.state_id, text)
    if named is not None and named.number:
        return named.number
    raise CommandError(f"No snapshot of {state.key} is called {text!r}.")


def _go(actor: Actor, planned: UUID, reason: str) -> None:
    typed = restorations.detail(actor.workspace_id, planned).plan["to_type"]
    confirm(actor=actor, restoration_id=planned, reason=reason, typed=typed, now=_now())
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            carry_on(planned, now=_now())
        except Busy:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


def _told(row: Any) -> list[str]:
    lines = [f"{_verb(row.status)} {row.id}"]
    for each in row.plan["states"]:
        to = "clean" if each["to"] is None else f"snapshot {each['to']}"
        lines.append(
            f"  {each['key']}: from snapshot {each['from']} to {to}, {each['changes']} changes"
        )
    lines += [f"  newer: {_newer(each)}" for each in row.plan["newer"]]
    lines += [f"  falls: {each['title']} ({each['by']})" for each in row.plan["proposals"]]
    lines += [f"  on its way, so this is refused: {e['title']}" for e in row.plan["held"]]
    lines += [
        f"  has left the house: {each['title']}. {each['reversibility']}"
        for each in row.plan["outside"]
    ]
    lines += [f"  starts anew: {each['workflow']} {each['label']}" for each in row.plan["runs"]]
    return lines + [f"  {each['step']}: {each['says']}" for each in row.log]


def _newer(each: dict[str, Any]) -> str:
    stays = "kept" if each["kept"] else "can be kept" if each["can_keep"] else each["why_not"]
    return f"snapshot {each['number']}, {each['cause']} by {each['by']}: {stays}"


def _verb(status: str) -> str:
    return {"planned": "Planned:", "done": "Restored:", "refused": "Refused:"}.get(status, status)


def _visible(line: str) -> str:
    """Write what a program said so that it cannot move the reader's cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _now() -> datetime:
    return datetime.now(UTC)
