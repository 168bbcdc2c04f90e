"""Opening a socket: only a page of this very address may do it."""

import pytest

from console.origins import is_ours

HERE = "127.0.0.1:8000"


@pytest.mark.parametrize(
    ("origin", "scheme", "asked_at", "may"),
    [
        ("http://127.0.0.1:8000", "http", HERE, True),
        ("http://localhost:8000", "http", "localhost:8000", True),
        ("https://localhost", "https", "localhost", True),
        ("http://127.0.0.1:9777", "http", HERE, False),
        ("http://localhost:8000", "http", HERE, False),
        ("https://127.0.0.1:8000", "http", HERE, False),
        ("http://evil@127.0.0.1:8000", "http", HERE, False),
        ("http://127.0.0.1.evil.example", "http", HERE, False),
        ("http://evil.example", "http", "evil.example", False),
        ("null", "http", HERE, False),
        ("file://", "http", HERE, False),
        ("", "http", HERE, False),
        ("http://", "http", "", False),
    ],
)
def test_asks_scheme_host_and_port(origin: str, scheme: str, asked_at: str, may: bool) -> None:
    assert is_ours(origin, scheme, asked_at) is may
