"""What are the exact bytes of a State's content, and when are two contents the same?

These bytes are not RFC 8785. That form is for signing: it writes every number as JavaScript
would, so that `3.0` and `3` become the same text. A State must give back what was put in, and
a reviewer must see that `3.0` became `3`. Here keys are sorted, numbers keep the way they were
written (`250000.0` stays apart from `250000`), and strings are UTF-8 without escapes.
"""

import hashlib
import math
from typing import cast

import orjson
import zstandard

from console.canonical import Json

_EXACT = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)


class NotContent(ValueError):
    """This value cannot be the content of a State."""


class DamagedContent(ValueError):
    """The stored bytes are not what was stored."""


def content_bytes(document: Json) -> bytes:
    """Write a document as the bytes that are stored and compared.

    Shape: integers within 64 bits, finite numbers, text keys, no lone surrogates, depth to 254.
    Raises: NotContent.
    """
    try:
        written = orjson.dumps(document, option=_EXACT)
    except orjson.JSONEncodeError as error:
        raise NotContent(f"This cannot be kept as content: {error}.") from error
    # orjson writes NaN and Infinity as null, so only a text with a null in it can hide one.
    if b"null" in written and _has_endless_number(document):
        raise NotContent("This cannot be kept as content: NaN and Infinity are not JSON numbers.")
    return written


def content_digest(document: Json) -> str:
    """Name a document's content: SHA-256 of its content bytes, lowercase hex."""
    return hashlib.sha256(content_bytes(document)).hexdigest()


def same(one: Json, other: Json) -> bool:
    """Tell whether two values are the same content; `1`, `1.0` and `true` are three values."""
    if one is other:
        return True
    return one == other and content_bytes(one) == content_bytes(other)


def parse(content: bytes) -> Json:
    """Read back what `content_bytes` wrote; input from outside goes through the strict parser.

    Raises: DamagedContent.
    """
    try:
        return cast("Json", orjson.loads(content))
    except orjson.JSONDecodeError as error:
        raise DamagedContent(f"The stored content is damaged: {error}.") from error


def pack(content: bytes) -> bytes:
    """Compress content for storage; the frame carries its own checksum."""
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(content)


def unpack(packed: bytes) -> bytes:
    """Give back what `pack` was given.

    Raises: DamagedContent.
    """
    try:
        return zstandard.ZstdDecompressor().decompress(packed)
    except zstandard.ZstdError as error:
        raise DamagedContent(f"The stored content is damaged: {error}.") from error


def _has_endless_number(document: Json) -> bool:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, float) and not math.isfinite(value):
            return True
    return False
