"""See agents and hold them: `manage.py agents [--workspace S] [pause|resume|stop|halt|lift …]`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.operations.halting import halt, lift
from agents.operations.pausing import pause, resume
from agents.operations.stopping import stop
from agents.queries import board as queries
from agents.showing import board
from agents.showing.board import Card
from console.access.models import Workspace
from console.access.queries import person_named
from console.actors import Actor
from console.errors import Refused
from console.words import printable

_VERBS = {"pause": pause, "resume": resume, "stop": stop}
_PAGE = 200


class Command(BaseCommand):
    """List the agents of a workspace, or do something to one or to all, as a named person."""

    help = "List agents, or pause, resume and stop one of them, or halt all and lift the halt."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the workspace, what is to be done, to whom, by whom and why."""
        parser.add_argument("verb", nargs="?", choices=["list", *_VERBS, "halt", "lift"])
        parser.add_argument("name", nargs="?", help="the agent, for pause, resume and stop")
        parser.add_argument("--workspace", metavar="SLUG", help="needed for all but the list")
        parser.add_argument("--as", dest="person", metavar="EMAIL", help="who does it")
        parser.add_argument("--reason", default="", help="why, for the ledger")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the agents as they are, after what was done."""
        verb = options["verb"] or "list"
        workspaces = _workspaces(options["workspace"])
        if verb != "list":
            if not options["workspace"]:
                raise CommandError("Name the workspace with --workspace.")
            try:
                done = _act(verb, workspaces[0], options)
            except Refused as refused:
                raise CommandError(f"{refused.sentence} ({refused.code})") from refused
            self.stdout.write("Done." if done else "It was so already; nothing was changed.")
        for workspace in workspaces:
            self._list(workspace)

    def _list(self, workspace: Workspace) -> None:
        if standing := queries.standing_halt(workspace.id):
            by = printable(standing.actor["name"])
            self.stdout.write(
                f"{workspace.slug}: all stopped by {by}: {printable(standing.reason)}"
            )
        cursor, more = "", True
        while more:
            rows = queries.agents(workspace.id)
            found, cursor = queries.agents_after(workspace.id, rows, cursor=cursor, size=_PAGE)
            for card in board.cards(workspace.id, found):
                self.stdout.write(_line(workspace, card))
            more = bool(cursor)


def _workspaces(slug: str | None) -> Sequence[Workspace]:
    rows = Workspace.objects.order_by("slug")
    found = list(rows.filter(slug=slug) if slug else rows)
    if slug and not found:
        raise CommandError(f"There is no workspace {slug}.")
    return found


def _act(verb: str, workspace: Workspace, options: dict[str, Any]) -> bool:
    actor, now = _person(workspace, options["person"]), datetime.now(UTC)
    reason = options["reason"]
    if verb == "halt":
        return halt(actor=actor, reason=reason, typed=options["workspace"], now=now)
    if verb == "lift":
        return lift(actor=actor, reason=reason, now=now)
    if not options["name"]:
        raise CommandError(f"Name the agent to {verb}.")
    return _VERBS[verb](actor=actor, name=options["name"], reason=reason, now=now)


def _person(workspace: Workspace, email: str | None) -> Actor:
    if not email:
        raise CommandError("Say who does this with --as EMAIL.")
    found = person_named(email, workspace.slug)
    if found is None:
        raise CommandError(f"{email} does not belong to {workspace.slug}.")
    return found[1]


def _line(workspace: Workspace, card: Card) -> str:
    words = [f"{workspace.slug}: {printable(card.agent.name)}", printable(card.label)]
    if card.is_held:
        words.append(printable(card.agent.status_reason))
    if card.run:
        words.append(f"run {card.run.run_id}")
    if card.waits:
        words.append(f"waits for {printable(card.waits.title)}")
    return " · ".join([*words, f"seen {card.seen_at:%Y-%m-%d %H:%M:%S} UTC"])
