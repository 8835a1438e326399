"""Parse a file with the parser of its suffix, and reject files that are not allowed."""

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
    rejection_of,
)
from publisher.articles.parsers.text_export import parse_text_export
from publisher.errors import InvalidRecord
from publisher.staging.beneath import NotRegularError, OutsideError, open_file_beneath

Parser = Callable[[BinaryIO, str, ParserOptions], Iterator[ParseResult]]

#: Suffix → parser.
PARSERS: Final[Mapping[str, Parser]] = {
    ".txt": parse_text_export,
    ".md": parse_markdown,
    ".markdown": parse_markdown,
    ".json": parse_json,
    ".jsonl": parse_json_lines,
    ".ndjson": parse_json_lines,
}

#: Suffixes of files that may hold more records than fit in memory; their records are stored in batches.
MULTI_RECORD_SUFFIXES: Final = frozenset((".jsonl", ".ndjson"))

#: Suffixes of files that are not articles: pictures, recordings, pages, files of programs. They are ignored without a message.
IGNORED_SUFFIXES: Final = frozenset(
    [
        *[".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".svg", ".ico"],
        *[".mp3", ".mp4", ".m4a", ".ogg", ".webm", ".mov"],
        *[".css", ".js"],
        *[".bak", ".swp", ".tmp", ".part"],
    ]
)


def parse_each_file(
    root: Path, names: Sequence[str], options: ParserOptions
) -> Iterator[tuple[str, list[ParseResult]]]:
    """Parse files one after the other and yield (name, results) for each."""
    for name in names:
        yield name, parse_file(root, name, options)


def parse_file(root: Path, name: str, options: ParserOptions) -> list[ParseResult]:
    """Parse the file NAME (relative to ROOT). Never raises an error for bad input."""
    return list(iterate_records(root, name, options))


def iterate_records(root: Path, name: str, options: ParserOptions) -> Iterator[ParseResult]:
    """Parse the file NAME (relative to ROOT) and yield its results, also for bad input.

    Links to files outside ROOT and special files are rejected, so that an article cannot publish other files
    of the server.
    """
    path = f"{root}/{name}"
    if name.endswith("/"):
        yield RejectedRecord(
            where=name, reason=f"the folder cannot be listed: {_listing_error(path)}", is_transient=True
        )
        return
    is_draft = is_in_drafts_folder(name) or is_in_drafts_folder(_link_target(root, path))
    try:
        parser = PARSERS.get(suffix_of(name))
        if parser is None:
            known = ", ".join(sorted(PARSERS))
            raise InvalidRecord(name, f"unknown file type. Use one of {known}")
        if "\\x" in name and not os.path.lexists(path):
            raise InvalidRecord(name, "the file's name is not UTF-8; rename it")
        with open_file_beneath(root, name) as stream:
            results = (_limit(parsed, options) for parsed in parser(stream, name, options))
            yield from map(_as_draft, results) if is_draft else results
    except NotRegularError:
        yield RejectedRecord(where=name, reason="not a regular file")
    except OutsideError:
        yield RejectedRecord(where=name, reason="a link that leads out of the articles folder")
    except OSError as error:
        yield RejectedRecord(where=name, reason=f"cannot be read: {error.strerror}", is_transient=True)
    except Exception as error:
        # Also a bug in a parser rejects this file only.
        rejected = rejection_of(name, error)
        yield _as_draft(rejected) if is_draft else with_drafts(rejected, drafts_in_file(root, name, options))


def _limit(parsed: ParseResult, options: ParserOptions) -> ParseResult:
    """Apply the limits to a record; reject a body of more than twice ``ingest.max_bytes``."""
    if not isinstance(parsed, ParsedRecord):
        return parsed
    most = 2 * options.max_bytes
    if len(parsed.record.body) > most:
        # A Markdown link reference repeats its URL for each use, so the HTML can be much larger than the file.
        reason = f"the body has more than {most:,} characters as HTML, twice ingest.max_bytes. Shorten it."
        return RejectedRecord(where=parsed.where, reason=reason)
    return apply_limits(parsed)


def _listing_error(path: str) -> str:
    try:
        list(Path(path).iterdir())
    except OSError as error:
        return error.strerror or str(error)
    return "it can be listed now. Run this again."


def _link_target(root: Path, path: str) -> str:
    """Return the target of a symbolic link, relative to ROOT; empty if the file is not a link."""
    return os.path.relpath(os.path.realpath(path), os.path.realpath(root)) if os.path.islink(path) else ""


def _as_draft(parsed: ParseResult) -> DraftRecord:
    """Return a result from a drafts folder as a draft, whether the record is valid or not."""
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
    """Return the suffix of a file name, in lower case."""
    return "." + name.rpartition(".")[2].lower()
