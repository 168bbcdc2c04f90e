"""Bring a backup back into an empty database: `manage.py restore DIR --database NAME_OR_URL`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from console.backups import restoring
from console.backups.databases import CannotCopy, Database
from console.backups.manifest import CHECKPOINTS, KEYS, Manifest, NotABackup

RECONCILE = (
    "What is said to be missing was done, and this backup does not know it. Before anything runs "
    "on this database: keep the folder of checkpoints as it is, compare with what the outside "
    "systems say (docs/operations.md, “Reconciling after a restore”), and begin a new folder."
)


class Command(BaseCommand):
    """Restore, and hold the result against the manifest and the checkpoints kept elsewhere."""

    help = "Restore a backup into an empty database, and verify what is there then."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the backup and where it goes."""
        parser.add_argument("folder", type=Path, metavar="DIR")
        parser.add_argument(
            "--database",
            required=True,
            metavar="NAME_OR_URL",
            help="a new database of the same server, or the address of an empty one",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Restore, compare, verify; status 1 when anything is not as it should be."""
        wanted, folder = options["database"], options["folder"].absolute()
        here = Database.of_settings(connection.settings_dict)
        target = Database.of_url(wanted) if "://" in wanted else here.named(wanted)
        try:
            found = restoring.bring_back(folder, target)
            restoring.grant(target)
            faults = restoring.differences(found, target)
        except (CannotCopy, NotABackup) as error:
            raise CommandError(str(error)) from error
        holds, said = self._verify(folder, target)
        self._tell(found, target, faults, said)
        if faults or not holds:
            self.stdout.write(RECONCILE)
            raise CommandError("Restored, but not all of it is as it should be; see above.")

    def _verify(self, folder: Path, target: Database) -> tuple[bool, str]:
        """Hold it against the checkpoints kept elsewhere; without those, against its own copies."""
        place, keys = settings.CHECKPOINT_FOLDER, settings.CHECKPOINT_PUBLIC_KEYS
        if not place.is_dir():
            self.stdout.write(f"{place} is not there; only the backup's own checkpoints are used.")
            place = folder / CHECKPOINTS
        return restoring.verify(
            target, checkpoints=place, keys=keys if keys.exists() else folder / KEYS
        )

    def _tell(self, found: Manifest, target: Database, faults: list[str], said: str) -> None:
        rows = sum(found.contents.rows.values())
        self.stdout.write(f"{rows} rows of {found.made_at} are in {target.name} now.")
        for fault in faults:
            self.stdout.write(f"Not as it was: {fault}.")
        self.stdout.write(said)
