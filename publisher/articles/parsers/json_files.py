"""Parse JSON files (one record or a list) and JSON Lines files (one record per line) into records."""

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
    rejection_of,
)
from publisher.errors import InvalidRecord

#: Nesting depth of objects and arrays.
MAX_DEPTH: Final = 32
#: Values of one record.
MAX_VALUES: Final = 10_000
#: Values of one file. This limits the memory that the parsed values use.
MAX_FILE_VALUES: Final = 500_000

#: Bytes of a rejected line that are searched for a draft field.
_HEAD_BYTES: Final = 65_536

_SEPARATORS: Final = (",", "[", "{")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice[:80]!r} is there twice. Remove one.")
    return fields


def _parse(text: str, where: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        InvalidRecord: not JSON, a duplicate key, or beyond a limit.
    """
    if sum(map(text.count, _SEPARATORS)) > MAX_FILE_VALUES:
        # Separators inside strings do not count. Strings are removed only if the cheap count is over the limit.
        structure = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
        if sum(map(structure.count, _SEPARATORS)) > MAX_FILE_VALUES:
            raise InvalidRecord(where, f"the JSON has more than {MAX_FILE_VALUES:,} values; use JSON Lines")
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise InvalidRecord(where, f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise InvalidRecord(where, "not usable JSON: nested too deep") from None
    except ValueError as error:
        # A duplicate key; and Python does not convert integers of more than 4,300 digits.
        raise InvalidRecord(where, f"not usable JSON: {error}") from None


def _check_size(record: Mapping[str, Any], where: str) -> None:
    """Raise InvalidRecord if a record has too many values or is nested too deep."""
    count, level = 0, [record]
    for _ in range(MAX_DEPTH):
        next_level: list[Any] = []
        for container in level:
            values = container.values() if isinstance(container, Mapping) else container
            count += len(values)
            next_level += [value for value in values if isinstance(value, dict | list)]
        if count > MAX_VALUES:
            raise InvalidRecord(where, f"the record has more than {MAX_VALUES:,} values")
        if not next_level:
            return
        level = next_level
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
        except Exception as error:
            yield with_field_drafts(rejection_of(f"{where}[{number}]", error), item, options)


def parse_json_lines(stream: BinaryIO, where: str, options: ParserOptions) -> Iterator[ParseResult]:
    """Yield the records of a JSON Lines file, with one line in memory at a time."""
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
            yield _parse_line(line, here, options)
    if number == 0:
        yield RejectedRecord(where=where, reason="the file is empty")


def _parse_line(line: bytes, here: str, options: ParserOptions) -> ParseResult:
    try:
        text, warnings = decode_text(line, here)
        return _record(_parse(text, here), here, options, warnings, shares_file=True)
    except Exception as error:
        return _rejected_line(rejection_of(here, error), line, options)


def _rejected_line(rejected: RejectedRecord, line: bytes, options: ParserOptions) -> RejectedRecord:
    """Return the rejection of a line, with the draft that the start of the line names, if any."""
    try:
        text, _ = decode_text(line[:_HEAD_BYTES], rejected.where)
    except InvalidRecord:
        return rejected
    return with_json_drafts(rejected, text, options)
