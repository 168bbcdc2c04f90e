"""The roles of a workflow: what is found in them, and what is left alone; and what cannot be."""

from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from agents import packs, workflows
from agents.declarations import Check, Contract, Memo, Role, Team, Tool
from agents.packs import Failure
from agents.rolecheck import Finding, findings, shared
from agents.workflows import Workflow, WorkflowUnusable, register_workflow

ORDER = Contract({"type": "object", "required": ["order"]})
NOTE = Contract({"type": "object", "required": ["note"]})


def look(name: str = "look_up", **properties: Any) -> Tool:
    """Return a tool with these arguments."""
    return Tool(name, "Looks.", {"type": "object", "properties": properties}, lambda _record: 1)


def role(name: str, **declared: Any) -> Role:
    return Role(name, f"Is {name}", declared.pop("instructions", ""), **{"gives": NOTE, **declared})


def found(*roles: Role, **declared: Any) -> list[Finding]:
    return findings(Workflow("w", "W", lambda _: None, roles=roles, **declared))


def kinds(*roles: Role, **declared: Any) -> list[str]:
    return [each.kind for each in found(*roles, **declared)]


CLERK = role("clerk", writes=("/vendors/*/bank",), action_types=("change_bank",), gives=ORDER)
SAYS = "Read every paper before you choose one action, and say why in a few sentences."


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (role("payer", writes=("/vendors/*/bank",)), ["same_path"]),
        (role("payer", writes=("/vendors/V-1/bank/iban",)), ["same_path"]),
        (role("payer", writes=("/vendors/**",)), ["same_path"]),
        (role("payer", writes=("/vendors/*/terms",)), []),
        (role("payer", writes=("/invoices/*/bank",)), []),
        (role("payer", action_types=("change_bank", "pay")), ["same_action"]),
        (role("payer", action_types=("pay",)), []),
        (role("payer", gives=ORDER), ["same_output"]),
        (role("payer", gives=replace(ORDER, checks=(Check("c", lambda _v, _r: None),))), []),
        (role("payer", gives=None), ["no_contract"]),
        (role("payer", gives=None, takes=ORDER), []),
    ],
)
def test_two_roles_beside_each_other(other: Role, expected: list[str]) -> None:
    assert kinds(CLERK, other) == expected


def test_a_contract_of_anything_is_not_the_same_work() -> None:
    assert kinds(role("a", gives=Contract()), role("b", gives=Contract())) == []


def test_a_tool_that_takes_other_arguments_elsewhere() -> None:
    one = role("a", tools=(look(n={"type": "integer"}),))
    assert kinds(one, role("b", tools=(look(n={"type": "integer"}),), gives=ORDER)) == []
    [finding] = found(one, role("b", tools=(look(n={"type": "string"}),), gives=ORDER))
    assert finding.kind == "tool_differs"
    assert finding.sentence == "look_up takes other arguments for a than for b."


def test_a_tool_and_an_action_of_nobody() -> None:
    brought = {"tools": (look(), look("other")), "proposes": ("pay", "fly")}
    clerk = role("clerk", tools=(look(),), action_types=("pay",))
    assert [each.sentence for each in found(clerk, **brought)] == [
        "No role may propose fly.",
        "No role may call other.",
    ]


def test_a_critic_and_who_works_alone_do_the_same_work_on_purpose() -> None:
    critic, alone = replace(CLERK, name="critic"), replace(CLERK, name="alone")
    team = Team(role("head", gives=Contract({"required": ["all"]})), (CLERK,), critic, alone)
    assert kinds(*team.roles, team=team) == []
    assert "same_action" in kinds(*team.roles)


def test_what_only_the_critic_may_name_nobody_may_propose() -> None:
    critic = replace(CLERK, name="critic", action_types=("fly",))
    team = Team(role("head", gives=Contract({"required": ["all"]})), (CLERK,), critic)
    assert kinds(*team.roles, team=team, proposes=("fly",)) == ["action_of_nobody"]


