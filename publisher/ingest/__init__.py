"""Files → records. One table, :data:`READERS`, says which suffix is read by which function."""

from publisher.ingest.readers import ASIDE, READERS, Found, Options, Refusal, read_file, read_files
from publisher.ingest.scan import BUCKETS, Listing, bucket_of, scan

__all__ = [
    "ASIDE",
    "BUCKETS",
    "READERS",
    "Found",
    "Listing",
    "Options",
    "Refusal",
    "bucket_of",
    "read_file",
    "read_files",
    "scan",
]
