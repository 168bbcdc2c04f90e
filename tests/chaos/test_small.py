"""A minute of chaos on every push: one of each kind of death, then the same questions.

And the oracle itself: shown a lie of each kind, it has to say so.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


@pytest.mark.timeout(240)
def test_nothing_is_lost_doubled_or_unapproved(tmp_path: Path) -> None:
    options = ("--seed", "5", "--minutes", "0.4", "--pace", "0.7", "--states", "20", "--calm", "0")
    chosen = "F1,F2,F6,F7,F11,F14,F15"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.chaos", *options, "--no-rewind", "--single"),
            *("--faults", chosen, "--rate", "4", "--out", str(tmp_path)),
        ],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
        timeout=230,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads((tmp_path / "chaos.json").read_text())
    totals = told["totals"]
    assert totals["violations"] == 0
    assert totals["of the worker"] >= 3
    assert totals["of the sender"] >= 3
    assert totals["cuts after the request bytes"] >= 1
    assert totals["attempts"] >= 5
