"""Decisions over HTTP: people with a session, If-Match, and the same refusals as on the page."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from approvals.models import AuthorityLimit, Decision, Delegation, Execution
from console.actors import Actor
from tests.access.proving import with_code
from tests.api.robots import PROPOSALS, Robot, code_of, robot_of
from tests.approvals.signed import ask_for_signatures, decide, proof
from tests.story import BOOK, Cast, now

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
PAY = {"state": BOOK, "action_type": "pay", "params": {"vendor": "V7", "amount": 70}}
EXECUTIONS = "/api/v1/executions"
LIMITS, DELEGATIONS = "/api/v1/authority-limits", "/api/v1/delegations"


def person(cast: Cast, who: Actor, **options: Any) -> Robot:
    """Return a browser's session of somebody, without any key."""
    found = Robot()
    found.client = Client(raise_request_exception=False, **options)
    found.client.force_login(cast.user(who), backend=BACKEND)
    return found


@pytest.fixture
def ana(cast: Cast) -> Robot:
    return person(cast, cast.ana)


@pytest.fixture
def ada(cast: Cast) -> Robot:
    return person(cast, cast.ada)


def decision(cast: Cast, proposal_id: UUID, **more: Any) -> dict[str, Any]:
    revision = cast.look(proposal_id).revision
    return {
        "choice": "approve",
        "revision": revision.number,
        "digest": revision.digest,
        "comment": "because",
        **more,
    }


def send(who: Robot, proposal_id: UUID, body: dict[str, Any], match: str | None = None) -> Any:
    headers = {"If-Match": f'"{body["digest"]}"' if match is None else match}
    return who.post(f"{PROPOSALS}/{proposal_id}/decisions", body, headers=headers)


