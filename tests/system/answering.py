"""A reviewer who says yes to everything that waits: `python -m tests.system.answering SLUG`.

Goes on until no job of the workspace is under way, then prints how each ended: its label and the
digest of its State, one JSON object per line.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()

from agents import lifecycle  # noqa: E402
from agents import queries as agents  # noqa: E402
from agents.packs import recordings  # noqa: E402
from approvals import queries as approvals  # noqa: E402
from approvals.operations.deciding import Act, Seen, decide  # noqa: E402
from console.access.models import Workspace  # noqa: E402
from console.access.queries import people_with_role, person_as_actor  # noqa: E402
from console.actors import Actor  # noqa: E402
from snapshots import queries as snapshots  # noqa: E402


def main() -> None:
    """Decide until everything has ended, and tell."""
    workspace = Workspace.objects.get(slug=sys.argv[1])
    person, roles = people_with_role(workspace.id, ["reviewer"])[0]
    reviewer = person_as_actor(person, workspace.id, set(roles))
    deadline = time.monotonic() + 120
    while _are_under_way(reviewer) and time.monotonic() < deadline:
        _approve_all(reviewer)
        time.sleep(0.2)
    for job in agents.jobs(workspace.id):
        head = snapshots.head(workspace.id, job.state_id)
        digest = recordings.digest(snapshots.content(head.state_id, head.number))
        print(json.dumps({"job_id": job.label, "final_sha256": digest}))  # noqa: T201


def _are_under_way(reviewer: Actor) -> bool:
    jobs = agents.jobs(reviewer.workspace_id)
    return any(not lifecycle.is_finished(agents.current_run(job).status) for job in jobs)


def _approve_all(reviewer: Actor) -> None:
    for proposal in approvals.open_proposals(reviewer.workspace_id):
        revision = approvals.detail(reviewer.workspace_id, proposal.id).revision
        decide(
            proposal_id=proposal.id,
            seen=Seen(revision.number, revision.digest),
            actor=reviewer,
            act=Act("approve", "It waited through a crash."),
            now=datetime.now(UTC),
        )


if __name__ == "__main__":
    main()
