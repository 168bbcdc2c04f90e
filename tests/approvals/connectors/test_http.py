"""HTTP: which bytes leave, when, and what every kind of answer and silence means."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from approvals.connectors.hiding import VEIL, Veil
from approvals.connectors.protocol import CannotBuild, Connector, NotReached, Order
from tests.approvals.connectors.servers import (
    KEY,
    NOON,
    Behaviour,
    Provider,
    answer,
    certificate,
    close_mid_body,
    drip,
    gibberish,
    hang,
    huge,
    loaded,
    order,
    provider,
    reset,
    reset_mid_body,
    routes,
    sent,
    soon,
)

TOKEN = "tok-4f9a-very-secret"
BODY = (
    b'{"amount":"48200.00","creditor":{"iban":"DE89 3704 0044 0532 0130 00",'
    b'"name":"Nordlicht GmbH"},"key":"0123456789abcdef0123456789abcdef",'
    b'"purpose":"Invoice INV-17, approved 2026-03-02T12:00:00Z"}'
)


def settings(url: str, more: str = "", *, ask: str = "", action: str = "") -> str:
    return f"""
[bank]
kind = "http"
retry_class = "keyed"
retention_seconds = 86400
deadline_seconds = 3
url = "{url}/v1"
networks = ["127.0.0.0/8", "::1/128"]
bearer = "env:TOKEN"
key_header = "Idempotency-Key"
headers = {{ X-Tenant = "acme" }}
{more}
[bank.actions.send_payment]
path = "/payments"
reference = "/id"
{action}
[bank.actions.send_payment.body]
amount = "{{{{/amount}}}}"
creditor = {{ iban = "{{{{/iban}}}}", name = "{{{{/vendor_name}}}}" }}
key = "{{{{key}}}}"
memo = "{{{{/memo?}}}}"
purpose = "Invoice {{{{/invoice}}}}, approved {{{{at}}}}"
[bank.actions.cancel]
method = "DELETE"
path = "/payments/{{{{/id}}}}?why={{{{/why}}}}"
{ask}
"""


ASK = """
[bank.ask]
path = "/payments?key={{key}}"
key = "/key"
reference = "/id"
status = "/status"
executed = ["booked", "accepted"]
refused = ["rejected"]
absent = [404]
"""
LIST = """
[bank.list]
path = "/list?from={{since}}&to={{until}}&page={{page}}"
items = "/payments"
key = "/key"
reference = "/id"
at = "/at"
text = "/to"
"""


@pytest.fixture
def bank() -> Iterator[Provider]:
    with provider() as kept:
        yield kept


@pytest.fixture
def connector(bank: Provider, tmp_path: Path) -> Connector:
    return loaded(tmp_path, settings(bank.url, ask=ASK + LIST), TOKEN=TOKEN)


def test_the_same_order_makes_the_same_bytes_without_secrets(connector: Connector) -> None:
    built = connector.build(order())
    assert built == connector.build(order(**dict(sorted(order().params.items(), reverse=True))))
    head, _, body = built.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/payments HTTP/1.1\r\nhost: 127.0.0.1:")
    assert f"idempotency-key: {KEY}".encode() in head
    assert b"x-tenant: acme" in head
    assert body == BODY
    assert TOKEN.encode() not in built


def test_what_was_built_is_what_leaves_together_with_the_proof(
    bank: Provider, connector: Connector
) -> None:
    found = sent(connector, order())
    assert (found.outcome, found.reference, found.status) == ("acknowledged", "pay_1", 201)
    [asked] = bank.taken
    assert (asked.method, asked.target, asked.body) == ("POST", "/v1/payments", BODY)
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["idempotency-key"] == KEY
    assert asked.headers["content-type"] == "application/json"


def test_nothing_is_asked_before_send(bank: Provider, connector: Connector) -> None:
    connector.reach(order(), soon()).close()
    assert connector.test(soon()).startswith(f"{bank.url}/v1 answers")
    time.sleep(0.1)
    assert (bank.connections, bank.taken) == (2, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_declared_refusals_are_refusals(bank: Provider, connector: Connector, status: int) -> None:
    bank.behave = answer(status, {"why": "no such account"})
    found = sent(connector, order())
    assert (found.outcome, found.status, found.reference) == ("refused", status, "")
    assert "no such account" in found.says


@pytest.mark.parametrize("status", [404, 410, 412])
def test_what_a_proxy_may_hear_of_its_own_repetition_is_unknown(
    bank: Provider, tmp_path: Path, status: int
) -> None:
    text = settings(bank.url, action="refused = [404, 410, 412]")
    text = text.replace('method = "DELETE"', 'method = "DELETE"\nrefused = [400, 404, 410, 412]')
    connector = loaded(tmp_path, text, TOKEN=TOKEN)
    bank.behave = answer(status)
    # Whoever posts is not repeated by anybody in between.
    assert sent(connector, order()).outcome == "refused"
    cancelling = Order(KEY, "cancel", {"id": "17", "why": "twice"}, NOON)
    assert sent(connector, cancelling).outcome == "unknown"
    bank.behave = answer(400)
    assert sent(connector, cancelling).outcome == "refused"


@pytest.mark.parametrize(
    ("absent", "behave", "says"),
    [
        ("", answer(404, {"error": "no such payment"}), "unclear"),
        ("absent = [404]", answer(404), "absent"),
        ("absent = [410]", answer(404), "unclear"),
        ("WORD", answer(404, {"error": "no such payment"}), "absent"),
        ("WORD", answer(404, {"error": "no route"}), "unclear"),
        ("WORD", answer(404, b"<html>nginx</html>"), "unclear"),
        ("WORD", answer(400, {"error": "no such payment"}), "unclear"),
    ],
)
def test_nothing_is_absent_unless_the_settings_name_who_says_so(
    bank: Provider, tmp_path: Path, absent: str, behave: Behaviour, says: str
) -> None:
    word = 'absent = [404]\nabsent_at = "/error"\nabsent_words = ["no such payment"]'
    text = settings(bank.url, ask=ASK.replace("absent = [404]", absent.replace("WORD", word)))
    bank.behave = behave
    connector = loaded(tmp_path, text, TOKEN=TOKEN)
    assert connector.ask(order(), b"", soon()).says == says


@pytest.mark.parametrize("status", [202, 206, 402, 405, 408, 409, 410, 425, 429, 500, 502, 503])
def test_every_other_status_is_unknown(bank: Provider, connector: Connector, status: int) -> None:
    bank.behave = answer(status, {"id": "pay_1"})
    assert (sent(connector, order()).outcome, len(bank.taken)) == ("unknown", 1)


@pytest.mark.parametrize(
    "behave",
    [
        hang,
        reset,
        reset_mid_body,
        close_mid_body,
        drip,
        huge,
        gibberish,
        # Success without the reference that was declared, or with half of one.
        answer(201),
        answer(201, {"ref": 1}),
        answer(201, {"id": True}),
        answer(201, b'{"id": "pay_1"'),
        answer(201, b"[" * 60_000),
        answer(201, b'{"id": ' + b"9" * 50_000 + b"}"),
        answer(201, {"id": "pay_1", "more": "x" * 70_000}),
    ],
)
def test_what_is_no_whole_answer_is_unknown_and_ends_in_time(
    bank: Provider, connector: Connector, behave: Behaviour
) -> None:
    bank.behave = behave
    began = time.monotonic()
    found = sent(connector, order(), seconds=0.6)
    assert found.outcome == "unknown"
    assert len(found.says) <= 1_000
    assert time.monotonic() - began < 1.5
    assert len(bank.taken) == 1


@pytest.mark.parametrize("status", [204, 200, 400])
def test_an_answer_without_an_end_is_unknown_whatever_it_begins_with(
    bank: Provider, connector: Connector, status: int
) -> None:
    what = Order(KEY, "cancel", {"id": "1", "why": "x"}, NOON)
    bank.behave = answer(status, b"" if status == 204 else b"x" * 70_000)
    assert sent(connector, what).outcome == ("acknowledged" if status == 204 else "unknown")


def test_half_a_secret_at_the_end_is_taken_out() -> None:
    secret = "abcdefgh" * 400
    assert Veil([secret]).over(f"you sent {secret[:900]}") == f"you sent {VEIL}"
    assert Veil([secret]).over("you sent ab") == "you sent ab"


def test_a_redirect_is_not_followed_and_not_a_refusal(bank: Provider, connector: Connector) -> None:
    for status in (301, 302, 303, 307, 308):
        bank.behave = answer(status, Location="http://169.254.169.254/latest/meta-data/")
        found = sent(connector, order())
        assert (found.outcome, found.status) == ("unknown", status)
    assert len(bank.taken) == 5


def test_a_host_that_hangs_up_before_the_first_byte_was_sent_nothing(tmp_path: Path) -> None:
    with provider(slams=True) as bank:
        connector = loaded(tmp_path, settings(bank.url), TOKEN=TOKEN)
        line = connector.reach(order(), soon())
        time.sleep(0.2)
        found = line.send(connector.build(order()))
        line.close()
        assert (found.outcome, bank.taken) == ("refused", [])
        assert found.says.startswith("Nothing was sent.")


def test_a_deadline_that_is_over_sends_nothing(bank: Provider, connector: Connector) -> None:
    line = connector.reach(order(), soon(0.1))
    time.sleep(0.15)
    found = line.send(connector.build(order()))
    line.close()
    assert (found.outcome, bank.taken) == ("refused", [])


def test_nobody_there_is_not_reached(tmp_path: Path) -> None:
    with provider() as bank:
        connector = loaded(tmp_path, settings(bank.url), TOKEN=TOKEN)
    for reach in (lambda: connector.reach(order(), soon()), lambda: connector.test(soon())):
        with pytest.raises(NotReached, match="ConnectionRefusedError"):
            reach()


def test_a_name_that_is_elsewhere_is_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = settings("https://bank.example").replace('["127.0.0.0/8", "::1/128"]', '["10.2.0.0/16"]')
    connector = loaded(tmp_path, text, TOKEN=TOKEN)
    for places in (["169.254.169.254"], ["10.2.3.4", "10.3.0.1"], ["::ffff:10.2.3.4"], ["::1"]):
        found = [(2, 1, 6, "", (each, 443)) for each in places]
        monkeypatch.setattr("socket.getaddrinfo", lambda *_a, _found=found, **_k: _found)
        with pytest.raises(NotReached, match="not public"):
            connector.reach(order(), soon())


def test_a_name_that_is_looked_up_for_ever_is_left_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = loaded(tmp_path, settings("https://bank.example"), TOKEN=TOKEN)

    def slow(*_asked: object, **_more: object) -> list[object]:
        time.sleep(1)
        return []

    monkeypatch.setattr("socket.getaddrinfo", slow)
    began = time.monotonic()
    with pytest.raises(NotReached, match="not found in time"):
        connector.reach(order(), soon(0.2))
    assert time.monotonic() - began < 1


def test_tls_is_always_verified(tmp_path: Path) -> None:
    good, context = certificate(tmp_path)
    _, other = certificate(tmp_path, "other.example")
    with provider(context) as bank:
        trusting = loaded(tmp_path, settings(bank.url, f'ca_file = "{good}"'), TOKEN=TOKEN)
        assert sent(trusting, order()).outcome == "acknowledged"
        bank.behave = reset_mid_body
        assert sent(trusting, order()).outcome == "unknown"
        usual = loaded(tmp_path, settings(bank.url), TOKEN=TOKEN)
        with pytest.raises(NotReached, match="certificate is not valid"):
            usual.reach(order(), soon())
    with provider(other) as bank:
        for trusted in (good, str(tmp_path / "other.example.pem")):
            wrong = loaded(tmp_path, settings(bank.url, f'ca_file = "{trusted}"'), TOKEN=TOKEN)
            with pytest.raises(NotReached, match="certificate is not valid"):
                wrong.test(soon())
        assert bank.taken == []


def test_what_speaks_no_tls_is_not_reached(tmp_path: Path, bank: Provider) -> None:
    text = settings(f"https://localhost:{bank.port}")
    with pytest.raises(NotReached):
        loaded(tmp_path, text, TOKEN=TOKEN).reach(order(), soon(1))


def test_a_secret_that_is_echoed_is_taken_out(bank: Provider, connector: Connector) -> None:
    basic = base64.b64encode(TOKEN.encode()).decode()
    bank.behave = answer(400, {"you sent": [f"Bearer {TOKEN}", basic]})
    says = sent(connector, order()).says
    assert says == f'{{"you sent": ["Bearer {VEIL}", "{VEIL}"]}}'
    bank.behave = answer(201, {"id": TOKEN})
    assert sent(connector, order()).reference == VEIL
    # What is cut within a secret still begins with it.
    bank.behave = answer(500, (TOKEN * 5_000)[:65_536].encode())
    assert "tok-" not in sent(connector, order()).says


def test_a_reason_is_printable_and_short(bank: Provider, connector: Connector) -> None:
    bank.behave = answer(400, ("\x1b[31m\u202e\x00" + "ä" * 5_000).encode())
    says = sent(connector, order()).says
    assert (says.isprintable(), len(says)) == (True, 1_000 - 1)


def test_basic_and_secret_headers_prove_who_we_are(bank: Provider, tmp_path: Path) -> None:
    more = 'basic = { user = "acme", password = "env:PASSWORD" }\n'
    more += 'secret_headers = { X-Api-Key = "env:TOKEN" }'
    text = settings(bank.url, more).replace('bearer = "env:TOKEN"\n', "")
    connector = loaded(tmp_path, text, TOKEN=TOKEN, PASSWORD="long-password")
    bank.behave = answer(403, base64.b64encode(b"acme:long-password"))
    assert sent(connector, order()).says == VEIL
    [asked] = bank.taken
    assert base64.b64decode(asked.headers["authorization"][6:]) == b"acme:long-password"
    assert asked.headers["x-api-key"] == TOKEN


def test_no_proxy_of_the_environment_is_asked(
    connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert sent(connector, order()).outcome == "acknowledged"


@pytest.mark.parametrize("id_", ["", ".", "..", "a/b", "../x", "a\\b", "a\r\nX: y", "a\0", None])
def test_a_parameter_stays_within_its_part_of_the_path(
    connector: Connector, id_: str | None
) -> None:
    with pytest.raises(CannotBuild):
        connector.build(Order(KEY, "cancel", {"id": id_, "why": "x"}, NOON))


def test_a_parameter_is_encoded_in_the_path(bank: Provider, connector: Connector) -> None:
    params = {"id": "a?b#c &ü%2e", "why": "a/b&c=d\r\n"}
    bank.behave = answer(204)
    found = sent(connector, Order(KEY, "cancel", params, NOON))
    assert (found.outcome, found.reference) == ("acknowledged", "")
    wanted = "/v1/payments/a%3Fb%23c%20%26%C3%BC%252e?why=a%2Fb%26c%3Dd%0D%0A"
    assert (bank.taken[0].method, bank.taken[0].target) == ("DELETE", wanted)


def test_an_order_that_says_too_little_or_what_is_no_json_is_not_built(
    connector: Connector,
) -> None:
    for what in (
        Order(KEY, "unknown", {}, NOON),
        Order(KEY, "send_payment", {}, NOON),
        order(amount="a\ud800"),
        order(amount="a\0b"),
        order(amount=2**60),
        order(invoice=["INV-17"]),
    ):
        with pytest.raises(CannotBuild):
            connector.build(what)


@pytest.mark.parametrize(
    ("behave", "says", "reference"),
    [
        (answer(200, {"key": KEY, "id": 17, "status": "booked"}), "executed", "17"),
        (answer(200, {"key": KEY, "id": "p", "status": "rejected"}), "refused", "p"),
        (answer(200, {"key": KEY, "id": "p", "status": "pending"}), "unclear", "p"),
        (answer(200, {"key": "other", "id": "p", "status": "booked"}), "unclear", ""),
        (answer(200, {"key": KEY, "status": "booked"}), "unclear", ""),
        (answer(200, b"<html>"), "unclear", ""),
        (answer(404, {"why": "none"}), "absent", ""),
        (answer(410), "unclear", ""),
        (answer(401), "unclear", ""),
        (answer(500), "unclear", ""),
        (answer(302, Location="/"), "unclear", ""),
        (hang, "unclear", ""),
        (reset_mid_body, "unclear", ""),
        (huge, "unclear", ""),
    ],
)
def test_asked_for_a_key_the_provider_must_say_so_plainly(
    bank: Provider, connector: Connector, behave: Behaviour, says: str, reference: str
) -> None:
    bank.behave = behave
    found = connector.ask(order(), b"", soon(0.6))
    assert (found.says, found.reference) == (says, reference)
    [asked] = bank.taken
    assert (asked.method, asked.target) == ("GET", f"/v1/payments?key={KEY}")
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"


def test_an_order_that_cannot_be_asked_for_is_unclear(bank: Provider, tmp_path: Path) -> None:
    text = settings(bank.url, ask=ASK.replace("?key", "/{{/invoice}}?key"))
    connector = loaded(tmp_path, text, TOKEN=TOKEN)
    assert connector.ask(order(invoice=".."), b"", soon()).says == "unclear"
    assert bank.taken == []


def test_a_provider_that_is_gone_when_asked_is_unclear(tmp_path: Path) -> None:
    with provider() as bank:
        connector = loaded(tmp_path, settings(bank.url, ask=ASK), TOKEN=TOKEN)
    assert connector.ask(order(), b"", soon()).says == "unclear"


def line(place: int, key: str | None = KEY) -> dict[str, object]:
    return {"key": key, "id": f"p{place}", "at": f"2026-03-02T12:00:0{place}Z", "to": "N\x1b"}


def test_a_list_is_read_page_by_page(bank: Provider, connector: Connector) -> None:
    bank.behave = routes(
        **{
            "page=1": answer(200, {"payments": [line(1), line(2)]}),
            "page=2": answer(200, {"payments": [line(3, None)]}),
            "page=3": answer(200, {"payments": []}),
        }
    )
    found = list(connector.listed(NOON, NOON + timedelta(hours=1), soon()))
    assert [(each.key, each.reference) for each in found] == [
        (KEY, "p1"),
        (KEY, "p2"),
        ("p3", "p3"),
    ]
    assert found[0].at == NOON + timedelta(seconds=1)
    assert found[0].text == "N "
    assert "from=2026-03-02T12%3A00%3A00Z&to=2026-03-02T13%3A00%3A00Z" in bank.taken[0].target


def test_a_list_by_cursor_ends_and_never_goes_in_circles(bank: Provider, tmp_path: Path) -> None:
    text = LIST.replace("page={{page}}", "c={{cursor}}") + 'next = "/next"\n'
    connector = loaded(tmp_path, settings(bank.url, ask=text), TOKEN=TOKEN)
    second = {"payments": [line(2)], "next": None}
    bank.behave = routes(
        **{
            "c=b%26": answer(200, second),
            "other": answer(200, {"payments": [line(1)], "next": "b&"}),
        }
    )
    assert [each.reference for each in connector.listed(NOON, NOON, soon())] == ["p1", "p2"]
    bank.behave = answer(200, {"payments": [line(1)], "next": "b"})
    with pytest.raises(NotReached, match="same page again"):
        list(connector.listed(NOON, NOON, soon()))


@pytest.mark.parametrize(
    "behave",
    [
        answer(500),
        answer(200, {"payments": {}}),
        answer(200, b"none"),
        answer(200, {"payments": [{"key": KEY, "id": "p", "at": "yesterday"}]}),
        huge,
        reset_mid_body,
    ],
)
def test_half_a_list_is_no_list(bank: Provider, connector: Connector, behave: Behaviour) -> None:
    bank.behave = behave
    with pytest.raises(NotReached):
        list(connector.listed(NOON, NOON, soon(1)))


def test_a_number_keeps_its_type_and_a_list_its_items(bank: Provider, tmp_path: Path) -> None:
    text = settings(bank.url).replace('key = "{{key}}"', 'items = [1.5, true, "{{/lines}}"]')
    connector = loaded(tmp_path, text, TOKEN=TOKEN)
    built = connector.build(order(amount=7, lines=[{"a": None}, "{{key}}"], memo="m"))
    said = json.loads(built.partition(b"\r\n\r\n")[2])
    # What stands in a parameter is a value, also where it looks like a template.
    assert said["items"] == [1.5, True, [{"a": None}, "{{key}}"]]
    assert (said["amount"], said["memo"]) == (7, "m")
