"""Show somebody a past action with one wrong value: `manage.py plant_canary WORKSPACE E-MAIL`."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from approvals.operations.planting import plant
from console.access.queries import person_named


class Command(BaseCommand):
    """Plant one now, for a training or to see what it looks like."""

    help = "Put a past action with one wrong value into somebody's queue."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the workspace and the person."""
        parser.add_argument("workspace", metavar="WORKSPACE", help="its short name")
        parser.add_argument("email", metavar="E-MAIL", help="whose queue")

    def handle(self, *args: Any, **options: Any) -> None:
        """Plant it, or say why not."""
        found = person_named(options["email"], options["workspace"])
        if found is None:
            raise CommandError(f"{options['email']} is nobody in {options['workspace']}.")
        workspace, actor = found
        planted = plant(workspace_id=workspace.id, person_id=UUID(actor.id), now=datetime.now(UTC))
        if planted is None:
            raise CommandError(
                "None was planted: one waits already, or no action of level 2 or 3 that this person"
                " neither proposed nor decided on has been carried out yet."
            )
        self.stdout.write(f"A canary waits in the queue of {actor.name}.")
