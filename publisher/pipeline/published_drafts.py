"""Find published articles that a newer release treats as drafts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from publisher.articles import store
from publisher.articles.identity import record_keys
from publisher.articles.moves import FileMoves
from publisher.articles.parsers import IGNORED_SUFFIXES, DraftRecord, suffix_of
from publisher.articles.scan import BUCKETS, scan_folder
from publisher.pipeline.drafts import IncomingDraft, identify_drafts
from publisher.pipeline.expiry import draft_if_expired
from publisher.pipeline.parsing import PARSERS_REVISION, parse_files
from publisher.settings import Site
from publisher.storage import facts
from publisher.workers.pool import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedDraft:
    """A published article whose record says that it is a draft."""

    #: The file, relative to articles/, with ``:line`` or ``[number]`` where it holds several records.
    where: str
    #: The statement in the record, for example ``draft: true``.
    statement: str
    title: str
    link: str


def published_drafts(connection: Connection, site: Site, now: datetime) -> list[PublishedDraft]:
    """Return the published articles that the next run withdraws as drafts.

    Files are read only if an older release read them last. After the next run there are none.
    """
    rules = facts.get_fact(connection, "ingest_rules")
    if rules is None or rules.partition(" ")[0] == str(PARSERS_REVISION):
        return []
    listing = scan_folder(site.articles_dir, time.time_ns())
    names = sorted(
        name for number in range(BUCKETS) for name in listing.files(number) if suffix_of(name) not in IGNORED_SUFFIXES
    )
    drafts = _drafts(site, names, now)
    matches = identify_drafts(connection, drafts, FileMoves(()), listing.__contains__)
    found_drafts = {seq: drafts[index].draft for index, seqs in matches.items() for seq in seqs}
    known = store.rows_by_seq(connection, found_drafts)
    published = [
        seq for seq, row in known.items() if row.retracted_at is None and row.published_at <= int(now.timestamp())
    ]
    articles = store.articles_by_seq(connection, published, site.base_url, site.tz)
    listed = [
        PublishedDraft(
            where=found_drafts[seq].where,
            statement=found_drafts[seq].statement,
            title=articles[seq].title,
            link=articles[seq].link,
        )
        for seq in published
    ]
    return sorted(listed, key=lambda draft: draft.where)


def _drafts(site: Site, names: list[str], now: datetime) -> list[IncomingDraft]:
    """Return the drafts among these files."""
    with Workers() as workers:
        return [
            IncomingDraft(name=name, draft=item, keys=record_keys(item, name))
            for _, results in parse_files(site, names, workers)
            for name, items in results.items()
            for item in (draft_if_expired(item, site, now) for item in items)
            if isinstance(item, DraftRecord)
        ]
