"""What are the exact bytes of a State's content, and when are two contents the same?

These bytes are not RFC 8785. That form is for signing: it writes every number as JavaScript
would, so that `3.0` and `3` become the same text. A State must give back what was put in, and
a reviewer must see that `3.0` became `3`. Here keys are sorted, numbers keep the way they were
written (`250000.0` stays apart from `250000`), and strings are UTF-8 without escapes.
"""

import hashlib
import math
import threading
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

# Equal values of these are written alike; a float is not here, because 0.0 equals -0.0.
_TOLD_BY_TYPE = frozenset({str, int, bool})
_own = threading.local()


class NotContent(ValueError):
    """This value cannot be the content of a State."""


class DamagedContent(ValueError):
    """The stored bytes are not what was stored."""


def content_bytes(document: Json) -> bytes:
    """Write a document as the bytes that are stored and compared.

    Shape: integers within 64 bits, finite numbers, text keys, no lone surrogates, depth to 254.
    Raises: NotContent.
    """
    written = finite_bytes(document)
    # orjson writes NaN and Infinity as null, so only a text with a null in it can hide one.
    if b"null" in written and _has_endless_number(document):
        raise NotContent("This cannot be kept as content: NaN and Infinity are not JSON numbers.")
    return written


def finite_bytes(document: Json) -> bytes:
    """Write the content bytes of a document in which no NaN and no Infinity can be.

    Half the time of `content_bytes`, for who has seen to it that all numbers are finite.
    Raises: NotContent.
    """
    try:
        return orjson.dumps(document, option=_EXACT)
    except orjson.JSONEncodeError as error:
        raise NotContent(f"This cannot be kept as content: {error}.") from error


def content_digest(document: Json) -> str:
    """Name a document's content: SHA-256 of its content bytes, lowercase hex."""
    return hashlib.sha256(content_bytes(document)).hexdigest()


def same(one: Json, other: Json) -> bool:
    """Tell whether two values are the same content; `1`, `1.0` and `true` are three values."""
    if one is other:
        return True
    if type(one) is not type(other) or one != other:
        return False
    # Being equal to something finite is being finite; only the kinds of numbers are left to tell.
    return type(one) in _TOLD_BY_TYPE or finite_bytes(one) == finite_bytes(other)


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
    # To make one costs more than to compress a small version with it, and threads share none.
    if not hasattr(_own, "compressor"):
        _own.compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
    packed: bytes = _own.compressor.compress(content)
    return packed


def unpack(packed: bytes) -> bytes:
    """Give back what `pack` was given.

    Raises: DamagedContent.
    """
    if not hasattr(_own, "decompressor"):
        _own.decompressor = zstandard.ZstdDecompressor()
    try:
        plain: bytes = _own.decompressor.decompress(packed)
    except zstandard.ZstdError as error:
        raise DamagedContent(f"The stored content is damaged: {error}.") from error
    return plain


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
