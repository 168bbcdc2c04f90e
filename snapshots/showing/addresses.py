"""Where does a list continue, and where does its socket listen?"""

from collections.abc import Callable
from urllib.parse import urlencode

from django.urls import reverse


def listed_at(name: str, *args: object, **always: object) -> Callable[..., str]:
    """Return a function that adds words to a page's address; empty ones are left out."""
    path = reverse(name, args=args)

    def at(**asked: object) -> str:
        words = {key: word for key, word in {**always, **asked}.items() if word not in ("", None)}
        return f"{path}?{urlencode(words)}" if words else path

    return at


def socket_for(address: str) -> str:
    """Return the address of the socket that keeps a page true."""
    return f"/ws{address}"


def file_name(key: str) -> str:
    """Return a State's key as the beginning of a file's name, with what every system can write."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in key)
