"""Webhooks over HTTP: for people with their session, and never for a token."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.access.operations.keying import make_token
from console.access.rights import SCOPES
from console.notices.models import Webhook
from tests.notices.conftest import Office

pytestmark = pytest.mark.django_db
PLACE = "/api/v1/webhooks"
HOOK = {"url": "https://hooks.example/x", "events": ["proposal.made"]}


def call(office: Office, name: str, method: str, path: str, body: object = None) -> Any:
    return office.client(name).generic(
        method,
        path,
        json.dumps(body) if body is not None else "",
        content_type="application/json",
        headers={"Countersign-Workspace": "acme"},
    )


def test_a_person_adds_sees_changes_and_removes(office: Office) -> None:
    made = call(office, "eve", "POST", PLACE, HOOK)
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    place = f"{PLACE}/{made.json()['id']}"
    shown = call(office, "ada", "GET", place).json()
    assert (shown["url"], shown["enabled"]) == ("https://hooks.example/x", True)
    assert "secret" not in shown
    body = {"events": ["glass.broken"], "enabled": False}
    changed = call(office, "eve", "PATCH", place, body).json()
    assert (changed["events"], changed["enabled"]) == (["glass.broken"], False)
    assert call(office, "eve", "POST", f"{place}/test").json()["code"] == "webhook_off"
    call(office, "eve", "PATCH", place, {"enabled": True})
    rotated = call(office, "eve", "POST", f"{place}/rotate").json()["secret"]
    assert rotated != made.json()["secret"]
    sent = call(office, "eve", "POST", f"{place}/test")
    assert sent.status_code == 202
    [delivery] = call(office, "eve", "GET", f"{place}/deliveries").json()["items"]
    assert (delivery["id"], delivery["event"]) == (sent.json()["id"], "webhook.test")
    again = call(office, "eve", "POST", f"{place}/deliveries/{delivery['id']}/redeliver")
    assert again.status_code == 202
    assert call(office, "eve", "DELETE", place).status_code == 204
    assert call(office, "eve", "GET", place).status_code == 404
    assert call(office, "eve", "GET", PLACE).json() == {"items": [], "next_cursor": ""}


def test_a_change_that_cannot_be_kept_changes_nothing(office: Office) -> None:
    place = f"{PLACE}/{call(office, 'eve', 'POST', PLACE, HOOK).json()['id']}"
    body = {"events": ["proposal.eaten"], "enabled": False}
    answer = call(office, "eve", "PATCH", place, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "webhook_invalid")
    assert Webhook.objects.get().disabled_at is None


def test_lists_are_paged(office: Office) -> None:
    for _ in range(3):
        call(office, "eve", "POST", PLACE, HOOK)
    first = call(office, "eve", "GET", f"{PLACE}?limit=2").json()
    rest = call(office, "eve", "GET", f"{PLACE}?limit=2&cursor={first['next_cursor']}").json()
    assert len({row["id"] for row in [*first["items"], *rest["items"]]}) == 3


@pytest.mark.parametrize("name", ["ana", "cleo"])
def test_reviewers_and_auditors_may_not(office: Office, name: str) -> None:
    assert call(office, name, "POST", PLACE, HOOK).status_code == 403
    assert call(office, name, "GET", PLACE).status_code == 403


def test_no_token_sends_events_elsewhere(office: Office) -> None:
    _, secret = make_token(
        actor=office.actor("eve"),
        name="t",
        scopes=[*SCOPES],
        lifetime=timedelta(days=1),
        now=datetime.now(UTC),
    )
    answer = office.client("eve").post(
        PLACE,
        json.dumps(HOOK),
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "people_only")


def test_the_other_workspace_finds_nothing(office: Office, elsewhere: Office) -> None:
    made = call(office, "eve", "POST", PLACE, HOOK).json()["id"]
    browser = elsewhere.client("zoe")
    assert browser.get(PLACE).json()["items"] == []
    for method, path, body in (
        ("GET", "", ""),
        ("PATCH", "", '{"enabled": false}'),
        ("DELETE", "", ""),
        ("POST", "/rotate", ""),
        ("POST", "/test", ""),
        ("GET", "/deliveries", ""),
    ):
        answer = browser.generic(
            method, f"{PLACE}/{made}{path}", body, content_type="application/json"
        )
        assert answer.status_code == 404, (method, path)
    assert Webhook.objects.get().disabled_at is None
