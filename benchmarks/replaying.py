"""Are a hundred runs at the same time all right? Every one must end on the digest foretold.

`manage.py replay` plays an invented recording through the whole console: API, workers, proposals,
decisions, snapshots, with users who change their State between the proposals.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from agents.packs.recordings import digest
from benchmarks.figures import Part
from console.canonical import Json
from console.supervision import addresses
from snapshots.diff import Change, apply

JOBS, QUICK_JOBS = 100, 20
WRITES = 3
ACCOUNTS = 40
PATIENCE_SECONDS = 180
TOOLS = [
    {"name": "set_balance", "type": "write", "params": {"account": "<class 'str'>"}},
    {"name": "look_up", "type": "read", "params": {"account": "<class 'str'>"}},
]


def measure(*, rounds: int, quick: bool) -> Part:
    """Return how long one run takes, and a hundred at once; whatever went wrong is a fault."""
    part, jobs = Part("replaying"), QUICK_JOBS if quick else JOBS
    with tempfile.TemporaryDirectory(prefix="countersign-replay-") as folder:
        recording = _recording(Path(folder) / "bench", jobs)
        alone = _replayed(part, recording, "--jobs", "bench/000")
        together = _replayed(part, recording)
    if len(together) != jobs:
        part.faults.append(f"Only {len(together)} of {jobs} runs ended.")
    one = part.add("one run alone", "s", [line["seconds"] for line in alone])
    last = max(line["seconds"] for line in together)
    part.add(f"{jobs} runs at once, until the last ended", "s", [last], against=one)
    proposals = sum(line["proposals"] for line in together)
    part.remarks.append(f"{jobs} runs, {proposals} proposals, {jobs / last:.1f} runs a second")
    return part


def _replayed(part: Part, recording: Path, *words: str) -> list[dict[str, Any]]:
    """Play a recording with a console of its own on our servers; return a line for each run."""
    var = addresses.var_dir() / "replay"
    var.mkdir(exist_ok=True)
    command = [sys.executable, "manage.py", "replay", str(recording), "--decisions", "approve"]
    done = subprocess.run(
        [*command, "--json", *words],
        cwd=addresses.REPOSITORY,
        env={**os.environ, "COUNTERSIGN_VAR": str(var)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    part.faults += [f"{line['job_id']} did not end as foretold" for line in lines if _is_bad(line)]
    if done.returncode:
        part.faults.append(f"replay ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return lines


def _is_bad(line: dict[str, Any]) -> bool:
    is_same = line["final_sha256"] == line["expected_sha256"]
    return not is_same or line["status"] != "succeeded" or line["proposals"] != WRITES


def _recording(folder: Path, jobs: int) -> Path:
    folder.mkdir()
    document: Json = {"accounts": {f"{n:04}": {"balance": 100 * n} for n in range(ACCOUNTS)}}
    invented = [_job(number, document) for number in range(jobs)]
    for name, value in (("state", document), ("tools", TOOLS), ("jobs", invented)):
        (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


def _job(number: int, document: Json) -> dict[str, Any]:
    """Invent a job: it looks, writes, and each time the user has changed something meanwhile."""
    chosen = random.Random(number)
    calls: list[dict[str, Any]] = []
    end: Any = document
    for _ in range(WRITES):
        for by, tool, kind in (
            ("agent", "look_up", "read"),
            ("agent", "set_balance", "write"),
            ("user", "pay_in", "generic"),
        ):
            account = f"{chosen.randrange(ACCOUNTS):04}"
            balance = end["accounts"][account]["balance"]
            change = Change("replace", f"/accounts/{account}/balance", balance, balance + 7)
            changes = [] if kind == "read" else [change]
            end = apply(end, changes)
            calls.append(
                {
                    "n": len(calls),
                    "by": by,
                    "tool": tool,
                    "args": {"account": account},
                    "kind": kind,
                    "high_stakes": kind == "write",
                    "result": balance,
                    "error": False,
                    "changes": [each.to_json() for each in changes],
                }
            )
    return {
        "job_id": f"bench/{number:03}",
        "instruction": "Set three balances.",
        "initial_overrides": [],
        "calls": calls,
        "initial_sha256": digest(document),
        "final_sha256": digest(end),
    }
