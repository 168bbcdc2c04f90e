"""The faults that need a run of their own, small: an upgrade, a full disk, two failovers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.checkout import version_before
from tests.chaos.product import TOP, git

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(900)]


def told(tmp_path: Path, module: str, *arguments: str) -> dict[str, Any]:
    """Run one of them in a process of its own, and return what it told."""
    argv = [sys.executable, "-m", f"tests.chaos.{module}", *arguments, "--out", str(tmp_path)]
    done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True, check=False, timeout=880)
    [written] = tmp_path.glob("*.json")
    found: dict[str, Any] = json.loads(written.read_text())
    assert not found["wrong"], found["wrong"]
    assert done.returncode == 0, done.stderr[-3000:]
    return found


def test_an_upgrade_beside_people_at_work_loses_nothing(tmp_path: Path) -> None:
    if not git("rev-parse", "--verify", "--quiet", f"{version_before()}^{{commit}}"):
        pytest.skip("this checkout holds no earlier version")
    found = told(tmp_path, "upgrade", "--seconds", "3")
    assert found["decisions answered"] >= 10
    assert found["executions"]["succeeded"] >= 10
    assert all(phase.get("GET 200") for phase in found["phases"].values())


def test_a_full_disk_is_waited_out(tmp_path: Path) -> None:
    found = told(tmp_path, "disk", "--seconds", "6")
    if skipped := found.get("skipped"):
        pytest.skip(skipped)
    assert found["phases"]["full"]["answers"]


def test_nothing_answered_is_missing_from_a_synchronous_standby(tmp_path: Path) -> None:
    found = told(tmp_path, "failover", "sync", "--seconds", "5")
    assert found["promised before the failover"] >= 5


def test_what_an_asynchronous_standby_lacks_is_named(tmp_path: Path) -> None:
    found = told(tmp_path, "failover", "async", "--seconds", "5")
    assert found["of these named by the comparison"] == found["payments we have forgotten"]
