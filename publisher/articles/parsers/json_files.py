"""Parse JSON (one record or a list) and JSON Lines (one record a line) into records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from publisher.articles.parsers.decode import decode_text, read_text
from publisher.articles.parsers.fields import parse_record
from publisher.articles.parsers.rejected import with_field_drafts, with_json_drafts
from publisher.articles.parsers.result import (
    DraftRecord,
    ParsedRecord,
    ParseResult,
    ParserOptions,
    RejectedRecord,
    failed_record,
)
from publisher.errors import InvalidRecord

__all__ = ["MAX_DEPTH", "MAX_FILE_VALUES", "MAX_VALUES", "parse_json", "parse_json_lines"]


#: Objects and arrays inside each other.
MAX_DEPTH: Final = 32
#: Values of one record.
MAX_VALUES: Final = 10_000
#: Values of one file: what a parsed value takes in memory is bounded with their number.
MAX_FILE_VALUES: Final = 500_000

#: So much of a rejected line is looked at for what it says of its publication.
_HEAD_BYTES: Final = 65_536

_SEPARATORS: Final = (",", "[", "{")


class _DuplicateKeyError(ValueError):
    """An object names a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _DuplicateKeyError(f"the key {twice[:80]!r} is there twice. Remove one.")
    return fields


def _parse(text: str, where: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        InvalidRecord: not JSON, a duplicate key, or more than the limits allow.
    """
    if sum(map(text.count, _SEPARATORS)) > MAX_FILE_VALUES:
        # What stands in strings is no structure; they are only looked for where there may be too much of it.
        structure = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
        if sum(map(structure.count, _SEPARATORS)) > MAX_FILE_VALUES:
            raise InvalidRecord(where, f"the JSON has more than {MAX_FILE_VALUES:,} values; use JSON Lines")
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise InvalidRecord(where, f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except _DuplicateKeyError as error:
        raise InvalidRecord(where, f"not usable JSON: {error}") from None
    except RecursionError:
        raise InvalidRecord(where, "not usable JSON: nested too deep") from None
    except ValueError as error:
        # Python refuses whole numbers of more than 4,300 digits.
        raise InvalidRecord(where, f"not usable JSON: {error}") from None


def _check_size(record: Mapping[str, Any], where: str) -> None:
    """Reject a record that has more values, or deeper ones, than any article needs."""
    count, level = 0, [record]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for container in level:
            values = container.values() if isinstance(container, Mapping) else container
            count += len(values)
            below += [value for value in values if isinstance(value, dict | list)]
        if count > MAX_VALUES:
            raise InvalidRecord(where, f"the record has more than {MAX_VALUES:,} values")
        if not below:
            return
        level = below
    raise InvalidRecord(where, f"not usable JSON: nested too deep, more than {MAX_DEPTH} levels")


def _record(
    value: Any, where: str, options: ParserOptions, warnings: list[str], *, shares_file: bool
) -> ParsedRecord | DraftRecord:
    if not isinstance(value, Mapping):
        raise InvalidRecord(where, "a record must be a JSON object")
    _check_size(value, where)
    parsed = parse_record(value, where, options, warnings=warnings, shares_file=shares_file)
    if isinstance(parsed, ParsedRecord) and shares_file and not (parsed.record.external_id or parsed.record.url):
        raise InvalidRecord(
            where, "needs an id or a url: in a file of several records nothing else tells an edit from a new article"
        )
    return parsed


def parse_json(stream: BinaryIO, where: str, options: ParserOptions) -> Iterator[ParseResult]:
    """Yield the record of a JSON object, or the records of a list.

    Raises:
        InvalidRecord: the file is not JSON, or its one record cannot be used.
    """
    text, warnings = read_text(stream, where, options.max_bytes)
    value = _parse(text, where)
    if not isinstance(value, list):
        yield _record(value, where, options, warnings, shares_file=False)
        return
    for number, item in enumerate(value, 1):
        try:
            yield _record(item, f"{where}[{number}]", options, warnings, shares_file=True)
        except InvalidRecord as refusal:
            yield with_field_drafts(RejectedRecord(where=refusal.where, reason=refusal.reason), item, options)
        except Exception as error:
            yield with_field_drafts(failed_record(f"{where}[{number}]", error), item, options)


def parse_json_lines(stream: BinaryIO, where: str, options: ParserOptions) -> Iterator[ParseResult]:
    """Yield the records of a JSON Lines file, one line in memory at a time."""
    number = records = 0
    while line := stream.readline(options.max_bytes + 1):
        number += 1
        here = f"{where}:{number}"
        is_too_long = len(line) > options.max_bytes
        rest = line
        while rest and is_too_long and not rest.endswith(b"\n"):
            rest = stream.readline(options.max_bytes)
        if not (is_too_long or line.strip()):
            continue
        records += 1
        if records < options.skip_records:
            continue
        if records == options.skip_records:
            yield _rejected_line(RejectedRecord(where=here, reason=options.skip_reason), line, options)
        elif is_too_long:
            reason = f"the line is longer than ingest.max_bytes ({options.max_bytes:,} bytes)"
            yield _rejected_line(RejectedRecord(where=here, reason=reason), line, options)
        else:
            yield _line(line, here, options)
    if number == 0:
        yield RejectedRecord(where=where, reason="the file is empty")


def _line(line: bytes, here: str, options: ParserOptions) -> ParseResult:
    try:
        text, warnings = decode_text(line, here)
        return _record(_parse(text, here), here, options, warnings, shares_file=True)
    except InvalidRecord as refusal:
        return _rejected_line(RejectedRecord(where=refusal.where, reason=refusal.reason), line, options)
    except Exception as error:
        return _rejected_line(failed_record(here, error), line, options)


def _rejected_line(refusal: RejectedRecord, line: bytes, options: ParserOptions) -> RejectedRecord:
    """Return the rejection of a line with the draft that its beginning may say it is."""
    try:
        text, _ = decode_text(line[:_HEAD_BYTES], refusal.where)
    except InvalidRecord:
        return refusal
    return with_json_drafts(refusal, text, options, shares_file=True)
