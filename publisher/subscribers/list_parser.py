"""Parse subscriber lists, CSV or JSON Lines. Invalid rows are rejected by number."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TextIO

from publisher.cadence import find_zone
from publisher.errors import SettingsError
from publisher.model.subscriptions import SubscriptionState
from publisher.subscribers.addresses import Address, parse_named_address, strip_invisible
from publisher.subscribers.consent import ACTIVE, Consent, is_consent_column, printable_text, read_consent
from publisher.subscribers.consent_words import fold_words, has_payment_columns

#: The column of the digests that a person is subscribed to.
DIGESTS_COLUMN: Final = "digests"
_MANY: Final = (DIGESTS_COLUMN, "topics", "regions", "brands", "tags", "authors")
#: Columns of the digests for which a person has another state than active.
_STATES: Final = ("digests_unsubscribed", "digests_unconfirmed")
#: Columns, in the order in which they are exported.
COLUMNS: Final = ("address", "status", "zone", "language", "digests", *_STATES, *_MANY[1:])
_OTHER_NAMES: Final = {
    "email": "address",
    "e mail": "address",
    "mail": "address",
    "email address": "address",
    "emailaddress": "address",
    "e mail address": "address",
    "timezone": "zone",
    "time zone": "zone",
    "lang": "language",
    "lists": "digests",
    "digests unsubscribed": "digests_unsubscribed",
    "digests unconfirmed": "digests_unconfirmed",
}
#: Cells that begin so run as a formula in a spreadsheet
#: (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
_MAX_LINE_LENGTH: Final = 64 * 1024
_MAX_LABEL_LENGTH: Final = 200
#: Fields of JSON Lines that are reported: each line may have others.
_MAX_FIELD_NAMES: Final = 1_000
#: The replacement character for bytes that are not in the encoding of the list.
_UNREADABLE: Final = "\ufffd"
_NOT_UTF_8: Final = "is not UTF-8: save the list as UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberRow:
    """A row of a subscriber list. None means that the list does not say."""

    number: int
    address: Address
    #: Whether they may be mailed, and the columns that decided.
    consent: Consent = ACTIVE
    zone: str | None = None
    language: str | None = None
    digests: tuple[str, ...] | None = None
    #: Digests that they have unsubscribed from, perhaps with :data:`ALL_DIGESTS`, or not confirmed.
    unsubscribed: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    #: Field → labels, of the fields in the list.
    follows: Mapping[str, tuple[str, ...]] | None = None

    @property
    def state(self) -> SubscriptionState:
        """The state that the list gives the subscriber."""
        return self.consent.state


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row that cannot be used, and why."""

    #: The line of the file on which it ends; the header is line 1.
    number: int
    reason: str


