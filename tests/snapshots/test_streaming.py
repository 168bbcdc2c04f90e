"""A whole State leaves piece by piece, whichever server asks for it."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient

from console import streaming
from snapshots import bundles
from snapshots.bundles import Header, Held, Told
from tests.house import BACKEND, House

Lines = Iterator[bytes]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the lines of bundles that were made up to now."""
    seen: list[bytes] = []
    write = bundles.written

    def watched(header: Header, versions: Iterable[tuple[Told, Held]]) -> Lines:
        for line in write(header, versions):
            seen.append(line)
            yield line

    monkeypatch.setattr(bundles, "written", watched)
    return seen


@pytest.fixture
def address(house: House) -> str:
    for _ in range(5):
        house.move_the_world()
    return house.url("states", house.book.state_id, "file")


def taken(house: House, address: str, made: list[bytes]) -> list[tuple[bytes, int]]:
    """Return what leaves over ASGI, each piece with how many lines were made by then."""

    async def take() -> list[tuple[bytes, int]]:
        browser = AsyncClient()
        await browser.aforce_login(house.people["cleo"], backend=BACKEND)
        answer: Any = await browser.get(address)
        assert answer.status_code == 200
        assert answer.is_async
        return [(piece, len(made)) async for piece in answer.streaming_content]

    return async_to_sync(take)()


def test_over_asgi_a_line_is_made_when_the_one_before_it_has_left(
    house: House, address: str, made: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "BYTES_AT_ONCE", 1)
    pieces = taken(house, address, made)
    assert [count for _, count in pieces] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [piece for piece, _ in pieces] == made


def test_small_lines_leave_together(house: House, address: str, made: list[bytes]) -> None:
    assert taken(house, address, made) == [(b"".join(made), 8)]


def test_over_wsgi_it_is_the_same_file(house: House, address: str, made: list[bytes]) -> None:
    answer: Any = house.client("cleo").get(address)
    assert not answer.is_async
    assert b"".join(answer.streaming_content) == b"".join(made)
