"""Bring recorded runs in: `manage.py import_runs PATH --workspace SLUG --as EMAIL`."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.imported import entries
from agents.operations.importing import Imported, Source, bring_in
from agents.otlp import STEPS_AT_MOST, NotTraces, Story, stories
from agents.packs import recorded_runs
from agents.packs.recorded_runs import BadRuns
from console.access.queries import person_named
from console.access.rights import allows
from console.actors import Actor
from console.canonical import FILE_LIMITS, Unreadable, check, parse, sha256
from console.errors import Refused


class Command(BaseCommand):
    """Keep runs of agents elsewhere, to be looked at; none of them is worked on here."""

    help = "Bring in recorded runs, or OpenTelemetry traces as OTLP/JSON, as runs to look at."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file, the workspace's slug, and who answers for it."""
        parser.add_argument("path", type=Path, metavar="PATH")
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--as", dest="person", required=True, metavar="EMAIL", help="who")
        parser.add_argument("--state", default="", metavar="KEY", help="the State they were about")
        parser.add_argument("--at-most", type=int, default=100, metavar="N", help="so many runs")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Say which runs were brought in, one a line."""
        actor, now = _person(options["workspace"], options["person"]), datetime.now(UTC)
        try:
            source, found = _read(options["path"], now)
            if not found:
                raise CommandError("The file holds no run.")
            for story in found[: options["at_most"]]:
                made = bring_in(
                    actor=actor,
                    stories=[story],
                    source=source,
                    state_key=options["state"],
                    now=now,
                )
                self._say(story, made[0])
        except Refused as refused:
            raise CommandError(refused.sentence) from refused
        except Unreadable as error:
            raise CommandError(error.sentence) from error
        except (BadRuns, NotTraces) as error:
            raise CommandError(str(error)) from error

    def _say(self, story: Story, made: Imported) -> None:
        how = "brought in" if made.is_new else "was here before"
        self.stdout.write(f"{made.run_id} {how}: {story.label}, {made.steps} steps")


def _read(path: Path, now: datetime) -> tuple[Source, list[Story]]:
    """Tell a file of spans from a file of recorded runs by what it begins with."""
    try:
        with path.open("rb") as file:
            beginning = file.read(4_000)
    except OSError as error:
        raise CommandError(f"The file cannot be read: {error}.") from error
    if b'"resourceSpans"' in beginning:
        return "otlp", stories(parse(path.read_bytes(), FILE_LIMITS))
    return "recorded", [*_recorded(path, now)]


def _recorded(path: Path, now: datetime) -> Iterator[Story]:
    for record in recorded_runs.records(path):
        run = recorded_runs.run_of(record)
        found = entries(run.events, _times(record), now)
        if not found:
            continue
        if len(found) > STEPS_AT_MOST:
            raise BadRuns(f"{run.name} has more than {STEPS_AT_MOST} steps.")
        for entry in found:
            check([entry.input, entry.output, entry.name, entry.agent, entry.error], FILE_LIMITS)
        about = {"origin": run.source, "domain": run.domain, "termination": run.termination}
        yield Story(
            trace_id=sha256(json.dumps(record, sort_keys=True).encode())[:32],
            label=run.name[:200],
            entries=found,
            started_at=found[0].started_at or now,
            ended_at=max(entry.ended_at or now for entry in found),
            workflow=run.domain,
            problem="" if run.succeeded else _ended(run.termination),
            about={**about, "reward": run.reward},
        )


def _ended(termination: str) -> str:
    how = f" ({termination})" if termination else ""
    return f"It did not do what it was asked{how}; so says the recording."


def _times(record: dict[str, Any]) -> dict[int, datetime]:
    found = {}
    for place, step in enumerate(record["steps"]):
        try:
            at = datetime.fromisoformat(str(step.get("ts")))
        except ValueError:
            continue
        found[int(step.get("i", place))] = at if at.tzinfo else at.replace(tzinfo=UTC)
    return found


def _person(slug: str, email: str) -> Actor:
    found = person_named(email, slug)
    if found is None:
        raise CommandError(f"{email} does not belong to {slug}.")
    actor = found[1]
    if not allows(actor.roles, "import"):
        raise CommandError(f"{email} may not import into {slug}.")
    return actor
