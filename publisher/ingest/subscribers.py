"""Lists of readers, CSV or JSON Lines, line by line: what cannot be used is refused by its number."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TextIO
from zoneinfo import ZoneInfo

from publisher.address import Address, read_address
from publisher.errors import SettingsError

__all__ = ["COLUMNS", "Line", "Refused", "read_csv", "read_json_lines", "safe_cell"]

_MANY: Final = ("digests", "topics", "regions", "brands", "tags", "authors")
#: Columns, in the order in which they are exported.
COLUMNS: Final = ("address", "status", "zone", "language", *_MANY)
_OTHER_NAMES: Final = {
    "email": "address",
    "e-mail": "address",
    "mail": "address",
    "email address": "address",
    "e-mail address": "address",
    "timezone": "zone",
    "time zone": "zone",
    "lang": "language",
    "lists": "digests",
}
#: Words for a reader who gets nothing, of other programs too → why.
_SUPPRESSED: Final = {
    "suppressed": "asked",
    "unsubscribed": "unsubscribed",
    "blocklisted": "asked",
    "blocked": "asked",
    "cleaned": "bounced",
    "bounced": "bounced",
    "complained": "complained",
}
_ACTIVE: Final = frozenset(["", "active", "subscribed", "enabled", "confirmed"])
#: A cell that begins so is a formula to a spreadsheet (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
#: Between the values of a cell.
_BETWEEN: Final = re.compile(r"\s*\|\s*")
_LONGEST_LINE: Final = 64 * 1024
_LONGEST_LABEL: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A reader, as a list has her. None stands for what it does not say."""

    number: int
    address: Address
    #: Why she gets nothing; None where she does.
    suppressed: str | None = None
    zone: str | None = None
    language: str | None = None
    digests: tuple[str, ...] | None = None
    #: Field → labels; only fields that the list has.
    follows: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A line that cannot be used, and why."""

    number: int
    reason: str


def safe_cell(text: str) -> str:
    """Return a cell that no spreadsheet obeys; :func:`read_csv` takes the mark off again."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _unsafe_cell(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:2] in _FORMULA and len(text) > 1 else text


def read_csv(file: TextIO, digests: Iterable[str], *, on_note: Callable[[str], None]) -> Iterator[Line | Refused]:
    """Yield the readers of a CSV file with a line of column names; comma, semicolon or tab.

    Args:
        file: opened with ``newline=""``.
        digests: slugs that there are.
        on_note: told of columns that nothing is done with.

    Raises:
        SettingsError: there is no column of addresses.
    """
    head = file.readline(_LONGEST_LINE)
    delimiter = max(",;\t", key=head.count) if head else ","
    names = [_name(cell) for cell in next(csv.reader([head], delimiter=delimiter), [])]
    if "address" not in names:
        raise SettingsError("the first line names no column 'address' or 'email': a CSV list begins with column names")
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        on_note(f"nothing is done with the columns {', '.join(sorted(set(unknown)))}")
    known, rows = frozenset(digests), csv.reader(_bounded(file), delimiter=delimiter)
    number = 1
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            number = 1 + rows.line_num
            yield Refused(number=number, reason=f"is no CSV: {error}")
            continue
        number = 1 + rows.line_num
        if not any(cells):
            continue
        if len(cells) > len(names):
            yield Refused(number=number, reason=f"has {len(cells)} cells, the first line has {len(names)}")
            continue
        values: dict[str, Any] = {}
        for name, cell in zip(names, cells, strict=False):
            text = _unsafe_cell(cell.strip(" "))
            values[name] = tuple(one for one in _BETWEEN.split(text) if one) if name in _MANY else text
        yield _line(number, values, known)


def _bounded(file: TextIO) -> Iterator[str]:
    """Yield lines; one without an end is cut, and then refused for what is left of it."""
    while line := file.readline(_LONGEST_LINE):
        yield line


def read_json_lines(
    file: TextIO, digests: Iterable[str], *, on_note: Callable[[str], None]
) -> Iterator[Line | Refused]:
    """Yield the readers of a file with one JSON object a line; arguments as for :func:`read_csv`."""
    known = frozenset(digests)
    told: set[str] = set()
    for number, text in enumerate(_bounded(file), 1):
        if not text.strip():
            continue
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield Refused(number=number, reason=f"is no JSON: {error}")
            continue
        if not isinstance(data, dict):
            yield Refused(number=number, reason="is no JSON object")
            continue
        values = {_name(key): value for key, value in data.items()}
        for key in sorted(set(values) - set(COLUMNS) - told):
            told.add(key)
            on_note(f"nothing is done with the field {key[:80]!r}")
        yield _line(number, values, known)


def _name(cell: str) -> str:
    name = cell.strip().lstrip("\ufeff").casefold()
    return _OTHER_NAMES.get(name, name)


def _line(number: int, values: Mapping[str, Any], known: frozenset[str]) -> Line | Refused:
    try:
        status = _text(values, "status").casefold()
        if status not in _ACTIVE and status not in _SUPPRESSED:
            raise ValueError(f"status {status[:80]!r} is none of active, {', '.join(sorted(_SUPPRESSED))}")
        digests = _many(values, "digests")
        strange = [one for one in digests or () if one not in known]
        if strange:
            raise ValueError(f"there is no digest {strange[0]!r}")
        follows = {name: labels for name in _MANY[1:] if (labels := _many(values, name)) is not None}
        return Line(
            number=number,
            address=read_address(_text(values, "address")),
            suppressed=_SUPPRESSED.get(status),
            zone=_zone(_text(values, "zone")),
            language=_language(_text(values, "language")),
            digests=digests,
            follows=follows or None,
        )
    except ValueError as error:
        return Refused(number=number, reason=str(error))


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")  # noqa: TRY004 - a line is refused, whatever is wrong
    if "\ufffd" in value:
        # What is no UTF-8 was read as U+FFFD: an address with it is somebody else's.
        raise ValueError("is not UTF-8: save the list as UTF-8")
    return value.strip(" ")


def _many(values: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        value = [one for one in _BETWEEN.split(value) if one]
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{name} is no list of texts")
    found = tuple(dict.fromkeys(one.strip() for one in value if one.strip()))
    for one in found:
        if not one.isprintable() or "|" in one or len(one) > _LONGEST_LABEL:
            raise ValueError(f"{name} has what is no label: {one[:40]!r}")
    return found


@lru_cache(maxsize=1024)
def _zone(name: str) -> str | None:
    if not name:
        return None
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name[:80]!r} is no time zone of the tz database, as in Europe/London") from None
    return name


@lru_cache(maxsize=1024)
def _language(tag: str) -> str | None:
    if not tag:
        return None
    if not re.fullmatch(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", tag):
        raise ValueError(f"{tag[:80]!r} is no language tag, as in en or pt-BR")
    return tag
