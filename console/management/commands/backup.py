"""Take a backup while everything runs: `manage.py backup --to DIR`."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from console.backups.databases import CannotCopy, Database
from console.backups.manifest import LEFT_OUT
from console.backups.taking import take


class Command(BaseCommand):
    """Write the database as of one moment, the checkpoints, and a manifest."""

    help = "Copy the database and the checkpoints into a new folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the folder, which must not be there yet."""
        parser.add_argument("--to", required=True, type=Path, metavar="DIR")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Take it, and say what is in it and what is not."""
        try:
            made = take(
                Database.of_settings(connection.settings_dict),
                options["to"].absolute(),
                folder=settings.CHECKPOINT_FOLDER,
                keys=settings.CHECKPOINT_PUBLIC_KEYS,
                now=datetime.now(UTC),
            )
        except CannotCopy as error:
            raise CommandError(str(error)) from error
        rows = sum(made.contents.rows.values())
        self.stdout.write(
            f"{options['to']}: {rows} rows of {len(made.contents.rows)} tables, "
            f"{len(made.contents.ledgers)} ledgers, {len(made.files)} files."
        )
        self.stdout.write("Not in it, keep them apart: " + "; ".join(LEFT_OUT) + ".")
