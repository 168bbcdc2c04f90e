"""Proposals over HTTP: made, looked at, waited for, withdrawn; never decided."""

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from approvals.models import Proposal
from approvals.operations.rebasing import rebase
from approvals.operations.withdrawing import withdraw
from console.access.models import ApiToken
from console.api import api
from snapshots.diff import Change
from tests.api.robots import PROPOSALS, Robot, code_of, robot_of
from tests.story import BOOK, QUICKFIX, TRUSTED, Cast, now

pytestmark = pytest.mark.django_db
PAY: dict[str, Any] = {
    "state": BOOK,
    "action_type": "pay",
    "params": {"vendor": "V7", "amount": 70},
}
MEMO = {"op": "add", "path": "/memo", "value": "x"}
ADJUST: dict[str, Any] = {"state": BOOK, "action_type": "adjust", "changes": [MEMO]}


def made(robot: Robot, body: dict[str, Any] | None = None, **other: object) -> str:
    answer = robot.post(PROPOSALS, {**(body or PAY), **other})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def shown(robot: Robot, proposal_id: str) -> dict[str, Any]:
    found: dict[str, Any] = robot.get(f"{PROPOSALS}/{proposal_id}").json()
    return found


class TestMaking:
    """An action waits for people, once per key."""

    def test_answers_201_with_the_id(self, robot: Robot) -> None:
        answer = robot.post(PROPOSALS, PAY)
        assert (answer.status_code, answer.json()["status"]) == (201, "pending")
        assert Proposal.objects.get().id == UUID(answer.json()["id"])

    def test_puts_the_token_and_its_maker_in_the_lineage(self, cast: Cast, robot: Robot) -> None:
        row = Proposal.objects.get(id=made(robot))
        token = ApiToken.objects.get()
        assert row.lineage == [f"client:{token.id}", cast.eve.ref]
        assert (row.proposer["name"], row.origin) == ("robot", f"client:{token.id}")

    def test_shows_the_effect_that_it_would_have(self, robot: Robot) -> None:
        detail = shown(robot, made(robot, external_ref="run-7", rationale="due today"))
        assert detail["title"] == "Pay 70 to Northwind"
        assert detail["changes"] == [
            {"op": "replace", "path": "/balance", "old": 1000, "value": 930},
            {"op": "add", "path": "/payments/0", "value": {"amount": 70, "vendor": "V7"}},
        ]
        assert [check["name"] for check in detail["checks"]] == [TRUSTED]
        assert (detail["params"], detail["base_snapshot"]) == (PAY["params"], 1)
        assert (detail["external_ref"], detail["risk"], detail["snapshot"]) == ("run-7", 1, None)

    def test_takes_changes_that_the_proposer_states(self, robot: Robot) -> None:
        changes: list[dict[str, Any]] = [
            {"op": "replace", "path": "/balance", "old": 1000, "value": 999.5},
            {"op": "remove", "path": "/vendors/V9", "old": {"trusted": False, "name": "Quickfix"}},
            {"op": "add", "path": "/payments/0", "value": None},
        ]
        detail = shown(robot, made(robot, ADJUST, changes=changes))

        def by_path(change: dict[str, Any]) -> str:
            return str(change["path"])

        assert sorted(detail["changes"], key=by_path) == sorted(changes, key=by_path)

    def test_takes_evidence(self, cast: Cast, robot: Robot) -> None:
        exhibit = {"label": "Mail", "source": "mail/4", "content": "Pay 70", "paths": ["/balance"]}
        detail = cast.look(UUID(made(robot, evidence=[exhibit])))
        assert [(row.label, row.content) for row in detail.evidence] == [("Mail", "Pay 70")]

    def test_answers_a_repeated_request_with_the_same_body(self, robot: Robot) -> None:
        first, second = (robot.post(PROPOSALS, PAY, key="k-1") for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert Proposal.objects.count() == 1

    @pytest.mark.parametrize(
        "other",
        [
            {"params": {"vendor": "V7", "amount": 71}},
            {"params": {"vendor": "V9", "amount": 70}},
            {"rationale": "another reason"},
            {"evidence": [{"label": "Mail", "source": "mail/4", "content": "Pay 70"}]},
            {"external_ref": "run-8"},
        ],
    )
    def test_refuses_another_body_under_the_same_key(
        self, robot: Robot, other: dict[str, object]
    ) -> None:
        first = robot.post(PROPOSALS, PAY, key="k-1").json()["id"]
        answer = robot.post(PROPOSALS, {**PAY, **other}, key="k-1")
        assert code_of(answer) == "422 key_reused"
        assert answer.json()["proposal"] == first
        assert Proposal.objects.count() == 1

    def test_refuses_what_people_rejected_while_the_record_stands_as_it_did(
        self, cast: Cast, robot: Robot
    ) -> None:
        first = made(robot)
        cast.decide(cast.ben, UUID(first), "reject")
        assert code_of(robot.post(PROPOSALS, PAY)) == "409 already_rejected"
        # A client may have the same to pay next month; a run is told no for good.
        cast.move_world(Change("replace", "/balance", 1000, 900))
        assert made(robot) != first
        assert shown(robot, first)["status"] == "rejected"

    @pytest.mark.parametrize("key", ["", " "])
    def test_needs_a_key(self, robot: Robot, key: str) -> None:
        headers = {"Idempotency-Key": key} if key else {}
        answer = robot.post(PROPOSALS, PAY, key="", headers=headers)
        assert code_of(answer) == "400 idempotency_key_required"

    def test_insists_on_the_snapshot_that_the_proposer_saw(self, cast: Cast, robot: Robot) -> None:
        made(robot, base_snapshot=1)
        cast.move_world(Change("replace", "/balance", 1000, 900))
        answer = robot.post(PROPOSALS, {**PAY, "base_snapshot": 1})
        assert code_of(answer) == "412 world_changed"
        assert (answer.json()["expected"], answer.json()["found"]) == (1, 2)
        made(robot, base_snapshot=2)

    @pytest.mark.parametrize(
        ("other", "code", "named"),
        [
            ({"action_type": "steal"}, "422 unknown_action_type", "action_type"),
            ({"state": "ledger/nobody"}, "422 unknown_state", "state"),
            ({"params": {"vendor": "V7"}}, "422 invalid_params", "params.amount"),
            ({"params": {"vendor": "V7", "amount": 70, "x": 1}}, "422 invalid_params", "params.x"),
            ({"params": []}, "422 invalid", "params"),
            ({"state": ""}, "422 invalid", "state"),
            ({"action_type": "x" * 81}, "422 invalid", "action_type"),
            ({"base_snapshot": "one"}, "422 invalid", "base_snapshot"),
            ({"base_snapshot": 1.5}, "422 invalid", "base_snapshot"),
            ({"evidence": [{"label": "x"}]}, "422 invalid", "evidence.0.source"),
            ({"rationale": "x" * 4001}, "422 invalid", "rationale"),
            ({"external_ref": "x" * 201}, "422 invalid", "external_ref"),
            ({"changes": [{"op": "move", "path": "/a"}]}, "422 invalid", "changes.0.op"),
            ({"changes": [{"op": "add", "path": "memo"}]}, "422 invalid", "changes.0.path"),
            ({"changes": [{**MEMO, "from": "/a"}]}, "422 invalid", "changes.0.from"),
            ({"decision": "approve"}, "422 invalid", "decision"),
            ({"lineage": []}, "422 invalid", "lineage"),
            ({"origin": "run:1"}, "422 invalid", "origin"),
        ],
    )
    def test_names_what_is_wrong(
        self, robot: Robot, other: dict[str, object], code: str, named: str
    ) -> None:
        answer = robot.post(PROPOSALS, {**PAY, **other})
        assert code_of(answer) == code
        body = answer.json()
        assert named in {body.get("field"), *(each["field"] for each in body.get("errors", []))}
        assert not Proposal.objects.exists()

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"op": "replace", "path": "/balance", "old": 999, "value": 1}, "the record says 1000"),
            ({"op": "replace", "path": "/balance", "old": 1000.0, "value": 1}, "record says 1000"),
            ({"op": "remove", "path": "/nothing", "old": 1}, "has nothing"),
            ({"op": "add", "path": "/balance", "value": 1}, "the record says 1000"),
            ({"op": "add", "path": "/payments/7", "value": 1}, "a position in the list"),
            ({"op": "add", "path": "/a/b", "value": 1}, "has nothing"),
            ({"op": "add", "path": "", "value": 1}, "expects nothing there"),
            ({"op": "remove", "path": "", "old": {}}, "not removed"),
            ({"op": "replace", "path": "/balance", "value": 1}, "old"),
            ({"op": "replace", "path": "/balance", "old": 1000}, "value"),
            ({"op": "add", "path": "/memo"}, "value"),
            ({"op": "remove", "path": "/balance"}, "old"),
            ({"op": "add", "path": "/a~2b", "value": 1}, "~ is followed by 0 or 1"),
            ({"op": "add", "path": "/a~", "value": 1}, "~ is followed by 0 or 1"),
        ],
    )
    def test_says_why_stated_changes_do_not_fit(
        self, robot: Robot, change: dict[str, object], why: str
    ) -> None:
        answer = robot.post(PROPOSALS, {**ADJUST, "changes": [change]})
        assert code_of(answer).startswith("422 ")
        assert why in answer.json()["detail"]
        assert not Proposal.objects.exists()

    def test_says_why_an_effect_is_impossible(self, robot: Robot) -> None:
        answer = robot.post(PROPOSALS, {**PAY, "params": {"vendor": "V7", "amount": 1001}})
        assert code_of(answer) == "422 effect_impossible"
        assert answer.json()["detail"] == "The balance does not cover this payment."

    def test_refuses_stated_changes_where_the_effect_is_not_stated(self, robot: Robot) -> None:
        assert code_of(robot.post(PROPOSALS, {**PAY, "changes": [MEMO]})).startswith("422 ")


