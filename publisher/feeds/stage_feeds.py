"""Stage the changed feeds and archive pages into feeds/."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from publisher.articles import store
from publisher.articles.failure_isolation import failure_problem
from publisher.articles.namespace import site_namespace
from publisher.context import Context
from publisher.feeds import archives_store as archives
from publisher.feeds import facets_store as facets
from publisher.feeds import store as table
from publisher.feeds.changes import FeedChanges
from publisher.feeds.definitions import archive_path, definition_of, feed_path, is_configured
from publisher.feeds.entries import EntryRenderer, entries_fingerprint, make_site_info
from publisher.feeds.feed_limit import within_feed_limit
from publisher.feeds.formats.archive_links import ArchiveLinks
from publisher.feeds.stage_directory import drop_files, stage_directory
from publisher.feeds.store import Facet, StagedFile
from publisher.model.problems import Problem
from publisher.model.report import PublishResult
from publisher.model.taxonomy import FacetKind
from publisher.settings import Site
from publisher.staging.folder import StagedFolder
from publisher.storage import facts
from publisher.storage.engine import Database
from publisher.websub import notifications_store as notifications
from publisher.websub.recipients import recipients

#: Feeds staged in one transaction.
_FEEDS_PER_TRANSACTION: Final = 50
#: Archive pages staged in one transaction.
_PAGES_PER_TRANSACTION: Final = 50
#: Headlines of a feed in the feed directory.
_HEADLINES_PER_FEED: Final = 3


def stage_feeds(context: Context) -> PublishResult:
    """Stage every changed feed.

    A feed is staged again when one of its articles was added, changed or reached its time of publication,
    when a setting that it depends on changed, or when a file is missing or was modified.
    """
    site, db, now, changes = context.site, context.db, context.now, FeedChanges()
    with StagedFolder(
        site.feeds_dir, dry_run=db.is_dry_run, compress=[f".{suffix}" for suffix in site.feeds.compress]
    ) as stage:
        with db.write() as connection:
            fingerprint = entries_fingerprint(site)
            _mark_changes(connection, now, fingerprint, stage)
            changed = within_feed_limit(connection, site, table.dirty_facets(connection), changes)
            quiet = table.quiet_facets(connection)
            site_info = make_site_info(site, site_namespace(connection, site))
        entries = EntryRenderer(context=context, site_info=site_info, fingerprint=fingerprint, changes=changes)

        def stager_for(connection: Connection) -> _FeedStager:
            return _FeedStager(
                connection=connection, site=site, now=context.seconds, stage=stage, entries=entries, quiet=quiet
            )

        for facet in changed:
            if facet.kind in site.feeds.archived_kinds and is_configured(facet, site):
                _stage_archive(db, facet, stager_for, context)
        for at in range(0, len(changed), _FEEDS_PER_TRANSACTION):
            with db.write() as connection:
                stager = stager_for(connection)
                stager.update_feed_entries(changed[at : at + _FEEDS_PER_TRANSACTION])
                complete = [facet.id for facet in changed[at : at + _FEEDS_PER_TRANSACTION] if stager.stage_feed(facet)]
                stage.wait_for_compression()
                table.clear_dirty(connection, complete)
            context.progress("staging feeds", min(at + _FEEDS_PER_TRANSACTION, len(changed)), len(changed))
        with db.write() as connection:
            stage_directory(connection, context, stage, changes, fingerprint, changed=bool(changed))
            stage.wait_for_compression()
            count = table.count_staged_files(connection, "feeds")
    return PublishResult(
        feed_files=count,
        feeds_changed=tuple(changes.written),
        feeds_removed=tuple(changes.removed),
        rejected=tuple(changes.rejected),
    )


def _mark_changes(connection: Connection, now: datetime, fingerprint: str, stage: StagedFolder) -> None:
    """Mark feeds and archive pages that changed because of settings, time or modified files."""
    if facts.get_fact(connection, "feeds_fingerprint") != fingerprint:
        table.mark_all_dirty(connection)
        archives.mark_all_pages_dirty(connection)
        facts.set_fact(connection, "feeds_fingerprint", fingerprint)
    seconds = int(now.timestamp())
    current = facts.get_fact(connection, "now")
    before = seconds if current is None else int(current)
    if current is None or before != seconds:
        # Articles with a later date are published when it is reached, and leave when the clock is set back.
        crossed = store.seqs_changed_between(connection, min(before, seconds), max(before, seconds))
        table.mark_dirty(connection, facets.memberships(connection, crossed))
        archives.mark_pages_dirty(connection, crossed)
        facts.set_fact(connection, "now", str(seconds))
    for file in table.staged_files(connection):
        kind, _, rest = file.owner.partition(":")
        if kind not in ("feed", "archive"):
            continue
        if stage.is_unchanged(file.path.removeprefix("feeds/"), file.size, file.mtime_ns):
            continue
        number, _, page = rest.partition(":")
        table.mark_dirty(connection, [int(number)])
        if page:
            archives.mark_page_dirty(connection, int(number), int(page))


def _stage_archive(
    db: Database, facet: Facet, stager_for: Callable[[Connection], _FeedStager], context: Context
) -> None:
    """Fill new archive pages of a feed, and stage the pages that changed."""
    with db.write() as connection:
        stager = stager_for(connection)
        stager.fill_pages(facet)
        numbers = archives.dirty_pages(connection, facet.id)
    for at in range(0, len(numbers), _PAGES_PER_TRANSACTION):
        with db.write() as connection:
            stager = stager_for(connection)
            batch = numbers[at : at + _PAGES_PER_TRANSACTION]
            stager.update_page_entries(facet, batch)
            complete = [page for page in batch if stager.stage_page(facet, page)]
            stager.stage.wait_for_compression()
            archives.clear_dirty_pages(connection, facet.id, complete)
        context.progress(
            f"staging the archive of {definition_of(facet, context.site).title}", at + len(batch), len(numbers)
        )


@dataclass(slots=True, kw_only=True)
class _FeedStager:
    """Stages feeds and archive pages in one transaction."""

    connection: Connection
    site: Site
    now: int
    stage: StagedFolder
    entries: EntryRenderer
    #: Facet IDs of feeds in which only old articles are new: hubs are not notified of them.
    quiet: Collection[int]

    def stage_feed(self, facet: Facet) -> bool:
        """Stage one feed in every format, or delete it if it has no articles left.

        Returns:
            False if an article is missing, or a rule is violated. The feed stays marked, so that the
            next run tries again and reports it again.
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
            # The feed contains every article that has no page yet, so that feed and pages are complete.
            waiting = archives.unpaged_articles(connection, facet.id, self.now)
            if not set(waiting) <= set(seqs):
                seqs = table.sort_by_change_time(connection, {*seqs, *waiting})
        else:
            self._drop_pages(facet)
        is_complete = self.entries.update_entries(connection, seqs)
        is_complete = self._stage(facet, f"feed:{facet.id}", seqs, archive_links) and is_complete
        changed = table.last_change_time(connection, seqs) or 0
        table.save_feed(connection, facet.id, articles=count, changed_at=changed, latest=self._headlines(seqs))
        return is_complete

    def update_feed_entries(self, facets_to_stage: Sequence[Facet]) -> None:
        """Render the entries of several feeds together: workers pay off for many entries."""
        wanted = {seq for facet in facets_to_stage if is_configured(facet, self.site) for seq in self._newest(facet)}
        self.entries.update_entries(self.connection, sorted(wanted))

    def update_page_entries(self, facet: Facet, pages: Sequence[int]) -> None:
        """Render the entries of several pages of one archive together."""
        if self._has_archive(facet):
            seqs = [seq for page in pages for seq in archives.page_articles(self.connection, facet.id, page, self.now)]
            self.entries.update_entries(self.connection, seqs)

    def stage_page(self, facet: Facet, page: int) -> bool:
        """Stage an archive page in every format, and return whether it is complete."""
        if not is_configured(facet, self.site) or not self._has_archive(facet):
            return True
        seqs = archives.page_articles(self.connection, facet.id, page, self.now)
        is_complete = self.entries.update_entries(self.connection, seqs)
        archive_links = ArchiveLinks(page=page, previous=page - 1 if page > 1 else None)
        return self._stage(facet, f"archive:{facet.id}:{page}", seqs, archive_links) and is_complete

    def fill_pages(self, facet: Facet) -> None:
        """Assign the oldest articles to new pages, as many to a page as the feed has.

        Pages are filled by count and not by month. So a page has the size of the feed whatever the number
        of articles a year, and a late article with an old date changes no earlier page.
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
        """Stage one document in every format, and return whether all of them comply with the rules.

        Entries were checked when they were rendered. This checks the elements around them.
        """
        from publisher.feeds.checks.feed import check_feed
        from publisher.feeds.formats.xml_frame import join_feed, render_frame
        from publisher.findings.silence import split_silenced

        connection, site, changes = self.connection, self.site, self.entries.changes
        definition = definition_of(facet, site)
        changed = table.last_change_time(connection, seqs)
        changed_at = None if changed is None else datetime.fromtimestamp(changed, UTC).astimezone(site.tz)
        files, current = [], set[str]()
        before = {file.path: file.sha256 for file in table.staged_files(connection, owner)}
        is_complete = True
        for form in site.feeds.formats:
            path = (
                feed_path(facet, form) if archive_links.page is None else archive_path(facet, archive_links.page, form)
            )
            current.add(f"feeds/{path}")
            where = f"{site.paths.feeds}/{path}"
            try:
                frame = render_frame(definition, form, self.entries.site_info, changed_at, archive_links)
                findings = check_feed(b"".join(frame), url=archive_links.url(definition, form.value))
                violations, _ = split_silenced(findings, site.checks.silences)
            except Exception as error:
                changes.rejected.append(failure_problem(self.entries.context, where, "was not updated", error))
                is_complete = False
                continue
            if violations:
                reason = f"was not updated: {violations[0].id}: {violations[0].message}; {violations[0].rule.fix}"
                changes.rejected.append(Problem(where=where, is_rejected=True, reason=reason))
                is_complete = False
                continue
            written = self.stage.put(path, join_feed(form, frame, table.load_entries(connection, seqs, form.value)))
            files.append(StagedFile.of(written, "feeds", owner))
            if written.changed:
                changes.written.append(where)
            # Compare with the database, not with the file: a killed run may have written it and notified no hub.
            if archive_links.page is None and before.get(f"feeds/{path}") != written.sha256:
                if facet.id in self.quiet:
                    notifications.update_hash(connection, path, written.sha256)
                else:
                    notifications.queue_notifications(connection, recipients(site, form), path, written.sha256)
        self._drop([file for file in table.staged_files(connection, owner) if file.path not in current])
        table.save_staged_files(connection, files)
        return is_complete

    def _drop_pages(self, facet: Facet) -> None:
        """Delete the archive pages of a feed that has no archive any more."""
        owner = f"archive:{facet.id}"
        # Look for page 1 only, which is an index look-up.
        if table.staged_files(self.connection, f"{owner}:1"):
            self._drop(table.staged_files(self.connection, owner, below=True))

    def _drop(self, files: Iterable[StagedFile]) -> None:
        drop_files(self.connection, self.site, self.stage, self.entries.changes, files)

    def _headlines(self, seqs: Sequence[int]) -> str:
        from publisher.feeds.directory import Headline, dump_headlines

        newest = store.newest_among(self.connection, seqs, _HEADLINES_PER_FEED)
        by_seq = store.articles_by_seq(self.connection, newest, self.site.base_url, self.site.tz)
        return dump_headlines([Headline(title=by_seq[seq].title, link=by_seq[seq].link) for seq in newest])
