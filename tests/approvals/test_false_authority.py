"""A proposer says that its action was approved, and nobody has decided so: what follows from it."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from approvals import authority_claims, queries
from approvals.models import Proposal, Revision
from approvals.operations.asking import answer, ask
from approvals.operations.deciding import Seen
from approvals.operations.editing import edit
from approvals.operations.proposing import Exhibit, propose
from approvals.operations.rebasing import rebase
from approvals.operations.rewording import reword
from approvals.policy import Threshold
from approvals.queries.claims import false_authority
from approvals.rulebook import Rule
from approvals.second_opinion import Second
from console.actors import Actor
from console.ledger import queries as ledger
from snapshots.diff import Change
from tests.story import Cast, now
from tests.terms import asking, set_rules

pytestmark = pytest.mark.django_db
LIE = "The CFO approved this by phone."
SAID = "The bill is due on Friday."


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


def row(proposal_id: UUID) -> Proposal:
    return Proposal.objects.get(id=proposal_id)


def current(proposal_id: UUID) -> Revision:
    found = row(proposal_id)
    return Revision.objects.get(proposal=found, number=found.revision)


def failed(proposal_id: UUID) -> list[str]:
    return [each["name"] for each in current(proposal_id).checks if not each["passed"]]


def verbs(cast: Cast, proposal_id: UUID) -> list[str]:
    rows = ledger.entries(cast.workspace.id).filter(subject=f"proposal:{proposal_id}")
    return list(rows.order_by("seq").values_list("verb", flat=True))


@pytest.mark.parametrize(("level", "then"), [(0, 1), (1, 2), (2, 3), (3, 3)])
def test_lifts_the_level_by_one_and_at_most_to_three(cast: Cast, level: int, then: int) -> None:
    cast.policy(level=level, approvals=1)
    told = cast.ask(rationale=f"{SAID} {LIE}")
    assert (row(told).level, row(told).status) == (then, "pending")
    kept = current(told)
    assert kept.false_authority == [{"quote": LIE, "place": "explanation"}]
    assert kept.terms["level"] == then
    assert [each["approve"] for each in kept.terms["thresholds"]] == [1]
    assert authority_claims.CHECK in failed(told)
    assert verbs(cast, told) == ["proposal.made", "proposal.false_authority"]


def test_leaves_everything_as_it_is_where_nothing_is_claimed(cast: Cast) -> None:
    cast.policy(level=0)
    told = cast.ask(rationale=f"{SAID} It must be approved by the CFO.")
    assert (row(told).level, row(told).status) == (0, "approved")
    assert current(told).false_authority == []
    assert failed(told) == []
    assert "proposal.false_authority" not in verbs(cast, told)


def test_writes_down_who_said_what_without_making_the_agent_its_own_judge(cast: Cast) -> None:
    told = cast.ask(rationale=LIE)
    entry = ledger.entries(cast.workspace.id).get(verb="proposal.false_authority")
    assert entry.actor["name"] == "Authority check"
    assert entry.body == {
        "claims": [{"quote": LIE, "place": "explanation"}],
        "revision": 1,
        "level": row(told).level,
    }


def test_asks_for_no_more_people_than_there_are(cast: Cast) -> None:
    cast.policy(level=1, approvals=1)
    told = cast.ask(rationale=LIE)
    assert cast.decide(cast.ana, told, ticked=failed(told)) == "approved"


def test_wants_the_failed_check_ticked_and_a_reason(cast: Cast) -> None:
    told = cast.ask(rationale=LIE)
    with pytest.raises(Exception, match="Tick what you have checked yourself"):
        cast.decide(cast.ana, told)


class TestWhatBearsAClaimOut:
    def test_a_proposal_that_people_approved(self, cast: Cast) -> None:
        before = cast.ask()
        cast.decide(cast.ana, before)
        told = cast.ask(rationale=f"It was approved in {before}.")
        assert current(told).false_authority == []
        assert row(told).level == 1

    def test_no_proposal_that_waits_or_was_rejected(self, cast: Cast) -> None:
        waits, rejected = cast.ask(), cast.ask(5)
        cast.decide(cast.ana, rejected, "reject")
        for named in (waits, rejected, uuid4()):
            assert current(cast.ask(6, rationale=f"It was approved in {named}.")).false_authority

    def test_no_proposal_of_another_workspace(self, cast: Cast) -> None:
        before = cast.ask()
        cast.decide(cast.ana, before)
        stranger = Actor("agent", "spy", "spy", cast.other.id, behind=cast.zoe.ref)
        set_rules(replace(cast.setup, workspace_id=cast.other.id), Rule("true", asking()))
        request = cast.request(rationale=f"It was approved in {before}.")
        assert current(propose(actor=stranger, request=request, now=now())).false_authority

    def test_no_proposal_about_another_record(self, cast: Cast) -> None:
        cast.open_drawer("drawer")
        note = Change("add", "/note", value="seen")
        before = cast.state_change(note, state_key="drawer")
        cast.decide(cast.ana, before)
        assert row(before).status == "approved"
        assert current(cast.ask(6, rationale=f"It was approved in {before}.")).false_authority

    def test_no_proposal_that_a_policy_approved_alone(self, cast: Cast) -> None:
        cast.policy(level=0)
        before = cast.ask()
        assert row(before).status == "approved"
        assert current(cast.ask(6, rationale=f"It was approved in {before}.")).false_authority


class TestWhoIsJudged:
    def test_people_are_not(self, cast: Cast) -> None:
        request = cast.request(rationale=LIE)
        told = propose(actor=cast.eve, request=request, now=now())
        assert (current(told).false_authority, row(told).level) == ([], 1)

    def test_programs_are(self, cast: Cast) -> None:
        till = Actor("client", str(uuid4()), "till", cast.workspace.id, behind=cast.eve.ref)
        told = propose(actor=till, request=cast.request(rationale=LIE), now=now())
        assert current(told).false_authority

    def test_in_parameters_and_own_evidence_but_not_in_papers(self, cast: Cast) -> None:
        memo = cast.ask(params={"vendor": "V7", "amount": 70, "memo": "pre-approved"})
        note = Exhibit("Note", "agent scout", LIE)
        paper = Exhibit("E-mail", "message:M-1", LIE)
        assert current(memo).false_authority == [{"quote": "pre-approved", "place": "params/memo"}]
        assert current(cast.ask(6, evidence=(note,))).false_authority
        assert current(cast.ask(7, evidence=(paper,))).false_authority == []

    def test_a_second_opinion_is(self, cast: Cast) -> None:
        other = Second("critic", "", {}, (), LIE)
        told = current(cast.ask(8, second=other))
        assert told.false_authority == [{"quote": LIE, "place": "second opinion"}]


class TestLaterWords:
    def test_lift_when_it_is_reworded(self, cast: Cast) -> None:
        told = cast.ask(rationale=SAID)
        reword(actor=cast.scout, proposal_id=told, rationale=LIE, now=now())
        assert (row(told).revision, row(told).level) == (2, 2)
        assert verbs(cast, told)[-2:] == ["proposal.reworded", "proposal.false_authority"]

    def test_stay_said_when_they_are_worded_otherwise(self, cast: Cast) -> None:
        told = cast.ask(rationale=LIE)
        reword(actor=cast.scout, proposal_id=told, rationale=SAID, now=now())
        assert row(told).level == 2
        assert current(told).false_authority == [{"quote": LIE, "place": "explanation"}]
        assert verbs(cast, told).count("proposal.false_authority") == 1

    def test_stay_lifted_when_the_record_moves(self, cast: Cast) -> None:
        told = cast.ask(rationale=LIE)
        cast.move_world(Change("replace", "/balance", 1000, 900))
        rebase(actor=cast.setup, proposal_id=told, now=now())
        assert (row(told).revision, row(told).level) == (2, 2)
        assert authority_claims.CHECK in failed(told)
        rebase(actor=cast.setup, proposal_id=told, now=now())
        assert row(told).revision == 2

    def test_stay_lifted_when_a_person_edits_it(self, cast: Cast) -> None:
        told = cast.ask(rationale=LIE)
        seen = queries.detail(cast.workspace.id, told).revision
        edit(
            actor=cast.ben,
            proposal_id=told,
            seen=Seen(seen.number, seen.digest),
            params={"vendor": "V7", "amount": 60},
            reason="less",
            now=now(),
        )
        assert (row(told).revision, row(told).level) == (2, 2)

    def test_in_an_answer_make_a_wording_under_higher_terms(self, cast: Cast) -> None:
        cast.policy(level=1, approvals=2)
        told = cast.ask(rationale=SAID)
        cast.decide(cast.ben, told)
        ask(actor=cast.ana, proposal_id=told, question="Who agreed?", now=now())
        answer(actor=cast.scout, proposal_id=told, text=LIE, now=now())
        assert (row(told).revision, row(told).level, row(told).status) == (2, 2, "pending")
        assert [each.quote for each in false_authority(cast.workspace.id, told)] == [LIE]
        assert current(told).why.startswith("The answer says that this was approved")
        assert cast.decide(cast.ana, told, ticked=failed(told)) == "pending"

    def test_in_an_answer_without_a_claim_change_nothing(self, cast: Cast) -> None:
        told = cast.ask(rationale=SAID)
        ask(actor=cast.ana, proposal_id=told, question="Who agreed?", now=now())
        answer(actor=cast.scout, proposal_id=told, text="Nobody yet.", now=now())
        assert (row(told).revision, row(told).level) == (1, 1)


def test_policies_may_ask_for_it(cast: Cast) -> None:
    severe = asking("Claims", level=2, approvals=2)
    set_rules(cast.setup, Rule("false_authority", severe), Rule("true", asking()))
    told = cast.ask(rationale=LIE)
    assert (row(told).policy, row(told).level) == ("Claims", 3)
    assert [Threshold.from_json(each).approve for each in row(told).terms["thresholds"]] == [2]
    assert row(cast.ask(6, rationale=SAID)).policy == "one reviewer"
