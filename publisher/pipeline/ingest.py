"""Read articles/ into the database: parse new and changed files only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from publisher.articles import drafts_store as drafts
from publisher.articles import sources_store as sources
from publisher.articles.drafts_store import DraftRow
from publisher.articles.expiry_store import expired_articles
from publisher.articles.failure_isolation import is_data_error, split_in_half
from publisher.articles.moves import FileMoves
from publisher.articles.parsers import IGNORED_SUFFIXES, ParseResult, RejectedRecord, suffix_of
from publisher.articles.scan import BUCKETS, bucket_of, scan_folder
from publisher.context import Context
from publisher.model.problems import Problem
from publisher.model.report import PublishResult
from publisher.pipeline.article_batch import ArticleBatch
from publisher.pipeline.expiry import draft_if_expired, expire_articles
from publisher.pipeline.parsing import parse_files, parser_fingerprint
from publisher.settings import Site
from publisher.storage import facts
from publisher.storage.engine import Database


def ingest(context: Context) -> PublishResult:
    """Read new and changed files in articles/, and return the counts.

    Each batch of records is one transaction with its articles, dirty feeds and pending articles, so that the next run
    continues after a kill.
    """
    site, db, now = context.site, context.db, context.now
    # The wall clock instead of ``now``, because file times are of the wall clock.
    listing = scan_folder(site.articles_dir, time.time_ns())
    rules = parser_fingerprint(site)
    with db.read() as connection:
        same_rules = facts.get_fact(connection, "ingest_rules") == rules
        stored = sources.bucket_fingerprints(connection) if same_rules else {}
        fingerprints = {number: listing.fingerprint(number) for number in range(BUCKETS)}
        changed = {number for number, text in fingerprints.items() if not text or stored.get(number) != text}
        known = sources.sources_in_buckets(connection, changed) if changed else {}
    there = {name: signature for number in changed for name, signature in listing.files(number).items()}
    to_read = _files_to_read(there, known if same_rules else {})
    gone = [name for name in known if name not in there and name not in listing]
    transient: set[str] = set()
    unfinished, done, read = _Unfinished(), 0, 0
    result = PublishResult()
    with db.read() as connection:
        known_drafts = drafts.draft_locations_by_key(connection, {*to_read, *gone}) if to_read else {}
    begin = partial(ArticleBatch, site=site, now=now, listing=listing, moves=FileMoves(gone), known_drafts=known_drafts)
    for names, parsed_files in parse_files(site, to_read, context.workers):
        results = {
            name: [draft_if_expired(record, site, now) for record in parsed] for name, parsed in parsed_files.items()
        }
        transient.update(name for name, parsed in results.items() if any(map(_is_transient, parsed)))
        # The next run reads a file without a signature again.
        files = [(name, bucket_of(name), "" if name in transient else there[name]) for name in names]
        result = sum(map(_counts, _store_results(db, begin, results, partial(unfinished.finish, files=files))), result)
        done += len(names)
        read += sum(map(len, results.values()))
        if names:
            context.progress("reading articles", done, len(to_read))
        else:
            context.progress("reading records", read, 0)
    fingerprints.update(dict.fromkeys(map(bucket_of, transient), ""))
    if changed:
        with db.write() as connection:
            facts.set_fact(connection, "ingest_rules", rules)
            sources.save_buckets(connection, {number: fingerprints[number] for number in changed})
            # The articles of removed files stay.
            sources.delete_sources(connection, gone)
            drafts.delete_draft_keys(connection, [f"file:{name}" for name in gone])
    with db.read() as connection:
        count = drafts.count_drafts(connection)
    return result + PublishResult(files_read=done, withdrawn=_withdraw_expired(db, site, now), drafts=count)


def _withdraw_expired(db: Database, site: Site, now: datetime) -> int:
    """Withdraw expired articles and return how many; writes nothing without one."""
    with db.read() as connection:
        if not expired_articles(connection, int(now.timestamp())):
            return 0
    with db.write() as connection:
        return expire_articles(connection, site, now)


def _files_to_read(there: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    """Return the files that are new or changed, by their signatures.

    An empty signature means "may have changed within the clock's tick": such a file is read again.
    """
    return sorted(
        name
        for name, signature in there.items()
        if suffix_of(name) not in IGNORED_SUFFIXES and (not signature or known.get(name) != signature)
    )


def _counts(batch: ArticleBatch) -> PublishResult:
    return PublishResult(
        warnings=tuple(
            problem for problems in batch.problems.values() for problem in problems if not problem.is_rejected
        ),
        new=batch.new,
        edited=batch.edited,
        withdrawn=batch.withdrawn,
        old=batch.old,
    )


def _is_transient(parsed: ParseResult) -> bool:
    return isinstance(parsed, RejectedRecord) and parsed.is_transient


@dataclass(slots=True)
class _Unfinished:
    """Problems and drafts of files that are not completely read, by file."""

    problems: dict[str, list[Problem]] = field(default_factory=dict)
    drafts: dict[str, list[DraftRow]] = field(default_factory=dict)

    def finish(
        self, connection: Connection, batches: Iterable[ArticleBatch], *, files: Sequence[tuple[str, int, str]]
    ) -> None:
        """Store the files that these batches complete, with their problems and drafts."""
        for batch in batches:
            for name, problems in batch.problems.items():
                self.problems.setdefault(name, []).extend(problems)
            for name, own in batch.drafts.items():
                self.drafts.setdefault(name, []).extend(own)
        names = [name for name, _, _ in files]
        own_problems = {name: self.problems.pop(name) for name in names if name in self.problems}
        sources.save_sources(connection, files, own_problems)
        drafts.save_drafts(connection, {name: self.drafts.pop(name) for name in names if name in self.drafts})


def _store_results(
    db: Database,
    begin: Callable[..., ArticleBatch],
    results: Mapping[str, Sequence[ParseResult]],
    finish: Callable[[Connection, Iterable[ArticleBatch]], None] | None,
) -> list[ArticleBatch]:
    """Store records in one transaction; if the database rejects some, store all others."""
    try:
        with db.write() as connection:
            batch = begin(connection=connection)
            batch.store(results)
            if finish is not None:
                finish(connection, [batch])
    except Exception as error:
        if not is_data_error(error):
            raise
        problem = error
    else:
        return [batch]
    parts = split_in_half(results)
    if parts is None:
        batch.reject(results, problem)
        batches = [batch]
    else:
        batches = [batch for part in parts for batch in _store_results(db, begin, part, None)]
    if finish is not None:
        with db.write() as connection:
            finish(connection, batches)
    return batches
