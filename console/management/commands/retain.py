"""Let go what nobody needs: `manage.py retain [--workspace S] [--dry-run] [--json]`."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.operations.retaining import outlook, sweep
from console.access.models import Workspace
from console.actors import system
from console.canonical import Json
from console.ledger import queries as ledger
from snapshots import queries as snapshots


class Command(BaseCommand):
    """Sweep now, or say what a sweep would do; exit status 1 when a State could not be swept."""

    help = "Thin the snapshots of every workspace, or of one, as the timer does once a day."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the workspace, and whether anything is done."""
        parser.add_argument("--workspace", metavar="SLUG", help="only this one")
        parser.add_argument("--dry-run", action="store_true", help="say what would go, do nothing")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each State that loses something, or for each workspace swept."""
        act = _foretell if options["dry_run"] else _sweep
        refused = 0
        for workspace in _chosen(options["workspace"]):
            for line in act(workspace, datetime.now(UTC)):
                self.stdout.write(json.dumps(line) if options["json"] else _told(line))
                refused += len(line.get("refused", []))
        if refused:
            raise CommandError(
                f"{refused} State(s) could not be swept; manage.py verify says more."
            )


def _chosen(slug: str | None) -> list[Workspace]:
    rows = Workspace.objects.order_by("slug")
    found = list(rows.filter(slug=slug) if slug else rows)
    if slug and not found:
        raise CommandError(f"There is no workspace {slug}.")
    return found


def _foretell(workspace: Workspace, now: datetime) -> Iterator[dict[str, Any]]:
    states = snapshots.states(workspace.id).exclude(kind="policies").order_by("key")
    for state in states.iterator():
        found = outlook(workspace.id, state.id, now=now)
        line: dict[str, Json] = {
            "workspace": workspace.slug,
            "state": state.key,
            "stays": len(found.verdict.stays),
            "goes": list(found.verdict.goes),
            "bytes": found.stored_bytes,
            "bytes_going": found.going_bytes,
        }
        yield line


def _sweep(workspace: Workspace, now: datetime) -> Iterator[dict[str, Any]]:
    for _ in sweep(actor=system("retention", workspace.id), now=now):
        pass
    last = ledger.entries(workspace.id).filter(verb="retention.swept").order_by("-seq")[:1].get()
    yield {"workspace": workspace.slug, **last.body}


def _told(line: dict[str, Any]) -> str:
    if "state" in line:
        return (
            f"{line['workspace']} {line['state']}: {line['stays']} stay, {len(line['goes'])} would"
            f" go with {line['bytes_going']} of {line['bytes']} bytes"
        )
    return (
        f"{line['workspace']}: {line['states']} States, {line['let_go']} snapshots let go, "
        f"{line['bytes_before']} bytes became {line['bytes_after']}, {line['readings']} readings, "
        f"{len(line['refused'])} refused"
    )
