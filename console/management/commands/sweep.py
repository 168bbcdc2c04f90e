"""Sweep agents' memories: `manage.py sweep [--workspace S] [--dry-run] [--json]`."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents import memory
from agents.operations.sweeping import MemoryHeld, Swept, look, sweep
from console.access.models import Workspace
from console.actors import system
from console.errors import Refused
from snapshots.queries.walking import walk


class Command(BaseCommand):
    """Sweep now, or say what a sweep would take; exit status 1 when a memory could not be swept."""

    help = "Take from agents' memories what is expired, orphaned, superseded, contradicted, unused."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the workspace, and whether anything is done."""
        parser.add_argument("--workspace", metavar="SLUG", help="only this one")
        parser.add_argument("--dry-run", action="store_true", help="say what would go, do nothing")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each memory."""
        refused = 0
        for workspace in _chosen(options["workspace"]):
            for line in _lines(workspace, dry_run=options["dry_run"]):
                self.stdout.write(json.dumps(line) if options["json"] else _told(line))
                refused += line["code"] not in ("", MemoryHeld.code)
        if refused:
            raise CommandError(f"{refused} memories could not be swept.")


def _chosen(slug: str | None) -> list[Workspace]:
    rows = Workspace.objects.order_by("slug")
    found = list(rows.filter(slug=slug) if slug else rows)
    if slug and not found:
        raise CommandError(f"There is no workspace {slug}.")
    return found


def _lines(workspace: Workspace, *, dry_run: bool) -> Iterator[dict[str, Any]]:
    actor, now = system("memory-sweep", workspace.id), datetime.now(UTC)
    for state_id in walk(workspace.id, kind="memory"):
        line: dict[str, Any] = {"workspace": workspace.slug, "state": str(state_id), "code": ""}
        try:
            if dry_run:
                found = look(workspace_id=workspace.id, state_id=state_id, now=now)
            else:
                found = sweep(actor=actor, state_id=state_id, now=now)
        except Refused as refused:
            yield {**line, "code": refused.code, "says": refused.sentence}
        else:
            yield {**line, **_found(found, dry_run=dry_run)}


def _found(found: Swept, *, dry_run: bool) -> dict[str, Any]:
    says = memory.told(found.verdicts)
    return {
        "key": found.key,
        "entries": found.held,
        "taken": memory.counts(found.verdicts),
        "snapshot": found.snapshot,
        "says": f"{says} would go" if dry_run else f"{says} taken",
        "why": {name: verdict.sentence for name, verdict in found.verdicts.items()},
    }


def _told(line: dict[str, Any]) -> str:
    return f"{line['workspace']} {line.get('key', line['state'])}: {line['says']}"
