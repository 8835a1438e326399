"""Types that parsers share: their options, what they return, and scalars whose type a field decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from publisher.failures import Failure, describe_failure
from publisher.model.articles import Record

__all__ = [
    "DraftRecord",
    "ParseResult",
    "ParsedRecord",
    "ParserOptions",
    "PlainScalar",
    "RejectedRecord",
    "failed_record",
    "whole_number",
]

#: A whole number as YAML 1.1 writes it, base 60 left out (https://yaml.org/type/int.html).
_WHOLE_NUMBER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0b(?P<binary>[01_]+)|0x(?P<hexadecimal>[0-9a-fA-F_]+)|(?P<octal>0[0-7_]+)|(?P<decimal>0|[1-9][0-9_]*))"
)
_BASES: Final = {"binary": 2, "hexadecimal": 16, "octal": 8, "decimal": 10}


class PlainScalar(str):
    """A scalar of YAML without quotes: a text, unless the field that has it wants a date, a number or a boolean."""

    __slots__ = ()


def whole_number(text: str) -> int | None:
    """Return the whole number that YAML 1.1 reads in an unquoted scalar, or None."""
    match = _WHOLE_NUMBER.fullmatch(text) if len(text) <= 1_000 else None
    if match is None or match.lastgroup is None:
        return None
    digits = match[match.lastgroup].replace("_", "")
    return int(match["sign"] + digits, _BASES[match.lastgroup]) if digits else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParserOptions:
    """What readers need to know of the site."""

    #: The newsroom's clock, for times without a zone.
    zone: ZoneInfo
    #: A record larger than this is refused.
    max_bytes: int = 5_000_000
    #: Known tags, to part run-together ones.
    tags: frozenset[str] = frozenset()
    #: The folder that is served at ``base_url``; None to look at no file but the records.
    media: Path | None = None
    #: The site's address, without a slash at the end.
    base_url: str = ""
    #: Of a file of many records, so many are not parsed again; the last of them is rejected for the reason.
    skip_records: int = 0
    skip_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRecord:
    """A record, and what had to be mended or guessed to read it."""

    record: Record
    #: The file, relative to articles/, with ``:line`` where it holds several records.
    where: str
    warnings: tuple[str, ...] = ()
    #: True where the file may hold several records, so that its name identifies none of them.
    shares_file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRecord:
    """A record that says that it is not published, or that lies in a drafts folder."""

    #: The file, relative to articles/, with ``:line`` where it holds several records.
    where: str
    #: What says so, as in ``draft: true``.
    statement: str
    warnings: tuple[str, ...] = ()
    #: True where the file may hold several records, so that its name identifies none of them.
    shares_file: bool = False
    #: The identifiers that the record names, as in ``Record``.
    external_id: str | None = None
    url: str | None = None
    #: The record, where its other fields are complete. It only tells which article this is.
    record: Record | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRecord:
    """Something that cannot become an article."""

    where: str
    reason: str
    #: The error, where nobody expected it.
    failure: Failure | None = None
    #: True where the cause may go away without a change of the file: the next run reads it again.
    is_transient: bool = False
    #: Records in it that say that they are drafts, which tell which articles must not stay published.
    drafts: tuple[DraftRecord, ...] = ()


#: What a parser yields for each record.
ParseResult: TypeAlias = ParsedRecord | DraftRecord | RejectedRecord


def failed_record(where: str, error: Exception) -> RejectedRecord:
    """Return the rejection of a record that a parser failed on without saying why."""
    if isinstance(error, RecursionError):
        return RejectedRecord(where=where, reason="nested too deep")
    failure = describe_failure(error)
    return RejectedRecord(where=where, reason=f"the parser failed: {failure}", failure=failure)
