"""Which suffix is read by which function, and the door through which a file comes in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from publisher.articles.parsers.json_files import parse_json, parse_json_lines
from publisher.articles.parsers.limits import apply_limits
from publisher.articles.parsers.markdown import parse_markdown
from publisher.articles.parsers.publication import DRAFTS_FOLDER, is_in_drafts_folder
from publisher.articles.parsers.rejected import drafts_in_file, with_drafts
from publisher.articles.parsers.result import (
    DraftRecord,
    ParsedRecord,
    ParseResult,
    ParserOptions,
    RejectedRecord,
    failed_record,
)
from publisher.articles.parsers.text_export import parse_text_export
from publisher.errors import InvalidRecord
from publisher.staging.beneath import NotRegularError, OutsideError, open_file_beneath

__all__ = [
    "IGNORED_SUFFIXES",
    "MULTI_RECORD_SUFFIXES",
    "PARSERS",
    "DraftRecord",
    "ParseResult",
    "ParsedRecord",
    "Parser",
    "ParserOptions",
    "RejectedRecord",
    "iterate_records",
    "parse_each_file",
    "parse_file",
    "parse_files",
    "suffix_of",
]

Parser = Callable[[BinaryIO, str, ParserOptions], Iterator[ParseResult]]

#: Suffix → the function that reads it.
PARSERS: Final[Mapping[str, Parser]] = {
    ".txt": parse_text_export,
    ".md": parse_markdown,
    ".markdown": parse_markdown,
    ".json": parse_json,
    ".jsonl": parse_json_lines,
    ".ndjson": parse_json_lines,
}

#: What may hold more records than memory does: read a few records at a time.
MULTI_RECORD_SUFFIXES: Final = frozenset((".jsonl", ".ndjson"))

#: Files that lie beside articles and are none: passed over without a word.
IGNORED_SUFFIXES: Final = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".png",
        ".gif",
        ".webp",
        ".avif",
        ".svg",
        ".ico",
        ".mp3",
        ".mp4",
        ".m4a",
        ".ogg",
        ".webm",
        ".mov",
        ".css",
        ".js",
        ".bak",
        ".swp",
        ".tmp",
        ".part",
    ]
)


def parse_files(job: tuple[Path, Sequence[str], ParserOptions]) -> dict[str, list[ParseResult]]:
    """Return name → what the file holds, for (root, names, options)."""
    root, names, options = job
    return {name: parse_file(root, name, options) for name in names}


def parse_each_file(
    root: Path, names: Sequence[str], options: ParserOptions
) -> Iterator[tuple[str, list[ParseResult]]]:
    """Yield (name, what the file holds) for each file, one file after the other."""
    for name in names:
        yield name, parse_file(root, name, options)


def parse_file(root: Path, name: str, options: ParserOptions) -> list[ParseResult]:
    """Return what the file ``name``, relative to ``root``, holds. Never raises for bad input."""
    return list(iterate_records(root, name, options))


def iterate_records(root: Path, name: str, options: ParserOptions) -> Iterator[ParseResult]:
    """Yield what the file ``name``, relative to ``root``, holds. Never raises for bad input.

    A link that leads out of ``root``, and anything that is no regular file, is refused: an
    article must not be able to publish the server's own files.
    """
    path = f"{root}/{name}"
    if name.endswith("/"):
        yield RejectedRecord(
            where=name, reason=f"the folder cannot be listed: {_listing_error(path)}", is_transient=True
        )
        return
    is_draft = is_in_drafts_folder(name) or is_in_drafts_folder(_target(root, path))
    try:
        reader = PARSERS.get(suffix_of(name))
        if reader is None:
            known = ", ".join(sorted(PARSERS))
            raise InvalidRecord(name, f"unknown file type. Use one of {known}")
        if "\\x" in name and not os.path.lexists(path):
            raise InvalidRecord(name, "the file's name is not UTF-8; rename it")
        with open_file_beneath(root, name) as stream:
            records = (_limit(parsed, options) for parsed in reader(stream, name, options))
            yield from map(_as_draft, records) if is_draft else records
    except InvalidRecord as refusal:
        refused = RejectedRecord(where=refusal.where, reason=refusal.reason)
        yield _as_draft(refused) if is_draft else with_drafts(refused, drafts_in_file(root, name, options))
    except NotRegularError:
        yield RejectedRecord(where=name, reason="not a regular file")
    except OutsideError:
        yield RejectedRecord(where=name, reason="a link that leads out of the articles folder")
    except OSError as error:
        yield RejectedRecord(where=name, reason=f"cannot be read: {error.strerror}", is_transient=True)
    except Exception as error:
        # A parser's fault is a fault of this file only: the other files are published.
        failed = failed_record(name, error)
        yield _as_draft(failed) if is_draft else with_drafts(failed, drafts_in_file(root, name, options))


def _limit(parsed: ParseResult, options: ParserOptions) -> ParseResult:
    """Return a record within the limits; a body that grew beyond twice ``ingest.max_bytes`` is rejected."""
    if not isinstance(parsed, ParsedRecord):
        return parsed
    most = 2 * options.max_bytes
    if len(parsed.record.body) > most:
        # Link references of Markdown repeat a long URL for each use.
        reason = f"the body has more than {most:,} characters as HTML, twice ingest.max_bytes. Shorten it."
        return RejectedRecord(where=parsed.where, reason=reason)
    return apply_limits(parsed)


def _listing_error(path: str) -> str:
    try:
        list(Path(path).iterdir())
    except OSError as error:
        return error.strerror or str(error)
    return "it can be listed now. Run this again."


def _target(root: Path, path: str) -> str:
    """Return the file that a link leads to, relative to ``root``; empty for a file that is no link."""
    return os.path.relpath(os.path.realpath(path), os.path.realpath(root)) if os.path.islink(path) else ""


def _as_draft(parsed: ParseResult) -> DraftRecord:
    """Return a record of a drafts folder as a draft, whatever it says itself, or whatever it lacks."""
    if isinstance(parsed, DraftRecord):
        return parsed
    if isinstance(parsed, RejectedRecord):
        return DraftRecord(where=parsed.where, statement=DRAFTS_FOLDER)
    record = parsed.record
    return DraftRecord(
        where=parsed.where,
        statement=DRAFTS_FOLDER,
        shares_file=parsed.shares_file,
        external_id=record.external_id,
        url=record.url,
        record=record,
    )


def suffix_of(name: str) -> str:
    """Return the suffix that says how a file is read, in lower case."""
    return "." + name.rpartition(".")[2].lower()
