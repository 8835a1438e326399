"""The store → feeds/: what a change touches is staged again, the rest is left alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from publisher import __version__
from publisher.actions.ingest import namespace_of
from publisher.actions.report import Progress, PublishReport
from publisher.config import Site
from publisher.errors import TemplateError
from publisher.markup import url_path
from publisher.model import ALL, Article, Channel, FacetKind, FeedFormat
from publisher.parallel import Workers
from publisher.selection import matches
from publisher.stage import Stage, Written
from publisher.store import articles as store
from publisher.store import feeds as table
from publisher.store import sources
from publisher.store.database import Database
from publisher.store.feeds import Facet, FeedRow, StagedFile, Window
from publisher.store.sources import Problem

if TYPE_CHECKING:
    from publisher.render.house import House
    from publisher.render.index import Listed

__all__ = ["channel_of", "stage_feeds", "sync_channels"]

#: Feeds staged in one transaction.
_BATCH: Final = 50
#: Entries made at a time.
_PAGE: Final = 500
#: Headlines of a feed on the page of feeds.
_HEADLINES: Final = 3
_ORDER: Final = tuple(FacetKind)
#: The owner of the page and the list of feeds among the staged files.
_INDEX: Final = "index"


def channel_of(facet: Facet, site: Site) -> Channel:
    """Return the definition of the feed about a facet."""
    title, description = f"{site.title}: {facet.label}", f"Articles on {facet.label}"
    path = f"{facet.kind.value}/{facet.slug}"
    if facet.kind is FacetKind.ALL:
        title, description, path = site.title, site.description, "all"
    elif facet.kind is FacetKind.CHANNEL:
        own = site.feeds.channels[facet.slug]
        title, description, path = own.title, own.description, facet.slug
    elif facet.kind is FacetKind.AUTHOR:
        description = f"Articles by {facet.label}"
    elif facet.kind is FacetKind.REGION:
        description = f"Articles from {facet.label}"
    return Channel(
        kind=facet.kind,
        slug=facet.slug,
        title=title,
        description=description,
        language=site.language,
        home=f"{site.base_url}/",
        address=f"{site.feeds_url}/{url_path(path)}",
    )


def _path(facet: Facet, form: FeedFormat) -> str:
    folder = "" if facet.kind in (FacetKind.ALL, FacetKind.CHANNEL) else f"{facet.kind.value}/"
    return f"{folder}{facet.slug}.{form.value}"


def stage_feeds(
    db: Database,
    site: Site,
    now: datetime,
    report: PublishReport,
    progress: Progress,
    workers: Workers,
    *,
    dry_run: bool,
) -> None:
    """Stage every feed that a change has touched, and note it in the report.

    Touched is a feed when an article of it came, changed or reached its time, when a setting
    that shows in it was changed, or when its files are missing or not as they were written.
    """
    from publisher.render.house import REVISION, House

    with Stage(site.feeds_dir, dry_run=dry_run) as stage:
        with db.write() as connection:
            fingerprint = hashlib.sha256(f"{site.fingerprint()} {REVISION} {__version__}".encode()).hexdigest()[:16]
            _prepare(connection, now, fingerprint, stage)
            touched = table.dirty_facets(connection)
            house = House(
                title=site.title,
                base_url=site.base_url,
                feeds_url=site.feeds_url,
                language=site.language,
                author=site.default_author,
                rights=site.rights,
                namespace=namespace_of(connection, site),
            )
        made = _Made(house=house, fingerprint=fingerprint, workers=workers)
        for at in range(0, len(touched), _BATCH):
            with db.write() as connection:
                work = _Work(
                    connection=connection,
                    site=site,
                    now=int(now.timestamp()),
                    stage=stage,
                    report=report,
                    made=made,
                )
                whole = [facet.id for facet in touched[at : at + _BATCH] if work.stage_feed(facet)]
                table.clean(connection, whole)
            progress("staging feeds", min(at + _BATCH, len(touched)), len(touched))
        with db.write() as connection:
            _stage_index(connection, site, stage, report, fingerprint, changed=bool(touched))
            report.feed_files = len([one for one in table.staged_files(connection) if one.path.startswith("feeds/")])


def _prepare(connection: Connection, now: datetime, fingerprint: str, stage: Stage) -> None:
    """Mark as dirty what other things than articles have touched."""
    if sources.get_fact(connection, "feeds_fingerprint") != fingerprint:
        table.mark_all_dirty(connection)
        sources.set_fact(connection, "feeds_fingerprint", fingerprint)
    seconds = int(now.timestamp())
    kept = sources.get_fact(connection, "now")
    before = seconds if kept is None else int(kept)
    if kept is None or before != seconds:
        # Articles that carry a later date come out when it is reached; back in time, they go.
        crossed = store.seqs_published_between(connection, min(before, seconds), max(before, seconds))
        table.mark_dirty(connection, store.memberships(connection, crossed))
        sources.set_fact(connection, "now", str(seconds))
    for one in table.staged_files(connection):
        kind, _, number = one.owner.partition(":")
        if kind == "feed" and not stage.is_intact(one.path.removeprefix("feeds/"), one.size, one.mtime_ns):
            table.mark_dirty(connection, [int(number)])


def sync_channels(connection: Connection, site: Site) -> None:
    """File every article under the site's own channels, where their definition was changed."""
    store.mint_facets(connection, [ALL])
    for slug, channel in site.feeds.channels.items():
        definition = hashlib.sha256(
            channel.model_dump_json(exclude={"title", "description", "limit"}).encode()
        ).hexdigest()
        if sources.get_fact(connection, f"channel:{slug}") == definition:
            continue
        number = store.mint_facets(connection, [(FacetKind.CHANNEL, slug)])[FacetKind.CHANNEL, slug]
        store.empty_facet(connection, number)
        for page in store.every_article(connection, site.base_url, site.tz):
            rows = [
                {"facet_id": number, "published_at": int(one.published.timestamp()), "article_seq": one.seq}
                for one in page
                if matches(channel.query, one)
            ]
            store.add_memberships(connection, rows)
        table.mark_dirty(connection, [number])
        sources.set_fact(connection, f"channel:{slug}", definition)


