"""Conversing: the agents of the demo worlds answer with what they read, and reword by papers."""

from typing import Any
from uuid import UUID

import pytest

from agents import queries as agents
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.operations.waking import wake_run
from agents.packs import care, finance
from approvals import queries as approvals
from approvals.models import Evidence, InfoRequest, Proposal
from approvals.operations.asking import ask
from approvals.operations.deciding import Act, Seen, decide
from approvals.policy import Choice
from approvals.queries import Detail
from approvals.rulebook import Rule
from snapshots.operations.creating import create_state
from tests.agents.stage import now
from tests.agents.test_attacks import House
from tests.terms import asking, reason_code_for

pytestmark = pytest.mark.django_db(transaction=True)


class Office(House):
    """One demo world with a job under way."""

    def __init__(self, pack: Any, *names: str) -> None:
        pack.register()
        super().__init__(list(pack.ACTION_TYPES), Rule("true", asking(roles=("reviewer",))))
        state = create_state(
            actor=self.setup,
            key=pack.STATE_KEY,
            document=pack.document(),
            reason="",
            now=now(),
            list_keys=pack.LIST_KEYS,
        )
        wanted: dict[str, Any] = {"only": list(names)} if names else {}
        request = JobRequest(pack.WORKFLOW, state.key, wanted, "one")
        job_id, _ = submit(actor=self.setup, request=request, now=now())
        self.run_id = agents.current_run(agents.job(self.setup.workspace_id, job_id)).id
        work()

    def waiting(self) -> UUID:
        [(_, proposal_id)] = agents.waiting_of(self.run_id)
        return proposal_id

    def seen(self) -> Detail:
        return approvals.detail(self.setup.workspace_id, self.waiting())

    def ask(self, question: str) -> None:
        ask(actor=self.reviewers[0], proposal_id=self.waiting(), question=question, now=now())
        self.go_on()

    def decide(self, choice: Choice, reason: str = "because") -> None:
        seen = self.seen()
        decide(
            proposal_id=seen.proposal.id,
            seen=Seen(seen.revision.number, seen.revision.digest),
            actor=self.reviewers[0],
            act=Act(choice, reason, reason_code_for(choice)),
            now=now(),
        )
        self.go_on()

    def go_on(self) -> None:
        wake_run(self.run_id)
        work()

    def told(self, name: str) -> Any:
        ended = agents.run(self.setup.workspace_id, self.run_id)
        assert ended.status == "succeeded", ended.problem
        return (ended.result or {})["outcomes"][name]["status"]


def test_the_clerk_answers_with_the_paper_that_is_asked_for() -> None:
    office = Office(finance, "bank-nordlicht")
    office.ask("Did you look at the invoice R-2604, or at M-0799?")
    said = InfoRequest.objects.get().answer
    assert said.startswith("Invoice R-2604 says:\n")
    assert "I read message M-0711, vendor V-1004, invoice R-2603." in said
    assert "M-0799 says" not in said


def test_the_clerk_says_when_there_is_nothing_beyond_the_papers() -> None:
    office = Office(finance, "pay-nordlicht")
    office.ask("Has anybody called them back?")
    assert InfoRequest.objects.get().answer.endswith("Beyond these papers I have nothing to go by.")


def test_the_clerk_lays_a_paper_beside_it_and_words_it_anew() -> None:
    office = Office(finance, "pay-halden")
    office.decide("request_changes", "Add the order of the paper, PO-879, please")
    seen = office.seen()
    assert (seen.proposal.status, seen.revision.number) == ("pending", 2)
    assert seen.revision.why.startswith("Added ")
    assert Evidence.objects.filter(label__endswith="PO-879").count() == 1
    office.decide("approve")
    assert office.told("pay-halden") == "approved"


def test_the_clerk_withdraws_what_it_cannot_change_by_the_papers() -> None:
    office = Office(finance, "pay-wendt")
    office.decide("request_changes", "Take off the discount")
    proposal = Proposal.objects.get()
    assert proposal.status == "withdrawn"
    assert "somebody has to say what is right" in proposal.settled_reason
    assert office.told("pay-wendt") == "withdrawn"


def test_the_pharmacist_does_so_too() -> None:
    ward = Office(care, "paracetamol")
    ward.ask("What does N-311 say?")
    assert InfoRequest.objects.get().answer.startswith("Note N-311 says:\n")
    ward.decide("request_changes", "Attach L-8801")
    assert ward.seen().revision.number == 2
    ward.decide("reject")
    assert ward.told("paracetamol") == "rejected"


def test_nobody_asks_for_ever() -> None:
    ward = Office(care, "paracetamol")
    for nth in range(4):
        ward.ask(f"Are you sure? ({nth})")
    assert InfoRequest.objects.count() == 4
    ward.ask("And now?")
    assert Proposal.objects.get().status == "withdrawn"


@pytest.mark.parametrize(
    ("pack", "tainted"),
    [
        # Both change the account that money goes to, by what a mail says; one of them is a fraud.
        (finance, ["bank-nordlicht", "bank-ostfjord"]),
        (care, []),
    ],
)
def test_only_accounts_out_of_mails_are_tainted(pack: Any, tainted: list[str]) -> None:
    found = {}
    office = Office(pack)
    script = pack.working.SCRIPT
    for name in script:
        seen = office.seen()
        found[name] = any(row["drives"] for row in seen.revision.sources)
        office.decide("reject")
    assert [name for name in found if found[name]] == tainted
