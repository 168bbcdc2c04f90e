"""Run beside a console whose sender stands still: send payments, of which some find no answer.

Prints the executions' ids: one in doubt, one carried out, one set aside.
"""

import json
import os
import sys
from datetime import UTC, datetime

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()

from approvals.connectors.protocol import Listed  # noqa: E402
from approvals.operations.reconciling import reconcile_due  # noqa: E402
from console.access.models import User, Workspace  # noqa: E402
from console.actors import system  # noqa: E402
from snapshots.operations.creating import create_state  # noqa: E402
from tests.approvals.teller import Abroad  # noqa: E402
from tests.house import House  # noqa: E402

ROLES = {"ana": "reviewer", "ben": "reviewer", "ada": "admin", "eve": "engineer"}


def main() -> None:
    """Make the rows."""
    workspace = Workspace.objects.get(slug="brackwater-finance")
    people = {name: User.objects.get(email=f"{name}@countersign.example") for name in ROLES}
    setup = system("setup", workspace.id)
    book = create_state(
        actor=setup, key="abroad", document={}, reason="opening", now=datetime.now(UTC)
    )
    abroad = Abroad.build(House(workspace, people, ROLES, book, setup))
    done, doubted, aside = abroad.send(), abroad.doubt("48200.00"), abroad.quarantine()
    abroad.bank.lines = (Listed("f" * 32, "X-9", datetime.now(UTC), "EUR 9.00"),)
    reconcile_due({"bank": abroad.bank}, now=datetime.now(UTC))
    found = {"done": done, "doubted": doubted, "aside": aside}
    json.dump({name: str(row.id) for name, row in found.items()}, sys.stdout)


if __name__ == "__main__":
    main()
