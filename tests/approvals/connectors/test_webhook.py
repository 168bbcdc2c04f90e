"""Webhooks: signed by every secret while they rotate, under the order's own key."""

import json
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from approvals.connectors.protocol import CannotBuild, NotReached
from tests.approvals.connectors.servers import (
    KEY,
    answer,
    loaded,
    order,
    provider,
    reset,
    sent,
    soon,
)

OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"
TEXT = """
[erp]
kind = "webhook"
retry_class = "keyed"
retention_seconds = 86400
url = "URL/hook/"
networks = ["127.0.0.0/8"]
secrets = ["env:NEW", "env:OLD"]
[erp.actions.send_payment]
type = "payment.approved"
[erp.actions.short]
body = { sum = "{{/amount}}" }
"""


def test_a_message_is_signed_by_both_secrets_and_named_by_the_key(tmp_path: Path) -> None:
    with provider() as erp:
        erp.behave = answer(202)
        connector = loaded(tmp_path, TEXT.replace("URL", erp.url), OLD=OLD, NEW=NEW)
        built = connector.build(order())
        assert built == connector.build(order())
        assert b"signature" not in built
        assert sent(connector, order()).outcome == "acknowledged"
        [asked] = erp.taken
        assert asked.target == "/hook/"
        assert asked.headers["webhook-id"] == KEY
        for secret in (OLD, NEW):
            said = Webhook(secret).verify(asked.body, asked.headers)
            assert said["type"] == "payment.approved"
            assert said["data"]["amount"] == "48200.00"
            assert said["timestamp"] == "2026-03-02T12:00:00Z"
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD).verify(asked.body + b" ", asked.headers)
        assert connector.build(order("short")).endswith(b'\r\n\r\n{"sum":"48200.00"}')
        with pytest.raises(CannotBuild):
            connector.build(order("other"))
        json.loads(asked.body)


def test_silence_is_unknown_and_there_is_nobody_to_ask(tmp_path: Path) -> None:
    with provider() as erp:
        connector = loaded(tmp_path, TEXT.replace("URL", erp.url), OLD=OLD, NEW=NEW)
        erp.behave = reset
        assert sent(connector, order()).outcome == "unknown"
        erp.behave = answer(400)
        assert sent(connector, order()).outcome == "refused"
        assert "certificate is valid" in connector.test(soon())
    assert connector.ask(order(), b"", soon()).says == "unclear"
    with pytest.raises(NotReached):
        next(iter(connector.listed(order().at, order().at, soon())))
