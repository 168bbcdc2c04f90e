"""Take a State out as a file: `manage.py export_state WORKSPACE KEY [--number N] [--out FILE]`."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.access.models import Workspace
from console.errors import Refused
from snapshots import queries
from snapshots.queries import Head
from snapshots.showing import bundle


class Command(BaseCommand):
    """Write a whole State as a bundle, or the content bytes of one snapshot."""

    help = "Write a State to a file: all of it as a bundle, or one snapshot's content (--number)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the workspace's slug and the State's key."""
        parser.add_argument("workspace", metavar="WORKSPACE")
        parser.add_argument("key", metavar="KEY")
        parser.add_argument("--number", type=int, help="only this snapshot's content")
        parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write the file; what is begun and fails is taken away again."""
        head = _head(options["workspace"], options["key"])
        try:
            _write(_lines(head, options["number"]), options["out"])
        except Refused as refused:
            raise CommandError(refused.sentence) from refused
        except OSError as error:
            raise CommandError(f"The file cannot be written: {error}.") from error


def _head(slug: str, key: str) -> Head:
    workspace = Workspace.objects.filter(slug=slug).first()
    found = queries.find(workspace.id, key) if workspace else None
    if found is None:
        raise CommandError(f"There is no State {key!r} in a workspace {slug!r}.")
    return found


def _lines(head: Head, number: int | None) -> Iterable[bytes]:
    if number is None:
        return bundle.exported(head.workspace_id, head.state_id)[1]
    return [queries.content_bytes(head.state_id, number)]


def _write(lines: Iterable[bytes], out: Path | None) -> None:
    if out is None:
        for line in lines:
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        return
    draft = out.with_name(f"{out.name}.part")
    try:
        with draft.open("wb") as file:
            file.writelines(lines)
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
