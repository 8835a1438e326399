"""Files → records. One table, :data:`READERS`, says which suffix is read by which function."""

from publisher.ingest.readers import (
    ASIDE,
    READERS,
    STREAMS,
    Found,
    Options,
    Refusal,
    iterate_file,
    read_file,
    read_files,
    suffix_of,
)
from publisher.ingest.scan import BUCKETS, Listing, bucket_of, scan

__all__ = [
    "ASIDE",
    "BUCKETS",
    "READERS",
    "STREAMS",
    "Found",
    "Listing",
    "Options",
    "Refusal",
    "bucket_of",
    "iterate_file",
    "read_file",
    "read_files",
    "scan",
    "suffix_of",
]