class TestDeciding:
    """The same operation as behind the page."""

    def test_approves_and_twice_is_once(self, cast: Cast, ana: Robot) -> None:
        proposal_id = cast.ask()
        body = decision(cast, proposal_id)
        for _ in range(2):
            answer = send(ana, proposal_id, body)
            assert (answer.status_code, answer.json()) == (200, {"outcome": "approved"})
        assert (Decision.objects.count(), cast.content()["balance"]) == (1, 930)

    def test_keeps_everything_that_was_said(self, cast: Cast, ana: Robot) -> None:
        proposal_id = cast.ask()
        body = decision(cast, proposal_id, choice="reject", reason_code="duplicate")
        assert send(ana, proposal_id, body).json() == {"outcome": "rejected"}
        kept = Decision.objects.get()
        assert (kept.reason, kept.reason_code, kept.choice) == ("because", "duplicate", "reject")

    def test_asks_for_changes(self, cast: Cast, ana: Robot) -> None:
        proposal_id = cast.ask()
        body = decision(cast, proposal_id, choice="request_changes", reason_code="wrong_value")
        assert send(ana, proposal_id, body).json() == {"outcome": "changes_requested"}
        answer = cast.answer(proposal_id)
        assert (answer.status, answer.is_final, answer.by, answer.reason) == (
            "changes_requested",
            True,
            "Ana",
            "because",
        )

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"choice": "reject"}, "reason_code"),
            ({"choice": "reject", "reason_code": "invented"}, "reason_code"),
            ({"choice": "request_changes", "reason_code": "other", "comment": " "}, "reason"),
        ],
    )
    def test_refuses_what_is_missing(
        self, cast: Cast, ana: Robot, more: dict[str, Any], field: str
    ) -> None:
        proposal_id = cast.ask()
        answer = send(ana, proposal_id, decision(cast, proposal_id, **more))
        assert code_of(answer) == "422 decision_incomplete"
        assert answer.json()["field"] == field

    @pytest.mark.parametrize(
        ("match", "code"),
        [("", "428 if_match_required"), ('""', "428 if_match_required")],
    )
    def test_needs_to_know_what_was_looked_at(
        self, cast: Cast, ana: Robot, match: str, code: str
    ) -> None:
        proposal_id = cast.ask()
        assert code_of(send(ana, proposal_id, decision(cast, proposal_id), match)) == code

    def test_refuses_when_header_and_body_differ(self, cast: Cast, ana: Robot) -> None:
        proposal_id = cast.ask()
        answer = send(ana, proposal_id, decision(cast, proposal_id), '"' + "f" * 64 + '"')
        assert code_of(answer) == "412 revision_changed"

    @pytest.mark.parametrize(
        "more",
        [{"choice": "maybe"}, {"revision": 0}, {"digest": "x"}, {"edits": {}}, {"step_up": "x"}],
    )
    def test_refuses_what_does_not_fit(self, cast: Cast, ana: Robot, more: dict[str, Any]) -> None:
        proposal_id = cast.ask()
        body = decision(cast, proposal_id, **more)
        assert send(ana, proposal_id, body).status_code == 422
        assert not Decision.objects.exists()

    def test_refuses_who_may_not(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        body = decision(cast, proposal_id)
        assert code_of(send(person(cast, cast.cleo), proposal_id, body)) == "403 forbidden"
        assert code_of(send(person(cast, cast.zoe), proposal_id, body)) == "404 not_found"
        assert code_of(send(robot_of(cast, cast.eve), proposal_id, body)) == "403 people_only"
        assert code_of(send(Robot(), proposal_id, body)) == "401 unauthenticated"

    def test_refuses_a_form_of_another_site(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        ana = person(cast, cast.ana, enforce_csrf_checks=True)
        assert send(ana, proposal_id, decision(cast, proposal_id)).status_code == 403
        assert not Decision.objects.exists()

    def test_refuses_the_lineage_and_the_signature_that_is_missing(
        self, cast: Cast, ana: Robot
    ) -> None:
        mine = cast.ask(lineage=(cast.ana.ref,))
        assert code_of(send(ana, mine, decision(cast, mine))) == "403 lineage"
        cast.policy(level=3)
        signed = cast.ask(71)
        reject = decision(cast, signed, choice="reject", reason_code="other")
        assert code_of(send(ana, signed, reject)) == "403 step_up_required"
        assert code_of(send(ana, signed, decision(cast, signed))) == "422 decision_incomplete"

    def test_stands_in_for_somebody(self, cast: Cast, ada: Robot) -> None:
        at = now()
        made = ada.post(
            DELEGATIONS,
            {
                "person": cast.ben.id,
                "delegate": cast.ana.id,
                "begins_at": at.isoformat(),
                "ends_at": (at + timedelta(days=1)).isoformat(),
            },
        )
        assert made.status_code == 201
        proposal_id = cast.ask()
        body = decision(cast, proposal_id, stands_for=cast.ben.id)
        assert send(person(cast, cast.ana), proposal_id, body).json() == {"outcome": "approved"}
        assert str(Decision.objects.get().stands_for_id) == cast.ben.id
        [said] = ada.get(f"{PROPOSALS}/{proposal_id}").json()["decisions"]
        assert (said["person"], said["stands_for"]) == ("Ana", "Ben")


class TestReading:
    """What decisions rest on, for whoever may see."""

    def test_says_the_terms_and_what_is_at_stake(self, cast: Cast, ana: Robot) -> None:
        cast.policy(level=2, approvals=2)
        proposal_id = cast.ask()
        cast.decide(cast.ben, proposal_id, ticked=["The vendor is trusted"])
        found = ana.get(f"{PROPOSALS}/{proposal_id}").json()
        assert (found["level"], found["policy"]) == (2, "one reviewer")
        assert any("2 people" in sentence for sentence in found["terms"])
        assert [said["person"] for said in found["decisions"]] == ["Ben"]

    def test_keeps_a_signed_decision_from_whoever_is_blind_to_it(
        self, cast: Cast, robot: Robot
    ) -> None:
        asked = ask_for_signatures(cast, approvals=2)
        secrets = {who: with_code(UUID(who.id)) for who in (cast.ana, cast.ben)}
        readers = (person(cast, cast.ana), person(cast, cast.ben), robot)
        for who, seen in ((cast.ana, [1, 0, 0]), (cast.ben, [2, 2, 2])):
            decide(cast, who, asked, proof(cast, who, asked, secrets[who]))
            told = [one.get(f"{PROPOSALS}/{asked}").json()["decisions"] for one in readers]
            assert [len(said) for said in told] == seen

    def test_says_who_may_decide(self, cast: Cast, robot: Robot) -> None:
        cast.policy(approvals=3)
        proposal_id = cast.ask()
        found = robot.get(f"{PROPOSALS}/{proposal_id}/eligible-reviewers").json()
        assert [one["name"] for one in found["items"]] == ["Ada", "Ana", "Ben"]
        assert (found["needed"], found["enough"]) == (3, True)

    def test_shows_an_execution_and_recalls_it(self, cast: Cast, ana: Robot) -> None:
        cast.policy(hold_seconds=60)
        proposal_id = cast.ask()
        cast.decide(cast.ana, proposal_id)
        held = Execution.objects.get()
        found = ana.get(f"{EXECUTIONS}/{held.id}").json()
        assert (found["status"], found["proposal"]) == ("held", str(proposal_id))
        ben = person(cast, cast.ben)
        assert code_of(ben.post(f"{EXECUTIONS}/{held.id}/recall", {})) == "403 forbidden"
        answer = ana.post(f"{EXECUTIONS}/{held.id}/recall", {"reason": "wrong month"})
        assert (answer.status_code, answer.json()["status"]) == (200, "recalled")
        assert code_of(ana.post(f"{EXECUTIONS}/{held.id}/recall", {})) == "409 too_late"
        assert code_of(ana.get(f"{EXECUTIONS}/{uuid4()}")) == "404 not_found"

    def test_tells_when_a_policy_settled_it_at_once(self, cast: Cast, robot: Robot) -> None:
        cast.policy(level=0)
        first = robot.post(PROPOSALS, PAY, key="one")
        assert (first.status_code, first.json()["status"]) == (201, "approved")
        assert robot.post(PROPOSALS, PAY, key="one").json() == first.json()

    def test_relies_on_what_the_record_says(self, cast: Cast, robot: Robot) -> None:
        relying = {**PAY, "preconditions": [{"path": "/balance", "equals": 1000}]}
        assert robot.post(PROPOSALS, relying).status_code == 201
        wrong = {**PAY, "preconditions": [{"path": "/balance", "equals": 1}]}
        answer = robot.post(PROPOSALS, wrong)
        assert code_of(answer) == "412 precondition_failed"
        assert answer.json()["path"] == "/balance"


class TestAuthority:
    """Limits and delegations, set by people alone."""

    def test_sets_shows_and_takes_back_a_limit(self, cast: Cast, ada: Robot, ana: Robot) -> None:
        body = {
            "person": cast.ana.id,
            "action_types": ["pay*"],
            "amount": "5000.50",
            "currency": "EUR",
        }
        assert code_of(ana.post(LIMITS, body)) == "403 forbidden"
        made = ada.post(LIMITS, body)
        assert made.status_code == 201
        [found] = ana.get(LIMITS).json()["items"]
        assert (found["amount"], found["name"], found["revoked_at"]) == ("5000.5", "Ana", None)
        assert ada.delete(f"{LIMITS}/{made.json()['id']}").status_code == 204
        assert AuthorityLimit.objects.get().revoked_at is not None

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"amount": "x"}, "422 invalid"),
            ({"amount": "-1"}, "422 invalid"),
            ({"currency": ""}, "422 authority_invalid"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "422 authority_invalid"),
            ({"expires_at": "2020-01-01T00:00:00"}, "422 invalid"),
        ],
    )
    def test_refuses_what_is_no_limit(
        self, cast: Cast, ada: Robot, more: dict[str, Any], code: str
    ) -> None:
        body = {
            "person": cast.ana.id,
            "action_types": ["pay"],
            "amount": "1",
            "currency": "EUR",
            **more,
        }
        assert code_of(ada.post(LIMITS, body)) == code

    def test_names_and_ends_who_stands_in_for_oneself(self, cast: Cast, ana: Robot) -> None:
        at = now()
        body = {
            "delegate": cast.cleo.id,
            "begins_at": at.isoformat(),
            "ends_at": (at + timedelta(days=3)).isoformat(),
            "reason": "holiday",
        }
        made = ana.post(DELEGATIONS, body)
        assert made.status_code == 201
        [found] = ana.get(DELEGATIONS).json()["items"]
        assert (found["person_name"], found["delegate_name"]) == ("Ana", "Cleo")
        path = f"{DELEGATIONS}/{made.json()['id']}"
        assert code_of(person(cast, cast.ben).delete(path)) == "403 forbidden"
        assert person(cast, cast.cleo).delete(path).status_code == 204
        assert Delegation.objects.get().revoked_at is not None

    def test_no_token_and_no_stranger(self, cast: Cast, robot: Robot) -> None:
        for path in (LIMITS, DELEGATIONS):
            assert code_of(robot.get(path)) == "403 people_only"
            assert code_of(robot.post(path, {})) == "403 people_only"
            assert code_of(Robot().get(path)) == "401 unauthenticated"
        assert person(cast, cast.zoe).get(LIMITS).json()["items"] == []
