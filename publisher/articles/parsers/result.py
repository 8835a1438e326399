"""Types that parsers share: options, results, and YAML scalars whose type depends on the field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from publisher.errors import InvalidRecord
from publisher.failures import Failure, describe_failure
from publisher.model.articles import Record

#: A whole number of YAML 1.1, without base 60 (https://yaml.org/type/int.html).
_WHOLE_NUMBER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0b(?P<binary>[01_]+)|0x(?P<hexadecimal>[0-9a-fA-F_]+)|(?P<octal>0[0-7_]+)|(?P<decimal>0|[1-9][0-9_]*))"
)
_BASES: Final = {"binary": 2, "hexadecimal": 16, "octal": 8, "decimal": 10}


class PlainScalar(str):
    """An unquoted YAML scalar: text, unless its field is a date, a number or a boolean."""

    __slots__ = ()


def whole_number(text: str) -> int | None:
    """Return the whole number that an unquoted scalar means in YAML 1.1, or None."""
    match = _WHOLE_NUMBER.fullmatch(text) if len(text) <= 1_000 else None
    if match is None or match.lastgroup is None:
        return None
    digits = match[match.lastgroup].replace("_", "")
    return int(match["sign"] + digits, _BASES[match.lastgroup]) if digits else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParserOptions:
    """Settings of the site that parsers need."""

    #: Time zone for times without a zone.
    zone: ZoneInfo
    #: A larger record is rejected.
    max_bytes: int = 5_000_000
    #: Known tags, for splitting tags that are joined without a separator.
    tags: frozenset[str] = frozenset()
    #: The folder that is served at ``base_url``; None to read no other files than articles.
    media: Path | None = None
    #: The site's URL, without a slash at the end.
    base_url: str = ""
    #: Number of records at the start of a file that are not parsed again. The last of them is rejected.
    skip_records: int = 0
    #: Reason of that rejection.
    skip_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRecord:
    """A published record, with warnings about values that were repaired or guessed."""

    record: Record
    #: The file, relative to articles/, with ``:line`` or ``[number]`` if it holds several records.
    where: str
    warnings: tuple[str, ...] = ()
    #: True if the file may hold several records, so that its name does not identify the record.
    shares_file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRecord:
    """An unpublished record: one of its fields, or its folder, makes it a draft."""

    #: The file, relative to articles/, with ``:line`` or ``[number]`` if it holds several records.
    where: str
    #: The field that makes it a draft, as in ``draft: true``.
    statement: str
    warnings: tuple[str, ...] = ()
    #: True if the file may hold several records, so that its name does not identify the record.
    shares_file: bool = False
    #: The identifiers of the record, as in ``Record``.
    external_id: str | None = None
    url: str | None = None
    #: The record, if all required fields are valid. It is used only to match the article.
    record: Record | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRecord:
    """A record or file that cannot become an article."""

    where: str
    reason: str
    #: The unexpected error, if there was one.
    failure: Failure | None = None
    #: True if the cause may go away without a change of the file, so that the next run parses it again.
    is_transient: bool = False
    #: Drafts that were recognised in it. Their articles must be withdrawn.
    drafts: tuple[DraftRecord, ...] = ()


#: What a parser yields for each record.
ParseResult: TypeAlias = ParsedRecord | DraftRecord | RejectedRecord


def rejection_of(where: str, error: Exception) -> RejectedRecord:
    """Return the rejection of a record for which a parser raised an error."""
    if isinstance(error, InvalidRecord):
        return RejectedRecord(where=error.where, reason=error.reason)
    if isinstance(error, RecursionError):
        return RejectedRecord(where=where, reason="nested too deep")
    failure = describe_failure(error)
    return RejectedRecord(where=where, reason=f"the parser failed: {failure}", failure=failure)
