"""Deceptive text on a page: it stands under its name, and nothing it names is ever fetched."""

import re

import pytest

from tests.house import House

LURES = (
    "![invoice](https://evil.example/pixel.png) "
    '<img src="https://evil.example/p.png"> <a href="https://evil.example">pay</a> '
    "[here](https://evil.example/go) <script src=//evil.example/x.js></script> "
    "<link rel=stylesheet href=https://evil.example/x.css> https://evil.example/plain"
)
_ADDRESSES = re.compile(r"""(?:src|href|action|srcset|data-\w+|hx-\w+)\s*=\s*["']?([^"'\s>]+)""")


def opened(house: House, note: str) -> str:
    proposal_id = house.propose("set_note", id="V-1", note=note, rationale=note)
    page = house.client("ana").get(house.url("proposals", proposal_id))
    assert page.status_code == 200
    return page.content.decode()


@pytest.mark.parametrize(
    ("note", "chip", "why"),
    [
        ("p\u0430ypal", "U+0430 CYRILLIC SMALL LETTER A", "looks like"),
        ("pay\u202elap", "U+202E RIGHT-TO-LEFT OVERRIDE", "cannot be seen"),
        ("a\u3164b", "U+3164 HANGUL FILLER", "cannot be seen"),
        ("a" + "\u0335" * 6, "6 MARKS ON ONE LETTER", "It stacks 6 marks"),
        ("98\u00b2", "U+00B2 SUPERSCRIPT TWO", "can be taken for"),
    ],
)
def test_a_chip_stands_where_the_eye_is_deceived(
    house: House, note: str, chip: str, why: str
) -> None:
    html = opened(house, note)
    tags = re.findall(r'class="tag" title="([^"]*)">([^<]*)<', html)
    assert any(chip in text and why in title for title, text in tags), tags
    assert "Text can be read safely" in html
    for letter in "\u202e\u3164":
        assert letter not in html


def test_nothing_that_an_agent_names_is_loaded_or_linked(house: House) -> None:
    html = opened(house, LURES)
    assert "evil.example/plain" in html
    loaded = [address for address in _ADDRESSES.findall(_tags(html)) if "evil" in address]
    assert loaded == []
    assert "<img" not in html.partition("<main")[2]


def _tags(html: str) -> str:
    """Return the markup alone: what stands between angle brackets, not the text around."""
    return " ".join(re.findall(r"<[a-z][^>]*>", html))