def escape_formula(text: str) -> str:
    """Return a cell that no spreadsheet runs; :func:`parse_csv` removes the added apostrophe."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _unsafe_cell(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:2] in _FORMULA and len(text) > 1 else text


def detect_encoding(head: bytes) -> str:
    """Return the encoding of a list by its first bytes: UTF-16 with a BOM, or UTF-8."""
    return "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"


def parse_csv(
    file: TextIO, digests: Iterable[str], *, on_note: Callable[[str], None]
) -> Iterator[SubscriberRow | RejectedRow]:
    """Yield the rows of a CSV file with a header, separated by comma, semicolon or tab.

    Args:
        file: opened with ``newline=""``.
        digests: the slugs of the site's digests.
        on_note: called with notes on the columns for the user.

    Raises:
        SettingsError: the header has no column of addresses, or cannot be read.
    """
    header, delimiter = _read_header(file)
    for note in _notes(header, "columns"):
        on_note(note)
    columns = [(_known_column(cell), cell) for cell in header]
    known, lines = frozenset(digests), _BoundedLines(file)
    rows = csv.reader(lines, delimiter=delimiter)
    while True:
        first_line = rows.line_num + 1
        try:
            cells = [strip_invisible(cell) for cell in next(rows)]
        except StopIteration:
            return
        except csv.Error as error:
            lines.take_cut()
            yield RejectedRow(number=1 + rows.line_num, reason=f"is not CSV: {error}")
            continue
        while len(cells) > len(header) and not cells[-1]:
            cells.pop()
        problem = _cell_error(cells, len(header), delimiter, lines.take_cut(), rows.line_num - first_line)
        if problem is not None:
            yield RejectedRow(number=1 + rows.line_num, reason=problem)
        elif any(cells):
            cells += [""] * (len(header) - len(cells))
            yield _row(1 + rows.line_num, columns, [_unsafe_cell(cell) if cell else cell for cell in cells], known)


def _cell_error(cells: Sequence[str], width: int, delimiter: str, was_cut: bool, more_lines: int) -> str | None:
    """Return why the cells of a row cannot be told apart; None if they can.

    Otherwise a column that says that the subscriber unsubscribed could be read as another one.
    """
    if was_cut:
        return f"is longer than {_MAX_LINE_LENGTH // 1024} KiB"
    if len(cells) > width:
        return f"has {len(cells)} cells, the header has {width}"
    if more_lines and (len(cells) < width or any("@" in cell.partition("\n")[2] for cell in cells)):
        return (
            f"goes over {more_lines + 1} lines and seems to hold other rows: close or double the quotation mark in it"
        )
    if len(cells) < width and cells and delimiter in cells[-1]:
        return f"has {len(cells)} cells, the header has {width}: close or double the quotation mark in it"
    return None


def _read_header(file: TextIO) -> tuple[list[str], str]:
    """Return the cells of the first line, and their delimiter."""
    head = file.readline(_MAX_LINE_LENGTH)
    delimiter = max(",;\t", key=head.count) if head else ","
    cells = next(csv.reader([head], delimiter=delimiter), [])
    header = [strip_invisible(cell)[:_MAX_LABEL_LENGTH] for cell in cells]
    if any(_UNREADABLE in cell for cell in header):
        raise SettingsError(f"the header {_NOT_UTF_8}")
    if not any(header):
        raise SettingsError("the list is empty: a CSV list begins with column names")
    if "address" not in (_known_column(cell) for cell in header):
        raise SettingsError("the first line names no column 'address' or 'email': a CSV list begins with column names")
    return header, delimiter


class _BoundedLines:
    """The lines of a file, in pieces of bounded length."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._was_cut = False
        self._is_open = False

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(_MAX_LINE_LENGTH):
            is_cut = len(line) >= _MAX_LINE_LENGTH and not line.endswith(("\n", "\r"))
            self._was_cut = self._was_cut or is_cut or self._is_open
            self._is_open = is_cut
            yield line

    def take_cut(self) -> bool:
        """Return whether a line since the last call was longer than a piece."""
        was_cut, self._was_cut = self._was_cut, False
        return was_cut


def parse_json_lines(
    file: TextIO, digests: Iterable[str], *, on_note: Callable[[str], None]
) -> Iterator[SubscriberRow | RejectedRow]:
    """Yield the rows of a file with one JSON object per line; arguments as for `parse_csv`."""
    known = frozenset(digests)
    reported: set[str] = set()
    for number, text in enumerate(_BoundedLines(file), 1):
        if not strip_invisible(text):
            continue
        try:
            data = json.loads(text, object_pairs_hook=_json_object)
        except (ValueError, RecursionError) as error:
            yield RejectedRow(number=number, reason=f"is not JSON: {error}")
            continue
        if not isinstance(data, dict):
            yield RejectedRow(number=number, reason="is not a JSON object")
            continue
        if any(_UNREADABLE in key for key in data):
            yield RejectedRow(number=number, reason=_NOT_UTF_8)
            continue
        new_names = [key for key in data if key[:_MAX_LABEL_LENGTH] not in reported]
        if new_names and len(reported) < _MAX_FIELD_NAMES:
            reported.update(key[:_MAX_LABEL_LENGTH] for key in new_names)
            for note in _notes(new_names, "fields"):
                on_note(note)
        yield _row(number, [(_known_column(key), key) for key in data], list(data.values()), known)


def _json_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object in which a repeated name has all its values, so that none is hidden."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        values[name] = [values[name], value] if name in values else value
    return values


def _known_column(cell: str) -> str | None:
    """Return the column that a header cell names; None for an unknown one."""
    words = fold_words(cell[:_MAX_LABEL_LENGTH])
    name = _OTHER_NAMES.get(words, words)
    return name if name in COLUMNS else None


