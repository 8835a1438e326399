"""Parse files into published, draft or rejected records; :data:`PARSERS` maps a file suffix to its parser.

A parser never uses the database, and a broken file never stops the other files.
"""

from publisher.articles.parsers.publication import is_in_drafts_folder
from publisher.articles.parsers.registry import (
    IGNORED_SUFFIXES,
    MULTI_RECORD_SUFFIXES,
    PARSERS,
    DraftRecord,
    ParsedRecord,
    ParseResult,
    ParserOptions,
    RejectedRecord,
    iterate_records,
    parse_file,
    parse_files,
    suffix_of,
)
from publisher.articles.scan import BUCKETS, FolderListing, bucket_of, scan_folder

__all__ = [
    "BUCKETS",
    "IGNORED_SUFFIXES",
    "MULTI_RECORD_SUFFIXES",
    "PARSERS",
    "DraftRecord",
    "FolderListing",
    "ParseResult",
    "ParsedRecord",
    "ParserOptions",
    "RejectedRecord",
    "bucket_of",
    "is_in_drafts_folder",
    "iterate_records",
    "parse_file",
    "parse_files",
    "scan_folder",
    "suffix_of",
]
