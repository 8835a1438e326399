"""Placeholders (merge tags) for text that differs between subscribers. Pure.

An issue is rendered once, with placeholders. Each message gets the subscriber's own values in their place.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PLACEHOLDER_NAMES: Final = ("address", "preferences", "unsubscribe", "web_view")
_PLACEHOLDER: Final = re.compile(r"@@([a-z_]+)\.([0-9a-f]{12})@@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholders:
    """The placeholders of one issue, by name: ``placeholders["unsubscribe"]``."""

    #: Twelve hexadecimal digits, a hash of the issue's content. No article can contain them.
    hash: str

    @classmethod
    def of(cls, content: str) -> Placeholders:
        """Return the placeholders of a message with this content."""
        return cls(hash=hashlib.sha256(content.encode()).hexdigest()[:12])

    def __getitem__(self, name: str) -> str:
        """Return the placeholder for a name, as in ``@@unsubscribe.0f1e2d3c4b5a@@``."""
        if name not in PLACEHOLDER_NAMES:
            raise KeyError(name)
        return f"@@{name}.{self.hash}@@"


def placeholders_in(text: str) -> list[str]:
    """Return the names of the placeholders in a text, of any issue, in order."""
    return [match[1] for match in _PLACEHOLDER.finditer(text)]


def fill_placeholders(text: str, placeholders: Placeholders, values: Mapping[str, str], *, escape: bool) -> str:
    """Return plain text, or HTML with ESCAPE, with the issue's placeholders replaced.

    VALUES are by name. Placeholders of another issue stay as they are.

    Raises:
        KeyError: the text has a placeholder without a value.
    """

    def filled(match: re.Match[str]) -> str:
        if match[2] != placeholders.hash:
            return match[0]
        value = values[match[1]]
        return html.escape(value) if escape else value

    return _PLACEHOLDER.sub(filled, text)
