"""Find in a file or record that is rejected whether it says that it is a draft, and which article it is.

A file that cannot be parsed keeps the article that it was published as. Where one of its lines plainly says
``draft: true``, its author wants the article withdrawn, whatever is wrong with another line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from publisher.articles.parsers.dates import is_date
from publisher.articles.parsers.decode import decode_text
from publisher.articles.parsers.fields import IDENTITY_NAMES, parse_record
from publisher.articles.parsers.publication import parse_publication
from publisher.articles.parsers.result import DraftRecord, ParserOptions, RejectedRecord
from publisher.articles.parsers.text_export import find_draft_statement
from publisher.errors import InvalidRecord
from publisher.staging.beneath import open_file_beneath

__all__ = ["drafts_in_file", "with_drafts", "with_field_drafts", "with_json_drafts"]

#: A field: the table that it stands in, or an empty text; its name; its value.
_Field: TypeAlias = tuple[str, str, Any]

#: So much of a file is looked at; front matter is shorter.
_HEAD_BYTES: Final = 65_536
_MAX_NAME: Final = 60
_FENCE: Final = re.compile(r"[-+]{3,}\s*")
_PAIR: Final = re.compile(r'"([^"\\\n]{1,60})"\s*:\s*(?:(\{)|"([^"\\\n]{0,200})"|([\w.+-]{1,60}))')
_NEXT_RECORD: Final = re.compile(r"\}\s*,\s*\{")


def with_drafts(refusal: RejectedRecord, drafts: Iterable[DraftRecord]) -> RejectedRecord:
    """Return a rejection with the drafts that it may be, and say so in its reason."""
    drafts = tuple(drafts)
    if not drafts:
        return refusal
    says = f"It says {drafts[0].statement}, so its article counts as a draft."
    return replace(refusal, reason=f"{refusal.reason.rstrip('.')}. {says}", drafts=drafts)


def with_json_drafts(
    refusal: RejectedRecord, text: str, options: ParserOptions, *, shares_file: bool
) -> RejectedRecord:
    """Return the rejection of a JSON text, one record or a list, with the drafts in it."""
    return with_drafts(refusal, _drafts(_json_records(text), refusal.where, options, shares_file=shares_file))


def with_field_drafts(refusal: RejectedRecord, value: Any, options: ParserOptions) -> RejectedRecord:
    """Return the rejection of a record of many, which was parsed, with the draft that it is; tables are left out."""
    if not isinstance(value, Mapping):
        return refusal
    fields = [("", name, item) for name, item in value.items() if not isinstance(item, dict | list)]
    return with_drafts(refusal, _drafts([fields], refusal.where, options, shares_file=True))


def drafts_in_file(root: Path, name: str, options: ParserOptions) -> tuple[DraftRecord, ...]:
    """Return the drafts that the beginning of a rejected file speaks of; none where it cannot be read."""
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
    """Yield the drafts among records, each with the fields that identify it and that make it a draft."""

    def is_site_date(text: str) -> bool:
        return is_date(text, options.zone)

    for fields in records:
        relevant: dict[str, Any] = {}
        statements = 0
        for table, name, value in fields:
            publication = parse_publication({table: {name: value}} if table else {name: value}, is_site_date)
            is_draft = bool(publication.draft) and not publication.warnings
            statements += is_draft
            if is_draft or (not table and name in IDENTITY_NAMES):
                relevant.setdefault(name, value)
        parsed = parse_record(relevant, where, options, shares_file=shares_file) if statements else None
        if isinstance(parsed, DraftRecord):
            yield replace(parsed, record=None, warnings=())


def _front_matter(text: str) -> Iterator[_Field]:
    """Yield the fields that lines of a front matter name, as far as each line can be understood alone."""
    table = ""
    lines = text.split("\n")
    has_fence = bool(_FENCE.fullmatch(lines[0]))
    for line in lines[has_fence:]:
        # Without a fence the fields end with the first paragraph.
        if _FENCE.fullmatch(line) or not (has_fence or line.strip()):
            return
        name, value = _parts(line)
        if not name:
            continue
        is_nested = line[0].isspace()
        if is_nested and table:
            yield table, name, value
        elif not is_nested:
            table = "" if value else name
            if value.startswith("{"):
                yield from ((name, *_parts(part)) for part in value.strip("{} ").split(","))
            else:
                yield "", name, value


def _parts(line: str) -> tuple[str, str]:
    """Return (name, value) of ``name: value`` or ``name = value``; two empty texts where the line is neither."""
    at = min((place for place in (line.find(":"), line.find("=")) if place > 0), default=0)
    name = line[:at].strip().strip("\"'").strip()
    value = line[at + 1 :].partition(" #")[0].strip().strip("\"'").strip()
    return (name, value) if at and len(name) <= _MAX_NAME and name[:1] not in ("-", "#") else ("", "")


def _json_records(text: str) -> Iterator[Iterator[_Field]]:
    """Yield the fields of each record of a JSON text, which need not be complete."""
    for number, record in enumerate(_NEXT_RECORD.split(text) if text.lstrip().startswith("[") else [text]):
        yield _json_fields("{" + record if number else record)


def _json_fields(text: str) -> Iterator[_Field]:
    """Yield the fields of a JSON object whose value is no list; tables inside it are named by their own field."""
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