class TestInstructions:
    def test_that_overlap_are_shown_as_they_are_written_on_both_sides(self) -> None:
        one = role("a", instructions=f"You are careful. {SAYS} Never hurry.")
        other = role("b", instructions=f"Be quick! {SAYS.upper()} Ask nobody.", gives=ORDER)
        [finding] = found(one, other)
        assert finding.kind == "same_instructions"
        assert not finding.is_error
        [passage] = finding.passages
        assert passage.one == SAYS.rstrip(".")
        assert passage.other == SAYS.upper().rstrip(".")

    def test_that_share_seven_words_are_left_alone(self) -> None:
        assert (
            shared(
                "read every paper before you choose one", "Read every paper before you choose one!"
            )
            != []
        )
        assert (
            shared(
                "Now read every paper before you choose one",
                "Read every paper before you choose one tea",
            )
            == []
        )
        assert (
            len(
                shared(
                    "one two three four five six seven eight a",
                    "x one two three four five six seven eight",
                )
            )
            == 1
        )

    def test_that_share_two_passages_in_another_order_show_both(self) -> None:
        first = "always look at the paper itself and never at a summary"
        second = "when two papers differ say so and let people decide which"
        found = shared(f"{first}. Then: {second}.", f"{second}! Also {first}.")
        assert [passage.one for passage in found] == [first, second]

    def test_of_nobody_are_not_the_same(self) -> None:
        assert shared("", "") == []


class TestRegistering:
    def unusable(self, **declared: Any) -> str:
        with pytest.raises(WorkflowUnusable) as caught:
            register_workflow(Workflow("shop", "Shop", lambda _: None, **declared))
        assert workflows.find("shop") is None
        return str(caught.value)

    @pytest.mark.parametrize(
        ("declared", "said"),
        [
            ({"roles": (CLERK, CLERK)}, "role 'clerk': Two roles have this name"),
            ({"roles": (Role("x", " ", ""),)}, "role 'x', purpose"),
            ({"roles": (role("x" * 81),)}, "name: 1 to 80 characters"),
            ({"roles": (role("x", writes=("vendors",)),)}, "role 'x', writes"),
            ({"roles": (role("x", tools=(look("give"),)),)}, "tool 'give': This name is the con"),
            ({"roles": (role("x", tools=(look(), look())),)}, "Two tools are called 'look_up'"),
            ({"roles": (role("x", tools=(look("a b"),)),)}, "tool 'a b'"),
            ({"roles": (role("x", gives=Contract({"type": "thing"})),)}, "gives: This is no JSON"),
            ({"roles": (role("x", memory=(Memo("", {}),)),)}, "memory ''"),
            (
                {"roles": (role("x", memory=(Memo("V", {}, timedelta()),)),)},
                "memory 'V': What is kept is kept for some time",
            ),
            ({"guards": {"no_such": {"limit": 1}}}, "guards['no_such']: There is no rule"),
            ({"guards": {"calls": {"strength": "note"}}}, "guards['calls']"),
            ({"input_schema": {"type": "thing"}}, "input_schema"),
            ({"seconds": 0}, "seconds"),
            ({"at_once": 0}, "at_once"),
        ],
    )
    def test_names_the_workflow_and_the_member_that_cannot_be(
        self, declared: dict[str, Any], said: str
    ) -> None:
        sentence = self.unusable(**declared)
        assert sentence.startswith("Workflow 'shop', ")
        assert said in sentence

    def test_refuses_a_name_that_no_address_holds(self) -> None:
        with pytest.raises(WorkflowUnusable, match="name"):
            register_workflow(Workflow("a/b", "", lambda _: None))


class TestTheCommand:
    def run(self, *options: str) -> tuple[str, int]:
        out = StringIO()
        try:
            call_command("check_workflows", *options, stdout=out)
        except SystemExit as ended:
            return out.getvalue(), int(str(ended.code))
        return out.getvalue(), 0

    def test_finds_nothing_in_the_workflows_that_ship_with_the_console(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        packs.load()
        ours = {name: each for name, each in workflows.known().items() if packs.pack_of(name)}
        monkeypatch.setattr(workflows, "known", lambda: ours)
        said, status = self.run()
        assert "accounts_payable: Nothing speaks against its roles." in said
        assert status == 0

    def test_fails_where_something_must_be_mended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        twice = replace(CLERK, name="payer")
        wrong = Workflow("shop", "Shop", lambda _: None, roles=(CLERK, twice))
        monkeypatch.setattr(workflows, "known", lambda: {"shop": wrong})
        said, status = self.run()
        assert "error    shop: clerk and payer may both propose change_bank." in said
        assert status == 1
        said, status = self.run("--json")
        assert '"kind": "same_action"' in said
        assert status == 1

    def test_fails_where_a_pack_is_not_loaded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(packs, "failures", lambda: [Failure("acme", "ImportError: gone")])
        monkeypatch.setattr(workflows, "known", dict)
        said, status = self.run()
        assert "error    acme: The pack is not loaded. ImportError: gone" in said
        assert status == 1
