"""Where a webhook is sent: to an address that was looked at, once, and not for ever."""

import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from console.notices.posting import ANSWER_CHARACTERS, post
from console.reaching import connecting
from console.reaching.connecting import look_up
from console.reaching.targets import Reach, addresses, target
from console.steady import steady
from tests.notices.receivers import Receiver, dripping, receiver

PUBLIC = Reach()
NAME = "hooks.example"
HERE = (ipaddress.ip_network("127.0.0.0/8"),)


def until_soon(host: str, port: int) -> Sequence[str]:
    return look_up(host, port, steady() + 5)


def at_home(port: int) -> Reach:
    return Reach(frozenset({port}), HERE)


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
    connecting._tls.cache_clear()
    with receiver(context) as kept:
        yield kept
    connecting._tls.cache_clear()


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
    assert addresses(wanted, allowed, until_soon) == ["93.184.216.34"]
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
    assert answer.problem == "The connection failed: ConnectionRefusedError."
    assert "not known" in post("https://nobody.invalid/", b"{}", {}, PUBLIC).problem
