"""Decide whether a record's fields, or its folder, say that it is published. Pure.

Static site generators, content management systems and exports say it by a flag (``draft``, ``published``) or
by a status (``draft``, ``private``, ``scheduled``). A value that is not understood counts as unpublished.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final, Literal

from publisher.markup import clean_characters, one_line

__all__ = [
    "DRAFTS_FOLDER",
    "Publication",
    "is_in_drafts_folder",
    "parse_publication",
    "release_fields",
    "without_states",
]

#: What a record in a drafts folder is listed with.
DRAFTS_FOLDER: Final = "in a _drafts folder"

_Kind = Literal["draft", "published", "release", "status"]

#: Field, folded → what its value says.
_KINDS: Final[Mapping[str, _Kind]] = {
    **dict.fromkeys(("draft", "isdraft", "unpublished", "isunpublished", "private", "isprivate", "unlisted"), "draft"),
    **dict.fromkeys(("published", "ispublished", "publish"), "published"),
    **dict.fromkeys(
        (
            "embargo",
            "embargountil",
            "golive",
            "publishat",
            "publishdate",
            "publishon",
            "scheduledat",
            "scheduledfor",
        ),
        "release",
    ),
    **dict.fromkeys(
        (
            "status",
            "articlestatus",
            "contentstatus",
            "poststatus",
            "publicationstatus",
            "publishingstatus",
            "publishstatus",
            "wpstatus",
            "visibility",
            "postvisibility",
        ),
        "status",
    ),
}
#: Fields that limit who may read what is published: no contradiction to the others.
_LIMITS: Final = frozenset(["private", "isprivate", "unlisted", "visibility", "postvisibility"])
_TRUE: Final = frozenset(["true", "t", "yes", "y", "on", "1"])
_FALSE: Final = frozenset(["false", "f", "no", "n", "off", "0"])
#: Texts that YAML and exports write where there is no value.
_EMPTY: Final = frozenset(["", "~", "null"])
_PUBLISHED: Final = frozenset(["live", "online", "posted", "public", "publish", "published", "released"])
_UNPUBLISHED: Final = frozenset(
    [
        "archived",
        "auto draft",
        "deleted",
        "disabled",
        "draft",
        "drafts",
        "embargo",
        "embargoed",
        "expired",
        "future",
        "hidden",
        "idea",
        "in progress",
        "in review",
        "inactive",
        "inherit",
        "needs review",
        "never",
        "not published",
        "offline",
        "on hold",
        "password",
        "pending",
        "pending review",
        "planned",
        "private",
        "protected",
        "queued",
        "rejected",
        "removed",
        "retracted",
        "review",
        "scheduled",
        "spiked",
        "trash",
        "trashed",
        "unlisted",
        "unpublished",
        "wip",
        "withdrawn",
    ]
)
#: A date in figures, whether the date parser understands it or not.
_NUMERIC_DATE: Final = re.compile(r"(?=(?:\D*\d){6})[\d\s./:,+tz年月日時分秒-]{6,40}")
#: Longer values are no words of a status.
_MAX_WORDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What a record says of its own publication."""

    #: The field and value that say that it is not published, as in ``draft: true``; empty where it is.
    draft: str = ""
    #: Values that were not understood, or that contradict each other.
    warnings: tuple[str, ...] = ()


def is_in_drafts_folder(name: str) -> bool:
    """Return whether a file, relative to articles/, lies below a folder ``_drafts``, at any depth."""
    return "_drafts/" in name.casefold() and "_drafts" in name.casefold().split("/")[:-1]


