"""Bring a file in as a new State: `manage.py import_state WORKSPACE FILE --as EMAIL`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.access.queries import person_named
from console.access.rights import allows
from console.actors import Actor
from console.canonical import FILE_LIMITS, Unreadable, parse
from console.errors import Refused
from snapshots.bundles import FORMAT, LINE_AT_MOST
from snapshots.operations.importing import Wanted, import_bundle, import_document
from snapshots.queries import Head


class Command(BaseCommand):
    """Make a State of a bundle or of a JSON document; nothing is written over."""

    help = "Make a new State of a file: a bundle of export_state, or a JSON document (--key)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the workspace's slug, the file, and who answers for it."""
        parser.add_argument("workspace", metavar="WORKSPACE")
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--as", dest="person", required=True, metavar="EMAIL", help="who")
        parser.add_argument("--key", default="", help="for a bundle: instead of its own")
        parser.add_argument("--digest", default="", help="what a document's SHA-256 must be")
        parser.add_argument("--kind", default="record", choices=["record", "memory"])
        parser.add_argument("--reason", default="")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Say which State was made."""
        actor = _person(options["workspace"], options["person"])
        try:
            with options["file"].open("rb") as file:
                head = _taken_in(actor, file, options)
        except Refused as refused:
            raise CommandError(refused.sentence) from refused
        except Unreadable as error:
            raise CommandError(error.sentence) from error
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error}.") from error
        self.stdout.write(f"{head.key}: snapshot {head.number}, SHA-256 {head.digest}")


def _taken_in(actor: Actor, file: BinaryIO, options: dict[str, Any]) -> Head:
    now, key, reason = datetime.now(UTC), options["key"], options["reason"]
    if FORMAT.encode() in file.readline(LINE_AT_MOST + 1)[:1_000]:
        file.seek(0)
        return import_bundle(actor=actor, lines=_lines(file), key=key, reason=reason, now=now)
    file.seek(0)
    document = parse(file.read(FILE_LIMITS.max_bytes + 1), FILE_LIMITS)
    wanted = Wanted(key=key, reason=reason, kind=options["kind"], digest=options["digest"])
    return import_document(actor=actor, wanted=wanted, document=document, now=now)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Give line by line; one that is too long is cut, and refused by whoever reads it."""
    while line := file.readline(LINE_AT_MOST + 1):
        yield line


def _person(slug: str, email: str) -> Actor:
    found = person_named(email, slug)
    if found is None:
        raise CommandError(f"{email} does not belong to {slug}.")
    actor = found[1]
    if not allows(actor.roles, "import"):
        raise CommandError(f"{email} may not import into {slug}.")
    return actor
