"""The tutorial: its code is taken from the page and run, from an empty module to the queue."""

import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.management import call_command

from agents import packs, providers, workflows
from agents import queries as agents
from agents.models import Run, Step
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.operations.waking import wake_run
from agents.providers import Scripted
from agents.workflows import Message, Reply
from approvals import queries as approvals
from approvals.models import ActionType, Evidence, Proposal
from approvals.operations.deciding import Act, Seen, decide
from approvals.rulebook import Rule
from snapshots import queries as snapshots
from tests.house import ONE_MUST_AGREE, House, now
from tests.terms import reason_code_for, set_rules

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
KEY = "office/stationery"


def blocks(kind: str) -> list[str]:
    """Return the blocks of code of one kind, as they stand on the page."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def shell(beginning: str) -> list[str]:
    """Return the words of the one command on the page that begins so."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    [line] = [line for line in lines if line.startswith(beginning)]
    return shlex.split(line)


@pytest.fixture
def pack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """Install the pack of the page as its pyproject.toml says."""
    (tmp_path / "stationery.py").write_text("\n\n".join(blocks("python")), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    [project] = [tomllib.loads(block) for block in blocks("toml")]
    named = project["project"]["entry-points"][packs.GROUP]
    points = [EntryPoint(name, value, packs.GROUP) for name, value in named.items()]
    monkeypatch.setattr(packs, "entry_points", lambda group: points)
    packs.load()
    yield sys.modules["stationery"]
    del sys.modules["stationery"]
    packs._packs.pop("stationery", None)
    workflows._workflows.pop("stationery", None)


def manage(beginning: str, house: House, tmp_path: Path) -> str:
    """Run a command of the page, in the workspace of the test and with a person of it."""
    words = shell(f".venv/bin/python manage.py {beginning}")[2:]
    (tmp_path / "cupboard.json").write_text(blocks("json")[0], encoding="utf-8")
    here = {
        "brackwater-finance": house.workspace.slug,
        "eve@countersign.example": house.people["ada"].email,
        "../stationery/cupboard.json": str(tmp_path / "cupboard.json"),
    }
    out = StringIO()
    call_command(*(here.get(word, word) for word in words), stdout=out)
    return out.getvalue()


def submitted(house: House) -> Run:
    """Submit the job of the page and let it work."""
    body = json.loads(shell("curl")[-1])
    request = JobRequest(body["workflow"], body["state"], body["input"], "cupboard-1")
    job_id, _ = submit(actor=house.actor("eve"), request=request, now=now())
    work()
    return agents.current_run(agents.job(house.workspace.id, job_id))


def approve(house: House, proposal: Proposal) -> None:
    shown = approvals.detail(house.workspace.id, proposal.id)
    act = Act("approve", "Paper is short.", reason_code_for("approve"))
    seen = Seen(shown.revision.number, shown.revision.digest)
    decide(actor=house.actor("ana"), proposal_id=proposal.id, seen=seen, act=act, now=now())


def test_checks_clean(pack: ModuleType) -> None:
    out = StringIO()
    call_command("check_workflows", "--json", stdout=out)
    assert json.loads(out.getvalue())["workflows"]["stationery"] == []
    assert pack.WORKFLOW.team is pack.TEAM


@pytest.mark.django_db(transaction=True)
class TestTheTutorial:
    @pytest.fixture
    def furnished(self, house: House, pack: ModuleType, tmp_path: Path) -> House:
        manage("install_pack", house, tmp_path)
        manage("import_state", house, tmp_path)
        set_rules(house.setup, Rule("true", ONE_MUST_AGREE))
        return house

    def test_installs_its_action_types_once(self, furnished: House, tmp_path: Path) -> None:
        first = ActionType.objects.get(workspace=furnished.workspace.id, name="order_item")
        assert "order_item" in manage("install_pack", furnished, tmp_path)
        again = ActionType.objects.get(workspace=furnished.workspace.id, name="order_item")
        assert (again.id, again.label) == (first.id, "Order an item")

    def test_ends_with_a_proposal_in_the_queue_and_goes_on_when_it_is_approved(
        self, furnished: House
    ) -> None:
        run = submitted(furnished)
        assert (run.status, run.problem) == ("waiting", "")
        proposal = Proposal.objects.get(workspace=furnished.workspace.id)
        assert proposal.title == "Order 16 of PAPER-A4"
        assert (proposal.agent, proposal.currency) == ("buyer", "EUR")
        assert proposal.amount == 344
        labels = Evidence.objects.filter(proposal=proposal).values_list("label", flat=True)
        assert {"list_shortages", "look_up_item"} <= {*labels}
        approve(furnished, proposal)
        wake_run(run.id)
        work()
        run.refresh_from_db()
        assert (run.status, run.problem) == ("succeeded", "")
        assert run.result is not None
        assert run.result["result"] == {"summary": "The buyer has seen to the cupboard."}
        head = snapshots.head(furnished.workspace.id, proposal.state_id)
        record: Any = snapshots.content(head.state_id, head.number)
        assert record["orders"] == {"PAPER-A4": {"quantity": 16, "total": "344.00"}}

    def test_shows_the_second_look_beside_the_proposal(self, furnished: House) -> None:
        submitted(furnished)
        proposal = Proposal.objects.get(workspace=furnished.workspace.id)
        second = proposal.revisions.get(number=1).second
        assert second is not None
        assert second["agent"] == "second-look"
        assert second["changes"] == [
            {"op": "add", "path": "/orders/PAPER-A4", "value": {"quantity": 16, "total": "344.00"}}
        ]

    def test_keeps_in_mind_what_was_ordered(self, furnished: House) -> None:
        run = submitted(furnished)
        approve(furnished, Proposal.objects.get(workspace=furnished.workspace.id))
        wake_run(run.id)
        work()
        kept = Step.objects.get(run=run.id, kind="memory")
        assert kept.input["subject"] == "item PAPER-A4"
        assert kept.error == ""

    def test_runs_with_a_model_instead_of_the_script(
        self, furnished: House, pack: ModuleType, settings: Any
    ) -> None:
        [instead] = blocks("python instead")
        exec(instead, vars(pack))  # noqa: S102  (the page is ours)
        workflows.register_workflow(pack.WORKFLOW)

        def answer(message: Message) -> Reply:
            [role] = [
                role
                for role in pack.TEAM.roles
                if message.instructions.startswith(role.instructions)
            ]
            reply: Reply = pack.SCRIPTS[role.name](message)
            return reply

        providers.register("local", lambda name: Scripted(answer, name=name))
        settings.MODEL = "local:qwen3:8b"
        try:
            run = submitted(furnished)
        finally:
            providers._factories.pop("local")
        assert (run.status, run.problem) == ("waiting", "")
        assert Step.objects.filter(run=run.id, kind="model_call").exists()
