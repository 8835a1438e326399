"""Render the entries of articles once per revision, check them, and skip articles whose entry is invalid."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from publisher.articles import store
from publisher.articles.failure_isolation import failure_problem
from publisher.context import Context
from publisher.feeds import store as table
from publisher.feeds.changes import FeedChanges
from publisher.feeds.make_entries import make_entries
from publisher.feeds.site_info import REVISION, SiteInfo
from publisher.model.articles import Article
from publisher.model.problems import Problem
from publisher.settings import Site
from publisher.version import __version__

if TYPE_CHECKING:
    from publisher.feeds.formats.entry import Entry

#: Entries rendered in one job of a worker.
_BATCH_SIZE: Final = 500


def entries_fingerprint(site: Site) -> str:
    """Return the hash of the settings and the code that entries depend on."""
    return hashlib.sha256(f"{site.fingerprint()} {REVISION} {__version__}".encode()).hexdigest()[:16]


def make_site_info(site: Site, namespace: uuid.UUID) -> SiteInfo:
    """Return the site information that all entries and feeds contain; NAMESPACE is the seed of the site's IDs."""
    return SiteInfo(
        base_url=site.base_url,
        feeds_url=site.feeds_url,
        language=site.language,
        author=site.default_author,
        rights=site.rights,
        namespace=namespace,
        icon=site.feeds.icon,
        logo=site.feeds.logo,
        hubs=site.hubs,
        formats=site.feeds.formats,
        cloud=site.announce.cloud,
        silences=site.checks.silences,
    )


@dataclass(slots=True, kw_only=True)
class EntryRenderer:
    """Renders missing and outdated entries during a run."""

    context: Context
    site_info: SiteInfo
    #: See :func:`entries_fingerprint`.
    fingerprint: str
    changes: FeedChanges
    #: Articles whose entry could not be rendered in this run.
    broken: set[int] = field(default_factory=set)

    def update_entries(self, connection: Connection, seqs: Sequence[int]) -> bool:
        """Render the entries that are missing, or older than their article or the settings.

        An article whose entry fails or violates a rule is skipped and reported; its earlier entry stays in
        the feeds.

        Returns:
            Whether all entries are up to date.
        """
        outdated = table.stale_entries(connection, seqs, self.fingerprint)
        stale = [seq for seq in outdated if seq not in self.broken]
        pages = [stale[at : at + _BATCH_SIZE] for at in range(0, len(stale), _BATCH_SIZE)]
        if not pages:
            return not outdated
        jobs = ((self._articles(connection, page), self.site_info) for page in pages)
        results = self.context.workers.map(make_entries, jobs, worth_it=len(pages) > 2)
        for page, (entries, broken) in zip(pages, results, strict=True):
            self._save(connection, page, entries)
            known = store.rows_by_seq(connection, [article.seq for article, _ in broken])
            for article, reason in broken:
                self.broken.add(article.seq)
                source, problem = known[article.seq].source, f"{article.title!r}: its feed entry was not made"
                if isinstance(reason, str):
                    rejection = Problem(where=source, is_rejected=True, reason=f"{problem}: {reason}")
                else:
                    rejection = failure_problem(self.context, source, problem, reason)
                self.changes.rejected.append(rejection)
        return self.broken.isdisjoint(outdated)

    def _save(self, connection: Connection, page: Sequence[int], entries: Sequence[tuple[int, Entry]]) -> None:
        hashes = store.hashes_by_seq(connection, page)
        rows = [
            {"article_seq": seq, "revision": f"{hashes[seq]}:{self.fingerprint}", **asdict(entry)}
            for seq, entry in entries
        ]
        table.save_entries(connection, rows)

    def _articles(self, connection: Connection, seqs: Sequence[int]) -> list[Article]:
        site = self.context.site
        articles = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
        return [articles[seq] for seq in seqs]