class TestPatching:
    """A patch in a public format is proposed as the changes that it makes."""

    @pytest.mark.parametrize(
        "patch",
        [
            {
                "json_patch": [
                    {"op": "test", "path": "/balance", "value": 1000},
                    {"op": "copy", "from": "/balance", "path": "/opening"},
                    {"op": "replace", "path": "/balance", "value": 5},
                ]
            },
            {"merge_patch": {"balance": 5, "opening": 1000}},
        ],
        ids=["json", "merge"],
    )
    def test_shows_a_reviewer_the_diff(self, robot: Robot, patch: dict[str, Any]) -> None:
        detail = shown(robot, made(robot, {"state": BOOK, "action_type": "adjust", **patch}))
        assert detail["changes"] == [
            {"op": "replace", "path": "/balance", "old": 1000, "value": 5},
            {"op": "add", "path": "/opening", "value": 1000},
        ]

    def test_is_approved_like_any_other(self, cast: Cast, robot: Robot) -> None:
        body = {"state": BOOK, "action_type": "adjust", "merge_patch": {"vendors": {"V9": None}}}
        cast.decide(cast.ana, UUID(made(robot, body)))
        assert list(cast.content()["vendors"]) == ["V7"]

    def test_is_the_same_request_although_the_state_has_moved(
        self, cast: Cast, robot: Robot
    ) -> None:
        body = {"state": BOOK, "action_type": "adjust", "merge_patch": {"balance": 5}}
        first = robot.post(PROPOSALS, body, key="k").json()["id"]
        cast.move_world(Change("replace", "/balance", 1000, 7))
        assert robot.post(PROPOSALS, body, key="k").json()["id"] == first
        other = robot.post(PROPOSALS, {**body, "merge_patch": {"balance": 6}}, key="k")
        assert code_of(other) == "422 key_reused"
        elsewhere = robot.post(PROPOSALS, {**body, "action_type": "pay"}, key="k")
        assert code_of(elsewhere) == "422 key_reused"
        assert Proposal.objects.count() == 1

    def test_insists_on_the_snapshot_that_the_proposer_saw(self, cast: Cast, robot: Robot) -> None:
        body = {"state": BOOK, "action_type": "adjust", "merge_patch": {"balance": 5}}
        cast.move_world(Change("replace", "/balance", 1000, 7))
        assert code_of(robot.post(PROPOSALS, {**body, "base_snapshot": 1})) == "412 world_changed"
        made(robot, {**body, "base_snapshot": 2})

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"merge_patch": {}}, "422 invalid_params"),
            ({"merge_patch": {"balance": 1000}}, "422 invalid_params"),
            ({"json_patch": []}, "422 invalid_params"),
            ({"json_patch": [{"op": "remove", "path": "/nothing"}]}, "422 patch_failed"),
            ({"json_patch": [{"op": "test", "path": "", "value": {}}]}, "422 patch_failed"),
            ({"json_patch": [{}]}, "422 patch_failed"),
            ({"json_patch": [7]}, "422 invalid"),
            ({"json_patch": {}}, "422 invalid"),
            ({"json_patch": [], "merge_patch": None}, "422 invalid_params"),
            ({"changes": [MEMO], "merge_patch": {"a": 1}}, "422 invalid_params"),
            ({"merge_patch": {"a": 1}, "state": "nowhere"}, "422 unknown_state"),
            ({"merge_patch": {"a": 1}, "action_type": "pay"}, "422 invalid_params"),
        ],
        ids=repr,
    )
    def test_names_what_is_wrong(self, robot: Robot, more: dict[str, Any], code: str) -> None:
        body = {"state": BOOK, "action_type": "adjust", **more}
        assert code_of(robot.post(PROPOSALS, body)) == code
        assert not Proposal.objects.exists()

    def test_names_the_operation_that_fails(self, robot: Robot) -> None:
        patch = [{"op": "add", "path": "/a", "value": 1}, {"op": "remove", "path": "/b"}]
        answer = robot.post(
            PROPOSALS, {"state": BOOK, "action_type": "adjust", "json_patch": patch}
        ).json()
        assert answer["operation"] == 1
        assert answer["detail"] == "Operation 1: there is nothing at /b."