def _wanted(facet: Facet, site: Site) -> bool:
    if facet.kind is FacetKind.ALL:
        return True
    if facet.kind is FacetKind.CHANNEL:
        return facet.slug in site.feeds.channels
    return facet.kind.value in site.feeds.by


@dataclass(slots=True, kw_only=True)
class _Made:
    """What a run knows of the entries that it needs."""

    house: House
    #: What the settings and the code add to an entry's revision.
    fingerprint: str
    workers: Workers
    #: Articles whose entry could not be made.
    broken: set[int] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class _Work:
    """One transaction's worth of feeds."""

    connection: Connection
    site: Site
    now: int
    stage: Stage
    report: PublishReport
    made: _Made

    def stage_feed(self, facet: Facet) -> bool:
        """Stage one feed in every format, or take it away where nothing is left of it.

        Returns:
            False where an article is missing from it that no entry could be made of: the feed
            stays dirty, so that the next run tries again, and says so again.
        """
        connection, site = self.connection, self.site
        count = table.count_members(connection, facet.id, self.now)
        always = facet.kind in (FacetKind.ALL, FacetKind.CHANNEL)
        if not _wanted(facet, site) or (count == 0 and not always):
            self._remove(facet)
            return True
        window = Window(facet_id=facet.id, now=self.now, limit=site.limit(facet.kind, facet.slug))
        is_whole = self._freshen(window)
        changed = table.newest_change(connection, window)
        self._stage_formats(facet, window, changed)
        headlines = self._headlines(store.newest(connection, facet.id, self.now, _HEADLINES))
        table.save_feed(connection, facet.id, articles=count, changed_at=changed or 0, latest=headlines)
        return is_whole

    def _stage_formats(self, facet: Facet, window: Window, changed: int | None) -> None:
        from publisher.render.feed import joined

        channel = channel_of(facet, self.site)
        moment = None if changed is None else datetime.fromtimestamp(changed, UTC).astimezone(self.site.tz)
        files = []
        for form in self.site.feeds.formats:
            entries = table.entries(self.connection, window, form.value)
            written = self.stage.put(_path(facet, form), joined(channel, form, self.made.house, moment, entries))
            files.append(_staged(written, "feeds", f"feed:{facet.id}"))
            if written.changed:
                self.report.feeds_changed.append(f"{self.site.paths.feeds}/{written.path}")
        kept = {one.path for one in files}
        self._drop([one for one in table.staged_files(self.connection, f"feed:{facet.id}") if one.path not in kept])
        table.save_staged(self.connection, files)

    def _remove(self, facet: Facet) -> None:
        self._drop(table.staged_files(self.connection, f"feed:{facet.id}"))
        table.drop_feed(self.connection, facet.id)

    def _drop(self, files: Iterable[StagedFile]) -> None:
        for one in files:
            path = one.path.removeprefix("feeds/")
            if self.stage.remove(path):
                self.report.feeds_removed.append(f"{self.site.paths.feeds}/{path}")
            table.drop_staged(self.connection, [one.path])

    def _headlines(self, seqs: Sequence[int]) -> str:
        from publisher.render.index import Headline, dump_headlines

        found = store.articles_by_seq(self.connection, seqs, self.site.base_url, self.site.tz)
        return dump_headlines([Headline(title=found[seq].title, link=found[seq].link) for seq in seqs])

    def _freshen(self, window: Window) -> bool:
        """Make the entries that are missing or older than their article or the settings; tell if all could be made."""
        wanted = table.stale_entries(self.connection, window, self.made.fingerprint)
        stale = [seq for seq in wanted if seq not in self.made.broken]
        pages = [stale[at : at + _PAGE] for at in range(0, len(stale), _PAGE)]
        if not pages:
            return not wanted
        from publisher.render.entry import render_entries

        jobs = ((self._articles(page), self.made.house) for page in pages)
        results = self.made.workers.map(render_entries, jobs, worth_it=len(pages) > 2)
        for page, (entries, broken) in zip(pages, results, strict=True):
            hashes = store.hashes(self.connection, page)
            table.save_entries(
                self.connection,
                [
                    {
                        "article_seq": seq,
                        "revision": f"{hashes[seq]}:{self.made.fingerprint}",
                        "body": entry.body,
                        "rss": entry.rss,
                        "atom": entry.atom,
                        "json": entry.json,
                    }
                    for seq, entry in entries
                ],
            )
            for article, reason in broken:
                self.made.broken.add(article.seq)
                problem = Problem(where=article.id, refused=True, reason=f"its feed entry cannot be made: {reason}")
                self.report.refused.append(problem)
        return self.made.broken.isdisjoint(wanted)

    def _articles(self, seqs: Sequence[int]) -> list[Article]:
        found = store.articles_by_seq(self.connection, seqs, self.site.base_url, self.site.tz)
        return [found[seq] for seq in seqs]


