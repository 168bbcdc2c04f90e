"""Show somebody a past action with one wrong value: `manage.py plant_canary WORKSPACE E-MAIL`."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from approvals.operations.planting import plant
from console.access.models import User
from console.access.queries import person_in


class Command(BaseCommand):
    """Plant one now, for a training or to see what it looks like."""

    help = "Put a past action with one wrong value into somebody's queue."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the workspace and the person."""
        parser.add_argument("workspace", metavar="WORKSPACE", help="its short name")
        parser.add_argument("email", metavar="E-MAIL", help="whose queue")

    def handle(self, *args: Any, **options: Any) -> None:
        """Plant it, or say why not."""
        person = User.objects.filter(email=options["email"].lower()).first()
        found = person_in(person, options["workspace"]) if person else None
        if person is None or found is None:
            raise CommandError(f"{options['email']} is nobody in {options['workspace']}.")
        planted = plant(workspace_id=found[0].id, person_id=person.id, now=datetime.now(UTC))
        if planted is None:
            raise CommandError(
                "None was planted: one waits already, or no action of level 2 or 3 that this person"
                " neither proposed nor decided on has been carried out yet."
            )
        self.stdout.write(f"A canary waits in the queue of {person.name}.")
