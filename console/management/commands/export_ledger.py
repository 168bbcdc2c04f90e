"""Take a ledger out as a file: `manage.py export_ledger --workspace SLUG --to FILE`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.access.models import Workspace
from console.ledger.auditing import exported, header
from console.ledger.queries.reading import end, lines


class Command(BaseCommand):
    """Write one canonical JSON line for each entry; `verify --offline` checks the file."""

    help = "Write a workspace's ledger to a file that verify --offline checks anywhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the workspace's slug and the file, which must not be there yet."""
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--to", required=True, type=Path, metavar="FILE")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write what stands there now, line by line; what fails is taken away again."""
        workspace = Workspace.objects.filter(slug=options["workspace"]).first()
        if workspace is None:
            raise CommandError(f"There is no workspace {options['workspace']}.")
        path: Path = options["to"]
        draft = path.with_name(f"{path.name}.part")
        try:
            if path.exists():
                raise FileExistsError(f"{path} is there already")
            written = _write(workspace, draft)
            draft.rename(path)
        except OSError as error:
            raise CommandError(f"The file cannot be written: {error}.") from error
        finally:
            draft.unlink(missing_ok=True)
        self.stdout.write(f"{written} entries written to {path}.")


def _write(workspace: Workspace, draft: Path) -> int:
    written = 0
    with draft.open("wb") as file:
        file.write(header(str(workspace.id)))
        for line, seal in lines(workspace.id, up_to=end(workspace.id).seq):
            file.write(exported(line, seal))
            written += 1
    return written
