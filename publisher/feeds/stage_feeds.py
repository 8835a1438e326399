"""The store → feeds/: what a change touches is staged again, the rest is left alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from publisher.articles import store
from publisher.articles.failure_isolation import report_failure
from publisher.articles.namespace import site_namespace
from publisher.feeds import archives_store as archives
from publisher.feeds import facets_store as facets
from publisher.feeds import store as table
from publisher.feeds.definitions import archive_path, definition_of, feed_path, is_configured
from publisher.feeds.entries import EntryRenderer, entries_fingerprint, make_site_info
from publisher.feeds.feed_limit import within_feed_limit
from publisher.feeds.formats.archive_links import ArchiveLinks
from publisher.feeds.stage_directory import drop_files, stage_directory, staged_feed_file
from publisher.feeds.store import Facet, StagedFile
from publisher.model.problems import Problem
from publisher.model.report import Progress, PublishResult
from publisher.model.taxonomy import FacetKind
from publisher.settings import Site
from publisher.staging.folder import StagedFolder
from publisher.storage import facts
from publisher.storage.engine import Database
from publisher.websub import notifications_store as announcements
from publisher.websub.recipients import recipients
from publisher.workers.pool import Workers

__all__ = ["stage_feeds"]

#: Feeds staged in one transaction.
_FEEDS_PER_TRANSACTION: Final = 50
#: Archive pages staged in one transaction.
_PAGES_PER_TRANSACTION: Final = 50
#: Headlines of a feed on the page of feeds.
_HEADLINES_PER_FEED: Final = 3


def stage_feeds(
    db: Database,
    site: Site,
    now: datetime,
    report: PublishResult,
    progress: Progress,
    workers: Workers,
    *,
    dry_run: bool,
) -> None:
    """Stage every feed that a change has touched, and note it in the report.

    Touched is a feed when an article of it came, changed or reached its time, when a setting
    that shows in it was changed, or when its files are missing or not as they were written.
    """
    with StagedFolder(site.feeds_dir, dry_run=dry_run, compress=[f".{one}" for one in site.feeds.compress]) as stage:
        with db.write() as connection:
            fingerprint = entries_fingerprint(site)
            _mark_changes(connection, now, fingerprint, stage)
            touched = within_feed_limit(connection, site, table.dirty_facets(connection), report)
            quiet = table.quiet_facets(connection)
            site_info = make_site_info(site, site_namespace(connection, site))
        entries = EntryRenderer(site=site, site_info=site_info, fingerprint=fingerprint, workers=workers, report=report)

        def work(connection: Connection) -> _FeedStager:
            seconds = int(now.timestamp())
            return _FeedStager(connection=connection, site=site, now=seconds, stage=stage, entries=entries, quiet=quiet)

        for facet in touched:
            if facet.kind in site.feeds.archived_kinds and is_configured(facet, site):
                _stage_archive(db, facet, work, site, progress)
        for at in range(0, len(touched), _FEEDS_PER_TRANSACTION):
            with db.write() as connection:
                one = work(connection)
                one.update_feed_entries(touched[at : at + _FEEDS_PER_TRANSACTION])
                whole = [facet.id for facet in touched[at : at + _FEEDS_PER_TRANSACTION] if one.stage_feed(facet)]
                stage.wait_for_compression()
                table.clear_dirty(connection, whole)
            progress("staging feeds", min(at + _FEEDS_PER_TRANSACTION, len(touched)), len(touched))
        with db.write() as connection:
            stage_directory(connection, site, now, stage, report, fingerprint, changed=bool(touched))
            stage.wait_for_compression()
            report.feed_files = table.count_staged_files(connection, "feeds")


def _mark_changes(connection: Connection, now: datetime, fingerprint: str, stage: StagedFolder) -> None:
    """Mark as dirty what other things than articles have touched."""
    if facts.get_fact(connection, "feeds_fingerprint") != fingerprint:
        table.mark_all_dirty(connection)
        archives.mark_all_pages_dirty(connection)
        facts.set_fact(connection, "feeds_fingerprint", fingerprint)
    seconds = int(now.timestamp())
    kept = facts.get_fact(connection, "now")
    before = seconds if kept is None else int(kept)
    if kept is None or before != seconds:
        # Articles that carry a later date come out when it is reached; back in time, they go.
        crossed = store.seqs_changed_between(connection, min(before, seconds), max(before, seconds))
        table.mark_dirty(connection, facets.memberships(connection, crossed))
        archives.mark_pages_dirty(connection, crossed)
        facts.set_fact(connection, "now", str(seconds))
    for one in table.staged_files(connection):
        kind, _, rest = one.owner.partition(":")
        if kind not in ("feed", "archive"):
            continue
        if stage.is_unchanged(one.path.removeprefix("feeds/"), one.size, one.mtime_ns):
            continue
        number, _, page = rest.partition(":")
        table.mark_dirty(connection, [int(number)])
        if page:
            archives.mark_page_dirty(connection, int(number), int(page))


def _stage_archive(
    db: Database, facet: Facet, work: Callable[[Connection], _FeedStager], site: Site, progress: Progress
) -> None:
    """Close the pages of a feed's history that have become full, and stage those that changed."""
    with db.write() as connection:
        one = work(connection)
        one.fill_pages(facet)
        numbers = archives.dirty_pages(connection, facet.id)
    for at in range(0, len(numbers), _PAGES_PER_TRANSACTION):
        with db.write() as connection:
            one = work(connection)
            some = numbers[at : at + _PAGES_PER_TRANSACTION]
            one.update_page_entries(facet, some)
            whole = [page for page in some if one.stage_page(facet, page)]
            one.stage.wait_for_compression()
            archives.clear_dirty_pages(connection, facet.id, whole)
        progress(f"staging the archive of {definition_of(facet, site).title}", at + len(some), len(numbers))


