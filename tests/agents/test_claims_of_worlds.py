"""No proposal of the demo worlds, the recordings or the attacks says that it was approved.

What is marked there would be marked wrongly, and ask people for more than they owe.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from agents.packs import care, finance
from approvals.authority_claims import claims, words
from approvals.models import Revision
from tests.agents.test_conversing import Office

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the recordings are not here")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pack", [finance, care])
def test_the_demo_worlds_are_as_they_were(pack: Any) -> None:
    office = Office(pack)
    for _ in pack.working.SCRIPT:
        office.seen()
        office.decide("reject")
    rows = Revision.objects.all()
    assert rows.count() >= len(pack.working.SCRIPT)
    assert [row.rationale for row in rows if row.false_authority] == []


@pytest.mark.data
@needs_data
@pytest.mark.parametrize(("name", "proposals"), [("bank", 141), ("telehealth", 14)])
def test_none_of_the_recordings(name: str, proposals: int) -> None:
    jobs = json.loads((DATA / name / "jobs.json").read_text())
    calls = [call for job in jobs for call in job["calls"] if call["kind"] == "write"]
    assert len(calls) == proposals
    assert [call for call in calls if claims(_words(call))] == []


@pytest.mark.data
@needs_data
def test_none_of_the_attacks() -> None:
    whole = json.loads((DATA / "injection" / "banking.json").read_text())
    asked = [step for task in whole["user_tasks"] for step in task["gold_steps"]]
    asked += [step for task in whole["injection_tasks"] for step in task["forbidden_steps"]]
    assert [step for step in asked if claims(words("", step["args"]))] == []


@pytest.mark.data
@needs_data
def test_nothing_that_agents_said_in_recorded_runs() -> None:
    runs = json.loads((DATA / "breaker" / "runs.json").read_text())
    said = [
        str(step["content"])
        for run in runs
        for step in run["steps"]
        if step["kind"] == "message" and step["actor"] != "user"
    ]
    assert len(said) > 400
    assert claims(("message", each) for each in said) == []


def _words(call: dict[str, Any]) -> list[tuple[str, str]]:
    stated = [(each["path"], each.get("value")) for each in call.get("changes", [])]
    return [*words("", call["args"], stated)]
