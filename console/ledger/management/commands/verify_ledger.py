"""Recompute every ledger's chain: `manage.py verify_ledger [workspace …]`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.access.models import Workspace
from console.ledger import queries


class Command(BaseCommand):
    """Check the hash chains; exit status 1 and the first bad entry when one is broken."""

    help = "Recompute the ledger's hash chain of every workspace, or of those named."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the slugs of workspaces."""
        parser.add_argument("workspaces", nargs="*", metavar="WORKSPACE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each workspace."""
        rows = Workspace.objects.order_by("slug")
        if slugs := options["workspaces"]:
            rows = rows.filter(slug__in=slugs)
            if missing := sorted(set(slugs) - {row.slug for row in rows}):
                raise CommandError(f"There is no workspace {', '.join(missing)}.")
        broken = 0
        for workspace in rows:
            verdict = queries.verify(workspace.id)
            broken += verdict.objection is not None
            words = verdict.objection or "the chain holds"
            self.stdout.write(f"{workspace.slug}: {verdict.checked} entries checked, {words}")
        if broken:
            raise CommandError(f"{broken} ledger(s) do not hold.")
