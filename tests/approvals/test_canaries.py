"""A canary: one value is another one, and nothing that is decided on it is ever carried out."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection, models
from django.test import Client, override_settings

from approvals import canaries
from approvals.attentive import noticed
from approvals.fields import Field
from approvals.models import Canary, Decision, Execution, Proposal
from approvals.operations.answering_canaries import answer_canary
from approvals.operations.deciding import Act, AlreadySettled, Incomplete, Seen, decide
from approvals.operations.planting import let_go, plant, plant_due
from approvals.policy import Choice
from approvals.queries import attention
from approvals.queries import canaries as planted
from console.actors import Actor
from console.errors import NotFound
from snapshots.diff import Change
from snapshots.models import Snapshot
from tests.house import BACKEND
from tests.story import Cast, now
from tests.terms import reason_code_for


class TestMutation:
    """One described value becomes another that people and agents really get wrong."""

    @pytest.mark.parametrize(
        ("kind", "value", "other"),
        [
            ("money", "48200.00", "84200.00"),
            ("money", "10.00", "100.00"),
            ("money", "2222.22", "22222.20"),
            ("money", 70, 700),
            ("integer", 14, 140),
            ("dose", "2.5", "25.0"),
            ("dose", 5, 50),
            ("date", "2026-11-30", "2026-12-30"),
            ("account", "12345678", "12345671"),
            # The new check digits belong to the new number.
            ("iban", "DE89370400440532013000", "DE08370400440532013003"),
        ],
    )
    def test_alters_a_value_of_this_kind(self, kind: Any, value: Any, other: Any) -> None:
        change = Change("replace", "/x", "before", value)
        found = canaries.mutation([change], [Field("/x", "X", kind, unit="EUR")], "seed")
        assert found is not None
        assert (found.before, found.after, found.path) == (value, other, "/x")
        assert found.changes == (Change("replace", "/x", "before", other),)

    def test_finds_its_value_inside_what_is_added(self) -> None:
        payment: Any = {"to": ["V7", {"amount": "310.20"}], "memo": "x"}
        field = Field("/payments/*/to/*/amount", "Amount", "money", unit="EUR")
        found = canaries.mutation([Change("add", "/payments/0", value=payment)], [field], "seed")
        assert found is not None
        assert found.changes[0].value == {"to": ["V7", {"amount": "130.20"}], "memo": "x"}
        assert payment["to"] == ["V7", {"amount": "310.20"}]

    @pytest.mark.parametrize(
        ("kind", "value"),
        [("text", "words"), ("money", "0.00"), ("date", "soon"), ("account", "12"), ("bool", True)],
    )
    def test_leaves_alone_what_has_no_plausible_error(self, kind: Any, value: Any) -> None:
        change = Change("replace", "/x", "before", value)
        assert canaries.mutation([change], [Field("/x", "X", kind)], "seed") is None

    def test_leaves_alone_what_nobody_described_and_what_is_removed(self) -> None:
        changes = [Change("replace", "/y", 1, 14), Change("remove", "/x", 14)]
        assert canaries.mutation(changes, [Field("/x", "X", "integer")], "seed") is None

    def test_the_seed_decides_which_one(self) -> None:
        changes = [Change("replace", f"/{name}", 1, 14) for name in "abcdefgh"]
        fields = [Field("/*", "X", "integer")]
        found = {canaries.mutation(changes, fields, str(seed)).path for seed in range(99)}  # type: ignore[union-attr]
        assert found == {f"/{name}" for name in "abcdefgh"}


@pytest.fixture
def cast() -> Cast:
    cast = Cast.build()
    cast.policy(level=2)
    return cast


@pytest.fixture
def canary(cast: Cast) -> Canary:
    """Ben approved a payment of 70; a copy of it with 700 waits for Ana."""
    cast.decide(cast.ben, cast.ask(70))
    canary_id = put_before(cast, cast.ana)
    assert canary_id is not None
    return Canary.objects.get(id=canary_id)


def put_before(cast: Cast, who: Actor) -> UUID | None:
    return plant(workspace_id=cast.workspace.id, person_id=UUID(who.id), now=now())


def answer(cast: Cast, row: Canary, choice: Choice = "reject", reason: str = "700?") -> bool:
    act = Act(choice, reason, reason_code_for(choice))
    return answer_canary(actor=cast.ana, canary_id=row.id, act=act, now=now()).is_found


@pytest.mark.django_db
class TestPlanting:
    """A past action comes back with one wrong value, before somebody who does not know it."""

    def test_shows_the_action_with_the_value_that_is_wrong(
        self, cast: Cast, canary: Canary
    ) -> None:
        found = planted.detail_of(canary)
        assert (found.proposal.id, found.proposal.status) == (canary.id, "pending")
        assert found.proposal.title in {"Pay 70 to Northwind", "Pay 700 to Northwind"}
        assert canary.path in {"/balance", "/payments/0/amount"}
        assert found.revision.changes != cast.look(source(canary)).revision.changes
        assert found.proposal.due_at - found.proposal.created_at == timedelta(hours=24)

    def test_changes_nothing_of_the_action_that_it_was_made_from(
        self, cast: Cast, canary: Canary
    ) -> None:
        before = cast.look(source(canary))
        planted.detail_of(canary)
        after = cast.look(source(canary))
        assert after.revision.changes == before.revision.changes
        assert after.proposal.status == "approved"

    def test_takes_no_action_that_the_person_decided_on_or_stands_in(self, cast: Cast) -> None:
        cast.decide(cast.ana, cast.ask(70))
        assert put_before(cast, cast.ana) is None
        assert put_before(cast, cast.eve) is None
        assert put_before(cast, cast.ben) is not None

    def test_takes_each_action_once(self, cast: Cast, canary: Canary) -> None:
        answer(cast, canary)
        assert put_before(cast, cast.ana) is None

    def test_one_waits_for_a_person_at_a_time(self, cast: Cast, canary: Canary) -> None:
        cast.decide(cast.ben, cast.ask(71))
        assert put_before(cast, cast.ana) is None
        assert Canary.objects.count() == 1

    def test_takes_nothing_of_a_level_that_nobody_looks_at(self, cast: Cast) -> None:
        cast.policy(level=1)
        cast.decide(cast.ben, cast.ask(70))
        assert put_before(cast, cast.ana) is None

    def test_takes_nothing_from_another_workspace(self, cast: Cast, canary: Canary) -> None:
        assert plant(workspace_id=cast.other.id, person_id=UUID(cast.zoe.id), now=now()) is None

    @override_settings(CANARY_EVERY=3)
    def test_comes_after_so_many_decisions(self, cast: Cast) -> None:
        cast.decide(cast.ben, cast.ask(70))
        for amount in (1, 2):
            cast.decide(cast.ana, cast.ask(amount), "reject")
        assert plant_due(now=now()) == 0
        cast.decide(cast.ana, cast.ask(3), "reject")
        assert plant_due(now=now()) == 1
        assert plant_due(now=now()) == 0
        assert Canary.objects.get().person_id == UUID(cast.ana.id)

    @override_settings(CANARY_EVERY=0)
    def test_never_comes_where_it_is_switched_off(self, cast: Cast) -> None:
        cast.decide(cast.ben, cast.ask(70))
        cast.decide(cast.ana, cast.ask(1), "reject")
        assert plant_due(now=now()) == 0

    def test_goes_away_unseen_after_its_time(self, cast: Cast, canary: Canary) -> None:
        assert let_go(now=canary.ends_at - timedelta(seconds=1)) == 0
        assert let_go(now=canary.ends_at) == 1
        assert attention.own(cast.workspace.id, UUID(cast.ana.id), now()).found.of == 0


@pytest.mark.django_db
class TestAnswering:
    """The answer comes at once, and nothing else comes of it."""

    @pytest.mark.parametrize(
        ("choice", "is_found"), [("approve", False), ("reject", True), ("request_changes", True)]
    )
    def test_says_whether_it_was_found(
        self, cast: Cast, canary: Canary, choice: Choice, is_found: bool
    ) -> None:
        assert answer(cast, canary, choice) is is_found
        share = attention.own(cast.workspace.id, UUID(cast.ana.id), now()).found
        assert (share.count, share.of) == (int(is_found), 1)

    def test_an_approval_carries_nothing_out(self, cast: Cast, canary: Canary) -> None:
        counts = [kind.objects.count() for kind in (Decision, Execution, Proposal, Snapshot)]
        answer(cast, canary, "approve")
        assert [k.objects.count() for k in (Decision, Execution, Proposal, Snapshot)] == counts
        assert cast.content()["balance"] == 930

    def test_no_row_could_carry_it_out(self) -> None:
        related = [field.related_model for field in Canary._meta.get_fields() if field.is_relation]
        assert {model.__name__ for model in related if isinstance(model, type)} == {
            "Workspace",
            "User",
        }
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT conname FROM pg_constraint WHERE contype = 'f'"
                " AND confrelid = 'approvals_canary'::regclass"
            )
            assert cursor.fetchall() == []
        assert issubclass(Canary, models.Model)

    def test_asks_for_what_the_action_would_have_asked_for(
        self, cast: Cast, canary: Canary
    ) -> None:
        with pytest.raises(Incomplete, match="asks for a reason"):
            answer(cast, canary, "approve", reason="")

    def test_takes_one_answer(self, cast: Cast, canary: Canary) -> None:
        answer(cast, canary)
        with pytest.raises(AlreadySettled):
            answer(cast, canary, "approve")

    @pytest.mark.parametrize("who", ["ben", "ada", "zoe"])
    def test_is_nobody_elses(self, cast: Cast, canary: Canary, who: str) -> None:
        with pytest.raises(NotFound):
            answer_canary(
                actor=getattr(cast, who), canary_id=canary.id, act=Act("approve", "x"), now=now()
            )

    def test_the_ledger_does_not_say_who_or_how(self, cast: Cast, canary: Canary) -> None:
        answer(cast, canary, "approve")
        assert cast.said("canaries") == ["canary.planted", "canary.answered"]
        assert cast.ledger_objection() is None


@pytest.mark.django_db
class TestFigures:
    """To each their own; the rest only together."""

    def decide(self, cast: Cast, who: Actor, amounts: range, seconds: float) -> None:
        for amount in amounts:
            proposal_id = cast.ask(amount, origin=f"run:{amount}")
            seen = cast.look(proposal_id).revision
            decide(
                proposal_id=proposal_id,
                seen=Seen(seen.number, seen.digest),
                actor=who,
                act=Act(
                    "reject",
                    "because",
                    reason_code_for("reject"),
                    attention=noticed({"visible_seconds": str(seconds)}, 2),
                ),
                now=now(),
            )

    def test_own_figures_are_those_of_one_person(self, cast: Cast) -> None:
        self.decide(cast, cast.ana, range(1, 3), 3.9)
        self.decide(cast, cast.ana, range(3, 4), 30.0)
        self.decide(cast, cast.ben, range(4, 9), 1.0)
        own = attention.own(cast.workspace.id, UUID(cast.ana.id), now())
        assert (own.decisions, own.median_seconds) == (3, 3.9)
        assert (own.under_floor.count, own.under_floor.of) == (2, 3)
        assert [(item.title, item.seconds, item.fields) for item in own.hasty] == [
            ("Pay 2 to Northwind", 3.9, 2),
            ("Pay 1 to Northwind", 3.9, 2),
        ]

    def test_of_few_decisions_nothing_is_said_together(self, cast: Cast) -> None:
        self.decide(cast, cast.ana, range(1, 20), 1.0)
        assert attention.together(cast.workspace.id, now()) == []
        self.decide(cast, cast.ben, range(20, 21), 9.0)
        (row,) = attention.together(cast.workspace.id, now())
        assert (row.decisions, row.approvals.count, row.found) == (20, 0, None)
        assert (row.under_floor.count, row.under_floor.of) == (19, 20)

    def test_of_another_workspace_nothing_is_said(self, cast: Cast) -> None:
        self.decide(cast, cast.ana, range(1, 21), 1.0)
        assert attention.together(cast.other.id, now()) == []
        assert attention.own(cast.other.id, UUID(cast.ana.id), now()).decisions == 0

    def test_flow_counts_what_waits_and_what_was_settled(self, cast: Cast) -> None:
        cast.ask(1)
        cast.decide(cast.ana, cast.ask(2), "reject")
        found = attention.flow(cast.workspace.id, now())
        assert (found.waiting, found.settled) == (1, {"rejected": 1})
        assert found.median_seconds is not None


def source(row: Canary) -> UUID:
    return UUID(row.shown["proposal"])


def test_the_default_is_one_in_fifty() -> None:
    assert settings.CANARY_EVERY == 50


@pytest.mark.django_db
class TestPage:
    """A canary looks like any other proposal until it is answered."""

    def page(self, cast: Cast, row: Canary, who: Actor | None = None) -> Any:
        client = Client()
        client.force_login(cast.user(who or cast.ana), BACKEND)
        return client.get(f"/w/acme/proposals/{row.id}/")

    def test_stands_in_the_queue_of_one_person(self, cast: Cast, canary: Canary) -> None:
        for who, is_there in ((cast.ana, True), (cast.ben, False)):
            client = Client()
            client.force_login(cast.user(who), BACKEND)
            shown = client.get("/w/acme/queue/").content.decode()
            assert (str(canary.id) in shown) is is_there

    def test_shows_a_form_like_any_other(self, cast: Cast, canary: Canary) -> None:
        answer = self.page(cast, canary)
        assert answer.status_code == 200
        shown = answer.content.decode()
        assert 'value="approve"' in shown
        assert "canary" not in shown.lower()

    def test_is_not_there_for_others(self, cast: Cast, canary: Canary) -> None:
        assert self.page(cast, canary, cast.ben).status_code == 404
        assert self.page(cast, canary, cast.zoe).status_code == 404

    def test_says_what_was_wrong_once_it_is_answered(self, cast: Cast, canary: Canary) -> None:
        found = planted.detail_of(canary).revision
        client = Client()
        client.force_login(cast.user(cast.ana), BACKEND)
        form = {
            "revision": found.number,
            "digest": found.digest,
            "choice": "reject",
            "reason": "700 cannot be right",
            "reason_code": reason_code_for("reject"),
            "visible_seconds": "12",
        }
        answer = client.post(f"/w/acme/proposals/{canary.id}/decide/", form, follow=True)
        assert "You found the planted error" in answer.content.decode()
        canary.refresh_from_db()
        assert (canary.choice, canary.attention["visible_seconds"]) == ("reject", 12.0)

    def test_the_page_about_attention_is_everybodys_own(self, cast: Cast, canary: Canary) -> None:
        answer(cast, canary)
        client = Client()
        client.force_login(cast.user(cast.ana), BACKEND)
        shown = client.get("/w/acme/attention/").content.decode()
        assert "Planted errors found" in shown
        client.force_login(cast.user(cast.ada), BACKEND)
        assert "Are we keeping up?" in client.get("/w/acme/attention/").content.decode()
