"""Where does a list continue, and where does its socket listen?"""

from collections.abc import Callable
from urllib.parse import urlencode

from django.urls import reverse

_LONGEST_NUMBER = 9


def listed_at(name: str, *args: object, **always: str) -> Callable[..., str]:
    """Return a function that adds words to a page's address; empty ones are left out."""
    path = reverse(name, args=args)

    def at(**asked: str) -> str:
        words = {key: word for key, word in {**always, **asked}.items() if word}
        return f"{path}?{urlencode(words)}" if words else path

    return at


def number(word: str) -> int | None:
    """Read a number that stood in an address, or nothing where it is none."""
    usable = word.isascii() and word.isdecimal() and len(word) <= _LONGEST_NUMBER
    return int(word) if usable else None


def socket_for(address: str) -> str:
    """Return the address of the socket that keeps a page true."""
    return f"/ws{address}"
