"""Replay recorded runs against live States, through the path that every job takes.

`manage.py replay FOLDER [--decisions approve|reject|first:K] [--jobs ID …] [--rollback-every]
[--json]`, and for a file of attacks `manage.py replay FILE --attacks [--jobs TASK+TASK …] [--json]`
"""

import json
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError, connection

from agents import lifecycle
from agents.packs import attacks, recordings
from agents.packs.recordings import RecordedJob, Recording
from console.actors import Actor
from console.locking import Busy
from console.management import attacking
from console.management.returning import Returning, statuses_of
from console.management.staging import Plan, Played, Stage, report
from console.supervision import lock, parts, supervisor
from console.supervision.embedded import Unavailable

LOOK_SECONDS = 0.05
WAITING_FOR_PEOPLE = 3
DATABASE_AWAY_SECONDS = 30.0


class Command(BaseCommand):
    """Make States from a recording, submit its jobs, decide, and compare the digests."""

    help = "Replay recorded runs: each write becomes a proposal, and the digests are compared."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the folder and what to do with it."""
        parser.add_argument("folder", type=Path, help="holds state.json, tools.json, jobs.json")
        parser.add_argument(
            "--attacks",
            action="store_true",
            help="play a file of attacks; people approve what the user asked for, nothing else",
        )
        parser.add_argument("--decisions", type=_plan, help="approve, reject or first:K")
        parser.add_argument("--jobs", nargs="+", metavar="ID", default=[])
        parser.add_argument(
            "--rollback-every",
            action="store_true",
            help="once a job has ended, go from each version back to every earlier one, and on",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object per job")

    def handle(self, *args: Any, **options: Any) -> None:
        """Play, and exit with 0 only if every job ended on its expected digest."""
        plan = options["decisions"]
        if options["rollback_every"] and (plan is None or plan.approve_first is not None):
            raise CommandError("--rollback-every goes with --decisions approve.")
        try:
            status = self._attacked(options) if options["attacks"] else self._recorded(options)
        except recordings.BadRecording as error:
            raise CommandError(str(error)) from error
        except (InterfaceError, OperationalError) as error:
            raise CommandError("The database went away; what waits is still waiting.") from error
        except (supervisor.StartFailed, Unavailable, parts.PortTaken, lock.Busy) as error:
            raise CommandError(str(error)) from error
        if status:
            sys.exit(status)

    def _recorded(self, options: dict[str, Any]) -> int:
        recording = recordings.read(options["folder"])
        with supervisor.running(parts.Options(), self._note) as address:
            return self._play(recording, address, options)

    def _attacked(self, options: dict[str, Any]) -> int:
        found = attacks.read(options["folder"])
        cases = attacking.chosen(found, options["jobs"])
        held = True
        with supervisor.running(parts.Options(), self._note) as address:
            for line in attacking.play(found, cases, address):
                held &= line["held"]
                self.stdout.write(json.dumps(line) if options["json"] else attacking.told(line))
                self.stdout.flush()
        return 0 if held else 1

    def _note(self, line: str) -> None:
        self.stderr.write(line)

    def _play(self, recording: Recording, address: str, options: dict[str, Any]) -> int:
        jobs = _chosen(recording, options["jobs"])
        stage = Stage.build(recording)
        with stage.client(address) as client:
            played = [stage.submit(client, job, recording.document) for job in jobs]
        stage.lock_up()
        where = f"{address}/w/{stage.slug}/queue/"
        self._note(f"{len(played)} jobs submitted; their proposals are at {where}")
        admin = stage.admin() if options["rollback_every"] else None
        right = True
        for job, back in self._follow(stage, played, options["decisions"], admin):
            line = report(stage, job, options["decisions"], back)
            right &= line["status"] == "succeeded"
            right &= line["final_sha256"] == line["expected_sha256"]
            right &= not line.get("rollbacks_wrong")
            self._print(line, as_json=options["json"])
        if any(not job.ended for job in played):
            return WAITING_FOR_PEOPLE
        return 0 if right else 1

    def _follow(
        self, stage: Stage, played: list[Played], plan: Plan | None, admin: Actor | None
    ) -> Iterator[tuple[Played, Returning | None]]:
        """Yield jobs as they end; without a plan, once each waits for a person.

        With an admin, a job is yielded once its State was brought back to every version.
        """
        left, returning = list(played), list[Returning]()
        while left or returning:
            statuses = self._look(stage, left, plan, returning)
            for job in [j for j in left if lifecycle.is_finished(statuses[j.job_id])]:
                job.ended = True
                left.remove(job)
                if admin is not None and statuses[job.job_id] == "succeeded":
                    returning.append(Returning.begin(job, admin))
                else:
                    yield job, None
            for back in [each for each in returning if each.is_over]:
                returning.remove(back)
                yield back.job, back
            if plan is None and all(statuses[j.job_id] == "waiting" for j in left):
                yield from ((job, None) for job in left)
                return
            time.sleep(LOOK_SECONDS)

    def _look(
        self, stage: Stage, left: list[Played], plan: Plan | None, returning: list[Returning]
    ) -> dict[UUID, str]:
        """Decide what waits and return how the jobs stand; wait for a database that is away."""
        deadline = time.monotonic() + DATABASE_AWAY_SECONDS
        while True:
            try:
                if plan is not None:
                    for job in left:
                        stage.decide(job, plan)
                reached = statuses_of(stage.actor.workspace_id, returning)
                for each in returning:
                    each.look(reached)
                return stage.statuses(left)
            except (InterfaceError, OperationalError, Busy):
                if time.monotonic() > deadline:
                    raise
                connection.close()
                time.sleep(LOOK_SECONDS * 10)

    def _print(self, line: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(line))
        else:
            same = line["final_sha256"] == line["expected_sha256"]
            verdict = "as expected" if same else "NOT as expected"
            self.stdout.write(
                f"{line['job_id']}: {line['status']}, {line['proposals']} proposals, "
                f"{line['decisions']} decisions, {line['seconds']} s, {verdict}" + _returned(line)
            )
        self.stdout.flush()


def _returned(line: dict[str, Any]) -> str:
    if "rollbacks_checked" not in line:
        return ""
    return f", {line['rollbacks_checked']} rollbacks, {line['rollbacks_wrong']} wrong"


def _chosen(recording: Recording, ids: list[str]) -> list[RecordedJob]:
    known = {job.job_id: job for job in recording.jobs}
    short = {job_id.rpartition("/")[2]: job for job_id, job in known.items()}
    if strangers := [job_id for job_id in ids if job_id not in known and job_id not in short]:
        raise CommandError(f"There is no job {strangers[0]!r} in {recording.name}.")
    return [known.get(job_id) or short[job_id] for job_id in ids] or recording.jobs


def _plan(text: str) -> Plan:
    """Read approve, reject or first:K. Raises: ArgumentTypeError."""
    if text in {"approve", "reject"}:
        return Plan(None if text == "approve" else 0)
    word, _, number = text.partition(":")
    if word != "first" or not (number.isascii() and number.isdecimal()):
        raise ArgumentTypeError(f"{text!r} is none of approve, reject and first:K.")
    return Plan(int(number))
