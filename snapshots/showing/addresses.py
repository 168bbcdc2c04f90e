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
