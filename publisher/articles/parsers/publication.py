"""Decide from its fields or its folder whether a record is published. Pure.

Static site generators, content management systems and exports use a flag (``draft``, ``published``) or a status
(``draft``, ``private``, ``scheduled``). An unknown value means unpublished.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final, Literal

from publisher.articles.parsers.dates import is_date
from publisher.articles.parsers.publication_words import (
    CONTAINERS,
    EMPTY,
    EXPIRY,
    FALSE,
    KINDS,
    LIMITS,
    OWN_FIELDS,
    PLAIN_DRAFTS,
    PUBLISHED,
    TRUE,
    UNPUBLISHED,
    Kind,
)
from publisher.html.text import clean_characters, one_line

#: Statement of a draft that is in a drafts folder.
DRAFTS_FOLDER: Final = "in a _drafts folder"

_State = Literal["draft", "published", "none"]
#: A numeric date, in any format.
_NUMERIC_DATE: Final = re.compile(r"(?=(?:\D*\d){6})[\d\s./:,+tz年月日時分秒-]{6,40}")
#: Zero dates, which databases and programs write for a date that is not set.
_ZERO_DATE: Final = re.compile(r"0{4}[-/.]?0{2}[-/.]?0{2}.*|0{1,2}[-/.]0{1,2}[-/.]0{4}.*|0001-01-01.*")
#: Kind → meaning of an empty value and of a zero date. For other kinds they have no meaning.
_EMPTY_STATES: Final[Mapping[Kind, _State | None]] = {
    "draft": None,
    "published": None,
    "moment": "draft",
    "flag": "none",
    "release": "none",
}
#: Kind → words that mean draft. Other words have no meaning.
_DRAFT_WORDS: Final[Mapping[Kind, frozenset[str]]] = {
    "visible": FALSE,
    "workflow": UNPUBLISHED,
    "state": PLAIN_DRAFTS,
    "moment": FALSE | UNPUBLISHED,
}
#: Nesting depth of tables that are searched.
_MAX_NESTING: Final = 4
#: Characters. Longer values are not a status.
_MAX_VALUE_LENGTH: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Whether a record is published, with warnings."""

    #: The field and value that make it a draft, as in ``draft: true``; empty if it is published.
    draft: str = ""
    #: Warnings about unknown or contradictory values.
    warnings: tuple[str, ...] = ()


def is_in_drafts_folder(name: str) -> bool:
    """Return whether a file, relative to articles/, is below a ``_drafts`` folder."""
    return "_drafts/" in name.casefold() and "_drafts" in name.casefold().split("/")[:-1]


def parse_publication(fields: Mapping[str, Any]) -> Publication:
    """Return whether the fields of a record make it a draft.

    A ``draft`` or ``published`` field without a value is ambiguous and means unpublished. A status without a
    value is ignored. Case, hyphens and underscores of names are ignored.
    """
    drafts, contradicting, warnings = [], [], []
    published: list[str] = []
    for path, kind, value in _statements(fields):
        statement = f"{_display(path)}: {_display(value)}"
        name = _folded_name(path.rpartition(".")[2])
        state = _state(kind, value)
        if state is None:
            drafts.append(statement)
            warnings.append(f"{statement} is not understood, so the article counts as a draft. {_fix(kind, path)}")
        elif state == "draft":
            drafts.append(statement)
            contradicting += [statement] if name not in LIMITS else []
        elif state == "published" and name not in LIMITS:
            published.append(statement)
    if contradicting and published and not warnings:
        warnings.append(
            f"{contradicting[0]} contradicts {published[0]}, so the article counts as a draft. Remove one of the two."
        )
    return Publication(draft=drafts[0] if drafts else "", warnings=tuple(warnings))


def release_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields, also nested ones, that may name an embargo or release time."""
    return {
        path: value
        for path, kind, value in _statements(fields)
        if kind in ("published", "release")
        and _folded_value(value) not in TRUE | FALSE | EMPTY | PUBLISHED | UNPUBLISHED
    }


def expiry_fields(fields: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """Return the fields, also nested ones, that may name an expiry time."""
    expiries: dict[str, Any] = {}
    for name, value in fields.items():
        folded = _folded_name(name) if isinstance(name, str) else ""
        if isinstance(value, Mapping) and folded in CONTAINERS and depth < _MAX_NESTING:
            expiries.update(expiry_fields(value, depth + 1))
        elif folded in EXPIRY and _folded_value(value) not in FALSE | EMPTY | {"never"} and not _is_zero_date(value):
            expiries[name] = value
    return expiries


def drop_publication_states(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove ``published`` and ``publish`` if their value is a state and not a date."""
    states = [
        name
        for name, value in fields.items()
        if isinstance(name, str)
        and KINDS.get(_folded_name(name)) == "published"
        and _folded_value(value) in TRUE | FALSE | EMPTY | PUBLISHED | UNPUBLISHED
    ]
    return {name: value for name, value in fields.items() if name not in states} if states else fields


