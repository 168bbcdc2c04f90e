"""Settings of connectors: what is refused, in which words, and what never leaves them."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from approvals.connectors.settings import BadSettings, load

TOKEN = "tok-4f9a-very-secret"
HTTP = """
[bank]
kind = "http"
retry_class = "keyed"
retention_seconds = 86400
url = "https://api.bank.example/v1"
bearer = "env:CONNECTOR_BANK_TOKEN"
key_header = "Idempotency-Key"

[bank.actions.send_payment]
path = "/payments"
body = { amount = "{{/amount}}" }
reference = "/id"
"""
WEBHOOK = """
[erp]
kind = "webhook"
retry_class = "blind"
url = "https://erp.example/hook"
secrets = ["env:HOOK"]
[erp.actions.tell]
"""
SMTP = """
[mail]
kind = "smtp"
retry_class = "blind"
host = "mail.example"
sender = "countersign@acme.example"
domains = ["acme.example"]
[mail.actions.write]
to = "{{/to}}"
subject = "Paid"
text = "Paid."
"""
SQL = """
[books]
kind = "sql"
retry_class = "keyed"
retention_seconds = 86400
host = "/run/postgresql"
database = "books"
user = "countersign"
[books.actions.book]
statement = "INSERT INTO entry (amount) VALUES (%(amount)s)"
values = { amount = "{{/amount}}" }
"""
FHIR = """
[ehr]
kind = "fhir"
retry_class = "queryable"
url = "https://fhir.example/r4"
system = "https://acme.example/countersign"
[ehr.actions.change_dose]
interaction = "update"
resource = "MedicationRequest"
id = "{{/id}}"
body = "{{/resource}}"
"""
PAIN = """
[file]
kind = "pain001"
retry_class = "keyed"
retention_seconds = 86400
folder = "FOLDER"
debtor = { name = "Acme", iban = "DE89370400440532013000" }
[file.actions.pay]
creditor = "{{/vendor_name}}"
iban = "{{/iban}}"
amount = "{{/amount}}"
currency = "{{/currency}}"
"""
HOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRON = {"CONNECTOR_BANK_TOKEN": TOKEN, "HOOK": HOOK}


def read(folder: Path, text: str) -> str:
    path = folder / "c.toml"
    path.write_text(text.replace("FOLDER", str(folder)))
    with pytest.raises(BadSettings) as refused:
        load(str(path), ENVIRON)
    return str(refused.value)


def test_every_kind_is_read_and_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text((HTTP + WEBHOOK + SMTP + SQL + FHIR + PAIN).replace("FOLDER", str(tmp_path)))
    found = {name: each.public for name, each in load(str(path), ENVIRON).items()}
    assert [(each.kind, each.retry_class) for each in found.values()] == [
        ("http", "keyed"),
        ("webhook", "blind"),
        ("smtp", "blind"),
        ("sql", "keyed"),
        ("fhir", "queryable"),
        ("pain001", "keyed"),
    ]
    assert found["bank"].address == "https://api.bank.example/v1"
    assert found["mail"].address == "smtp://mail.example:587"
    assert found["books"].address == "postgresql:///run/postgresql:5432/books"
    assert found["file"].address == f"file://{tmp_path}"
    assert (found["bank"].actions, found["bank"].retention_seconds) == (("send_payment",), 86400)
    assert [name for name, each in found.items() if each.can_ask] == ["books", "ehr", "file"]
    assert {len(each.digest) for each in found.values()} == {64}
    assert len({each.digest for each in found.values()}) == 6


def test_a_digest_changes_with_every_setting_but_the_secrets(tmp_path: Path) -> None:
    def digest(text: str, token: str = TOKEN) -> str:
        path = tmp_path / "c.toml"
        path.write_text(text)
        return load(str(path), {"CONNECTOR_BANK_TOKEN": token, "OTHER": token})[
            "bank"
        ].public.digest

    first = digest(HTTP)
    assert digest(HTTP, "another-secret") == first
    assert digest(HTTP.replace("env:CONNECTOR_BANK_TOKEN", "env:OTHER")) == first
    for before, after in [
        ("/v1", "/v2"),
        ("86400", "86401"),
        ("Idempotency-Key", "X-Key"),
        ('path = "/payments"', 'path = "/payment"'),
        ("{{/amount}}", "{{/sum}}"),
        ('reference = "/id"', 'reference = "/ref"'),
        ('reference = "/id"', 'reference = "/id"\nsuccess = [201]'),
        ("[bank.actions.send_payment]", "[bank.actions.pay]"),
        ('bearer = "env', 'secret_headers.X-Key = "env'),
    ]:
        assert digest(HTTP.replace(before, after)) != first, after


def test_a_secret_is_in_no_text(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(HTTP)
    connector = load(str(path), ENVIRON)["bank"]
    kept = json.dumps(asdict(connector.public), default=str)
    seen = f"{connector!r} {connector.public!r} {vars(connector)!r} {kept}"
    assert TOKEN not in seen
    assert TOKEN not in repr(connector._settings)  # type: ignore[attr-defined]


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    path = tmp_path / "c.toml"
    path.write_text(HTTP.replace("env:CONNECTOR_BANK_TOKEN", f"file:{tmp_path}/token"))
    assert load(str(path), {})["bank"].public.name == "bank"


@pytest.mark.parametrize(
    ("text", "before", "after", "says"),
    [
        (HTTP, 'kind = "http"', 'kind = "ftp"', "[bank] kind: is one of"),
        (HTTP, 'kind = "http"', "", "[bank] kind: is one of"),
        (HTTP, "key_header", "key_haeder", "[bank] key_haeder: there is no such key"),
        (HTTP, 'reference = "/id"', "refs = 1", "[bank.actions.send_payment] refs: there is no"),
        (HTTP, 'retry_class = "keyed"', "", "[bank] retry_class: is missing"),
        (HTTP, '"keyed"', '"local"', "[bank] retry_class:"),
        (HTTP, '"keyed"', '"queryable"', "retention_seconds:"),
        (HTTP, "retention_seconds = 86400", "", "[bank] retention_seconds:"),
        (
            HTTP,
            'retry_class = "keyed"\nretention_seconds = 86400',
            'retry_class = "queryable"',
            "[bank] ask:",
        ),
        (HTTP, 'key_header = "Idempotency-Key"', "", "[bank] actions.send_payment: what is keyed"),
        (
            HTTP,
            "retention_seconds",
            "deadline_seconds = 25\nretention_seconds",
            "deadline_seconds:",
        ),
        (HTTP, "retention_seconds", "deadline_seconds = nan\nretention_seconds", "deadline_"),
        (HTTP, "env:CONNECTOR_BANK_TOKEN", "env:NOWHERE", "[bank] bearer: is missing: the env"),
        (HTTP, "env:CONNECTOR_BANK_TOKEN", "file:/nowhere", "[bank] bearer: is missing: /nowhere"),
        (HTTP, "env:CONNECTOR_BANK_TOKEN", TOKEN, "[bank] bearer: is a secret, and written as"),
        (HTTP, "https://", "http://", "[bank] url: Only https://"),
        (HTTP, "api.bank.example", "169.254.169.254", "[bank] url: 169.254.169.254 is at"),
        (HTTP, "api.bank.example", "10.0.0.7", "[bank] url: 10.0.0.7 is at"),
        (HTTP, "/v1", "/v1?a=b", "[bank] url: An address ends"),
        (HTTP, "bearer", 'networks = ["10.2.3.4/8"]\nbearer', "[bank.networks] 0: '10.2.3.4/8'"),
        (HTTP, "bearer", 'headers = { Host = "x" }\nbearer', "Host"),
        (HTTP, "bearer", 'headers = { X = "a\\r\\nB: c" }\nbearer', "X"),
        (HTTP, "bearer", 'ca_file = "/nowhere"\nbearer', "[bank] ca_file: /nowhere is not a file"),
        (HTTP, '"/payments"', '"payments"', "[bank.actions.send_payment] path: a path begins"),
        (HTTP, '"/payments"', '"/p/{{x}}"', "{{x}} is none of key, at"),
        (HTTP, "{{/amount}}", "{{/a~2}}", "{{/a~2}} is none of"),
        (HTTP, "{{/amount}}", "{{/amount}", "braces that name nothing"),
        (HTTP, '{{/amount}}" }', 'x", day = 2026-03-02 }', "is no JSON"),
        (HTTP, 'reference = "/id"', "refused = [409]", "409 does not say that nothing was done"),
        (HTTP, 'reference = "/id"', "refused = [408]", "408 does not say"),
        (HTTP, 'reference = "/id"', "refused = [425]", "425 does not say"),
        (HTTP, 'reference = "/id"', "refused = [429]", "429 does not say"),
        (HTTP, 'reference = "/id"', "refused = [500]", "500 does not say"),
        (HTTP, 'reference = "/id"', "success = [302]", "302 is no status of success"),
        (HTTP, "[bank]", "[Bank]", "[Bank]: a name has small letters"),
        (HTTP, "[bank]", "port = 1\n[bank]", "port: stands outside of a table"),
        (HTTP, "[bank]", "[bank", "is not TOML (line 2"),
        (WEBHOOK, '"blind"', '"queryable"', "of kind 'webhook' is blind or keyed"),
        (WEBHOOK, "env:HOOK", "env:CONNECTOR_BANK_TOKEN", "[erp] secrets: each is whsec_"),
        (SMTP, '"blind"', '"keyed"', "of kind 'smtp' is blind"),
        (SMTP, '["acme.example"]', "[]", "[mail] domains:"),
        (SMTP, "countersign@acme.example", "a b@c", "[mail] sender: 'a b@c' is no address"),
        (SMTP, "sender", 'user = "u"\nsender', "[mail] password: user and password"),
        (SMTP, "sender", 'security = "none"\nsender', "[mail] host: Only this machine"),
        (SQL, '"keyed"', '"blind"', "of kind 'sql' is keyed or queryable"),
        (SQL, "/run/postgresql", "db.example", "[books] ca_file: names the certificate"),
        (SQL, "%(amount)s", "%(sum)s", "do not name the same: amount, sum"),
        (SQL, "%(amount)s)", "%(amount)s); DROP TABLE entry", "without a semicolon"),
        (SQL, "INSERT INTO entry (amount) VALUES (%(amount)s)", "COMMIT", "a statement begins"),
        (SQL, "VALUES (", "VALUES (%s, ", "any other % is doubled"),
        (FHIR, '"queryable"', '"blind"', "of kind 'fhir' is queryable"),
        (FHIR, 'id = "{{/id}}"', "", "[ehr.actions.change_dose] id: an update names"),
        (PAIN, '"keyed"', '"blind"', "of kind 'pain001' is keyed or queryable"),
        (PAIN, "DE89370400440532013000", "DE88370400440532013000", "is no IBAN"),
        (PAIN, 'folder = "FOLDER"', 'folder = "/nowhere"', "[file] folder: /nowhere is not a"),
        (PAIN, '"Acme"', '"Ac<me"', "[file.debtor] name: a name has"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_table_and_key(
    tmp_path: Path, text: str, before: str, after: str, says: str
) -> None:
    assert before in text
    sentence = read(tmp_path, text.replace(before, after, 1))
    assert says in sentence
    assert TOKEN not in sentence


def test_a_file_that_is_not_there_is_said_to_be() -> None:
    with pytest.raises(BadSettings, match="cannot be read"):
        load("/nowhere/connectors.toml", {})
