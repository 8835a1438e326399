"""ETags of responses, and conditional requests (RFC 9110 §8.8.3, §13). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

#: Bytes of a header that are parsed, because parsed values are cached.
MAX_HEADER_BYTES: Final = 200


def etag_of(body: bytes) -> bytes:
    """Return a strong ETag of the content (RFC 9110 §8.8.3)."""
    return b'"%s"' % hashlib.blake2b(body, digest_size=12).hexdigest().encode()


def is_not_modified(request_headers: Mapping[bytes, bytes], etag: bytes, seconds: int) -> bool:
    """Return whether the client has this version, by ETag or else by date (RFC 9110 §13.2.2)."""
    tags = request_headers.get(b"if-none-match")
    if tags is not None:
        return tags == etag or matches_etag(etag, tags)
    since = request_headers.get(b"if-modified-since")
    return since is not None and _seconds(since[:MAX_HEADER_BYTES]) >= seconds


def matches_etag(etag: bytes, tags: bytes) -> bool:
    """Return whether an If-None-Match header names an ETag; ``*`` matches any.

    The comparison is weak (RFC 9110 §13.1.2), because a proxy may have made the ETag weak.
    """
    return any(tag.strip().removeprefix(b"W/") in (etag, b"*") for tag in tags.split(b","))


@lru_cache(maxsize=4096)
def _seconds(text: bytes) -> int:
    try:
        return int(parsedate_to_datetime(text.decode("latin-1")).timestamp())
    except (ValueError, OverflowError):
        return -1
