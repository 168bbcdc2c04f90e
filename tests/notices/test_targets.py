"""Where a webhook may be sent: names that are addresses in disguise, and answers that change."""

import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from console.notices import posting
from console.notices.posting import ANSWER_CHARACTERS, post
from console.notices.targets import BadTarget, Reach, addresses, objection_to, reach, target
from tests.notices.receivers import Receiver, dripping, receiver

PUBLIC = Reach()
NAME = "hooks.example"
HERE = (ipaddress.ip_network("127.0.0.0/8"),)


def at_home(port: int) -> Reach:
    return Reach(frozenset({port}), HERE)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "//hooks.example/",
        "hooks.example",
        "https://",
        "https:///path",
        "https://user@hooks.example/",
        "https://user:pass@hooks.example/",
        "https://hooks.example\\@127.0.0.1/",
        "https://hooks.example/#part",
        "https://hooks.example:8443/",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://hooks.example:x/",
        "https://hooks .example/",
        "https://hooks.example/\r\nX: y",
        "https://höoks.example/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://127.0.0.1%2f@hooks.example/",
        "https://%31%32%37.0.0.1/",
        f"https://hooks.example/{'x' * 500}",
        # An address in disguise, as resolvers of old take it.
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://017700000001/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://hooks.example.0x7f/",
        # Addresses themselves.
        "https://127.0.0.1/",
        "https://0.0.0.0/",
        "https://10.0.0.7/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://168.63.129.16/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:8.8.8.8]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:0:7f00:1::]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[ff02::1]/",
        "https://[::1",
    ],
)
def test_what_is_not_a_public_host_over_tls_is_refused(url: str) -> None:
    with pytest.raises(BadTarget):
        target(url, PUBLIC)
    # An operator who allows the machine itself has not allowed any of these but the plain one.
    if url != "https://127.0.0.1/":
        with pytest.raises(BadTarget):
            target(url, Reach(networks=HERE))


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://hooks.example", "hooks.example", "/"),
        ("https://Hooks.Example/a?b=c", "hooks.example", "/a?b=c"),
        ("https://xn--hks-tna.example/", "xn--hks-tna.example", "/"),
        ("https://93.184.216.34/", "93.184.216.34", "/"),
        ("https://[2606:2800:220:1::1]/", "2606:2800:220:1::1", "/"),
    ],
)
def test_a_public_host_over_tls_is_taken(url: str, host: str, path: str) -> None:
    found = target(url, PUBLIC)
    assert (found.host, found.port, found.path) == (host, 443, path)


def test_every_address_of_a_name_must_be_public() -> None:
    wanted = target("https://hooks.example/", PUBLIC)
    mixed = ["93.184.216.34", "10.0.0.7"]
    with pytest.raises(BadTarget, match="not public"):
        addresses(wanted, PUBLIC, lambda _host, _port: mixed)
    assert addresses(wanted, PUBLIC, lambda _host, _port: mixed[:1] * 2) == mixed[:1]
    with pytest.raises(BadTarget, match="no address"):
        addresses(wanted, PUBLIC, lambda _host, _port: [])


def test_networks_and_ports_of_the_operator_are_allowed_and_no_more() -> None:
    allowed = reach("10.2.0.0/16, 127.0.0.0/8, 169.254.0.0/16", "443,8443")
    inside = target("https://hooks.internal:8443/", allowed)
    assert objection_to("10.2.3.4", inside, allowed) == ""
    assert "not public" in objection_to("10.3.0.1", inside, allowed)
    # Nobody can name where clouds keep their secrets.
    assert "not public" in objection_to("169.254.169.254", inside, allowed)
    assert "not public" in objection_to("::ffff:10.2.3.4", inside, allowed)
    with pytest.raises(BadTarget, match="https"):
        target("http://10.2.3.4/", allowed)


class Names:
    """A name server that answers as its owner likes, each time anew."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: str, port: int, *args: Any, **more: Any) -> list[Any]:
        if host == "127.0.0.1":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        found = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver over TLS whose certificate is for `hooks.example`, and is believed."""
    key = ec.generate_private_key(ec.SECP256R1())
    whose = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(whose)
        .issuer_name(whose)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, secret)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    posting._tls.cache_clear()
    with receiver(context) as kept:
        yield kept
    posting._tls.cache_clear()


def test_connects_to_the_address_looked_at_and_asks_for_the_name(
    secured: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    url = f"https://{NAME}:{secured.port}/hook?a=b"
    answer = post(url, b"{}", {"webhook-id": "m1"}, at_home(secured.port))
    assert (answer.status, answer.problem) == (204, "")
    assert names.asked == 1
    [message] = secured.taken
    assert message.headers["host"] == f"{NAME}:{secured.port}"
    assert (message.path, message.headers["webhook-id"]) == ("/hook?a=b", "m1")


def test_a_name_that_answers_otherwise_later_gains_nothing(
    secured: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    url, allowed = f"https://{NAME}:{secured.port}/", Reach(frozenset({secured.port}))
    wanted = target(url, allowed)
    assert addresses(wanted, allowed, posting.look_up) == ["93.184.216.34"]
    answer = post(url, b"{}", {}, allowed)
    assert "not public" in answer.problem
    assert secured.taken == []


def test_a_certificate_for_another_name_is_refused(
    secured: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, ["127.0.0.1"])
    answer = post(f"https://other.example:{secured.port}/", b"{}", {}, at_home(secured.port))
    assert answer.problem == "The host's certificate is not valid for its name."
    assert secured.taken == []


def test_a_redirect_is_not_followed() -> None:
    with receiver() as kept:
        kept.status, kept.location = 302, "http://169.254.169.254/latest/meta-data/"
        answer = post(kept.url, b"{}", {}, at_home(kept.port))
        assert (answer.status, answer.is_taken) == (302, False)
        assert "not followed" in answer.problem
        assert len(kept.taken) == 1


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as kept:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert post(kept.url, b"{}", {}, at_home(kept.port)).is_taken


def test_only_the_beginning_of_an_answer_is_kept() -> None:
    with receiver() as kept:
        kept.status, kept.says = 500, "ä\x00".encode() * 400_000
        answer = post(kept.url, b"{}", {}, at_home(kept.port))
    assert len(answer.says) == ANSWER_CHARACTERS
    assert "\x00" not in answer.says
    assert answer.problem == "Answered 500."


@pytest.mark.parametrize("line", [b"HTTP/1.1 200 OK\r\nX: ", b"x"])
def test_a_host_that_drips_is_left_in_time(line: bytes) -> None:
    with dripping(line, pause=0.05) as port:
        began = time.monotonic()
        url = f"http://127.0.0.1:{port}/"
        answer = post(url, b"{}", {}, at_home(port), timeout=0.5)
        assert time.monotonic() - began < 1.5
    assert answer.status == 0
    assert answer.problem


def test_nobody_there_is_a_problem_and_not_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answer = post(f"http://127.0.0.1:{port}/", b"{}", {}, at_home(port))
    assert answer.problem == "The connection failed: ConnectError."
    assert "not known" in post("https://nobody.invalid/", b"{}", {}, PUBLIC).problem
