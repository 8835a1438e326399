"""Parse files into records. The table :data:`READERS` maps a suffix to its parser."""

from publisher.articles.parsers.publication import is_in_drafts_folder
from publisher.articles.parsers.registry import (
    ASIDE,
    READERS,
    STREAMS,
    DraftRecord,
    Parsed,
    ParsedRecord,
    ParserOptions,
    RejectedRecord,
    iterate_file,
    read_file,
    read_files,
    suffix_of,
)
from publisher.articles.scan import BUCKETS, FolderListing, bucket_of, scan_folder

__all__ = [
    "ASIDE",
    "BUCKETS",
    "READERS",
    "STREAMS",
    "DraftRecord",
    "FolderListing",
    "Parsed",
    "ParsedRecord",
    "ParserOptions",
    "RejectedRecord",
    "bucket_of",
    "is_in_drafts_folder",
    "iterate_file",
    "read_file",
    "read_files",
    "scan_folder",
    "suffix_of",
]
