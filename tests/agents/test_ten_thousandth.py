"""The ten-thousandth job: what an agent keeps and is given is no larger than it was before.

Nothing is timed here; sizes do not depend on the machine.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from agents import queries
from agents.operations.running import work
from agents.operations.sweeping import sweep
from agents.queries import drift
from agents.workflows import Context, Workflow, register_workflow
from console.canonical import Json
from snapshots.content import content_bytes
from tests.agents import minds
from tests.agents.stage import Stage, now

JOBS, FIRST, SWEPT_EVERY = 2_000, 200, 50
CLERK = minds.CLERK


def learn(context: Context) -> Json:
    """Recall what is known of a vendor, and keep what this job has learned; say how much it was."""
    number = context.job_input["number"]
    vendor = f"V-{number % 23:02}"
    known = context.recall(agent=CLERK, subject=vendor, why="The vendor was here before.")
    given: Json = [each.value for each in known]
    context.remember(agent=CLERK, subject=f"{vendor} account", value={"iban": f"DE{number:06}"})
    context.remember(
        agent=CLERK,
        subject=f"{vendor} job {number:06}",
        value={"said": "x" * 40},
        expires_in=timedelta(days=30),
    )
    return len(content_bytes(given))


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
@pytest.mark.django_db(transaction=True)
@override_settings(MEMORY_ENTRIES_AT_MOST=150)
def test_costs_no_more_than_the_two_hundredth() -> None:
    stage = Stage.build()
    register_workflow(Workflow("learn", "Learn", learn))
    sizes, recalled = [], []
    for number in range(JOBS):
        run = stage.submit("learn", key=f"job {number}", number=number)
        work()
        ended: Any = stage.run(run.id)
        assert ended.status == "succeeded", ended.problem
        recalled.append(ended.result)
        if number % SWEPT_EVERY == SWEPT_EVERY - 1:
            head = minds.mind(stage.setup, stage.book)
            sweep(actor=stage.setup, state_id=head.state_id, now=now())
            seen = drift.look(head.workspace_id, head.state_id, now())
            sizes.append(seen.figures.document_bytes)
            assert seen.figures.entries <= 150
    early = slice(FIRST - 50, FIRST)
    late = slice(JOBS - 50, JOBS)
    assert sizes[-1] <= sizes[FIRST // SWEPT_EVERY - 1] * 1.1
    assert sum(recalled[late]) <= sum(recalled[early]) * 1.1
    assert sum(recalled[late]) > 0
    assert queries.runs(stage.setup.workspace_id).count() == JOBS