def parse_publication(fields: Mapping[str, Any], is_date: Callable[[str], bool]) -> Publication:
    """Return what a record's fields say of its publication.

    A field ``draft`` or ``published`` without a value says nothing clear, so it counts as unpublished. A
    status without a value counts as none.

    Args:
        fields: field name → value; names count in any case, with or without hyphens and underscores.
        is_date: whether a text is a date: ``published`` may be the date of publication.
    """
    drafts, contradicting, warnings = [], [], []
    published: list[str] = []
    for name, value in fields.items():
        kind = _kind(name) if isinstance(name, str) else None
        if kind is None:
            continue
        shown = f"{_shown(name)}: {_shown(value)}"
        state = _state(kind, value, is_date)
        if state is None:
            drafts.append(shown)
            warnings.append(f"{shown} is not understood, so the article counts as a draft. {_fix(kind, name)}")
        elif state == "draft":
            drafts.append(shown)
            contradicting += [shown] if _folded_name(name) not in _LIMITS else []
        elif state == "published" and _folded_name(name) not in _LIMITS:
            published.append(shown)
    if contradicting and published and not warnings:
        warnings.append(
            f"{contradicting[0]} contradicts {published[0]}, so the article counts as a draft. Remove one of the two."
        )
    return Publication(draft=drafts[0] if drafts else "", warnings=tuple(warnings))


def release_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with a value that may name the time before which a record is not published."""
    return {
        name: value
        for name, value in fields.items()
        if isinstance(name, str)
        and _kind(name) in ("published", "release")
        and _folded_value(value) not in _TRUE | _FALSE | _EMPTY | _PUBLISHED | _UNPUBLISHED
    }


def without_states(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields without ``published`` and ``publish`` where their value is a state and not a date."""
    states = [
        name
        for name, value in fields.items()
        if isinstance(name, str)
        and _kind(name) == "published"
        and _folded_value(value) in _TRUE | _FALSE | _EMPTY | _PUBLISHED | _UNPUBLISHED
    ]
    return {name: value for name, value in fields.items() if name not in states} if states else fields


def _state(kind: _Kind, value: Any, is_date: Callable[[str], bool]) -> Literal["draft", "published", "none"] | None:
    """Return what a value says, or None where it is not understood."""
    text = _folded_value(value)
    if text in _EMPTY:
        return "none" if kind in ("release", "status") else None
    if text in _UNPUBLISHED:
        return "draft"
    if kind == "draft":
        return "draft" if text in _TRUE else "published" if text in _FALSE else None
    if kind != "status" and (isinstance(value, date) or (isinstance(value, str) and _is_date(value, is_date))):
        return "none"
    if text in _FALSE:
        return "none" if kind == "release" else "draft"
    # Some systems number their states, and 1 is published in some and a draft in others.
    is_true = text in _TRUE and (kind == "published" or text != "1")
    return "published" if kind != "release" and (is_true or text in _PUBLISHED) else None


def _is_date(text: str, is_date: Callable[[str], bool]) -> bool:
    return bool(_NUMERIC_DATE.fullmatch(text.strip().casefold())) or is_date(text)


def _kind(name: str) -> _Kind | None:
    return _KINDS.get(_folded_name(name))


@lru_cache(maxsize=4096)
def _folded_name(name: str) -> str:
    """Return a field's name without case, hyphens and underscores: ``Is-Draft`` → ``isdraft``."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name[:_MAX_WORDS]).casefold())


def _folded_value(value: Any) -> str:
    """Return a value as a word in lower case: ``"In-Review "`` → ``in review``; what is no word stays as it is."""
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value in (0, 1) else str(value)
    if not isinstance(value, str) or len(value) > _MAX_WORDS:
        return "\0"
    text = unicodedata.normalize("NFKC", value).casefold()
    text = "".join(character for character in text if unicodedata.category(character) not in ("Cf", "Cc", "Mn"))
    text = text.strip().strip("\"'“”‘’«»").strip()
    return re.sub(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])", " ", text)


def _shown(value: Any) -> str:
    text = "" if value is None else one_line(clean_characters(str(value)[: 2 * _MAX_WORDS])[0])
    text = text.lower() if isinstance(value, bool) else text
    return text if len(text) <= _MAX_WORDS else f"{text[:_MAX_WORDS]}…"


def _fix(kind: _Kind, name: str) -> str:
    if kind == "status":
        return f"Write {_shown(name)}: published to publish it."
    if kind == "release":
        return f"Write {_shown(name)} as a date, as in 2026-01-05, or remove it."
    return f"Write {_shown(name)}: {'false' if kind == 'draft' else 'true'} to publish it."