def _statements(fields: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Kind, Any]]:
    """Yield (name, kind, value) of each field about publication, as in ``params.draft``.

    Tables in which generators and content management systems keep the record's fields are searched like the record
    itself. In other tables only ``draft`` and ``published`` with an unambiguous value count: ``cover.hidden`` is
    about the cover.
    """
    for name, value in fields.items():
        if not isinstance(name, str):
            continue
        folded = _folded_name(name)
        kind = KINDS.get(folded)
        if isinstance(value, Mapping) and folded not in OWN_FIELDS and depth < _MAX_NESTING:
            if folded in CONTAINERS:
                yield from _statements(value, f"{prefix}{name}.", depth + 1)
            else:
                yield from _foreign_statements(value, f"{prefix}{name}.")
        if kind is not None:
            yield f"{prefix}{name}", kind, value


def _foreign_statements(fields: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Kind, Any]]:
    for name, value in fields.items():
        kind = KINDS.get(_folded_name(name)) if isinstance(name, str) else None
        if kind in ("draft", "published") and _folded_name(name) not in LIMITS:
            is_draft = _folded_value(value) in (TRUE if kind == "draft" else FALSE)
            if is_draft or _folded_value(value) in PLAIN_DRAFTS:
                yield f"{prefix}{name}", kind, value


def _state(kind: Kind, value: Any) -> _State | None:
    """Return the state that a value means, or None if the value is unknown."""
    text = _folded_value(value)
    if text in EMPTY or (kind != "release" and _is_zero_date(value)):
        return _EMPTY_STATES.get(kind, "none" if text in EMPTY else "draft")
    if kind in _DRAFT_WORDS:
        return "draft" if text in _DRAFT_WORDS[kind] else "none"
    is_moment = isinstance(value, date) or (isinstance(value, str) and _is_date(value))
    if kind == "flag":
        return "draft" if is_moment or text in TRUE | UNPUBLISHED else "none" if text in FALSE else None
    if kind == "release":
        return "none" if is_moment or text in FALSE else "draft" if text in UNPUBLISHED else None
    return "none" if kind == "published" and is_moment else _explicit_state(kind, text)


def _is_zero_date(value: Any) -> bool:
    return isinstance(value, str) and bool(_ZERO_DATE.fullmatch(value.strip()))


def _explicit_state(kind: Kind, text: str) -> _State | None:
    if text in UNPUBLISHED:
        return "draft"
    if kind == "draft":
        return "draft" if text in TRUE else "published" if text in FALSE else None
    if text in FALSE:
        return "draft"
    # Some systems number their states: 1 means published in some of them and draft in others.
    is_true = text in TRUE and (kind == "published" or text != "1")
    return "published" if is_true or text in PUBLISHED else None


def _is_date(text: str) -> bool:
    return bool(_NUMERIC_DATE.fullmatch(text.strip().casefold())) or is_date(text)


@lru_cache(maxsize=4096)
def _folded_name(name: str) -> str:
    """Return a field name without case, hyphens and underscores: ``Is-Draft`` → ``isdraft``."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name[:_MAX_VALUE_LENGTH]).casefold())


def _folded_value(value: Any) -> str:
    """Return a value as lower-case words: ``"In-Review "`` → ``in review``; else NUL."""
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value in (0, 1) else str(value)
    if not isinstance(value, str) or len(value) > _MAX_VALUE_LENGTH:
        return "\0"
    text = unicodedata.normalize("NFKC", value).casefold()
    text = "".join(character for character in text if unicodedata.category(character) not in ("Cf", "Cc", "Mn"))
    text = text.strip().strip("\"'“”‘’«»").strip()
    return re.sub(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])", " ", text)


def _display(value: Any) -> str:
    text = "" if value is None else one_line(clean_characters(str(value)[: 2 * _MAX_VALUE_LENGTH])[0])
    text = text.lower() if isinstance(value, bool) else text
    return text if len(text) <= _MAX_VALUE_LENGTH else f"{text[:_MAX_VALUE_LENGTH]}…"


def _fix(kind: Kind, name: str) -> str:
    if kind == "status":
        return f"Write {_display(name)}: published to publish it."
    if kind == "release":
        return f"Write {_display(name)} as a date, as in 2026-01-05, or remove it."
    return f"Write {_display(name)}: {'false' if kind in ('draft', 'flag') else 'true'} to publish it."
