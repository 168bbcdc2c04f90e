"""Policies: changed by a proposal that another admin agrees to, and what that does elsewhere."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from agents.operations.planning import NotRestorable, plan
from agents.restoring import Wanted
from approvals import queries, rulebook
from approvals.amending import Amendment
from approvals.models import ActionType, Proposal, Verdict
from approvals.operations.deciding import InLineage
from approvals.operations.policing import (
    PolicyInvalid,
    PolicyOutdated,
    drafted,
    propose_change,
)
from approvals.operations.proposing import Request, propose
from approvals.operations.rebasing import rebase_all
from approvals.operations.reevaluating import CHANGED, reevaluate_all
from approvals.operations.trying import try_out
from approvals.policy import REVIEW_BY_TWO, Threshold
from approvals.queries import backtesting
from approvals.rulebook import Rule
from console.actors import Actor
from console.doorbell.models import Ring
from console.errors import Forbidden
from console.management.commands import timer
from snapshots import queries as snapshots
from snapshots.diff import Change
from snapshots.operations.committing import Cause, PoliciesProtected, commit
from snapshots.operations.importing import ReservedKey, import_document
from snapshots.operations.importing import Wanted as Imported
from snapshots.operations.observing import observe
from snapshots.operations.restoring import restore
from tests.story import Cast, now
from tests.terms import asking, set_rules

pytestmark = pytest.mark.django_db
ONE = Rule('action == "pay"', asking("Payments"))
TWO = Rule('action == "adjust"', asking("Adjustments", approvals=2))
TWO_STRICTER = Rule('action == "adjust"', asking("Adjustments", approvals=2, hold_seconds=7))


@pytest.fixture
def cast() -> Cast:
    made = Cast.build()
    set_rules(made.setup, ONE, TWO)
    return made


@pytest.fixture
def amir(cast: Cast) -> Actor:
    return cast.enlist("Amir", "admin")


def put(rule: Rule, version: int = 0, **more: Any) -> Amendment:
    name = rule.name if version else ""
    return Amendment("put", rule.to_json(), name=name, version=version, **more)


def stricter(rule: Rule, **more: Any) -> Rule:
    return replace(rule, terms=replace(rule.terms, **more))


def change(cast: Cast, wanted: Amendment, by: Actor | None = None) -> UUID:
    return propose_change(actor=by or cast.ada, change=wanted, reason="because", now=now())


def agree(cast: Cast, who: Actor, proposal_id: UUID) -> None:
    failed = [c["name"] for c in cast.look(proposal_id).revision.checks if not c["passed"]]
    assert cast.decide(who, proposal_id, ticked=failed) == "approved"


def rules_of(cast: Cast) -> dict[str, Rule]:
    return {rule.name: rule for rule in queries.policies(cast.workspace.id).rules}


def state_of(cast: Cast) -> Any:
    head = queries.policies(cast.workspace.id).head
    assert head is not None
    return head


def test_a_change_is_in_force_when_another_admin_has_agreed(cast: Cast, amir: Actor) -> None:
    wanted = stricter(ONE, thresholds=(Threshold(2, 3),), level=2)
    proposal_id = change(cast, put(wanted, 1))
    assert rules_of(cast)["Payments"].terms.needed == 1
    agree(cast, amir, proposal_id)
    terms = rules_of(cast)["Payments"].terms
    assert (terms.version, terms.level, terms.thresholds) == (2, 2, (Threshold(2, 3),))
    assert cast.look(proposal_id).proposal.title == "Change the policy “Payments” to version 2"
    row = snapshots.snapshot(cast.workspace.id, state_of(cast).state_id, state_of(cast).number)
    assert (row.cause, row.cause_id) == ("proposal", str(proposal_id))


def test_the_author_of_a_change_and_reviewers_do_not_decide_on_it(cast: Cast) -> None:
    proposal_id = change(cast, put(stricter(ONE, hold_seconds=7), 1))
    for who in (cast.ada, cast.ana):
        with pytest.raises(Forbidden):
            cast.decide(who, proposal_id)


def test_no_policy_sets_the_terms_of_a_change_of_policies(cast: Cast) -> None:
    everything = Rule("true", asking("Everything", level=1, roles=("reviewer",)))
    set_rules(cast.setup, everything)
    proposal_id = change(cast, put(ONE))
    terms = cast.look(proposal_id).terms
    assert (terms.policy, terms.level, terms.edits) == ("Changing policies", 2, False)
    assert terms.thresholds == (Threshold(1, 1, ("admin",)),)


def test_who_has_no_right_to_policies_proposes_none(cast: Cast) -> None:
    for who in (cast.ana, cast.cleo, cast.scout):
        with pytest.raises(Forbidden):
            change(cast, put(stricter(ONE, hold_seconds=7), 1), by=who)


def test_an_engineer_may_put_a_change_forward(cast: Cast) -> None:
    proposal_id = change(cast, put(stricter(ONE, hold_seconds=7), 1), by=cast.eve)
    agree(cast, cast.ada, proposal_id)
    assert rules_of(cast)["Payments"].terms.hold_seconds == 7


def test_a_program_changes_no_policies_whatever_its_scopes(cast: Cast) -> None:
    program = Actor("client", "7", "Robot", cast.workspace.id, behind=cast.ada.ref)
    wanted = put(stricter(ONE, hold_seconds=7), 1).to_params()
    request = Request("policies", rulebook.CHANGE, wanted, "client:7", "1")
    for who in (program, cast.scout):
        with pytest.raises(Forbidden) as refused:
            propose(actor=who, request=request, now=now())
        assert refused.value.code == "people_only"


def test_nothing_but_a_change_of_policies_is_proposed_on_them(cast: Cast) -> None:
    everything_off = Change("remove", "/rules/0", ONE.to_json())
    request = Request("policies", "adjust", {}, "client:7", "1", stated=(everything_off,))
    with pytest.raises(PoliciesProtected):
        propose(actor=cast.ada, request=request, now=now())
    elsewhere = Request("ledger/acme", rulebook.CHANGE, {"op": "remove"}, "client:7", "2")
    with pytest.raises(PoliciesProtected):
        propose(actor=cast.ada, request=elsewhere, now=now())


def test_nothing_but_a_proposal_changes_the_policies(cast: Cast) -> None:
    head = state_of(cast)
    off = [Change("remove", "/rules/0", ONE.to_json())]
    for cause in ("outside", "memory", "sweep", "rollback"):
        with pytest.raises(PoliciesProtected):
            commit(
                actor=cast.setup,
                base=head,
                changes=off,
                cause=Cause(cause, "1"),
                reason="",
                now=now(),
            )
    with pytest.raises(PoliciesProtected):
        observe(
            actor=cast.setup,
            state_id=head.state_id,
            changes=off,
            cause_id="1",
            reason="",
            now=now(),
        )
    with pytest.raises(PoliciesProtected):
        restore(actor=cast.ada, base=head, number=1, cause_id="1", reason="", now=now())
    assert state_of(cast).number == head.number


def test_the_same_change_twice_is_one_proposal_while_it_waits(cast: Cast, amir: Actor) -> None:
    wanted = put(stricter(ONE, hold_seconds=7), 1)
    assert change(cast, wanted) == change(cast, wanted)
    assert change(cast, wanted, by=amir) != change(cast, wanted)


def test_a_change_of_what_somebody_else_changed_is_refused(cast: Cast, amir: Actor) -> None:
    agree(cast, amir, change(cast, put(stricter(ONE, hold_seconds=7), 1)))
    with pytest.raises(PolicyOutdated, match="version 2 now, this change was made for version 1"):
        change(cast, put(stricter(ONE, hold_seconds=9), 1), by=amir)


def test_of_two_changes_of_one_rule_the_later_one_becomes_stale(cast: Cast, amir: Actor) -> None:
    first = change(cast, put(stricter(ONE, hold_seconds=7), 1))
    second = change(cast, put(stricter(ONE, level=2), 1), by=amir)
    agree(cast, amir, first)
    rebase_all(actor=cast.setup, state_id=state_of(cast).state_id, now=now())
    answer = cast.answer(second)
    assert answer.status == "stale"
    assert "changed meanwhile" in answer.reason
    assert rules_of(cast)["Payments"].terms.level == 1


def test_changes_of_two_rules_are_both_carried_out(cast: Cast, amir: Actor) -> None:
    first = change(cast, put(stricter(ONE, hold_seconds=7), 1))
    second = change(cast, put(stricter(TWO, hold_seconds=9), 1), by=amir)
    agree(cast, amir, first)
    rebase_all(actor=cast.setup, state_id=state_of(cast).state_id, now=now())
    agree(cast, cast.ada, second)
    holds = {name: rule.terms.hold_seconds for name, rule in rules_of(cast).items()}
    assert holds == {"Payments": 7, "Adjustments": 9}


def test_a_bad_expression_is_refused_with_line_and_column(cast: Cast) -> None:
    wanted = replace(ONE, match='action == "pay"\n  && amont > 5.0')
    with pytest.raises(PolicyInvalid) as refused:
        change(cast, put(wanted, 1))
    assert refused.value.details["errors"] == [
        {
            "field": "match",
            "message": "Undeclared reference to 'amont'.",
            "line": 2,
            "column": 6,
        }
    ]


def test_a_rule_under_which_nobody_could_agree_is_refused(cast: Cast) -> None:
    with pytest.raises(PolicyInvalid, match="4 must agree, but only 3 in this workspace may"):
        change(cast, put(stricter(ONE, thresholds=(Threshold(4),)), 1))
    nobody = Threshold(1, filter='reviewer.email.endsWith("@nowhere.example")')
    with pytest.raises(PolicyInvalid, match="1 must agree, but only 0"):
        change(cast, put(stricter(ONE, thresholds=(nobody,)), 1))
    change(cast, put(stricter(ONE, thresholds=(nobody, Threshold(3))), 1))


def test_what_becomes_automatic_or_asks_for_less_is_said(cast: Cast, amir: Actor) -> None:
    assert amir.kind == "person"  # Somebody is left who may decide on the change.
    automatic = stricter(TWO, level=0, thresholds=(), sample=0.1)
    checks = cast.look(change(cast, put(automatic, 1))).revision.checks
    failed = {check["name"]: check["sentence"] for check in checks if not check["passed"]}
    assert failed == {
        "Nothing becomes automatic": (
            "“Adjustments” approves by itself; people look at a sample afterwards."
        ),
        "Nobody is asked for less": "“Adjustments” goes from level 1 to level 0.",
    }


def test_a_reason_is_asked_for(cast: Cast) -> None:
    with pytest.raises(PolicyInvalid, match="Say why"):
        propose_change(actor=cast.ada, change=put(ONE), reason=" \u200b", now=now())


def test_a_workspace_without_policies_gets_its_first_by_a_proposal(cast: Cast) -> None:
    noor = replace(cast.zoe)
    proposal_id = propose_change(actor=noor, change=put(ONE), reason="first", now=now())
    found = queries.policies(cast.other.id)
    assert (found.number, found.rules) == (1, ())
    assert Proposal.objects.get(id=proposal_id).workspace_id == cast.other.id
    assert [rule.name for rule in queries.policies(cast.workspace.id).rules] == [
        "Payments",
        "Adjustments",
    ]


def test_what_waits_is_asked_for_more_when_the_policies_do(cast: Cast, amir: Actor) -> None:
    waits = cast.ask(amount=70)
    other = cast.state_change(Change("add", "/memo", value="x"))
    agree(cast, amir, change(cast, put(stricter(ONE, thresholds=(Threshold(2),)), 1)))
    assert reevaluate_all(actor=cast.setup, now=now()) == 2
    seen = cast.look(waits)
    assert (seen.revision.number, seen.revision.why, seen.terms.needed) == (2, CHANGED, 2)
    assert (seen.terms.version, seen.terms.number) == (2, state_of(cast).number)
    assert cast.look(other).revision.number == 1
    assert cast.said(f"proposal:{waits}") == ["proposal.made", "proposal.reevaluated"]


def test_what_waits_is_not_approved_by_a_policy_that_came_later(cast: Cast, amir: Actor) -> None:
    waits = cast.ask(amount=70)
    agree(cast, amir, change(cast, put(stricter(ONE, level=0, thresholds=(), sample=0.5), 1)))
    reevaluate_all(actor=cast.setup, now=now())
    seen = cast.look(waits)
    assert (seen.proposal.status, seen.terms.level, seen.terms.needed) == ("pending", 1, 1)


def test_what_waits_is_invalidated_when_the_policies_give_no_answer(cast: Cast) -> None:
    waits = cast.ask(amount=70)
    set_rules(cast.setup, replace(ONE, match="params.no_such_parameter > 5.0"))
    reevaluate_all(actor=cast.setup, now=now())
    answer = cast.answer(waits)
    assert answer.status == "invalidated"
    assert "could not be asked" in answer.reason


def test_the_rule_in_force_and_those_in_its_shadow_are_written_down(cast: Cast) -> None:
    shadow = Rule("amount < 1000.0", asking("Small", level=0), mode="shadow")
    draft = Rule("true", asking("Draft"), mode="draft")
    behind = Rule("true", asking("Behind", level=2), mode="shadow")
    set_rules(cast.setup, shadow, draft, ONE, behind)
    proposal_id = cast.ask(amount=70)
    rows = Verdict.objects.filter(proposal=proposal_id).order_by("mode")
    found = [(row.rule, row.mode, row.level, row.would) for row in rows]
    assert found == [("Payments", "enforced", 1, "review"), ("Small", "shadow", 0, "auto")]


def test_a_draft_of_the_rules_is_only_that(cast: Cast) -> None:
    rules = drafted(cast.workspace.id, Amendment("remove", name="Payments", version=1))
    assert [rule.name for rule in rules] == ["Adjustments"]
    assert list(rules_of(cast)) == ["Payments", "Adjustments"]


def test_two_hundred_rules_are_asked_in_their_order(cast: Cast) -> None:
    many = [Rule(f"amount == {n}.5", asking(f"rule {n}")) for n in range(199)]
    set_rules(cast.setup, *many, replace(ONE, terms=replace(ONE.terms, policy="the last")))
    assert cast.look(cast.ask(amount=70)).terms.policy == "the last"
    moved = change(cast, Amendment("move", name="rule 198", version=1, before="rule 3"))
    assert cast.look(moved).proposal.title == "Move the policy “rule 198” before “rule 3”"


def test_the_change_is_declared_with_the_first_policies(cast: Cast) -> None:
    row = ActionType.objects.get(workspace_id=cast.workspace.id, name=rulebook.CHANGE)
    assert (row.effect, row.risk) == ("approvals.policies", 3)


def test_no_match_asks_two_under_the_policies_of_that_moment(cast: Cast) -> None:
    set_rules(cast.setup, TWO)
    terms = cast.look(cast.ask(amount=70)).terms
    assert terms == replace(REVIEW_BY_TWO, number=state_of(cast).number)


def test_a_backtest_looks_at_so_many_of_the_newest(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtesting, "ASKED_AT_MOST", 3)
    old = cast.ask(amount=70, at=now() - timedelta(days=8))
    asked = [cast.ask(amount=n) for n in range(1, 5)]
    change(cast, put(stricter(TWO, level=2), 1))
    wanted = put(stricter(ONE, level=2, thresholds=(Threshold(3),)), 1)
    found = try_out(actor=cast.ada, change=wanted, days=7, now=now())
    assert (found.asked, found.is_cut, found.hits, found.differing) == (3, True, 3, 3)
    assert [one.proposal_id for one in found.differences] == asked[:0:-1]
    monkeypatch.setattr(backtesting, "ASKED_AT_MOST", 4)
    assert not try_out(actor=cast.ada, change=wanted, days=7, now=now()).is_cut
    monkeypatch.setattr(backtesting, "ASKED_AT_MOST", 9)
    wider = try_out(actor=cast.ada, change=wanted, days=9, now=now())
    assert (wider.asked, wider.differences[-1].proposal_id) == (5, old)
    assert (wider.before, wider.after) == ({"1": 5}, {"2": 5})


def test_a_draft_is_tried_as_if_it_were_in_force(cast: Cast) -> None:
    cast.decide(cast.ana, cast.ask(amount=70), "reject")
    draft = replace(ONE, mode="draft", terms=replace(ONE.terms, policy="By itself"))
    draft = stricter(draft, level=0, thresholds=(), sample=0.5)
    wanted = put(draft, before="Payments")
    found = try_out(actor=cast.eve, change=wanted, days=7, now=now())
    assert (found.hits, found.let_through, found.after) == (1, 1, {"0": 1})
    with pytest.raises(Forbidden):
        try_out(actor=cast.ana, change=wanted, days=7, now=now())
    mine = try_out(actor=cast.zoe, change=Amendment("put", draft.to_json()), days=7, now=now())
    assert mine.asked == 0


def test_carrying_a_change_out_rings_for_what_waits(cast: Cast, amir: Actor) -> None:
    agree(cast, amir, change(cast, put(stricter(ONE, hold_seconds=7), 1)))
    rung = Ring.objects.filter(task="approvals.reevaluate").values_list("key", flat=True)
    assert list(rung) == [str(cast.workspace.id)]


def test_the_timer_sees_a_change_whose_bell_was_lost(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timer, "_asked_under", {})
    waits = cast.ask(amount=70)
    timer._reevaluate_changed()
    assert cast.look(waits).revision.number == 1
    set_rules(cast.setup, stricter(ONE, thresholds=(Threshold(2),)), TWO)
    timer._reevaluate_changed()
    timer._reevaluate_changed()
    assert cast.look(waits).revision.number == 2


def test_no_plan_brings_the_policies_back(cast: Cast) -> None:
    set_rules(cast.setup, ONE)
    wanted = Wanted("rollback", state=state_of(cast).state_id, to=1)
    with pytest.raises(NotRestorable, match="Policies are changed by a proposal"):
        plan(actor=cast.ada, wanted=wanted, now=now())


def test_no_policies_are_imported(cast: Cast) -> None:
    everything: Any = {"rules": [stricter(ONE, level=0).to_json()]}
    for wanted in (Imported("policies", ""), Imported("mine", "", kind="policies")):
        for who in (cast.ada, replace(cast.zoe)):
            with pytest.raises(ReservedKey):
                import_document(actor=who, wanted=wanted, document=everything, now=now())


def test_whoever_changed_a_rule_does_not_decide_under_it(cast: Cast, amir: Actor) -> None:
    waiting = cast.ask()
    agree(cast, amir, change(cast, put(stricter(ONE, hold_seconds=7), 1)))
    assert rules_of(cast)["Payments"].terms.by == (cast.ada.ref,)
    reevaluate_all(actor=cast.setup, now=now())
    for proposal_id in (waiting, cast.ask(71)):
        shown = cast.look(proposal_id)
        assert cast.ada.ref in shown.revision.lineage
        # They have no part in the proposal itself: they do not answer for it, or take it back.
        assert cast.ada.ref not in shown.proposal.lineage
        with pytest.raises(InLineage):
            cast.decide(cast.ada, proposal_id)
    assert cast.decide(amir, waiting) == "approved"


def test_nobody_puts_a_change_forward_as_somebody_elses(cast: Cast) -> None:
    wanted = put(stricter(ONE, hold_seconds=7), 1)
    for by in ((), (cast.ana.ref,), (cast.ada.ref, cast.ana.ref)):
        params = replace(wanted, by=by).to_params()
        request = Request("policies", rulebook.CHANGE, params, cast.ada.ref, "1")
        with pytest.raises(PoliciesProtected):
            propose(actor=cast.ada, request=request, now=now())


def test_what_the_system_proposes_nobody_wrote(cast: Cast, amir: Actor) -> None:
    agree(cast, amir, change(cast, put(TWO_STRICTER, 1)))
    agree(cast, amir, change(cast, put(stricter(TWO_STRICTER, level=2), 2), by=cast.setup))
    assert rules_of(cast)["Adjustments"].terms.by == (cast.ada.ref,)
    agree(cast, amir, change(cast, put(stricter(ONE, hold_seconds=7), 1), by=cast.setup))
    assert rules_of(cast)["Payments"].terms.by == ()
