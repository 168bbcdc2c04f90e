"""Hostile parameters: through every template they stay values, or nothing is built."""

import json
import xml.etree.ElementTree as ET
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from approvals.connectors.messages import opened
from approvals.connectors.protocol import CannotBuild, Connector
from tests.approvals.connectors.servers import KEY, loaded, order
from tests.approvals.connectors.test_settings import ENVIRON, FHIR, HTTP, PAIN, SMTP, SQL, WEBHOOK

BLNS = Path(__file__).parents[4] / "shared" / "data" / "naughty_strings" / "blns.json"
OURS = [
    "",
    " ",
    "\x00",
    "\ud800",
    "a\r\nX-Evil: 1",
    "a\r\n\r\nGET / HTTP/1.1",
    "\n.\r\nMAIL FROM:<eve@evil.example>",
    "'; DROP TABLE entry; --",
    "%s %(amount)s %",
    "{{key}}{{/iban}}{{}}",
    "]]><x/>",
    "<!ENTITY a 'b'>&a;",
    "\u202egnp.exe",
    "\u2028\u2029\x85",
    "\U000e0041\u200b\ufeff",
    "../../etc/passwd",
    "x" * 100_000,
    '"},"amount":"1.00","x":{"y":"',
    "\x1b]0;evil\x07",
]
KINDS = {
    "http": HTTP.replace(
        '"{{/amount}}"', '"{{/x}}", "text" = "a {{/x}} b", "{{/x}}" = "{{/lists}}"'
    ).replace('path = "/payments"', 'path = "/payments?why={{/x}}"'),
    "webhook": WEBHOOK.replace("[erp.actions.tell]", "[erp.actions.send_payment]"),
    "sql": SQL.replace("actions.book", "actions.send_payment").replace("{{/amount}}", "{{/x}}"),
    "smtp": SMTP.replace("actions.write", "actions.send_payment")
    .replace("{{/to}}", "ana@acme.example")
    .replace('"Paid"', '"Paid {{/x}}"')
    .replace('"Paid."', '"Paid {{/x}}."'),
    "fhir": FHIR.replace("actions.change_dose", "actions.send_payment"),
    "pain001": PAIN.replace("actions.pay", "actions.send_payment").replace(
        'iban = "{{/iban}}"', 'iban = "{{/iban}}"\ntext = "{{/x}}"'
    ),
}


def naughty() -> list[str]:
    if not BLNS.exists():
        return []
    found: list[str] = json.loads(BLNS.read_text())
    return found


def built(connector: Connector, text: str) -> bytes | None:
    """Build an order with a text in every place; it is built the same twice, or not at all."""
    params: dict[str, Any] = {"x": text, "lists": [text, {text: text}], "id": "17"}
    params["resource"] = {"resourceType": "MedicationRequest", "note": [{"text": text}]}
    try:
        first = connector.build(order(**params))
    except CannotBuild:
        return None
    assert first == connector.build(order(**params))
    return first


def check_http(raw: bytes, text: str) -> None:
    request = opened(raw)
    assert set(request.headers) <= {
        *("accept", "content-type", "idempotency-key", "user-agent", "if-match", "prefer"),
        "webhook-id",
    }
    assert request.target.isascii()
    assert not set(" \r\n\t\x00") & set(request.target)
    said = json.loads(request.body)
    found = json.dumps(said)
    assert json.dumps(text) in found
    if "text" in said:
        assert said["text"] == f"a {text} b"
        assert said["amount"] == text


def check_sql(raw: bytes, text: str) -> None:
    said = json.loads(raw)
    assert said["sql"] == "INSERT INTO entry (amount) VALUES (%(amount)s)"
    assert said["values"] == {"amount": text}


def check_smtp(raw: bytes, text: str) -> None:
    said = message_from_bytes(raw, policy=policy.default)
    names = (
        "Auto-Submitted Content-Transfer-Encoding Content-Type Date From MIME-Version Message-ID"
    )
    assert " ".join(sorted(said.keys())) == f"{names} Subject To"
    assert said["To"] == "ana@acme.example"
    assert said["Message-ID"] == f"<{KEY}@acme.example>"
    assert said.get_content().strip().startswith("Paid")


def check_xml(raw: bytes, text: str) -> None:
    root = ET.fromstring(raw)  # noqa: S314  (our own)
    found = [each.text for each in root.iterfind(".//{*}Ustrd")]
    assert found == ([text] if text else [])


CHECKS = {
    "http": check_http,
    "webhook": check_http,
    "fhir": check_http,
    "sql": check_sql,
    "smtp": check_smtp,
    "pain001": check_xml,
}


def connected(kind: str, folder: Path) -> Connector:
    return loaded(folder, KINDS[kind].replace("FOLDER", str(folder)), **ENVIRON)


@pytest.mark.parametrize("kind", list(KINDS))
def test_our_own_hostile_texts_stay_texts(tmp_path: Path, kind: str) -> None:
    connector = connected(kind, tmp_path)
    taken = 0
    for text in OURS:
        raw = built(connector, text)
        if raw is not None:
            CHECKS[kind](raw, text)
            taken += 1
    # Banks know few letters; everybody else takes nearly all, except what is no text at all.
    least = {"pain001": 1, "smtp": 6}.get(kind, len(OURS) - 5)
    assert least <= taken < len(OURS)


@pytest.mark.data
@pytest.mark.skipif(not BLNS.exists(), reason="the folder ../shared/data is not here")
@pytest.mark.parametrize("kind", list(KINDS))
def test_naughty_strings_stay_strings(tmp_path: Path, kind: str) -> None:
    connector = connected(kind, tmp_path)
    taken = 0
    for text in naughty():
        raw = built(connector, text)
        if raw is not None:
            CHECKS[kind](raw, text)
            taken += 1
    assert taken > {"pain001": 60, "smtp": 300}.get(kind, 480)
