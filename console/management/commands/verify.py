"""Check everything that is stored: `manage.py verify [--workspace S] [--json]`.

With `--offline`, a ledger that was taken out as a file, on a machine that has no database.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from approvals.queries.invariants import Answer, answers
from console.access.models import Workspace
from console.database.privileges import AUDITOR
from console.database.roles import become
from console.ledger.auditing import Report, audit
from console.ledger.checkpoints import Unusable, public_keys
from console.ledger.queries.verifying import SecondPlace, verify_sealed
from snapshots.queries.checking import Checked, Fault, check
from snapshots.queries.walking import states_after

STATES_AT_ONCE = 200
LEDGER = "(ledger)"
COUNTED = ("states", "versions", "let_go", "parts", "readings", "entries", "faults")
# Exit statuses: what was checked does not hold; it could not be checked at all.
DOES_NOT_HOLD, NOT_CHECKED = 1, 2


class Command(BaseCommand):
    """Recompute every digest and the chains, and look for what must never be; exit 1 on faults."""

    help = "Check every snapshot, part, reading and mark of every State, and every ledger."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the workspace, what to check, and the form of the answer."""
        parser.add_argument("--workspace", metavar="SLUG", help="only this one")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")
        parser.add_argument(
            "--invariants-only", action="store_true", help="only the sentences that always hold"
        )
        parser.add_argument(
            "--as-auditor", action="store_true", help="as a role that can only read"
        )
        parser.add_argument(
            "--offline", type=Path, metavar="FILE", help="a file that export_ledger wrote"
        )
        parser.add_argument(
            "--checkpoints", type=Path, metavar="FOLDER", help="default: CHECKPOINT_FOLDER"
        )
        parser.add_argument(
            "--public-key", type=Path, metavar="FILE", help="default: CHECKPOINT_PUBLIC_KEYS"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print every fault as it is found, then how much was checked and how fast."""
        self._as_json, self._loudness = options["json"], options["verbosity"]
        folder = options["checkpoints"] or settings.CHECKPOINT_FOLDER
        keys = options["public_key"] or settings.CHECKPOINT_PUBLIC_KEYS
        if options["offline"]:
            self._check_file(options["offline"], folder, keys)
            return
        if options["as_auditor"]:
            become(AUDITOR)
        self._began = time.monotonic()
        total = dict.fromkeys(COUNTED, 0)
        if not options["invariants_only"]:
            self._check_rows(options["workspace"], SecondPlace(folder, keys), total)
        total["faults"] += self._ask_sentences()
        self._sum_up(total, time.monotonic() - self._began)
        if total["faults"]:
            raise CommandError(f"{total['faults']} fault(s) found.", returncode=DOES_NOT_HOLD)

    def _check_rows(self, slug: str | None, place: SecondPlace, total: dict[str, int]) -> None:
        for workspace in _chosen(slug):
            for checked in _states(workspace):
                self._tell(workspace.slug, checked.faults)
                _add(total, checked)
            entries, found = _ledger_faults(workspace, place)
            self._tell(workspace.slug, found)
            total["entries"] += entries
            total["faults"] += len(found)
        if not slug:
            strange = _checkpoints_of_nobody(place)
            self._tell("(nowhere)", strange)
            total["faults"] += len(strange)

    def _ask_sentences(self) -> int:
        """Print which sentences do not hold, or all of them; they are asked of all workspaces."""
        found = 0
        for answer in answers():
            is_broken = bool(answer.ids or answer.problem)
            found += is_broken
            if is_broken or self._loudness > 1:
                self._tell_answer(answer)
        return found

    def _tell_answer(self, answer: Answer) -> None:
        if self._as_json:
            line = {"sentence": answer.invariant.sentence, "ids": list(answer.ids)}
            problem = {"problem": answer.problem} if answer.problem else {}
            self.stdout.write(json.dumps({**line, **problem}))
            return
        sentence = answer.invariant.sentence
        if answer.problem:
            self.stdout.write(f"Not asked: {sentence}. {answer.problem}")
        elif answer.ids:
            word = "Late" if answer.invariant.is_liveness else "Not true"
            self.stdout.write(f"{word}: {sentence}. See {', '.join(answer.ids)}")
        else:
            self.stdout.write(f"ok: {sentence}")

    def _tell(self, slug: str, faults: list[Fault]) -> None:
        for fault in faults:
            line = {"workspace": slug, **asdict(fault)}
            self.stdout.write(json.dumps(line) if self._as_json else _told(slug, fault))

    def _sum_up(self, total: dict[str, int], seconds: float) -> None:
        rate = total["versions"] / max(seconds, 1e-9)
        if self._as_json:
            summary = {**total, "seconds": round(seconds, 3), "versions_per_second": round(rate)}
            self.stdout.write(json.dumps(summary))
            return
        self.stdout.write(
            f"{total['states']} States, {total['versions']} snapshots ({total['let_go']} let go), "
            f"{total['parts']} parts and {total['readings']} readings, {total['entries']} ledger "
            f"entries checked in {seconds:.1f} s, {rate:,.0f} snapshots/s; "
            f"{total['faults']} faults."
        )

    def _check_file(self, file: Path, folder: Path, keys: Path) -> None:
        """Check a ledger outside of any database."""
        began = time.monotonic()
        try:
            known = public_keys(keys.read_bytes())
            if not folder.is_dir():
                raise NotADirectoryError(f"There is no folder {folder}")
            with file.open("rb") as lines:
                report = audit(lines, lambda name: _bytes_of(folder / name), known)
        except (OSError, Unusable) as error:
            raise CommandError(f"Nothing was checked: {error}", returncode=NOT_CHECKED) from error
        self._tell_report(report, time.monotonic() - began)
        if report.faults:
            told = "This ledger does not hold."
            raise CommandError(told, returncode=DOES_NOT_HOLD)

    def _tell_report(self, report: Report, seconds: float) -> None:
        checkpoints = len(report.checkpoints)
        rate = report.entries / max(seconds, 1e-9)
        if self._as_json:
            faults = [asdict(fault) for fault in report.faults]
            counts = {"entries": report.entries, "checkpoints": checkpoints, "seconds": seconds}
            line = {"workspace": report.workspace, **counts, "faults": faults}
            self.stdout.write(json.dumps(line))
            return
        for fault in report.faults:
            self.stdout.write(f"From entry {fault.seq} on not to be relied on: {fault.says}.")
        self.stdout.write(
            f"Workspace {report.workspace}: {report.entries} entries and {checkpoints} checkpoints "
            f"hold, checked in {seconds:.1f} s, {rate:,.0f} entries/s."
        )


def _chosen(slug: str | None) -> list[Workspace]:
    rows = Workspace.objects.order_by("slug")
    found = list(rows.filter(slug=slug) if slug else rows)
    if slug and not found:
        raise CommandError(f"There is no workspace {slug}.", returncode=NOT_CHECKED)
    return found


def _states(workspace: Workspace) -> Iterator[Checked]:
    after = None
    while found := states_after(after, at_most=STATES_AT_ONCE, workspace_id=workspace.id):
        for workspace_id, state_id in found:
            yield check(workspace_id, state_id)
        after = found[-1][1]


def _add(total: dict[str, int], checked: Checked) -> None:
    total["states"] += 1
    total["faults"] += len(checked.faults)
    for name in ("versions", "let_go", "parts", "readings"):
        total[name] += getattr(checked, name)


def _ledger_faults(workspace: Workspace, place: SecondPlace) -> tuple[int, list[Fault]]:
    verdict, objections = verify_sealed(workspace.id, place)
    remedy = "See docs/operations.md, “What to do after an alarm”."
    told = [*filter(None, [verdict.objection]), *objections]
    return verdict.checked, [Fault(LEDGER, None, "", says, remedy) for says in told]


def _checkpoints_of_nobody(place: SecondPlace) -> list[Fault]:
    known = Workspace.objects.values_list("id", flat=True)
    remedy = "A workspace is never removed; compare with a backup."
    return [
        Fault(LEDGER, None, name, "checkpoints of a workspace that is not there", remedy)
        for name in place.of_nobody(known)
    ]


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _told(slug: str, fault: Fault) -> str:
    number = "" if fault.number is None else f" snapshot {fault.number}"
    at = f" at {fault.path}" if fault.path else ""
    return f"{slug} {fault.key}{number}{at}: {fault.says}. {fault.remedy}"
