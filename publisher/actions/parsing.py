"""Parse the article files of a site, a batch of records at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from publisher.config import Site
from publisher.ingest import STREAMS, Options, Parsed, iterate_file, read_files, suffix_of
from publisher.parallel import Workers

__all__ = ["PARSERS_REVISION", "parse_files", "parsing_rules"]

#: Raise it when a parser reads the same file differently: every file is read again.
PARSERS_REVISION: Final = 4
#: Files, or records of one file, read and stored in one transaction.
_BATCH: Final = 500


def parse_files(
    site: Site, names: Sequence[str], workers: Workers
) -> Iterator[tuple[Sequence[str], dict[str, list[Parsed]]]]:
    """Yield (files that are thereby read, name → records), a batch at a time.

    Files of one record come many to a batch; a file of many records comes in several, and is read
    with the last of them.
    """
    options = Options(
        zone=site.tz,
        max_bytes=site.ingest.max_bytes,
        tags=frozenset(site.ingest.tags),
        media=site.media_dir,
        base_url=site.base_url,
    )
    whole = [name for name in names if suffix_of(name) not in STREAMS]
    pages = [whole[at : at + _BATCH] for at in range(0, len(whole), _BATCH)]
    jobs = ((site.articles_dir, page, options) for page in pages)
    for results in workers.map(read_files, jobs, worth_it=len(pages) > 2):
        yield list(results), results
    for name in names:
        if suffix_of(name) in STREAMS:
            records = iterate_file(site.articles_dir, name, options)
            while len(chunk := list(islice(records, _BATCH))) == _BATCH:
                yield [], {name: chunk}
            yield [name], {name: chunk}


def parsing_rules(site: Site) -> str:
    """Return what decides how a file is read: other rules, and every file is read again."""
    return f"{PARSERS_REVISION} {site.zone} {site.ingest.model_dump_json()}"
