"""JSON (one record or a list) and JSON Lines (one record a line) → records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from publisher.errors import RecordRefused
from publisher.ingest.decode import decode, read_text
from publisher.ingest.fields import build_record
from publisher.ingest.result import Found, Options, Refusal

__all__ = ["read_json", "read_json_lines"]


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise RecordRefused(where, f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise RecordRefused(where, "not usable JSON: nested too deep") from None
    except ValueError as error:
        # Python refuses whole numbers of more than 4,300 digits.
        raise RecordRefused(where, f"not usable JSON: {error}") from None


def _record(value: Any, where: str, options: Options, warnings: list[str], *, one_of_many: bool) -> Found:
    if not isinstance(value, Mapping):
        raise RecordRefused(where, "a record must be a JSON object")
    record, mended = build_record(value, where, options)
    if one_of_many and not (record.external_id or record.url):
        raise RecordRefused(
            where, "needs an id or a url: in a file of several records nothing else tells an edit from a new article"
        )
    return Found(record=record, where=where, warnings=(*warnings, *mended), one_of_many=one_of_many)


def read_json(stream: BinaryIO, where: str, options: Options) -> Iterator[Found | Refusal]:
    """Yield the record of a JSON object, or the records of a list.

    Raises:
        RecordRefused: the file is not JSON, or its one record cannot be used.
    """
    text, warnings = read_text(stream, where, options.max_bytes)
    value = _parse(text, where)
    if not isinstance(value, list):
        yield _record(value, where, options, warnings, one_of_many=False)
        return
    for number, item in enumerate(value, 1):
        try:
            yield _record(item, f"{where}[{number}]", options, warnings, one_of_many=True)
        except RecordRefused as refusal:
            yield Refusal(where=refusal.where, reason=refusal.reason)


def read_json_lines(stream: BinaryIO, where: str, options: Options) -> Iterator[Found | Refusal]:
    """Yield the records of a JSON Lines file, one line in memory at a time."""
    number = 0
    while line := stream.readline(options.max_bytes + 1):
        number += 1
        here = f"{where}:{number}"
        if len(line) > options.max_bytes:
            yield Refusal(where=here, reason=f"the line is longer than ingest.max_bytes ({options.max_bytes:,} bytes)")
            while line and not line.endswith(b"\n"):
                line = stream.readline(options.max_bytes)
            continue
        if not line.strip():
            continue
        try:
            text, warnings = decode(line, here)
            yield _record(_parse(text, here), here, options, warnings, one_of_many=True)
        except RecordRefused as refusal:
            yield Refusal(where=refusal.where, reason=refusal.reason)
    if number == 0:
        yield Refusal(where=where, reason="the file is empty")
