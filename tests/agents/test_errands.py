"""The roles of the demo worlds: every errand keeps their contracts, and what would not is named."""

from typing import Any

import pytest

from agents import contracts
from agents.declarations import Finished, Put
from agents.packs import care, finance
from agents.packs.care import staffing as ward
from agents.packs.care import working as care_work
from agents.packs.errands import expected
from agents.packs.finance import staffing as office
from agents.packs.finance import working as finance_work
from agents.workflows import find

WORLDS = {
    "finance": (finance, office, finance_work.SCRIPT),
    "care": (care, ward, care_work.SCRIPT),
}
ERRANDS = [(world, name) for world, (_, _, script) in WORLDS.items() for name in script]


@pytest.mark.parametrize(("world", "name"), ERRANDS)
def test_every_errand_keeps_the_contract_of_whoever_prepares_it(world: str, name: str) -> None:
    pack, staff, script = WORLDS[world]
    action: Any = {part: script[name][part] for part in ("action_type", "params")}
    assert contracts.objections(staff.ACTION, action, pack.document()) == []


@pytest.mark.parametrize(
    ("world", "action", "said"),
    [
        (
            "finance",
            {"action_type": "recall_payment", "params": {"invoice": "R-2601"}},
            "/action_type",
        ),
        ("finance", {"action_type": "hold_invoice", "params": {}}, "/params"),
        ("finance", {"action_type": "hold_invoice", "params": {"invoice": "R-1"}}, "has no R-1"),
        ("finance", {"action_type": "correct_posting", "params": {"posting": "B-0"}}, "has no B-0"),
        ("care", {"action_type": "stop_order", "params": {"patient": "P-999"}}, "has no P-999"),
        ("care", {"action_type": "start_order", "params": {"drug": "vodka"}}, "has no vodka"),
        ("care", {}, contracts.NOTHING),
    ],
)
def test_an_action_that_cannot_be_meant_is_named(world: str, action: Any, said: str) -> None:
    pack, staff, _ = WORLDS[world]
    [objection, *_] = contracts.objections(staff.ACTION, action, pack.document())
    assert said in objection


def test_the_clerk_keeps_what_it_kept_before_and_nothing_else() -> None:
    clerk = next(role for role in office.ROLES if role.name == office.CLERK)
    kept: Any = {"iban": "DE26999000420004410026", "since": "2024-01-01"}
    decided: Any = {"params": {"invoice": "R-2601"}, "ended": "approved", "said": ""}
    assert contracts.objection_to_memo(clerk, "V-1004 account", kept) is None
    assert contracts.objection_to_memo(clerk, "V-1004 hold_invoice", decided) is None
    assert contracts.objection_to_memo(clerk, "V-1004 account", {"iban": "x"}) is not None
    assert contracts.objection_to_memo(clerk, "weather", kept) is not None


def finished(outcomes: Any, *proposed: str) -> Finished:
    """Return a job of two errands that left these proposals and this result."""
    wanted = {"only": ["pay-halden", "hold-duplicate"]}
    return Finished(wanted, {}, [Put(name, {}, "approved") for name in proposed], outcomes)


@pytest.mark.parametrize(
    ("job", "missing"),
    [
        (finished({"outcomes": {}}, "release_payment", "hold_invoice"), []),
        (finished({"outcomes": {}}, "release_payment"), ["hold_invoice"]),
        (finished({"outcomes": {"hold-duplicate": {"reason": "gone"}}}, "release_payment"), []),
        (
            finished({"outcomes": {"hold-duplicate": {"reason": ""}}}),
            ["release_payment", "hold_in"],
        ),
        (finished(None), ["release_payment", "hold_invoice"]),
        (finished({"outcomes": None}, "hold_invoice"), ["release_payment"]),
    ],
)
def test_an_errand_that_was_neither_proposed_nor_explained_is_missing(
    job: Finished, missing: list[str]
) -> None:
    found = expected(finance_work.SCRIPT, job)
    assert len(found) == len(missing)
    for sentence, kind in zip(found, missing, strict=True):
        assert f"No {kind}" in sentence


@pytest.mark.parametrize("world", list(WORLDS))
def test_every_role_of_the_demo_declares_what_it_is_for(world: str) -> None:
    workflow = find(WORLDS[world][0].WORKFLOW)
    assert workflow is not None
    assert all(role.purpose and (role.takes or role.gives) for role in workflow.roles)
    assert any(role.optional for role in workflow.roles)
    assert any(role.memory for role in workflow.roles)
    assert workflow.expects is not None