class TestLooking:
    """What a program sees is what people see."""

    def test_names_the_revision_in_the_etag(self, cast: Cast, robot: Robot) -> None:
        proposal_id = made(robot)
        first = robot.get(f"{PROPOSALS}/{proposal_id}")
        digest = cast.look(UUID(proposal_id)).revision.digest
        assert first["ETag"] == f'"{digest}"'
        assert (first.json()["revision"], first.json()["revision_digest"]) == (1, digest)
        cast.move_world(Change("replace", "/balance", 1000, 900))
        rebase(actor=cast.ana, proposal_id=UUID(proposal_id), now=now())
        second = robot.get(f"{PROPOSALS}/{proposal_id}")
        assert second["ETag"] != first["ETag"]
        assert (second.json()["revision"], second.json()["base_snapshot"]) == (2, 2)

    def test_tells_what_people_said(self, cast: Cast, robot: Robot) -> None:
        yes, no = made(robot), made(robot, params={"vendor": QUICKFIX, "amount": 41})
        cast.decide(cast.ben, UUID(no), "reject", "not on the list")
        cast.decide(cast.ana, UUID(yes))
        approved, rejected = shown(robot, yes), shown(robot, no)
        assert (approved["status"], approved["settled_by"], approved["snapshot"]) == (
            "approved",
            "Ana",
            2,
        )
        assert (rejected["status"], rejected["reason"]) == ("rejected", "not on the list")

    def test_lists_the_newest_first_page_by_page_and_by_status(
        self, cast: Cast, robot: Robot
    ) -> None:
        ids = [made(robot, params={"vendor": "V7", "amount": n}) for n in range(1, 8)]
        for proposal_id in ids[:3]:
            cast.decide(cast.ben, UUID(proposal_id), "reject")
        for status, wanted in (
            ("", ids),
            ("pending", ids[3:]),
            ("rejected", ids[:3]),
            ("stale", []),
        ):
            seen: list[str] = []
            cursor, more = "", True
            while more:
                page = robot.get(PROPOSALS, limit=2, status=status, cursor=cursor).json()
                seen += [item["id"] for item in page["items"]]
                cursor = page["next_cursor"]
                more = bool(cursor)
            assert seen == wanted[::-1]

    @pytest.mark.parametrize("status", ["done", "PENDING", "pending ", "\x00", "%", "'"])
    def test_names_a_status_that_there_is_not(self, robot: Robot, status: str) -> None:
        answer = robot.get(PROPOSALS, status=status)
        assert code_of(answer) == "422 invalid"
        assert answer.json()["field"] == "status"

    def test_asks_the_database_as_often_for_many_as_for_few(
        self, robot: Robot, django_assert_num_queries: Any
    ) -> None:
        made(robot)
        robot.get(PROPOSALS)
        with django_assert_num_queries(3):
            robot.get(PROPOSALS)
        for amount in range(1, 10):
            made(robot, params={"vendor": "V7", "amount": amount})
        with django_assert_num_queries(3):
            assert len(robot.get(PROPOSALS).json()["items"]) == 10


