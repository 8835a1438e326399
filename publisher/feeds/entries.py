"""Entries: made once per revision of an article, checked, and set aside by name where they break a rule."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from publisher import __version__
from publisher.articles import store
from publisher.articles.failure_isolation import report_failure
from publisher.feeds import store as table
from publisher.feeds.make_entries import make_entries
from publisher.model.articles import Article
from publisher.model.problems import Problem
from publisher.model.report import PublishResult
from publisher.settings import Site
from publisher.workers.pool import Workers

if TYPE_CHECKING:
    from publisher.feeds.formats.entry import Entry
    from publisher.feeds.site_info import SiteInfo

__all__ = ["EntryRenderer", "entries_fingerprint", "make_site_info"]

#: Entries made at a time.
_BATCH_SIZE: Final = 500


def entries_fingerprint(site: Site) -> str:
    """Return what the settings and the code add to an entry's revision."""
    from publisher.feeds.site_info import REVISION

    return hashlib.sha256(f"{site.fingerprint()} {REVISION} {__version__}".encode()).hexdigest()[:16]


def make_site_info(site: Site, namespace: uuid.UUID) -> SiteInfo:
    """Return what every entry and feed of a site shares.

    Args:
        site: the settings.
        namespace: the seed of the site's ids.
    """
    from publisher.feeds.site_info import Cloud, Logo, SiteInfo

    logo, cloud = site.feeds.logo, site.announce.cloud
    return SiteInfo(
        title=site.title,
        base_url=site.base_url,
        feeds_url=site.feeds_url,
        language=site.language,
        author=site.default_author,
        rights=site.rights,
        namespace=namespace,
        icon=site.feeds.icon,
        logo=Logo(url=logo.url, width=logo.width, height=logo.height) if logo else None,
        hubs=site.hubs,
        formats=site.feeds.formats,
        cloud=Cloud(host=cloud.host, port=cloud.port, path=cloud.register_path, protocol=cloud.protocol)
        if cloud
        else None,
    )


@dataclass(slots=True, kw_only=True)
class EntryRenderer:
    """What a run knows of the entries that it needs."""

    site: Site
    site_info: SiteInfo
    #: What the settings and the code add to an entry's revision.
    fingerprint: str
    workers: Workers
    report: PublishResult
    #: Articles whose entry could not be made.
    broken: set[int] = field(default_factory=set)

    def update_entries(self, connection: Connection, seqs: Sequence[int]) -> bool:
        """Make the entries that are missing or older than their article or the settings.

        An article whose entry cannot be made, or would break a rule, is set aside by name; an
        entry that was made of it before stays in its feeds.

        Returns:
            Whether all could be made.
        """
        wanted = table.stale_entries(connection, seqs, self.fingerprint)
        stale = [seq for seq in wanted if seq not in self.broken]
        pages = [stale[at : at + _BATCH_SIZE] for at in range(0, len(stale), _BATCH_SIZE)]
        if not pages:
            return not wanted
        jobs = ((self._articles(connection, page), self.site_info) for page in pages)
        results = self.workers.map(make_entries, jobs, worth_it=len(pages) > 2)
        for page, (entries, broken) in zip(pages, results, strict=True):
            self._save(connection, page, entries)
            known = store.rows_by_seq(connection, [article.seq for article, _ in broken])
            for article, reason in broken:
                self.broken.add(article.seq)
                where, doing = known[article.seq].source, f"{article.title!r}: its feed entry was not made"
                if isinstance(reason, str):
                    self.report.rejected.append(Problem(where=where, is_rejected=True, reason=f"{doing}: {reason}"))
                else:
                    report_failure(self.report, self.site, where, doing, reason)
        return self.broken.isdisjoint(wanted)

    def _save(self, connection: Connection, page: Sequence[int], entries: Sequence[tuple[int, Entry]]) -> None:
        hashes = store.hashes_by_seq(connection, page)
        rows = [
            {
                "article_seq": seq,
                "revision": f"{hashes[seq]}:{self.fingerprint}",
                "body": entry.body,
                "rss": entry.rss,
                "atom": entry.atom,
                "json": entry.json,
            }
            for seq, entry in entries
        ]
        table.save_entries(connection, rows)

    def _articles(self, connection: Connection, seqs: Sequence[int]) -> list[Article]:
        found = store.articles_by_seq(connection, seqs, self.site.base_url, self.site.tz)
        return [found[seq] for seq in seqs]
