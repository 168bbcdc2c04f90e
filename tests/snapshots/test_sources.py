"""The sources of outside records: only what stands inside the folder, and only strict JSON."""

import os
from pathlib import Path

import pytest

from snapshots import sources
from snapshots.sources import SourceUnreadable, file_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one record, a subfolder with another, and a secret beside it."""
    inside = tmp_path / "mirror"
    (inside / "care").mkdir(parents=True)
    (inside / "acme.json").write_text('{"open": "48200.00"}')
    (inside / "care" / "ward.json").write_text("[1.0]")
    (tmp_path / "secret.json").write_text('"key"')
    return inside


def register(folder: Path) -> None:
    """Make the folder known, as the console does with the one of its settings."""
    sources.register("shelf", lambda place: file_in(str(folder), place))


class TestFile:
    """A file is read where it stands inside the folder, and nowhere else."""

    def test_reads_a_file_and_one_in_a_subfolder(self, folder: Path) -> None:
        register(folder)
        assert sources.fetch("shelf:acme.json") == {"open": "48200.00"}
        assert repr(sources.fetch("shelf:care/ward.json")) == "[1.0]"

    @pytest.mark.parametrize(
        "place",
        [
            "../secret.json",
            "care/../../secret.json",
            "/etc/hostname",
            "link.json",
            "out/secret.json",
            "loop.json",
            "nothing.json",
            "care",
            ".",
            "acme.json\0",
            "a" * 5_000,
        ],
    )
    def test_opens_nothing_else(self, folder: Path, place: str) -> None:
        (folder / "link.json").symlink_to(folder.parent / "secret.json")
        (folder / "out").symlink_to(folder.parent)
        (folder / "loop.json").symlink_to("loop.json")
        with pytest.raises(SourceUnreadable):
            file_in(str(folder), place)

    def test_follows_a_link_that_stays_inside(self, folder: Path) -> None:
        (folder / "newest.json").symlink_to("acme.json")
        assert file_in(str(folder), "newest.json") == b'{"open": "48200.00"}'

    def test_does_not_wait_for_a_pipe(self, folder: Path) -> None:
        os.mkfifo(folder / "pipe.json")
        with pytest.raises(SourceUnreadable, match="not a file"):
            file_in(str(folder), "pipe.json")

    def test_refuses_what_is_too_large_before_reading_it(self, folder: Path) -> None:
        with (folder / "large.json").open("wb") as file:
            file.truncate(sources.LIMITS.max_bytes + 1)
        with pytest.raises(SourceUnreadable, match="16,000,001 bytes; at most 16,000,000"):
            file_in(str(folder), "large.json")

    def test_says_that_no_folder_is_set_up(self) -> None:
        with pytest.raises(SourceUnreadable, match="MIRROR_FOLDER"):
            file_in("", "acme.json")


class TestFetching:
    """Whatever a source returns goes through the strict parser."""

    @pytest.mark.parametrize(
        "text", [b'{"a": 1, "a": 2}', b"[NaN]", b"\xff", b"{", b"", b"[9007199254740993]"]
    )
    def test_refuses_what_two_readers_could_read_differently(self, text: bytes) -> None:
        sources.register("odd", lambda _place: text)
        with pytest.raises(SourceUnreadable):
            sources.fetch("odd:it")

    @pytest.mark.parametrize("mirrors", ["", "pushed", "unknown:place", "shelf:", "shelf", ":x"])
    def test_refuses_what_is_not_read_here(self, folder: Path, mirrors: str) -> None:
        register(folder)
        with pytest.raises(SourceUnreadable):
            sources.fetch(mirrors)


@pytest.mark.parametrize(
    ("mirrors", "expected"),
    [
        ("", None),
        ("pushed", None),
        ("shelf:a.json", None),
        ("shelf:", "Say what is read: shelf:<place>."),
        ("ftp:a.json", "There is no source 'ftp'"),
    ],
)
def test_say_what_a_state_can_mirror(folder: Path, mirrors: str, expected: str | None) -> None:
    register(folder)
    said = sources.objection_to(mirrors)
    assert said is None if expected is None else str(said).startswith(expected)