@dataclass(slots=True, kw_only=True)
class _FeedStager:
    """One transaction's worth of feeds."""

    connection: Connection
    site: Site
    now: int
    stage: StagedFolder
    entries: EntryRenderer
    #: Feeds in which nothing but old articles is new: nobody is notified of them.
    quiet: Collection[int]

    def stage_feed(self, facet: Facet) -> bool:
        """Stage one feed in every format, or take it away where nothing is left of it.

        Returns:
            False where an article is missing from it, or a rule is broken: the feed stays dirty,
            so that the next run tries again, and says so again.
        """
        connection, site = self.connection, self.site
        count = table.count_articles(connection, facet.id, self.now)
        always = facet.kind in (FacetKind.ALL, FacetKind.CUSTOM)
        if not is_configured(facet, site) or (count == 0 and not always and not self._has_pages(facet)):
            self._drop(table.staged_files(connection, f"feed:{facet.id}"))
            self._drop_pages(facet)
            table.delete_feed(connection, facet.id)
            return True
        seqs = self._newest(facet)
        archive_links = ArchiveLinks()
        if self._has_archive(facet):
            archive_links = ArchiveLinks(previous=archives.last_page_number(connection, facet.id) or None)
            # What is on no page yet stands here, whatever its date: pages and feed are the whole.
            waiting = archives.unpaged_articles(connection, facet.id, self.now)
            if not set(waiting) <= set(seqs):
                seqs = table.sort_by_change_time(connection, {*seqs, *waiting})
        else:
            self._drop_pages(facet)
        is_whole = self.entries.update_entries(connection, seqs)
        is_whole = self._stage(facet, f"feed:{facet.id}", seqs, archive_links) and is_whole
        changed = table.last_change_time(connection, seqs) or 0
        table.save_feed(connection, facet.id, articles=count, changed_at=changed, latest=self._headlines(seqs))
        return is_whole

    def update_feed_entries(self, some: Sequence[Facet]) -> None:
        """Make the entries of several feeds together: workers are worth their start for many."""
        wanted = {seq for facet in some if is_configured(facet, self.site) for seq in self._newest(facet)}
        self.entries.update_entries(self.connection, sorted(wanted))

    def update_page_entries(self, facet: Facet, pages: Sequence[int]) -> None:
        """The same for several pages of one archive."""
        if self._has_archive(facet):
            seqs = [seq for page in pages for seq in archives.page_articles(self.connection, facet.id, page, self.now)]
            self.entries.update_entries(self.connection, seqs)

    def stage_page(self, facet: Facet, page: int) -> bool:
        """Stage an archive page in every format; tell whether nothing is missing from it."""
        if not is_configured(facet, self.site) or not self._has_archive(facet):
            return True
        seqs = archives.page_articles(self.connection, facet.id, page, self.now)
        is_whole = self.entries.update_entries(self.connection, seqs)
        archive_links = ArchiveLinks(page=page, previous=page - 1 if page > 1 else None)
        return self._stage(facet, f"archive:{facet.id}:{page}", seqs, archive_links) and is_whole

    def fill_pages(self, facet: Facet) -> None:
        """Put the oldest articles on pages of their own, as many to a page as the feed has.

        A page is closed by count and not by month: a page has about the size of the feed itself,
        in a year of ten articles and in one of ten thousand, and an article that comes late, with
        an old date, changes no page that is closed.
        """
        limit = self.site.limit(facet.kind, facet.slug)
        if not self._has_archive(facet) or limit is None:
            return
        waiting = archives.unpaged_articles(self.connection, facet.id, self.now)
        page = archives.last_page_number(self.connection, facet.id) if len(waiting) >= limit else 0
        for at in range(0, len(waiting) - limit + 1, limit):
            page += 1
            archives.fill_page(self.connection, facet.id, page, waiting[at : at + limit])

    def _newest(self, facet: Facet) -> list[int]:
        limit = self.site.limit(facet.kind, facet.slug)
        return table.newest_articles(self.connection, facet.id, self.now, limit)

    def _has_archive(self, facet: Facet) -> bool:
        return facet.kind in self.site.feeds.archived_kinds and is_configured(facet, self.site)

    def _has_pages(self, facet: Facet) -> bool:
        return self._has_archive(facet) and archives.last_page_number(self.connection, facet.id) > 0

    def _stage(self, facet: Facet, owner: str, seqs: Sequence[int], archive_links: ArchiveLinks) -> bool:
        """Stage one document in every format, and tell whether all of them keep the rules.

        Entries were checked when they were made; what stands around them is checked here.
        """
        from publisher.feeds.checks.feed import check_feed
        from publisher.feeds.formats.xml import join_feed, render_frame

        connection, site, report = self.connection, self.site, self.entries.report
        channel = definition_of(facet, site)
        changed = table.last_change_time(connection, seqs)
        moment = None if changed is None else datetime.fromtimestamp(changed, UTC).astimezone(site.tz)
        files, kept = [], set[str]()
        before = {one.path: one.sha256 for one in table.staged_files(connection, owner)}
        is_whole = True
        for form in site.feeds.formats:
            path = (
                feed_path(facet, form) if archive_links.page is None else archive_path(facet, archive_links.page, form)
            )
            kept.add(f"feeds/{path}")
            try:
                around = render_frame(channel, form, self.entries.site_info, moment, archive_links)
                faults = check_feed(b"".join(around), address=archive_links.address(channel, form.value))
            except Exception as error:
                report_failure(report, site, f"{site.paths.feeds}/{path}", "was left as it was", error)
                is_whole = False
                continue
            if faults:
                reason = f"was left as it was: {faults[0].id}: {faults[0].message}; {faults[0].rule.fix}"
                report.rejected.append(Problem(where=f"{site.paths.feeds}/{path}", is_rejected=True, reason=reason))
                is_whole = False
                continue
            written = self.stage.put(path, join_feed(form, around, table.load_entries(connection, seqs, form.value)))
            files.append(staged_feed_file(written, owner))
            if written.changed:
                report.feeds_changed.append(f"{site.paths.feeds}/{path}")
            # Not what was written just now: a run that was killed may have written it, and told nobody.
            if archive_links.page is None and before.get(f"feeds/{path}") != written.sha256:
                if facet.id in self.quiet:
                    announcements.update_hash(connection, path, written.sha256)
                else:
                    announcements.queue_notifications(connection, recipients(site, form), path, written.sha256)
        self._drop([one for one in table.staged_files(connection, owner) if one.path not in kept])
        table.save_staged_files(connection, files)
        return is_whole

    def _drop_pages(self, facet: Facet) -> None:
        """Take away the archive of a feed that has none any more."""
        owner = f"archive:{facet.id}"
        # Where there are pages, the first one is among them: a look by the index.
        if table.staged_files(self.connection, f"{owner}:1"):
            self._drop(table.staged_files(self.connection, owner, below=True))

    def _drop(self, files: Iterable[StagedFile]) -> None:
        drop_files(self.connection, self.site, self.stage, self.entries.report, files)

    def _headlines(self, seqs: Sequence[int]) -> str:
        from publisher.feeds.directory import Headline, dump_headlines

        newest = store.newest_among(self.connection, seqs, _HEADLINES_PER_FEED)
        found = store.articles_by_seq(self.connection, newest, self.site.base_url, self.site.tz)
        return dump_headlines([Headline(title=found[seq].title, link=found[seq].link) for seq in newest])
