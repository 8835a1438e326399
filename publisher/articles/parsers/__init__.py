"""Parse files into records. The table :data:`READERS` maps a suffix to its parser."""

from publisher.articles.parsers.publication import is_in_drafts_folder
from publisher.articles.parsers.registry import (
    ASIDE,
    READERS,
    STREAMS,
    DraftRecord,
    Found,
    Options,
    Parsed,
    Refusal,
    iterate_file,
    read_file,
    read_files,
    suffix_of,
)
from publisher.articles.scan import BUCKETS, Listing, bucket_of, scan

__all__ = [
    "ASIDE",
    "BUCKETS",
    "READERS",
    "STREAMS",
    "DraftRecord",
    "Found",
    "Listing",
    "Options",
    "Parsed",
    "Refusal",
    "bucket_of",
    "is_in_drafts_folder",
    "iterate_file",
    "read_file",
    "read_files",
    "scan",
    "suffix_of",
]
