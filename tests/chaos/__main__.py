"""`python -m tests.chaos --seed 7 --minutes 10 [--faults F1,F2] [--out FOLDER]`.

Exit status 1 when anything happened that must not. See docs/reliability.md.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from tests.chaos import product, report


def main() -> int:
    """Run once."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--faults", default="", help="only these, such as F1,F6; all without it")
    parser.add_argument("--rate", type=float, default=3.0, help="things asked for a second")
    parser.add_argument("--pace", type=float, default=1.0, help="above 1: fewer faults")
    parser.add_argument("--states", type=int, default=60, help="records in each workspace")
    parser.add_argument("--calm", type=float, default=20.0, help="seconds before the faults")
    parser.add_argument("--single", action="store_true", help="one web, one worker, one timer")
    parser.add_argument("--no-rewind", action="store_true", help="do not go back to a copy")
    parser.add_argument("--out", type=Path, default=Path("var/chaos"), help="for report and logs")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    places: list[Any] = []

    def build() -> None:
        # Only now: it needs Django, and Django reads where the servers are.
        from tests.chaos import world  # noqa: PLC0415

        places.extend(world.build_all(asked.states))

    with product.running(
        asked.seed, before=build, folder=asked.out, single=asked.single
    ) as running:
        from tests.chaos import run  # noqa: PLC0415

        run.say(f"seed {asked.seed}, {asked.minutes:g} minutes, {running.var}")
        plan = run.Plan(
            seed=asked.seed,
            minutes=asked.minutes,
            faults=tuple(filter(None, asked.faults.split(","))),
            rate=asked.rate,
            pace=asked.pace,
            calm_seconds=asked.calm,
            rewinds=not asked.no_rewind,
        )
        told = run.lead(plan, running, places)
        report.write(told, asked.out)
        for name, value in told["totals"].items():
            run.say(f"{name}: {value}")
        for wrong in (*told["violations"], *told["wrong"]):
            run.say(f"VIOLATION {wrong}")
        return 1 if told["totals"]["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
