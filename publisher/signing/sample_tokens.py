"""Tokens for the links of messages that are not deliveries: test messages and drafts. They belong to no subscriber."""

from __future__ import annotations

import hashlib
import re
from typing import Final

#: No delivery's token begins with 0: the alphabet of base 32 does not have it (RFC 4648 §6).
_SAMPLE: Final = re.compile(r"0[0-9a-f]{31}", re.IGNORECASE)


def sample_token(content: str) -> str:
    """Return the token of a message with this content."""
    return "0" + hashlib.sha256(content.encode()).hexdigest()[:31]


def is_sample_token(token: str) -> bool:
    """Return whether a token is one of a test message or a draft."""
    return _SAMPLE.fullmatch(token) is not None
