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

__all__ = ["PARSERS_REVISION", "parse_files", "parser_fingerprint"]

#: Raise it when a parser reads the same file differently: every file is read again.
PARSERS_REVISION: Final = 7
#: Files, or records of one file, read and stored in one transaction.
_BATCH: Final = 500


def parse_files(
    site: Site, names: Sequence[str], workers: Workers
) -> Iterator[tuple[Sequence[str], dict[str, list[ParseResult]]]]:
    """Yield (files that are thereby read, name → records), a batch at a time.

    Files of one record come many to a batch; a file of many records comes in several, and is read
    with the last of them.
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
    whole = [name for name in names if suffix_of(name) not in MULTI_RECORD_SUFFIXES]
    pages = [whole[at : at + _BATCH] for at in range(0, len(whole), _BATCH)]
    for results in _parse_pages(site.articles_dir, pages, options, workers):
        yield list(results), {name: _with_drafts(parsed) for name, parsed in results.items()}
    for name in names:
        if suffix_of(name) in MULTI_RECORD_SUFFIXES:
            records = _parse_stream(site.articles_dir, name, options, workers.timed())
            while len(chunk := list(islice(records, _BATCH))) == _BATCH:
                yield [], {name: _with_drafts(chunk)}
            yield [name], {name: _with_drafts(chunk)}


def _with_drafts(results: Sequence[ParseResult]) -> list[ParseResult]:
    """Return the records, and after each rejected one the drafts that it speaks of."""
    return [item for one in results for item in (one, *(one.drafts if isinstance(one, RejectedRecord) else ()))]


def _import_renderers() -> None:
    """Import what staging needs after this, while the process for parsers starts."""
    import publisher.feeds.checks
    import publisher.feeds.formats.entry
    import publisher.feeds.formats.xml  # noqa: F401


def _parse_pages(
    root: Path, pages: Sequence[Sequence[str]], options: ParserOptions, workers: Workers
) -> Iterator[dict[str, list[ParseResult]]]:
    """Yield what each page of files holds, in order; on all cores where there are many."""
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

    # The threads only wait for the processes.
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
            # If the run ends early, no page is begun any more.
            threads.shutdown(wait=False, cancel_futures=True)


def _parse_page(
    root: Path, names: Sequence[str], options: ParserOptions, worker: TimedWorker
) -> dict[str, list[ParseResult]]:
    """Return name → what the file holds; a file that stops the process is rejected by name."""
    found: dict[str, list[ParseResult]] = {}
    left = list(names)
    while left:
        try:
            # One after the other, so that what came back before a stop is kept.
            for name, results in worker.iterate(
                "publisher.articles.parsers.registry:parse_each_file", root, left, options
            ):
                found.update({name: results})
        except WorkerStopped as stopped:
            name = next((name for name in left if name not in found), None)
            # Without a name the process stopped after the last file.
            if name is not None:
                found[name] = [_with_drafts_of_file(_rejected(name, stopped), root, options, worker)]
        left = [name for name in left if name not in found]
    return found


def _parse_stream(root: Path, name: str, options: ParserOptions, worker: TimedWorker) -> Iterator[ParseResult]:
    """Yield the records of a file of many; one that stops the process is rejected, and the next ones are read."""
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
                # Not even what was skipped came back.
                yield rejected
                return
            is_transient = stopped.is_transient
            options = replace(options, skip_records=done + 1, skip_reason=rejected.reason)
        else:
            return


def _with_drafts_of_file(
    refusal: RejectedRecord, root: Path, options: ParserOptions, worker: TimedWorker
) -> RejectedRecord:
    """Return a rejection with the drafts that the file speaks of; the process looks, as for everything in a file."""
    if refusal.is_transient:
        return refusal
    try:
        drafts = worker.call("publisher.articles.parsers.rejected:drafts_in_file", root, refusal.where, options)
    except WorkerStopped:
        return refusal
    return with_drafts(refusal, drafts)


def _rejected(name: str, stopped: WorkerStopped) -> RejectedRecord:
    if stopped.is_transient:
        reason = f"parsing was stopped: {stopped}. The next run parses it again."
    else:
        reason = _stopped(stopped)
    return RejectedRecord(where=name, reason=reason, is_transient=stopped.is_transient)


def _stopped(stopped: WorkerStopped) -> str:
    return f"parsing was stopped: {stopped}. Split the text, or simplify it."


def parser_fingerprint(site: Site) -> str:
    """Return what decides how a file is read: other rules, and every file is read again."""
    return f"{PARSERS_REVISION} {site.zone} {site.ingest.model_dump_json()}"
