"""Give each process's role what its work needs, and no more: `manage.py grant_roles`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from console.database.roles import ROLES, grant_roles


class Command(BaseCommand):
    """Run as the owner of the tables, after every migration."""

    help = "Make the roles of the processes, and say what each may do and which rows it sees."

    def handle(self, *args: Any, **options: Any) -> None:
        """Grant, and say so."""
        try:
            grant_roles()
        except DatabaseError as error:
            raise CommandError(
                f"The roles could not be made or granted: {error}".strip()
            ) from error
        if options["verbosity"]:
            self.stdout.write(f"Ready: {', '.join(ROLES)}.")