class TestWaiting:
    """A long poll answers when people have settled it for good."""

    def test_answers_at_once_when_the_time_is_nought_or_it_is_settled(
        self, cast: Cast, robot: Robot
    ) -> None:
        proposal_id = made(robot)
        assert robot.get(f"{PROPOSALS}/{proposal_id}/wait", seconds=0).json()["status"] == "pending"
        cast.decide(cast.ana, UUID(proposal_id))
        answer = robot.get(f"{PROPOSALS}/{proposal_id}/wait")
        assert (answer.json()["status"], answer["ETag"]) == (
            "approved",
            f'"{answer.json()["revision_digest"]}"',
        )

    def test_does_not_take_a_held_approval_for_the_last_word(
        self, cast: Cast, robot: Robot
    ) -> None:
        cast.policy(hold_seconds=60)
        proposal_id = made(robot)
        cast.decide(cast.ana, UUID(proposal_id))
        answer = robot.get(f"{PROPOSALS}/{proposal_id}/wait", seconds=0).json()
        assert (answer["status"], answer["snapshot"]) == ("approved", None)

    @pytest.mark.django_db(transaction=True)
    def test_hears_of_a_decision_while_it_waits(self, cast: Cast, robot: Robot) -> None:
        proposal_id = made(robot)

        def reject() -> None:
            cast.decide(cast.ben, UUID(proposal_id), "reject")
            connection.close()

        later = threading.Timer(0.3, reject)
        later.start()
        begin = now()
        answer = robot.get(f"{PROPOSALS}/{proposal_id}/wait", seconds=20)
        later.join()
        assert answer.json()["status"] == "rejected"
        assert now() - begin < timedelta(seconds=10)


