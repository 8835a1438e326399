"""Stage the files besides feeds: feed directory, OPML, news sitemap, headers, pages of withdrawn articles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from sqlalchemy import Connection

from publisher.articles import corrections_store as corrections
from publisher.articles import store
from publisher.articles.corrections_store import Retraction
from publisher.articles.failure_isolation import failure_problem, render_with_fallback
from publisher.articles.namespace import site_namespace
from publisher.context import Context
from publisher.feeds import store as table
from publisher.feeds.changes import FeedChanges
from publisher.feeds.definitions import definition_of, feed_path, is_configured
from publisher.feeds.store import FeedRow, StagedFile
from publisher.html.urls import url_path
from publisher.model.articles import Article
from publisher.model.feeds import FeedFormat
from publisher.model.taxonomy import FacetKind
from publisher.settings import Site
from publisher.staging.folder import StagedFolder
from publisher.storage import facts
from publisher.websub import notifications_store as notifications
from publisher.websub.recipients import recipients

if TYPE_CHECKING:
    from publisher.feeds.directory import FeedListing

_KIND_ORDER: Final = tuple(FacetKind)
#: The owner of these files in the table of staged files.
_OWNER: Final = "index"
_TOMBSTONES: Final = "tombstones.atom"
#: Limits of a news sitemap (https://developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap).
_NEWS_MAX_AGE: Final = timedelta(days=2)
_NEWS_MAX_ARTICLES: Final = 1_000


def drop_files(
    connection: Connection, site: Site, stage: StagedFolder, changes: FeedChanges, files: Iterable[StagedFile]
) -> None:
    """Delete files from feeds/."""
    for file in files:
        path = file.path.removeprefix("feeds/")
        if stage.remove(path):
            changes.removed.append(f"{site.paths.feeds}/{path}")
        notifications.delete_feed_notifications(connection, path)
        table.delete_staged_files(connection, [file.path])


def withdrawn_page_path(link: str, site: Site) -> str | None:
    """Return the path of the page of a withdrawn article, or None if its URL is not one of the site.

    The folder ``gone/`` mirrors the paths of the site, so that a web server finds the page by the path of
    the URL, without a list that has to be reloaded.
    """
    parts, own = urlsplit(link), urlsplit(site.base_url)
    if parts.netloc != own.netloc or parts.query:
        return None
    path = unquote(parts.path).strip("/")
    if not path or any(part in ("", ".", "..") or len(part.encode()) > 240 for part in path.split("/")):
        return None
    if not parts.path.endswith("/") and path.rpartition("/")[2] == "index":
        # The page would be served for the folder: even for the home page.
        return None
    return f"gone/{path}/index.html" if parts.path.endswith("/") else f"gone/{path}.html"


def stage_directory(
    connection: Connection,
    context: Context,
    stage: StagedFolder,
    changes: FeedChanges,
    fingerprint: str,
    *,
    changed: bool,
) -> None:
    """Stage the files besides feeds if a feed, a template or the news changed, or a file is missing."""
    from publisher.templating.sources import source_hash

    site, seconds = context.site, context.seconds
    news = store.published_since(connection, seconds - int(_NEWS_MAX_AGE.total_seconds()), seconds, _NEWS_MAX_ARTICLES)
    templates = [source_hash(site.templates_dir, f"feeds/{name}") for name in ("index.html.j2", "gone.html.j2")]
    withdrawn = corrections.list_retractions(connection)
    retractions = [(article.seq, article.retracted_at, article.reason) for article in withdrawn]
    inputs = f"{fingerprint} {' '.join(templates)} {news} {retractions}"
    revision = hashlib.sha256(inputs.encode()).hexdigest()
    staged = table.staged_files(connection, _OWNER)
    is_complete = bool(staged) and all(
        stage.is_unchanged(file.path.removeprefix("feeds/"), file.size, file.mtime_ns) for file in staged
    )
    if is_complete and not changed and facts.get_fact(connection, "index_revision") == revision:
        return
    before = {file.path: file.sha256 for file in staged}
    files: list[StagedFile] = []
    rows = sorted(table.feed_rows(connection), key=lambda row: _KIND_ORDER.index(row.facet.kind))
    rows = [row for row in rows if is_configured(row.facet, site)]
    wanted = _machine_readable_files(
        connection, context, rows, [seq for seq, _ in news], changes, has_withdrawn=bool(withdrawn)
    )
    wanted += _html_pages(connection, site, rows, withdrawn)
    rendered = _render_files(wanted, context, changes)
    if len(rendered) < len(wanted):
        # Keep the old files, and try again in the next run.
        staged, revision = [], ""
    for name, data in rendered:
        written = stage.put(name, [data])
        files.append(StagedFile.of(written, "feeds", _OWNER))
        if written.changed:
            changes.written.append(f"{site.paths.feeds}/{name}")
        if name == _TOMBSTONES and before.get(f"feeds/{name}") != written.sha256:
            notifications.queue_notifications(connection, recipients(site, FeedFormat.ATOM), name, written.sha256)
    current = {file.path for file in files}
    drop_files(connection, site, stage, changes, [file for file in staged if file.path not in current])
    table.save_staged_files(connection, files)
    facts.set_fact(connection, "index_revision", revision)


def _render_files(
    wanted: list[tuple[str, Callable[[], bytes]]], context: Context, changes: FeedChanges
) -> list[tuple[str, bytes]]:
    """Render files. Errors are added to the changes, each text once."""
    rendered, reported = [], set()
    for name, render in wanted:
        try:
            rendered.append((name, render()))
        except Exception as error:
            if str(error) not in reported:
                reported.add(str(error))
                path = f"{context.site.paths.feeds}/{name}"
                changes.rejected.append(failure_problem(context, path, "was not updated", error))
    return rendered


def _machine_readable_files(
    connection: Connection,
    context: Context,
    rows: Sequence[FeedRow],
    news: list[int],
    changes: FeedChanges,
    *,
    has_withdrawn: bool,
) -> list[tuple[str, Callable[[], bytes]]]:
    """Return (name, render function) of the machine-readable files."""
    from publisher.feeds.directory import render_autodiscovery
    from publisher.feeds.headers_file import render_headers
    from publisher.feeds.opml import render_opml
    from publisher.feeds.sitemap import render_news_sitemap

    site, formats = context.site, context.site.feeds.formats
    definitions = [definition_of(row.facet, site) for row in rows]
    opml_form = next((form for form in formats if form is not FeedFormat.JSON), formats[0])
    main = [definition for definition in definitions if definition.kind in (FacetKind.ALL, FacetKind.CUSTOM)]
    by_seq = store.articles_by_seq(connection, news, site.base_url, site.tz)
    # A sitemap lists URLs of its own host only (https://www.sitemaps.org/protocol.html#location).
    recent = [by_seq[seq] for seq in news if urlsplit(by_seq[seq].link).netloc == urlsplit(site.base_url).netloc]
    paths = [feed_path(row.facet, form) for row in rows for form in formats]
    if has_withdrawn:
        paths.append(_TOMBSTONES)

    def news_sitemap() -> bytes:
        def render(articles: Sequence[Article]) -> bytes:
            return render_news_sitemap(articles, site.title, site.language)

        data, failing = render_with_fallback(render, recent, may_be_empty=True)
        known = store.rows_by_seq(connection, [article.seq for article, _ in failing])
        for article, error in failing:
            problem = f"{article.title!r} was left out of the news sitemap"
            changes.rejected.append(failure_problem(context, known[article.seq].source, problem, error))
        return data

    return [
        ("index.opml", partial(render_opml, site.title, definitions, opml_form.value)),
        ("autodiscovery.html", partial(render_autodiscovery, main, formats)),
        ("news-sitemap.xml", news_sitemap),
        ("_headers", partial(render_headers, paths, site.feeds_url, site.hubs)),
    ]


def _html_pages(
    connection: Connection, site: Site, rows: Sequence[FeedRow], withdrawn: Sequence[Retraction]
) -> list[tuple[str, Callable[[], bytes]]]:
    """Return (name, render function) of the feed directory, the feed of tombstones and the withdrawn articles' pages."""
    from publisher.feeds.directory import render_feed_directory, render_withdrawn_page
    from publisher.feeds.tombstones import render_tombstones

    listings = [_feed_listing(row, site) for row in rows]
    files: list[tuple[str, Callable[[], bytes]]] = [
        ("index.html", partial(render_feed_directory, site, listings, has_withdrawn=bool(withdrawn)))
    ]
    if withdrawn:
        url, namespace = f"{site.feeds_url}/{_TOMBSTONES}", site_namespace(connection, site)
        files.append((_TOMBSTONES, partial(render_tombstones, withdrawn, site, url, namespace)))
    for article in withdrawn:
        record = json.loads(article.record)
        path = withdrawn_page_path(record.get("url") or site.base_url + url_path(article.path), site)
        if path is not None:
            # The title of an article that became a draft is not public.
            title = record["title"] if article.reason is not None else ""
            when = datetime.fromtimestamp(article.retracted_at, site.tz)
            files.append((path, partial(render_withdrawn_page, site, title, article.reason or "", when)))
    return files


def _feed_listing(row: FeedRow, site: Site) -> FeedListing:
    from publisher.feeds.directory import FeedListing, load_headlines

    definition = definition_of(row.facet, site)
    # Below a heading, a label needs no site name and no description.
    own = row.facet.kind in (FacetKind.ALL, FacetKind.CUSTOM)
    return FeedListing(
        definition=definition,
        name=definition.title if own else row.facet.label,
        about=definition.description if own else "",
        articles=row.articles,
        latest=load_headlines(row.latest),
    )
