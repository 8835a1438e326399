"""Find out whether a rejected file or record is a draft, and which article it belongs to.

An article stays published if its file can no longer be parsed. But if a line of the file says ``draft: true``, the
article must be withdrawn, even if another line has an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from publisher.articles.parsers.decode import decode_text
from publisher.articles.parsers.fields import IDENTITY_NAMES, parse_record
from publisher.articles.parsers.publication import parse_publication
from publisher.articles.parsers.result import DraftRecord, ParserOptions, RejectedRecord
from publisher.articles.parsers.text_export import find_draft_statement
from publisher.errors import InvalidRecord
from publisher.staging.beneath import open_file_beneath

#: (name of the table that contains the field, or empty; field name; value).
_Field: TypeAlias = tuple[str, str, Any]

#: Bytes of a file that are searched; front matter is shorter.
_HEAD_BYTES: Final = 65_536
_MAX_NAME: Final = 60
_FENCE: Final = re.compile(r"[-+]{3,}\s*")
_PAIR: Final = re.compile(r'"([^"\\\n]{1,60})"\s*:\s*(?:(\{)|"([^"\\\n]{0,200})"|([\w.+-]{1,60}))')
_NEXT_RECORD: Final = re.compile(r"\}\s*,\s*\{")


def with_drafts(rejected: RejectedRecord, drafts: Iterable[DraftRecord]) -> RejectedRecord:
    """Return a rejection with its drafts, and mention the first one in the reason."""
    drafts = tuple(drafts)
    if not drafts:
        return rejected
    note = f"It says {drafts[0].statement}, so its article counts as a draft."
    return replace(rejected, reason=f"{rejected.reason.rstrip('.')}. {note}", drafts=drafts)


def with_json_drafts(rejected: RejectedRecord, text: str, options: ParserOptions) -> RejectedRecord:
    """Return the rejection of a line of JSON with the drafts in it."""
    return with_drafts(rejected, _drafts(_json_records(text), rejected.where, options, shares_file=True))


def with_field_drafts(rejected: RejectedRecord, value: Any, options: ParserOptions) -> RejectedRecord:
    """Return the rejection of a decoded record, with its draft if a field makes it one."""
    if not isinstance(value, Mapping):
        return rejected
    fields = [("", name, item) for name, item in value.items() if not isinstance(item, dict | list)]
    return with_drafts(rejected, _drafts([fields], rejected.where, options, shares_file=True))


def drafts_in_file(root: Path, name: str, options: ParserOptions) -> tuple[DraftRecord, ...]:
    """Return the drafts at the beginning of a rejected file; none if the file cannot be read."""
    try:
        with open_file_beneath(root, name) as stream:
            text, _ = decode_text(stream.read(_HEAD_BYTES), name)
    except (OSError, InvalidRecord):
        return ()
    suffix = name.rpartition(".")[2].lower()
    if suffix == "txt":
        statement = find_draft_statement(text)
        return (DraftRecord(where=name, statement=statement),) if statement else ()
    if suffix == "json":
        return tuple(_drafts(_json_records(text), name, options, shares_file=text.lstrip().startswith("[")))
    if suffix in ("md", "markdown"):
        return tuple(_drafts([_front_matter(text)], name, options, shares_file=False))
    return ()


def _drafts(
    records: Iterable[Iterable[_Field]], where: str, options: ParserOptions, *, shares_file: bool
) -> Iterator[DraftRecord]:
    """Yield the drafts among records, with only their identifiers and draft fields."""
    for fields in records:
        relevant: dict[str, Any] = {}
        statements = 0
        for table, name, value in fields:
            publication = parse_publication({table: {name: value}} if table else {name: value})
            is_draft = bool(publication.draft) and not publication.warnings
            statements += is_draft
            if is_draft or (not table and name in IDENTITY_NAMES):
                relevant.setdefault(name, value)
        parsed = parse_record(relevant, where, options, shares_file=shares_file) if statements else None
        if isinstance(parsed, DraftRecord):
            yield replace(parsed, record=None, warnings=())


def _front_matter(text: str) -> Iterator[_Field]:
    """Yield the fields of a front matter, parsed line by line because the YAML is invalid."""
    table = ""
    lines = text.split("\n")
    has_fence = bool(_FENCE.fullmatch(lines[0]))
    for line in lines[has_fence:]:
        # Without a fence, the fields end at the first empty line.
        if _FENCE.fullmatch(line) or not (has_fence or line.strip()):
            return
        name, value = _split_field(line)
        if not name:
            continue
        is_nested = line[0].isspace()
        if is_nested and table:
            yield table, name, value
        elif not is_nested:
            table = "" if value else name
            if value.startswith("{"):
                yield from ((name, *_split_field(part)) for part in value.strip("{} ").split(","))
            else:
                yield "", name, value


def _split_field(line: str) -> tuple[str, str]:
    """Return (name, value) of ``name: value`` or ``name = value``, else ("", "")."""
    at = min((position for position in (line.find(":"), line.find("=")) if position > 0), default=0)
    name = line[:at].strip().strip("\"'").strip()
    value = line[at + 1 :].partition(" #")[0].strip().strip("\"'").strip()
    return (name, value) if at and len(name) <= _MAX_NAME and name[:1] not in ("-", "#") else ("", "")


def _json_records(text: str) -> Iterator[Iterator[_Field]]:
    """Yield the fields of each record of a JSON text, which may be incomplete."""
    for number, record in enumerate(_NEXT_RECORD.split(text) if text.lstrip().startswith("[") else [text]):
        yield _json_fields("{" + record if number else record)


def _json_fields(text: str) -> Iterator[_Field]:
    """Yield the fields of a JSON object, also those of nested objects, without lists."""
    tables: list[str] = []
    at = 0
    for match in _PAIR.finditer(text):
        for brace in filter("{}".__contains__, text[at : match.start()]):
            if brace == "{":
                tables.append("")
            elif tables:
                tables.pop()
        at = match.end()
        name, opening, quoted, plain = match.groups()
        if opening:
            tables.append(name)
        else:
            table = (tables[-1] or "a list") if len(tables) > 1 else ""
            yield table, name, plain if quoted is None else quoted
