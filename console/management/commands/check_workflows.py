"""Say what speaks against the workflows of this installation, before one of them runs."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from agents import packs, workflows
from agents.packs import Failure
from agents.rolecheck import Finding, findings
from console.canonical import Json

MUST_BE_MENDED = 1
Found = dict[str, list[Finding]]


class Command(BaseCommand):
    """Check the roles of every workflow, and that every installed pack could be loaded."""

    help = "Check the roles of all workflows; exit 1 where something must be mended."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take how the answer is written."""
        parser.add_argument("--json", action="store_true", help="one JSON object, for programs")

    def handle(self, *, json: bool = False, **_options: Any) -> None:
        """Write what was found, and say by the exit status whether it is an error."""
        found = {name: findings(each) for name, each in sorted(workflows.known().items())}
        failures = packs.failures()
        if json:
            self.stdout.write(_as_json(found, failures))
        else:
            self._tell(found, failures)
        if failures or any(each.is_error for listed in found.values() for each in listed):
            raise SystemExit(MUST_BE_MENDED)

    def _tell(self, found: Found, failures: list[Failure]) -> None:
        for failure in failures:
            self._say("error", failure.name, f"The pack is not loaded. {failure.error}")
        for name, listed in found.items():
            if not listed:
                self._say("ok", name, "Nothing speaks against its roles.")
            for finding in listed:
                self._say("error" if finding.is_error else "note", name, finding.sentence)
                for passage in finding.passages:
                    self.stdout.write(f"         “{passage.one}”")

    def _say(self, strength: str, name: str, sentence: str) -> None:
        self.stdout.write(f"{strength:<8} {name}: {sentence}")


def _as_json(found: Found, failures: list[Failure]) -> str:
    packs_not_loaded: list[Json] = [{"name": each.name, "error": each.error} for each in failures]
    listed: dict[str, Json] = {
        name: [_finding(finding) for finding in each] for name, each in found.items()
    }
    return json.dumps({"workflows": listed, "packs_not_loaded": packs_not_loaded}, indent=1)


def _finding(finding: Finding) -> Json:
    return {
        "kind": finding.kind,
        "is_error": finding.is_error,
        "sentence": finding.sentence,
        "roles": [*finding.roles],
        "passages": [[passage.one, passage.other] for passage in finding.passages],
    }
