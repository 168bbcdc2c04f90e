"""Prove that a backup comes back: `manage.py drill [--keep DIR]`."""

import tempfile
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from console.backups.databases import CannotCopy, Database
from console.backups.drilling import Drill, drill
from console.backups.manifest import NotABackup


class Command(BaseCommand):
    """Back up, restore into a scratch database, verify, count, drop; status 1 on any fault."""

    help = "Take a backup, bring it back into a database of its own, check it, and drop that."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take where the backup stays; without that it is thrown away."""
        parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the backup here")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Go through it, and report."""
        try:
            with tempfile.TemporaryDirectory(prefix="countersign-drill-") as thrown_away:
                done = drill(
                    Database.of_settings(connection.settings_dict),
                    (options["keep"] or Path(thrown_away) / "backup").absolute(),
                    folder=settings.CHECKPOINT_FOLDER,
                    keys=settings.CHECKPOINT_PUBLIC_KEYS,
                    now=datetime.now(UTC),
                )
        except (CannotCopy, NotABackup) as error:
            raise CommandError(str(error)) from error
        self._report(done)
        if done.faults:
            raise CommandError(f"The drill failed: {'; '.join(done.faults)}.")

    def _report(self, done: Drill) -> None:
        for step, seconds in done.seconds.items():
            self.stdout.write(f"{step:<8} {seconds:7.2f} s")
        self.stdout.write(f"{done.rows} rows, {done.bytes:,} bytes of backup.")
        self.stdout.write(done.said)
        self.stdout.write("The drill failed." if done.faults else "The backup comes back whole.")
