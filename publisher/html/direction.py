"""Writing direction of text and languages. Pure."""

from __future__ import annotations

import unicodedata
from typing import Final

_RTL_LANGUAGES: Final = frozenset(
    ["ar", "ckb", "dv", "fa", "he", "iw", "ks", "nqo", "ps", "sd", "syr", "ug", "ur", "yi"]
)


def text_direction(text: str) -> str:
    """Return ``rtl`` or ``ltr`` by the first strong character (UAX #9, rules P2 and P3)."""
    if text.isascii():
        return "ltr"
    for character in text:
        strong = unicodedata.bidirectional(character)
        if strong == "L":
            return "ltr"
        if strong in ("R", "AL"):
            return "rtl"
    return "ltr"


def language_direction(tag: str) -> str:
    """Return ``rtl`` or ``ltr`` for a BCP 47 language, by its script subtag if it has one."""
    parts = tag.lower().split("-")
    if any(part in ("arab", "hebr", "thaa", "nkoo", "syrc", "adlm") for part in parts[1:]):
        return "rtl"
    return "rtl" if parts[0] in _RTL_LANGUAGES and "latn" not in parts else "ltr"