class TestWithdrawing:
    """Whoever proposed it may take it back."""

    def test_takes_an_open_proposal_back_once(self, robot: Robot) -> None:
        proposal_id = made(robot)
        for reason in ("paid already", "again"):
            answer = robot.post(f"{PROPOSALS}/{proposal_id}/withdraw", {"reason": reason})
            assert answer.status_code == 200
            assert answer.json()["status"] == "withdrawn"
            assert answer.json()["reason"] == "paid already"

    def test_leaves_a_settled_one_as_it_is(self, cast: Cast, robot: Robot) -> None:
        proposal_id = made(robot)
        cast.decide(cast.ana, UUID(proposal_id))
        answer = robot.post(f"{PROPOSALS}/{proposal_id}/withdraw", {"reason": "no"})
        assert answer.json()["status"] == "approved"

    def test_is_refused_to_other_programs(self, cast: Cast, robot: Robot) -> None:
        proposal_id = made(robot)
        other = robot_of(cast, cast.ada)
        answer = other.post(f"{PROPOSALS}/{proposal_id}/withdraw", {"reason": "mine"})
        assert code_of(answer) == "403 forbidden"

    @pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 1001}, {"reason": None}])
    def test_asks_why(self, robot: Robot, body: dict[str, object]) -> None:
        proposal_id = made(robot)
        assert code_of(robot.post(f"{PROPOSALS}/{proposal_id}/withdraw", body)) == "422 invalid"

    def test_is_told_to_people(self, cast: Cast, robot: Robot) -> None:
        proposal_id = UUID(made(robot))
        withdraw(actor=cast.ada, proposal_id=proposal_id, reason="wrong", now=now())
        assert shown(robot, str(proposal_id))["settled_by"] == "Ada"


