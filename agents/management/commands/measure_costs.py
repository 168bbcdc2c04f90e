"""Measure what limits cost on recorded runs: `manage.py measure_costs FILE`."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents import costs
from agents.packs import recorded_runs
from agents.packs.recorded_runs import BadRuns


class Command(BaseCommand):
    """Try limits one after the other; what was published stays as it stands in the file."""

    help = "Measure what the limits of guards cost on recorded runs, as agents/measured.json."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file of runs."""
        parser.add_argument("path", type=Path, metavar="FILE")

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        """Print the figures with those that were published. Raises: CommandError."""
        try:
            runs = recorded_runs.read(path)
        except (BadRuns, OSError) as error:
            raise CommandError(str(error)) from error
        good = [run.events for run in runs if run.succeeded]
        bad = [run.events for run in runs if not run.succeeded]
        kept = json.loads(costs.MEASURED.read_text()) if costs.MEASURED.exists() else {}
        found = {"published": kept.get("published", {}), **costs.measure(good, bad)}
        self.stdout.write(json.dumps(found, indent=1))
