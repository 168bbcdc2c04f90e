"""The pages of workflows and packs: who works in them, what is wrong, for whom they are there."""

import logging
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agents import packs, workflows
from agents.declarations import Contract, Memo, Role, Team, Tool
from agents.packs import Failure
from agents.workflows import Workflow, register_workflow
from tests.agents.test_pages import page, words
from tests.house import House

HOSTILE = "<script>alert(1)</script>\u202e"
SAYS = "Read every paper before you choose one action and say why."
LOOK = Tool("look_up", f"Looks. {HOSTILE}", {"type": "object"}, lambda _record: 1, max_calls=3)
CLERK = Role(
    "clerk",
    f"Keeps the books {HOSTILE}",
    f"You are careful. {SAYS}",
    tools=(LOOK,),
    action_types=("pay",),
    gives=Contract({"type": "object", "required": ["order"]}),
    memory=(Memo("V-", {"type": "integer"}),),
    writes=("/payments/*",),
)
HEAD = Role("head", "Leads", f"You lead. {SAYS}", gives=Contract({"required": ["all"]}))
CRITIC = Role(
    "critic", "Doubts", "You look.", action_types=("pay",), takes=Contract(), optional=True
)
TEAM = Team(HEAD, (CLERK,), CRITIC)


@pytest.fixture(autouse=True)
def _shop() -> Iterator[None]:
    register_workflow(
        Workflow(
            "shop",
            f"The shop {HOSTILE}",
            lambda _: None,
            roles=TEAM.roles,
            team=TEAM,
            guards={"calls": {"limit": 12}, "handoffs": {"limit": None}},
            tools=(LOOK, Tool("unused", "Nobody's", {"type": "object"}, lambda _record: 1)),
        )
    )
    yield
    workflows._workflows.pop("shop", None)


@pytest.mark.django_db
class TestThePages:
    def test_list_every_workflow_with_its_roles_and_findings(self, house: House) -> None:
        html = page(house.client("cleo"), house.url("workflows"))
        assert "Accounts payable" in words(html)
        assert "head, clerk, critic" in words(html)
        assert "2 notes" in words(html)
        assert house.url("workflows", "shop") in html

    def test_show_a_pack_that_could_not_be_loaded(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(packs, "failures", lambda: [Failure("acme", f"ImportError {HOSTILE}")])
        html = page(house.client("cleo"), house.url("workflows"))
        assert "The pack acme is left out: ImportError" in words(html)
        assert "<script>alert" not in html

    def test_show_what_each_role_declares(self, house: House) -> None:
        html = page(house.client("cleo"), house.url("workflows", "shop"))
        text = words(html)
        for said in (
            "Coordinator",
            "Specialist",
            "Critic",
            "left out when time runs short",
            "at most 3 calls in a run",
            "/payments/*",
            "V-…",
            "No role may call unused.",
            "head and clerk are told the same in part.",
            "12 calls: terminate",
            "Handoffs off",
        ):
            assert said in text, said
        assert html.count(SAYS.rstrip(".")) >= 4
        assert "<script>alert" not in html
        assert "\u202e" not in html

    def test_say_so_where_no_roles_are_declared(self, house: House) -> None:
        html = page(house.client("cleo"), house.url("workflows", "recorded"))
        assert "It declares no roles" in words(html)

    @pytest.mark.parametrize("name", ["nothing", "shop%00", "shop%0a", "x" * 300])
    def test_know_no_other_name(self, house: House, name: str) -> None:
        assert house.client("cleo").get(house.url("workflows", name)).status_code == 404

    def test_are_not_for_strangers_nor_for_people_of_another_workspace(
        self, house: House, elsewhere: House
    ) -> None:
        for place in (house.url("workflows"), house.url("workflows", "shop")):
            assert elsewhere.client("zoe").get(place).status_code == 404
            assert (
                elsewhere.client("zoe").get(place.replace("/acme/", "/nowhere/")).status_code == 404
            )

    def test_are_linked_from_the_agents(self, house: House) -> None:
        assert house.url("workflows") in page(house.client("cleo"), house.url("agents"))


class TestInstalledPacks:
    @pytest.fixture(autouse=True)
    def _as_before(self) -> Iterator[None]:
        tables: list[dict[str, Any]] = [packs._packs, packs._failures, workflows._workflows]
        before = [dict(table) for table in tables]
        yield
        for table, kept in zip(tables, before, strict=True):
            table.clear()
            table.update(kept)
        for name in [name for name in sys.modules if name.startswith("acme_")]:
            del sys.modules[name]

    def install(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **sources: str
    ) -> list[Failure]:
        """Install packs, each a module `acme_<name>` with this source, and load them."""
        monkeypatch.syspath_prepend(str(tmp_path))
        points = []
        for name, source in sources.items():
            (tmp_path / f"acme_{name}.py").write_text(source, encoding="utf-8")
            points.append(EntryPoint(name, f"acme_{name}", packs.GROUP))
        monkeypatch.setattr(packs, "entry_points", lambda group: points)
        packs.load()
        return packs.failures()

    SHOP = (
        "from agents.workflows import Workflow, register_workflow\n"
        "def register():\n"
        "    register_workflow(Workflow({name!r}, 'Shop', lambda _: None))\n"
    )

    def test_bring_their_workflows(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        assert self.install(monkeypatch, tmp_path, one=self.SHOP.format(name="acme")) == []
        pack = packs.pack_of("acme")
        assert pack is not None
        assert (pack.name, pack.workflows, pack.action_types) == ("one", ("acme",), ())
        packs.load()
        assert packs.failures() == []

    @pytest.mark.parametrize(
        ("source", "error"),
        [
            ("import no_such_module", "ModuleNotFoundError"),
            ("def register():\n    raise SystemError('odd')", "SystemError: odd"),
            ("x = 1", "AttributeError"),
            (SHOP.format(name="a/b"), "WorkflowUnusable: Workflow 'a/b', name"),
            (SHOP.format(name="recorded"), "Another pack has a workflow of this name: recorded"),
        ],
    )
    def test_that_fail_are_left_out_loudly_and_the_others_are_there(
        self,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        source: str,
        error: str,
    ) -> None:
        before = workflows.find("recorded")
        with caplog.at_level(logging.ERROR):
            [failure] = self.install(
                monkeypatch, tmp_path, bad=source, good=self.SHOP.format(name="acme")
            )
        assert failure.name == "bad"
        assert error in failure.error
        assert "could not be loaded" in caplog.text
        assert packs.named("bad") is None
        assert packs.named("good") is not None
        now = workflows.find("recorded")
        assert before is not None
        assert now is not None
        assert now.function is before.function

    def test_take_nobodys_name(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        [failure] = self.install(monkeypatch, tmp_path, finance=self.SHOP.format(name="acme"))
        assert "has this name already" in failure.error
        assert packs.named("finance").module == "agents.packs.finance"  # type: ignore[union-attr]

    @pytest.mark.django_db
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["nothing", "--workspace", "acme"], "There is no pack 'nothing' here; there are att"),
            (["finance", "--workspace", "nowhere"], "There is no workspace 'nowhere'"),
        ],
    )
    def test_are_not_installed_from_or_into_nowhere(
        self, house: House, words: list[str], said: str
    ) -> None:
        with pytest.raises(CommandError, match=said):
            call_command("install_pack", *words)

    @pytest.mark.django_db
    def test_are_installed_as_often_as_one_likes(self, house: House) -> None:
        for _ in range(2):
            out = StringIO()
            call_command("install_pack", "care", "--workspace", house.workspace.slug, stdout=out)
            assert "adjust_dose" in out.getvalue()
