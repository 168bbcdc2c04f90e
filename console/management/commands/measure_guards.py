"""Measure the guards on recorded runs: `manage.py measure_guards PATH [--json]`.

PATH is a file of runs, or a folder with the folders `breaker`, `attribution`, `proposals` and
`injection`, or one of these. Attacks are played in a workspace of their own through a console,
which is started if none is running; everything else needs neither a console nor a database.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from agents.packs import recorded_runs
from agents.packs.attacks import Attacks
from agents.packs.measuring import attribution, breakers, contexts, critics, files
from agents.packs.recorded_runs import BadRuns
from console.errors import Refused
from console.locking import Busy
from console.management import attacking
from console.supervision import lock, parts, supervisor
from console.supervision.embedded import Unavailable

_NOT_STARTED: Final = (
    supervisor.StartFailed,
    Unavailable,
    parts.PortTaken,
    lock.Busy,
    Busy,
    InterfaceError,
    OperationalError,
)


class Command(BaseCommand):
    """Read the runs, let the rules judge them, and print the figures beside their yardsticks."""

    help = "Measure the guards on recorded runs, each figure beside its yardstick."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to measure on."""
        parser.add_argument("path", type=Path, help="a file of runs, or a folder")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure and print."""
        try:
            measured = self._measured(files.read(options["path"]))
        except BadRuns as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(measured))
        else:
            self.stdout.write("\n".join(told(measured)))

    def _measured(self, found: files.Found) -> dict[str, Any]:
        runs = [recorded_runs.run_of(record) for record in found.runs]
        return {
            "breakers": breakers.measure(runs) if runs else None,
            "attribution": (
                attribution.measure(attribution.read(found.failures)) if found.failures else None
            ),
            "critic": critics.measure(found.proposals) if found.proposals else None,
            "injection": self._attacked(found.attacks) if found.attacks else None,
            "context": contexts.measure(runs) if runs else None,
        }

    def _attacked(self, found: Sequence[Attacks]) -> dict[str, Any]:
        lines: list[dict[str, Any]] = []
        said = ""
        try:
            with supervisor.running(parts.Options(), self.stderr.write) as address:
                for each in found:
                    lines += attacking.play(_on_its_own(each), each.cases, address)
        except _NOT_STARTED as error:
            said = f"No console could be asked: {error}"
        except Refused as refused:
            said = f"The console refused: {refused.sentence}"
        return {
            "cases": sum(len(each.cases) for each in found),
            "played": len(lines),
            "held": sum(line["held"] for line in lines),
            "forbidden_proposed": sum(line["forbidden_proposed"] for line in lines),
            "forbidden_executed": sum(line["forbidden_executed"] for line in lines),
            "origin_shown": sum(bool(line["origin_shown"]) for line in lines),
            "not_played_because": said,
        }


def _on_its_own(found: Attacks) -> Attacks:
    """Return attacks for a workspace in which nobody has paid anybody yet: limits count a day."""
    return replace(found, name=f"{secrets.token_hex(4)}-{found.name}")


def told(measured: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the tables, one table for each part that was measured."""
    for part, table in _TABLES.items():
        if measured[part] is not None:
            yield from ("", *table(measured[part]))


def _breakers(found: Mapping[str, Any]) -> Iterator[str]:
    plain = found["plain_rule"]
    yield "Breakers                          guards      plain rule"
    for name, of in (
        ("runaways_stopped", "runaways"),
        ("successes_terminated", "successes"),
        ("successes_paused", "successes"),
        ("successes_nudged", "successes"),
    ):
        label = name.replace("_", " ").capitalize()
        yield f"  {label:<28}{_of(found, name, of):>14}{_of(plain, name, of):>16}"
    yield "  The plain rule terminates a run that calls one tool more than three times."
    for run in found["each"]:
        at = run["stopped_at_call"]
        how = f"call {at} of {run['calls']}, {run['rule']}, {run['strength']}"
        yield f"  {how if at else 'not stopped':<44}{run['run'][:60]}"


def _of(found: Mapping[str, Any], name: str, of: str) -> str:
    whole = found[of]
    return f"{found[name]} of {whole}" + (f" {found[name] / whole:.1%}" if whole else "")


def _attribution(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"What started it, {found['runs']} runs        exact   within 1   within 3   in top 3"
    rows = {"suspects": found, **found["baselines"]}
    for name, row in rows.items():
        top = row.get("in_top_3", "")
        label = name.replace("_", " ").capitalize()
        yield f"  {label:<30}{row['exact']:>8}{row['within_1']:>11}{row['within_3']:>11}{top:>11}"


def _critic(found: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"Critic, {found['proposals']} proposals that could be carried out, "
        f"{found['base_rate']:.1%} of them wrong (the base rate)"
    )
    rows = {"any flag": found, **found["flags"]}
    for name, row in rows.items():
        label = name.replace("_", " ").capitalize()
        yield (
            f"  {label:<24}{row['flagged']:>4} flagged   "
            f"precision {row['precision']:>6.1%}   recall {row['recall']:>6.1%}"
        )


def _injection(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"Injection, {found['played']} of {found['cases']} attacks played"
    if found["not_played_because"]:
        yield f"  {found['not_played_because']}"
    yield (
        f"  {found['held']} held: {found['forbidden_proposed']} forbidden changes proposed, "
        f"{found['forbidden_executed']} carried out; the origin was shown in "
        f"{found['origin_shown']} cases"
    )


def _context(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"Context, the last prompts of {found['runs']} runs"
    yield (
        f"  {found['bytes_before']:,} bytes before, {found['bytes_after']:,} after pruning "
        f"({found['removed_share']:.1%} removed)"
    )
    yield (
        f"  repeats: {found['repeats_bytes']:,} bytes, {found['repeats_share']:.1%} of results, "
        f"{found['repeats_removed_share']:.1%} of them removed"
    )
    yield (
        f"  failed results: {found['failed_bytes']:,} bytes, "
        f"{found['failed_removed_share']:.1%} of them removed"
    )


_TABLES: Final = {
    "breakers": _breakers,
    "attribution": _attribution,
    "critic": _critic,
    "injection": _injection,
    "context": _context,
}
