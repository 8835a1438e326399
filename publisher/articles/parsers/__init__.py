"""Parse files into published, draft or rejected records; :data:`PARSERS` maps a file suffix to its parser.

A parser never uses the database, and a broken file never stops the other files.
"""

from publisher.articles.parsers.publication import is_in_drafts_folder
from publisher.articles.parsers.registry import (
    IGNORED_SUFFIXES,
    MULTI_RECORD_SUFFIXES,
    PARSERS,
    parse_file,
    suffix_of,
)
from publisher.articles.parsers.result import DraftRecord, ParsedRecord, ParseResult, ParserOptions, RejectedRecord

__all__ = [
    "IGNORED_SUFFIXES",
    "MULTI_RECORD_SUFFIXES",
    "PARSERS",
    "DraftRecord",
    "ParseResult",
    "ParsedRecord",
    "ParserOptions",
    "RejectedRecord",
    "is_in_drafts_folder",
    "parse_file",
    "suffix_of",
]
