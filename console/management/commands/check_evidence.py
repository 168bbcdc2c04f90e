"""Check an evidence pack without a database: every digest, signature and ledger line in it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from approvals.auditing import audit
from approvals.formats import visible_text


class Command(BaseCommand):
    """Say of everything in a pack whether it holds; status 1 when something does not."""

    help = "Check an evidence pack (FILE.json), without a database or a network."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--quiet", action="store_true", help="say only what does not hold")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for everything that was looked at. Raises: CommandError."""
        try:
            text = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from error
        found = audit(text)
        for finding in found:
            if finding.wrong:
                told = f"WRONG  {finding.what}: {finding.wrong}"
            elif options["quiet"]:
                continue
            else:
                told = f"holds  {finding.what}"
            self.stdout.write(visible_text(told))
        wrong = sum(bool(finding.wrong) for finding in found)
        if wrong:
            raise CommandError(f"{wrong} of {len(found)} do not hold. Do not rely on this pack.")
        self.stdout.write(f"All {len(found)} hold.")
