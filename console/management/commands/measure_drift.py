"""Measure drift: `manage.py measure_drift [--workspace S] [--dry-run] [--json]`."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.operations.measuring import Measured, look, measure
from console.access.models import Workspace
from console.actors import system
from console.errors import Refused
from snapshots.queries.walking import walk


class Command(BaseCommand):
    """Measure now, or say what would be found; exit status 1 when a State could not be read."""

    help = "Measure how far every State has drifted, and pause agents where a limit is crossed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the workspace, and whether anything is kept."""
        parser.add_argument("--workspace", metavar="SLUG", help="only this one")
        parser.add_argument("--dry-run", action="store_true", help="keep nothing, pause nobody")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each State."""
        refused = 0
        for workspace in _chosen(options["workspace"]):
            for line in _lines(workspace, dry_run=options["dry_run"]):
                self.stdout.write(json.dumps(line) if options["json"] else _told(line))
                refused += bool(line["code"])
        if refused:
            raise CommandError(f"{refused} State(s) could not be measured.")


def _chosen(slug: str | None) -> list[Workspace]:
    rows = Workspace.objects.order_by("slug")
    found = list(rows.filter(slug=slug) if slug else rows)
    if slug and not found:
        raise CommandError(f"There is no workspace {slug}.")
    return found


def _lines(workspace: Workspace, *, dry_run: bool) -> Iterator[dict[str, Any]]:
    actor, now = system("drift-guard", workspace.id), datetime.now(UTC)
    for state_id in walk(workspace.id, without="policies"):
        line: dict[str, Any] = {"workspace": workspace.slug, "state": str(state_id), "code": ""}
        try:
            if dry_run:
                measured = look(workspace_id=workspace.id, state_id=state_id, now=now)
            else:
                measured = measure(actor=actor, state_id=state_id, now=now)
        except Refused as refused:
            yield {**line, "code": refused.code, "says": refused.sentence}
        else:
            yield {**line, **_found(measured)}


def _found(measured: Measured) -> dict[str, Any]:
    figures = measured.found.figures
    return {
        "key": measured.found.head.key,
        "snapshot": measured.found.head.number,
        "agent": measured.found.agent,
        **asdict(figures),
        "stale_share": figures.stale_share,
        "contradicting_share": figures.contradicting_share,
        "over": [each.to_json() for each in measured.over],
        "crossed": [each.measure for each in measured.crossed],
        "kept": measured.kept,
        "paused": list(measured.paused),
        "says": " ".join(each.says for each in measured.over) or "within its limits",
    }


def _told(line: dict[str, Any]) -> str:
    return f"{line['workspace']} {line.get('key', line['state'])}: {line['says']}"