def _staged(written: Written, folder: str, owner: str) -> StagedFile:
    return StagedFile(
        path=f"{folder}/{written.path}",
        owner=owner,
        sha256=written.sha256,
        size=written.size,
        mtime_ns=written.mtime_ns,
    )


def _stage_index(
    connection: Connection, site: Site, stage: Stage, report: PublishReport, fingerprint: str, *, changed: bool
) -> None:
    """Stage the page and the list of all feeds, if a feed or the template changed or one is missing."""
    from publisher.render.sources import source_hash

    revision = f"{fingerprint} {source_hash(site.templates_dir, 'feeds/index.html.j2')}"
    kept = table.staged_files(connection, _INDEX)
    intact = len(kept) == 2 and all(
        stage.is_intact(one.path.removeprefix("feeds/"), one.size, one.mtime_ns) for one in kept
    )
    if intact and not changed and sources.get_fact(connection, "index_revision") == revision:
        return
    files: list[StagedFile] = []
    for name, data in _index_files(connection, site, report):
        written = stage.put(name, [data])
        files.append(_staged(written, "feeds", _INDEX))
        if written.changed:
            report.feeds_changed.append(f"{site.paths.feeds}/{name}")
    table.save_staged(connection, files)
    sources.set_fact(connection, "index_revision", revision)


def _listed(row: FeedRow, site: Site) -> Listed:
    from publisher.render.index import Listed, load_headlines

    channel = channel_of(row.facet, site)
    # Under its heading a label needs neither the site's name before it nor a word about it.
    own = row.facet.kind in (FacetKind.ALL, FacetKind.CHANNEL)
    return Listed(
        channel=channel,
        name=channel.title if own else row.facet.label,
        about=channel.description if own else "",
        articles=row.articles,
        latest=load_headlines(row.latest),
    )


def _index_files(connection: Connection, site: Site, report: PublishReport) -> list[tuple[str, bytes]]:
    from publisher.render.index import render_index
    from publisher.render.opml import render_opml

    rows = sorted(table.feed_rows(connection), key=lambda row: _ORDER.index(row.facet.kind))
    listed = [_listed(row, site) for row in rows if _wanted(row.facet, site)]
    formats = site.feeds.formats
    opml_form = next((one for one in formats if one is not FeedFormat.JSON), formats[0])
    files = [("index.opml", render_opml(site.title, [one.channel for one in listed], opml_form.value))]
    try:
        page = render_index(
            listed,
            title=site.title,
            description=site.description,
            language=site.language,
            base_url=site.base_url,
            accent=site.theme.accent,
            formats=formats,
            templates=site.templates_dir,
        )
        files.append(("index.html", page))
    except TemplateError as error:
        report.refused.append(Problem(where="feeds/index.html", refused=True, reason=str(error)))
    return files
