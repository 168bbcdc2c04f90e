"""Check everything that is stored: `manage.py verify [--workspace S] [--json]`."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from approvals.queries.invariants import broken
from console.access.models import Workspace
from console.ledger import queries as ledger
from snapshots.queries.checking import Checked, Fault, check
from snapshots.queries.walking import states_after

STATES_AT_ONCE = 200
LEDGER = "(ledger)"


class Command(BaseCommand):
    """Recompute every digest and the chains, and look for what must never be; exit 1 on faults."""

    help = "Check every snapshot, part, reading and mark of every State, and every ledger."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the workspace and the form of the answer."""
        parser.add_argument("--workspace", metavar="SLUG", help="only this one")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print every fault as it is found, then how much was checked and how fast."""
        self._as_json = options["json"]
        began = time.monotonic()
        total = {"states": 0, "versions": 0, "let_go": 0, "parts": 0, "readings": 0, "faults": 0}
        for workspace in _chosen(options["workspace"]):
            for checked in _states(workspace):
                self._tell(workspace, checked.faults)
                _add(total, checked)
            broken = _ledger_fault(workspace)
            self._tell(workspace, broken)
            total["faults"] += len(broken)
        total["faults"] += self._tell_of_decisions()
        self._sum_up(total, time.monotonic() - began)
        if total["faults"]:
            raise CommandError(f"{total['faults']} fault(s) found.")

    def _tell_of_decisions(self) -> int:
        """Print which sentences about decisions do not hold; they are asked of all workspaces."""
        found = broken()
        for item in found:
            line = {"sentence": item.sentence, "ids": list(item.ids)}
            told = f"Not true: {item.sentence}. See {', '.join(item.ids)}"
            self.stdout.write(json.dumps(line) if self._as_json else told)
        return len(found)

    def _tell(self, workspace: Workspace, faults: list[Fault]) -> None:
        for fault in faults:
            line = {"workspace": workspace.slug, **asdict(fault)}
            self.stdout.write(json.dumps(line) if self._as_json else _told(workspace, fault))

    def _sum_up(self, total: dict[str, int], seconds: float) -> None:
        rate = total["versions"] / max(seconds, 1e-9)
        if self._as_json:
            summary = {**total, "seconds": round(seconds, 3), "versions_per_second": round(rate)}
            self.stdout.write(json.dumps(summary))
            return
        self.stdout.write(
            f"{total['states']} States, {total['versions']} snapshots ({total['let_go']} let go), "
            f"{total['parts']} parts and {total['readings']} readings checked in {seconds:.1f} s, "
            f"{rate:,.0f} snapshots/s; {total['faults']} faults."
        )


def _chosen(slug: str | None) -> list[Workspace]:
    rows = Workspace.objects.order_by("slug")
    found = list(rows.filter(slug=slug) if slug else rows)
    if slug and not found:
        raise CommandError(f"There is no workspace {slug}.")
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


def _ledger_fault(workspace: Workspace) -> list[Fault]:
    objection = ledger.verify(workspace.id).objection
    remedy = "Nothing may be appended before this is understood; compare with a backup."
    return [Fault(LEDGER, None, "", objection, remedy)] if objection else []


def _told(workspace: Workspace, fault: Fault) -> str:
    number = "" if fault.number is None else f" snapshot {fault.number}"
    at = f" at {fault.path}" if fault.path else ""
    return f"{workspace.slug} {fault.key}{number}{at}: {fault.says}. {fault.remedy}"
