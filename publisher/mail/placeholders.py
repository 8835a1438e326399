"""What differs from reader to reader in an issue: opaque tokens, and filling them. Pure.

An issue is rendered once; in each reader's copy the tokens give way to her own addresses.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["PLACEHOLDER_NAMES", "Placeholders", "fill_placeholders", "placeholders_in"]

#: What a token can stand for.
PLACEHOLDER_NAMES: Final = ("address", "preferences", "unsubscribe", "web_view")
_PLACEHOLDER: Final = re.compile(r"@@([a-z_]+)\.([0-9a-f]{12})@@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholders:
    """The tokens of one issue."""

    #: Twelve hexadecimal digits out of all that the issue says: no article of it can hold them.
    hash: str

    @classmethod
    def of(cls, *said: object) -> Placeholders:
        """Return the tokens of an issue that says this; the same for the same."""
        return cls(hash=hashlib.sha256(repr(said).encode()).hexdigest()[:12])

    def __getitem__(self, name: str) -> str:
        """Return the token that stands for ``name``, as in ``@@unsubscribe.0f1e2d3c4b5a@@``."""
        if name not in PLACEHOLDER_NAMES:
            raise KeyError(name)
        return f"@@{name}.{self.hash}@@"


def placeholders_in(text: str) -> list[str]:
    """Return the names of the tokens in a text, of whatever issue, in their order."""
    return [match[1] for match in _PLACEHOLDER.finditer(text)]


def fill_placeholders(text: str, tokens: Placeholders, values: Mapping[str, str], *, escape: bool) -> str:
    """Return the text with the issue's tokens replaced.

    Args:
        text: HTML or plain text.
        tokens: the issue's; those of another one are text.
        values: name → what stands in its place.
        escape: True for HTML.

    Raises:
        KeyError: the text has a token that there is no value for.
    """

    def filled(match: re.Match[str]) -> str:
        if match[2] != tokens.hash:
            return match[0]
        value = values[match[1]]
        return html.escape(value) if escape else value

    return _PLACEHOLDER.sub(filled, text)
