"""`python -m benchmarks`: measure everything in one run, print a table, write JSON.

`--quick` takes about a minute and tells the order of things; `--only engine live` chooses parts.
"""

import argparse
import importlib
import sys
import time
import traceback
from datetime import UTC, datetime

from benchmarks.figures import Part
from benchmarks.servers import say, servers

PARTS = (
    *("engine", "submitting", "deciding", "live", "queue_page", "replaying"),
    *("states", "late_versions", "history_page", "conflicts"),
    *("rolling_back", "verifying", "ledgers", "diffing"),
    *("policies", "proposals", "sending", "claiming", "guarding", "ten_thousandth"),
)
ROUNDS, QUICK_ROUNDS = 3, 1


def main() -> int:
    """Return 0 when nothing was wrong and every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    chosen = parser.parse_args()
    began = datetime.now(UTC)
    with servers():
        # These need settings, which are read only when the servers run.
        from benchmarks import report  # noqa: PLC0415

        parts = [_measured(name, quick=chosen.quick) for name in chosen.only]
        print(report.table(parts))
        print(f"\nKept in {report.write(parts, began, quick=chosen.quick)}")
    figures = [figure for part in parts for figure in part.figures]
    is_right = not any(part.faults for part in parts)
    return 0 if is_right and all(figure.is_kept for figure in figures) else 1


def _measured(name: str, *, quick: bool) -> Part:
    began = time.monotonic()
    try:
        module = importlib.import_module(f"benchmarks.{name}")
        part: Part = module.measure(rounds=QUICK_ROUNDS if quick else ROUNDS, quick=quick)
    except Exception as error:  # noqa: BLE001  (what the other parts measured still counts)
        traceback.print_exc()
        part = Part(name, faults=[f"could not be measured: {type(error).__name__}: {error}"])
    say(f"{name}: {time.monotonic() - began:.0f} s")
    return part


if __name__ == "__main__":
    sys.exit(main())