ROUTES = [
    ("post", PROPOSALS, "proposals:write"),
    ("get", PROPOSALS, "proposals:read"),
    ("get", f"{PROPOSALS}/{{id}}", "proposals:read"),
    ("get", f"{PROPOSALS}/{{id}}/wait", "proposals:read"),
    ("post", f"{PROPOSALS}/{{id}}/withdraw", "proposals:write"),
]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_every_door_asks_for_a_token_with_its_scope(
    cast: Cast, robot: Robot, method: str, path: str, scope: str
) -> None:
    address = path.format(id=made(robot))
    assert code_of(getattr(Robot(), method)(address)) == "401 unauthenticated"
    others = {"jobs:read", "jobs:write", "proposals:read", "proposals:write"} - {scope}
    answer = getattr(robot_of(cast, cast.eve, *others), method)(address)
    assert code_of(answer) == "403 scope_missing"


class TestNoTokenDecides:
    """What decides, or brings a decision about, is for people; and every door has a lock."""

    def operations(self) -> list[tuple[str, str, dict[str, Any]]]:
        schema: dict[str, Any] = api.get_openapi_schema()
        return [
            (path, method, operation)
            for path, methods in schema["paths"].items()
            for method, operation in methods.items()
        ]

    def test_lets_no_token_near_an_operation_that_decides(self) -> None:
        words = ("decide", "decision", "approve", "reject", "recall", "resolve", "break", "step_up")
        deciding = [
            operation
            for path, method, operation in self.operations()
            if method != "get"
            and any(word in f"{path} {operation['operationId']}".lower() for word in words)
        ]
        assert len(deciding) >= 4
        for operation in deciding:
            assert not any("Bearer" in way for way in operation["security"]), operation

    def test_locks_every_operation(self) -> None:
        for path, method, operation in self.operations():
            assert operation.get("security"), (method, path)
            assert {"401", "403", "422"} <= {str(code) for code in operation["responses"]}

    @pytest.mark.parametrize("verb", ["decisions", "claim", "edit", "break-glass"])
    def test_turns_a_token_away(self, robot: Robot, verb: str) -> None:
        proposal_id = made(robot)
        answer = robot.post(f"{PROPOSALS}/{proposal_id}/{verb}", {"choice": "approve"})
        assert code_of(answer) == "403 people_only"
        assert shown(robot, proposal_id)["status"] == "pending"

    @pytest.mark.parametrize("verb", ["decide", "approve", "reject", "recall"])
    def test_finds_nothing_at_such_an_address(self, robot: Robot, verb: str) -> None:
        proposal_id = made(robot)
        answer = robot.post(f"{PROPOSALS}/{proposal_id}/{verb}", {"choice": "approve"})
        assert answer.status_code == 404
        assert shown(robot, proposal_id)["status"] == "pending"

    @pytest.mark.parametrize("method", ["put", "patch", "delete"])
    def test_changes_nothing_by_other_methods(self, robot: Robot, method: str) -> None:
        proposal_id = made(robot)
        send = getattr(robot.client, method)
        answer = send(
            f"{PROPOSALS}/{proposal_id}", b"{}", "application/json", headers=robot.headers
        )
        assert answer.status_code == 405
        assert shown(robot, proposal_id)["status"] == "pending"

    def test_a_token_opens_no_page_where_people_decide(self, cast: Cast, robot: Robot) -> None:
        proposal_id = made(robot)
        address = f"/w/acme/proposals/{proposal_id}/decide/"
        answer = robot.client.post(address, {"choice": "approve"}, headers=robot.headers)
        assert answer.status_code in {302, 403}
        assert cast.answer(UUID(proposal_id)).status == "pending"
