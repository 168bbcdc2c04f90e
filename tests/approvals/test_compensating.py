"""What a rollback cannot take back is undone outside by proposals of its own, newest first."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, transaction

from agents.models import Restoration
from agents.operations import restoring
from agents.operations.restoring import carry_on
from approvals import queries as approvals
from approvals.connectors.protocol import Finding, Receipt
from approvals.effects import Measure
from approvals.models import ActionType, Compensation, Execution, Proposal, Revision
from approvals.operations.compensating import NotToCompensate, compensate_again
from approvals.operations.deciding import InLineage
from approvals.operations.expiring import expire_due
from approvals.operations.rebasing import rebase_all
from approvals.operations.recording import observe
from approvals.operations.registering import ActionTypeSpec, ActionTypeUnusable, declare
from approvals.operations.sending import send_due
from approvals.operations.undoing import BeyondOriginal, NotItsTurn, refuse_unless_its_turn
from approvals.queries.outside import compensated_of
from approvals.undoing import (
    CannotUndo,
    Effected,
    earlier_turn,
    is_too_much,
    objection_to_declaration,
    undoing_of,
)
from console.errors import Forbidden, Invalid, NotFound
from console.notices.models import Event
from snapshots.diff import Change
from tests.agents.turning_back import Scene
from tests.approvals.wires import (
    A_DAY,
    DONE,
    RECALLED,
    SILENCE,
    Bank,
    doubtful,
    furnish,
    read,
    wire,
)
from tests.story import ANYTHING, BOOK, now

AT = datetime.fromisoformat("2026-03-02T12:00:00+00:00")
WIRED = Effected({"vendor": "V7", "amount": 70}, "B-1", "e1", AT)


class TestDeclaring:
    """An action type says once what undoes it."""

    @pytest.mark.parametrize(
        ("declared", "says"),
        [
            ({}, ""),
            (RECALLED, ""),
            ({"irreversible": True}, ""),
            ({"irreversible": True, "text": "Given is given."}, ""),
            ({"irreversible": True, "params": {}}, "no params"),
            ({"action_type": "recall", "until": 5}, "no until"),
            ({"params": {}}, "names the action type"),
            ({"action_type": ""}, "names the action type"),
            ({"action_type": "recall", "params": []}, "an object"),
            ({"action_type": "recall", "within_seconds": 0}, "above zero"),
            ({"action_type": "recall", "within_seconds": True}, "above zero"),
        ],
    )
    def test_is_checked(self, declared: dict[str, Any], says: str) -> None:
        objection = objection_to_declaration(declared)
        assert says in objection if says else objection == ""

    @pytest.mark.parametrize(
        ("params", "expected"),
        [
            ({"amount": "/amount"}, {"amount": 70}),
            ({"why": "wire {{reference}} ({{execution}})"}, {"why": "wire B-1 (e1)"}),
            ({"fixed": 3, "flag": True}, {"fixed": 3, "flag": True}),
        ],
    )
    def test_maps_its_parameters(self, params: dict[str, Any], expected: dict[str, Any]) -> None:
        found = undoing_of({"action_type": "recall", "params": params}, WIRED, AT)
        assert found is not None
        assert (found.is_possible, found.params) == (True, expected)

    def test_cannot_name_what_the_original_does_not_have(self) -> None:
        with pytest.raises(CannotUndo, match="/iban"):
            undoing_of({"action_type": "recall", "params": {"iban": "/iban"}}, WIRED, AT)

    @pytest.mark.parametrize(
        ("after", "possible"), [(A_DAY - 1, True), (A_DAY, False), (A_DAY + 1, False)]
    )
    def test_has_its_time(self, after: int, *, possible: bool) -> None:
        found = undoing_of(RECALLED, WIRED, AT + timedelta(seconds=after))
        assert found is not None
        assert found.is_possible is possible
        assert found.due_at == AT + timedelta(seconds=A_DAY)
        assert possible or "until 2026-03-03 12:00 UTC" in found.text

    @pytest.mark.parametrize(
        ("original", "back", "too_much"),
        [
            (("70", "EUR"), ("70", "EUR"), False),
            (("70", "EUR"), ("-70", "EUR"), False),
            (("70", "EUR"), ("70.01", "EUR"), True),
            (("70", "EUR"), ("70", "USD"), True),
            ((None, ""), ("1", "EUR"), True),
            ((None, ""), ("0", "EUR"), False),
            (("70", "EUR"), (None, ""), False),
        ],
    )
    def test_undoes_no_more_than_there_was(self, original: Any, back: Any, too_much: Any) -> None:
        one, other = (
            Measure(None if amount is None else Decimal(amount), currency)
            for amount, currency in (original, back)
        )
        assert is_too_much(one, other) is too_much

    @pytest.mark.parametrize(
        ("number", "waiting", "first"),
        [(1, [1, 2, 3], None), (3, [3], None), (3, [2, 3], 2), (3, [1, 2, 3], 1), (2, [], None)],
    )
    def test_waits_for_its_turn(self, number: int, waiting: list[int], first: int | None) -> None:
        assert earlier_turn(number, waiting) == first


@pytest.fixture
def scene() -> Scene:
    return Scene.build()


@pytest.fixture
def bank(scene: Scene) -> Bank:
    return furnish(scene.cast, Bank())


def owed() -> list[Compensation]:
    """Return what is owed, in its turns."""
    rows = Compensation.objects.select_related("execution__proposal", "proposal")
    return list(rows.order_by("number"))


def statuses(row: Restoration) -> list[str]:
    """Return how what is undone for a restoration stands."""
    rows = Compensation.objects.filter(cause=f"restoration:{row.id}")
    return [each.execution.status for each in rows.order_by("number")]


def back_of(owed_one: Compensation) -> Proposal:
    """Return the proposal that undoes an effect."""
    assert owed_one.proposal is not None
    return owed_one.proposal


@pytest.mark.django_db
class TestOpening:
    """A rollback proposes what undoes the effects above it, or says that nothing does."""

    def test_proposes_it_on_the_record_as_it_is_then(self, scene: Scene, bank: Bank) -> None:
        found = wire(scene.cast, bank)
        row = scene.back(1)
        [one] = owed()
        proposal = back_of(one)
        assert (one.execution_id, one.number, one.is_irreversible) == (found, 1, False)
        assert one.due_at == read(found).executed_at + timedelta(seconds=A_DAY)  # type: ignore[operator]
        assert proposal.title == "Recall 70 to V7"
        assert (proposal.base_number, proposal.status) == (3, "pending")
        words = Revision.objects.get(proposal=proposal).params
        assert words == {
            "vendor": "V7",
            "amount": 70,
            "reference": "B-1",
            "key": found.hex,
            "note": "Asked back",
        }
        assert read(found).status == "compensating"
        assert "Undoing effect 1 of 1 was proposed." in [line["says"] for line in row.log]
        assert scene.cast.ledger_objection() is None

    def test_is_decided_by_people_and_carried_out(self, scene: Scene, bank: Bank) -> None:
        wire(scene.cast, bank)
        row = scene.back(1)
        scene.cast.decide(scene.cast.ana, back_of(owed()[0]).id)
        assert statuses(row) == ["compensated"]
        assert len(scene.cast.content()["recalls"]) == 1
        assert "execution.compensated" in scene.cast.said()

    def test_finds_what_the_record_could_not_follow(self, scene: Scene, bank: Bank) -> None:
        found = doubtful(scene.cast, bank)
        scene.cast.move_world(Change("replace", "/balance", 1000, 5))
        observe(
            actor=scene.cast.setup,
            execution_id=found,
            source="inquiry",
            finding=Finding("executed", "B-7"),
            now=now(),
        )
        assert (read(found).status, read(found).snapshot_number) == ("succeeded", None)
        scene.cast.move_world(Change("replace", "/balance", 5, 6))
        scene.cast.move_world(Change("replace", "/balance", 6, 7))
        # What was written afterwards may know of it; what stood then does not.
        assert scene.read(scene.plan(3)).plan["outside"] == []
        assert len(scene.read(scene.plan(2)).plan["outside"]) == 1
        [line] = scene.read(scene.plan(1)).plan["outside"]
        assert (line["number"], line["is_recorded"]) == (2, False)
        scene.back(1)
        [one] = owed()
        assert (one.execution_id, back_of(one).title) == (found, "Recall 70 to V7")
        assert read(found).status == "compensating"
        # What was rolled away once is not rolled away again.
        scene.cast.move_world(Change("replace", "/balance", 1000, 8))
        assert scene.read(scene.plan(1)).plan["outside"] == []

    def test_is_told_in_the_plan(self, scene: Scene, bank: Bank) -> None:
        found = wire(scene.cast, bank)
        [line] = scene.read(scene.plan(1)).plan["outside"]
        at = read(found).executed_at
        assert at is not None
        until = (at + timedelta(seconds=A_DAY)).isoformat()
        assert line["undo"] == {"label": "Recall", "until": until, "text": ""}

    def test_goes_backwards_one_turn_after_the_other(self, scene: Scene, bank: Bank) -> None:
        first, second, third = (wire(scene.cast, bank, amount) for amount in (10, 20, 30))
        row = scene.back(1)
        assert [each.execution_id for each in owed()] == [third, second, first]
        one, two, three = (back_of(each).id for each in owed())
        with pytest.raises(NotItsTurn, match="number 1 comes before"):
            scene.cast.decide(scene.cast.ana, two)
        scene.cast.decide(scene.cast.ana, one)
        rebase_all(actor=scene.cast.setup, state_id=scene.book, now=now())
        with pytest.raises(NotItsTurn, match="number 2 comes before"):
            scene.cast.decide(scene.cast.ana, three)
        # A refusal ends a turn as well.
        scene.cast.decide(scene.cast.ana, two, "reject")
        scene.cast.decide(scene.cast.ana, three)
        assert statuses(row) == ["compensated", "compensation_failed", "compensated"]
        cause = f"restoration:{row.id}"
        assert compensated_of(scene.cast.workspace.id, [cause]) == {cause: (2, 3)}

    def test_happens_once(self, scene: Scene, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
        wire(scene.cast, bank)
        planned = scene.plan(1)
        scene.confirm(planned)
        with monkeypatch.context() as broken:
            broken.setattr(restoring, "_read_back", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                carry_on(planned, now=now())
        assert (len(owed()), scene.read(planned).status) == (1, "restored")
        assert carry_on(planned, now=now()) == "done"
        scene.back(2)
        scene.back(1)
        assert len(owed()) == 1
        assert not Proposal.objects.filter(action_type__name="recover").exists()

    def test_of_what_is_irreversible_people_are_asked(self, scene: Scene) -> None:
        said = {"irreversible": True, "text": "Given is given."}
        bank = furnish(scene.cast, Bank(), compensation=said)
        found = wire(scene.cast, bank)
        [line] = scene.read(scene.plan(1)).plan["outside"]
        assert line["undo"] == {"label": "", "until": "", "text": "Given is given."}
        scene.back(1)
        [one] = owed()
        assert (one.is_irreversible, one.text, one.proposal) == (True, "Given is given.", None)
        assert read(found).status == "succeeded"
        assert recoveries(scene) == ["The bank can be asked. Given is given."]

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"params": {"vendor": "/vendor", "amount": 71}}, "undo more than the effect"),
            ({"params": {"vendor": "V0", "amount": "/amount"}}, "no vendor V0"),
            ({"params": {"iban": "/iban"}}, "cannot be worded"),
            ({"action_type": "gone"}, "no action type"),
            ({"within_seconds": 0.000001}, "that has passed"),
        ],
    )
    def test_what_cannot_be_proposed_is_said(
        self, scene: Scene, change: dict[str, Any], says: str
    ) -> None:
        bank = furnish(scene.cast, Bank(), compensation={**RECALLED, **change})
        found = wire(scene.cast, bank)
        assert scene.back(1).status == "done"
        [one] = owed()
        assert one.is_irreversible
        assert says in one.text
        assert read(found).status == "succeeded"
        assert len(recoveries(scene)) == 1

    def test_leaves_what_declares_nothing_to_people(self, scene: Scene) -> None:
        bank = furnish(scene.cast, Bank(), compensation={})
        wire(scene.cast, bank)
        scene.back(1)
        assert owed() == []
        assert recoveries(scene) == ["The bank can be asked."]

    def test_a_declaration_that_makes_no_sense_is_refused(self, scene: Scene) -> None:
        spec = ActionTypeSpec("odd", "Odd", "Odd", ANYTHING, "stated", compensation={"to": 1})
        with pytest.raises(ActionTypeUnusable):
            declare(scene.cast.setup, spec)


def recoveries(scene: Scene) -> list[str]:
    """Return what the open recoveries say about undoing an effect."""
    rows = Proposal.objects.filter(action_type__name="recover", status="pending")
    wordings = Revision.objects.filter(proposal__in=rows)
    assert {row.proposal.state.key for row in wordings} <= {f"{BOOK}/recoveries"}
    return [row.params["reversibility"] for row in wordings]


@pytest.mark.django_db
class TestEnding:
    """What undoes an effect has decisions of its own, and may fail like anything else."""

    @pytest.fixture
    def row(self, scene: Scene, bank: Bank) -> Restoration:
        wire(scene.cast, bank)
        return scene.back(1)

    def test_rejected(self, scene: Scene, row: Restoration) -> None:
        scene.cast.decide(scene.cast.ana, back_of(owed()[0]).id, "reject", "Not worth it.")
        assert statuses(row) == ["compensation_failed"]
        assert Event.objects.filter(name="compensation.failed").count() == 1
        assert scene.cast.ledger_objection() is None

    def test_expired(self, scene: Scene, row: Restoration) -> None:
        expire_due(now=now() + timedelta(days=2))
        assert statuses(row) == ["compensation_failed"]

    def test_expires_with_the_time_in_which_it_can_be_undone(self, scene: Scene) -> None:
        bank = furnish(scene.cast, Bank(), compensation={**RECALLED, "within_seconds": 600})
        wire(scene.cast, bank)
        scene.back(1)
        newest = owed()[-1]
        assert back_of(newest).due_at == newest.due_at

    def test_proposed_again_by_a_person_who_does_not_decide_on_it(
        self, scene: Scene, row: Restoration
    ) -> None:
        cast = scene.cast
        cast.decide(cast.ana, back_of(owed()[0]).id, "reject")
        found = owed()[0].execution_id
        again = compensate_again(
            actor=cast.ben, execution_id=found, reason="The bank agreed.", now=now()
        )
        assert statuses(row) == ["compensating"]
        with pytest.raises(InLineage):
            cast.decide(cast.ben, again)
        cast.decide(cast.ana, again)
        assert statuses(row) == ["compensated"]
        with pytest.raises(NotToCompensate):
            compensate_again(actor=cast.ben, execution_id=found, reason="Once more.", now=now())

    def test_is_not_proposed_again_while_it_waits(self, scene: Scene, row: Restoration) -> None:
        with pytest.raises(NotToCompensate):
            compensate_again(
                actor=scene.cast.ben,
                execution_id=owed()[0].execution_id,
                reason="Hurry.",
                now=now(),
            )

    @pytest.mark.parametrize("who", ["cleo", "eve", "scout", "setup"])
    def test_is_not_proposed_again_by_everybody(
        self, scene: Scene, row: Restoration, who: str
    ) -> None:
        with pytest.raises(Forbidden):
            compensate_again(
                actor=getattr(scene.cast, who),
                execution_id=owed()[0].execution_id,
                reason="Hurry.",
                now=now(),
            )

    def test_asks_why(self, scene: Scene, row: Restoration) -> None:
        one = owed()[0].execution_id
        with pytest.raises(Invalid):
            compensate_again(actor=scene.cast.ben, execution_id=one, reason=" ", now=now())
        with pytest.raises(NotFound):
            compensate_again(actor=scene.cast.zoe, execution_id=one, reason="Mine.", now=now())

    def test_what_was_stated_to_be_impossible_may_become_possible(self, scene: Scene) -> None:
        bank = furnish(scene.cast, Bank(), compensation={"irreversible": True})
        found = wire(scene.cast, bank)
        row = scene.back(1)
        assert owed()[0].is_irreversible
        ActionType.objects.filter(name="wire").update(compensation=RECALLED)
        compensate_again(
            actor=scene.cast.ben, execution_id=found, reason="The bank agreed.", now=now()
        )
        assert (owed()[0].is_irreversible, statuses(row)) == (False, ["compensating"])

    def test_more_than_there_was_is_not_approved(self, scene: Scene, row: Restoration) -> None:
        proposal = back_of(owed()[0])
        wording = Revision.objects.get(proposal=proposal)
        wording.measure = {**wording.measure, "amount": "70.01"}
        with pytest.raises(BeyondOriginal):
            refuse_unless_its_turn(proposal, wording)


@pytest.mark.django_db
class TestOutside:
    """What undoes an effect may leave the house itself."""

    @pytest.fixture
    def row(self, scene: Scene, bank: Bank) -> Restoration:
        spec = ActionTypeSpec(
            "recall",
            "Recall",
            "Recall {amount}",
            ANYTHING,
            "tests.recall",
            connector=bank.name,
        )
        declare(scene.cast.setup, spec)
        wire(scene.cast, bank)
        return scene.back(1)

    @pytest.mark.parametrize(
        ("receipt", "status"),
        [
            (DONE, "compensated"),
            (Receipt("refused", says="Too late."), "compensation_failed"),
            (SILENCE, "compensating"),
        ],
    )
    def test_ends_as_its_provider_says(
        self, scene: Scene, bank: Bank, row: Restoration, receipt: Receipt, status: str
    ) -> None:
        scene.cast.decide(scene.cast.ana, back_of(owed()[0]).id)
        assert statuses(row) == ["compensating"]
        bank.receipt = receipt
        assert send_due(bank.connectors, now=now()) == 1
        assert statuses(row) == [status]
        assert scene.cast.ledger_objection() is None


@pytest.mark.django_db
@pytest.mark.breaks_invariants
def test_the_database_refuses_to_undo_more_than_there_was(scene: Scene, bank: Bank) -> None:
    wire(scene.cast, bank, 10)
    scene.back(1)
    one = owed()[0]
    # Somebody who writes past every rule names another proposal as the way back.
    other = scene.cast.ask(70, action_type="wire", origin="client:1")
    Compensation.objects.filter(id=one.id).update(proposal=other)
    with (
        pytest.raises(DatabaseError, match="not more than its effect"),
        transaction.atomic(),
    ):
        insert_execution(scene, other)


def insert_execution(scene: Scene, proposal_id: UUID) -> None:
    """Write an execution past every rule."""
    proposal = approvals.detail(scene.cast.workspace.id, proposal_id).proposal
    wording = Revision.objects.get(proposal=proposal)
    Proposal.objects.filter(id=proposal_id).update(
        status="approved", settled_at=now(), settled_by="nobody"
    )
    Execution.objects.create(
        workspace_id=proposal.workspace_id,
        proposal=proposal,
        revision=1,
        digest=wording.digest,
        status="ready",
        connector="bank",
        retry_class="queryable",
        created_at=now(),
        due_at=now(),
    )