def _notes(header: Iterable[str], noun: str) -> Iterator[str]:
    """Yield notes for the user on columns that are not known by name."""
    cells = [cell[:_MAX_LABEL_LENGTH] for cell in header]
    is_paid_list = has_payment_columns(cells)
    deciding: set[str] = set()
    ignored: set[str] = set()
    for cell in cells:
        if cell and _known_column(cell) is None:
            (deciding if is_consent_column(cell, is_paid_list=is_paid_list) else ignored).add(printable_text(cell))
    if deciding:
        yield f"Subscription state read from {noun}: {', '.join(sorted(deciding))}"
    if ignored:
        yield f"Ignored {noun}: {', '.join(sorted(ignored))}"


def _row(
    number: int, columns: Sequence[tuple[str | None, str]], cells: Sequence[Any], known: frozenset[str]
) -> SubscriberRow | RejectedRow:
    """Return the subscriber of a row. A column has its known name, or None, and its name in the list."""
    values: dict[str, Any] = {}
    others: list[tuple[str, Any]] = []
    for (name, header), value in zip(columns, cells, strict=True):
        if name is not None and not values.get(name):
            values[name] = value
        if name in (None, "status", "tags"):
            others.append((header, value))
    consent = read_consent(others)
    try:
        address = parse_named_address(_text(values, "address"))
        try:
            return make_row(number, address, consent, values, known)
        except ValueError:
            if consent.state is SubscriptionState.ACTIVE:
                raise
            # An error elsewhere in the row must not hide that the subscriber left.
            return SubscriberRow(number=number, address=address, consent=consent)
    except ValueError as error:
        return RejectedRow(number=number, reason=str(error))


def make_row(
    number: int, address: Address, consent: Consent, values: Mapping[str, Any], known: Collection[str]
) -> SubscriberRow:
    """Return the row of a subscriber, from the values of its columns.

    Raises:
        ValueError: a value is not one of its column, or a digest is not KNOWN.
    """
    digests = _many(values, "digests")
    unknown = [slug for slug in digests or () if slug not in known]
    if unknown:
        raise ValueError(f"there is no digest {unknown[0]!r}")
    if digests == () and consent.state is SubscriptionState.ACTIVE:
        # Exports of older versions mark people who unsubscribed from everything in this way.
        consent = Consent(state=SubscriptionState.UNSUBSCRIBED, columns=(DIGESTS_COLUMN,))
    follows = {name: labels for name in _MANY[1:] if (labels := _many(values, name)) is not None}
    return SubscriberRow(
        number=number,
        address=address,
        consent=consent,
        zone=_zone(_text(values, "zone")),
        language=_language(_text(values, "language")),
        digests=digests,
        unsubscribed=_many(values, "digests_unsubscribed") or (),
        unconfirmed=_many(values, "digests_unconfirmed") or (),
        follows=follows or None,
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")  # noqa: TRY004 - whatever is wrong, the row is rejected
    if _UNREADABLE in value:
        # An address with a replaced character would be a different address.
        raise ValueError(_NOT_UTF_8)
    return strip_invisible(value)


def _many(values: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        value = value.split("|")
    if not isinstance(value, list | tuple) or not all(isinstance(label, str) for label in value):
        raise ValueError(f"{name} is not a list of texts")
    labels = tuple(dict.fromkeys(text for label in value if (text := label.strip())))
    for label in labels:
        if not label.isprintable() or "|" in label or len(label) > _MAX_LABEL_LENGTH:
            raise ValueError(f"{name} has a value that cannot be a label: {label[:40]!r}")
    return labels


@lru_cache(maxsize=1024)
def _zone(name: str) -> str | None:
    if name and find_zone(name) is None:
        raise ValueError(f"{name[:80]!r} is not a time zone of the tz database, such as Europe/London")
    return name or None


@lru_cache(maxsize=1024)
def _language(tag: str) -> str | None:
    if not tag:
        return None
    if not re.fullmatch(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", tag):
        raise ValueError(f"{tag[:80]!r} is not a language tag, such as en or pt-BR")
    return tag
