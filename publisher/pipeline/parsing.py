"""Parse the article files of a site, a batch of records at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from publisher.articles.parsers import MULTI_RECORD_SUFFIXES, ParseResult, ParserOptions, RejectedRecord, suffix_of
from publisher.articles.parsers.rejected import with_drafts
from publisher.settings import Site
from publisher.workers.pool import Workers
from publisher.workers.timed_worker import TimedWorker, WorkerStopped

if TYPE_CHECKING:
    from concurrent.futures import Future

#: Increase this number when a parser changes its result for the same file; all files are then read again.
PARSERS_REVISION: Final = 7
#: Files, or records of one file, that are parsed and stored in one transaction.
RECORDS_PER_BATCH: Final = 500


def parse_files(
    site: Site, names: Sequence[str], workers: Workers
) -> Iterator[tuple[Sequence[str], dict[str, list[ParseResult]]]]:
    """Yield (completed files, file → records), a batch at a time.

    A batch has many files of one record, or a part of a file of many records. The last part completes the file.
    """
    options = ParserOptions(
        zone=site.tz,
        max_bytes=site.ingest.max_bytes,
        tags=frozenset(site.ingest.tags),
        media=site.media_dir,
        base_url=site.base_url,
    )
    if names:
        workers.timed().start()
        _import_renderers()
    single = [name for name in names if suffix_of(name) not in MULTI_RECORD_SUFFIXES]
    pages = [single[at : at + RECORDS_PER_BATCH] for at in range(0, len(single), RECORDS_PER_BATCH)]
    for results in _parse_pages(site.articles_dir, pages, options, workers):
        yield list(results), {name: _with_drafts(parsed) for name, parsed in results.items()}
    for name in names:
        if suffix_of(name) in MULTI_RECORD_SUFFIXES:
            records = _parse_stream(site.articles_dir, name, options, workers.timed())
            while len(chunk := list(islice(records, RECORDS_PER_BATCH))) == RECORDS_PER_BATCH:
                yield [], {name: _with_drafts(chunk)}
            yield [name], {name: _with_drafts(chunk)}


def _with_drafts(results: Sequence[ParseResult]) -> list[ParseResult]:
    """Return the records, each rejected one followed by the drafts that it names."""
    return [
        item for result in results for item in (result, *(result.drafts if isinstance(result, RejectedRecord) else ()))
    ]


def _import_renderers() -> None:
    """Import the modules that staging needs later, while the parser process starts."""
    import publisher.feeds.checks
    import publisher.feeds.formats.entry
    import publisher.feeds.formats.xml_frame  # noqa: F401


def _parse_pages(
    root: Path, pages: Sequence[Sequence[str]], options: ParserOptions, workers: Workers
) -> Iterator[dict[str, list[ParseResult]]]:
    """Yield the records of each page of files, in order, parsed on all cores."""
    if len(pages) <= 2 or workers.count < 2:
        yield from (_parse_page(root, page, options, workers.timed()) for page in pages)
        return
    from concurrent.futures import ThreadPoolExecutor

    idle: SimpleQueue[TimedWorker] = SimpleQueue()
    for number in range(workers.count):
        idle.put(workers.timed(number))

    def parse(page: Sequence[str]) -> dict[str, list[ParseResult]]:
        worker = idle.get()
        try:
            return _parse_page(root, page, options, worker)
        finally:
            idle.put(worker)

    # The threads only wait for the parser processes.
    with ThreadPoolExecutor(workers.count, thread_name_prefix="parsers") as threads:
        waiting: deque[Future[dict[str, list[ParseResult]]]] = deque()
        try:
            for page in pages:
                waiting.append(threads.submit(parse, page))
                if len(waiting) > workers.count + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # If the run ends early, no further page is started.
            threads.shutdown(wait=False, cancel_futures=True)


def _parse_page(
    root: Path, names: Sequence[str], options: ParserOptions, worker: TimedWorker
) -> dict[str, list[ParseResult]]:
    """Return file → records; a file that stops the process is rejected."""
    parsed: dict[str, list[ParseResult]] = {}
    left = list(names)
    while left:
        try:
            # One by one, so that results from before a stop are kept.
            for name, results in worker.iterate(
                "publisher.articles.parsers.registry:parse_each_file", root, left, options
            ):
                parsed.update({name: results})
        except WorkerStopped as stopped:
            name = next((name for name in left if name not in parsed), None)
            # Without a name, the process has stopped after the last file.
            if name is not None:
                parsed[name] = [_with_drafts_of_file(_rejected(name, stopped), root, options, worker)]
        left = [name for name in left if name not in parsed]
    return parsed


def _parse_stream(root: Path, name: str, options: ParserOptions, worker: TimedWorker) -> Iterator[ParseResult]:
    """Yield the records of a file; one that stops the process is rejected."""
    done, is_transient = 0, False
    while True:
        try:
            for result in worker.iterate("publisher.articles.parsers.registry:iterate_records", root, name, options):
                done += 1
                if is_transient and done == options.skip_records and isinstance(result, RejectedRecord):
                    yield replace(result, is_transient=True)
                else:
                    yield result
        except WorkerStopped as stopped:
            rejected = _rejected(name, stopped)
            if options.skip_records > done:
                # The process stopped within the records that were to be skipped.
                yield rejected
                return
            is_transient = stopped.is_transient
            options = replace(options, skip_records=done + 1, skip_reason=rejected.reason)
        else:
            return


def _with_drafts_of_file(
    rejected: RejectedRecord, root: Path, options: ParserOptions, worker: TimedWorker
) -> RejectedRecord:
    """Return a rejection with the drafts that the file names, read by the parser process."""
    if rejected.is_transient:
        return rejected
    try:
        drafts = worker.call("publisher.articles.parsers.rejected:drafts_in_file", root, rejected.where, options)
    except WorkerStopped:
        return rejected
    return with_drafts(rejected, drafts)


def _rejected(name: str, stopped: WorkerStopped) -> RejectedRecord:
    if stopped.is_transient:
        reason = f"parsing was stopped: {stopped}. The next run parses it again."
    else:
        reason = f"parsing was stopped: {stopped}. Split the text, or simplify it."
    return RejectedRecord(where=name, reason=reason, is_transient=stopped.is_transient)


def parser_fingerprint(site: Site) -> str:
    """Return a fingerprint of the parsers; if it changes, all files are read again."""
    return f"{PARSERS_REVISION} {site.zone} {site.ingest.model_dump_json()}"
