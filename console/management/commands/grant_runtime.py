"""Give a database role what running the console needs, and no more: `manage.py grant_runtime`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from console.runtime import ROLE, grant_runtime


class Command(BaseCommand):
    """Run as the owner of the tables, after every migration."""

    help = "Let a role run the console without being able to change what the database promises."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the role's name."""
        parser.add_argument("--role", default=ROLE, help=f"by default {ROLE}")

    def handle(self, *args: Any, **options: Any) -> None:
        """Grant, and say so."""
        role: str = options["role"]
        try:
            grant_runtime(role)
        except DatabaseError as error:
            raise CommandError(f"{role} could not be given its rights: {error}".strip()) from error
        if options["verbosity"]:
            self.stdout.write(f"{role} may run the console, and owns nothing.")
