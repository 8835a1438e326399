"""The feeds of a site: their titles, URLs and file paths, and those that the settings define."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection

from publisher.articles import store
from publisher.context import Context
from publisher.feeds import archives_store as archives
from publisher.feeds import facets_store as facets
from publisher.feeds import store as table
from publisher.feeds.store import Facet
from publisher.html.urls import url_path
from publisher.model.feeds import FeedDefinition, FeedFormat
from publisher.model.query import matches_query
from publisher.model.taxonomy import ALL, FacetKind
from publisher.settings import Site
from publisher.storage import facts


def _stem(facet: Facet) -> str:
    """Return the path of a feed relative to feeds/, without suffix."""
    if facet.kind in (FacetKind.ALL, FacetKind.CUSTOM):
        return facet.slug
    return f"{facet.kind.value}/{facet.slug}"


def feed_path(facet: Facet, form: FeedFormat) -> str:
    """Return the path of a feed's file, relative to feeds/."""
    return f"{_stem(facet)}.{form.value}"


def archive_path(facet: Facet, page: int, form: FeedFormat) -> str:
    """Return the path of an archive page's file, relative to feeds/."""
    return f"archive/{_stem(facet)}/{page}.{form.value}"


def definition_of(facet: Facet, site: Site) -> FeedDefinition:
    """Return the definition of a facet's feed."""
    title, description = f"{site.title}: {facet.label}", f"Articles on {facet.label}"
    if facet.kind is FacetKind.ALL:
        title, description = site.title, site.description
    elif facet.kind is FacetKind.CUSTOM:
        own = site.feeds.channels[facet.slug]
        title, description = own.title, own.description
    elif facet.kind is FacetKind.AUTHOR:
        description = f"Articles by {facet.label}"
    elif facet.kind is FacetKind.REGION:
        description = f"Articles from {facet.label}"
    path = url_path(_stem(facet))
    return FeedDefinition(
        kind=facet.kind,
        slug=facet.slug,
        title=title,
        description=description,
        language=site.language,
        home_page_url=f"{site.base_url}/",
        url=f"{site.feeds_url}/{path}",
        archive_url=f"{site.feeds_url}/archive/{path}" if facet.kind in site.feeds.archived_kinds else None,
    )


def feeds_of_article(context: Context, seq: int) -> list[str]:
    """Return the URLs of the feeds that an article belongs to, without the suffix of a format such as ``.rss``.

    An article that is too old for the limit of a feed is in its archive, if the feed has one.

    Args:
        seq: the arrival number of the article (``Article.seq``).
    """
    site = context.site
    with context.db.read() as connection:
        ids = facets.memberships(connection, [seq])
        known = [row.facet for row in table.feed_rows(connection) if row.facet.id in ids]
    return sorted(definition_of(facet, site).url for facet in known if is_configured(facet, site))


def is_configured(facet: Facet, site: Site) -> bool:
    """Return whether the settings configure a feed for a facet."""
    if facet.kind is FacetKind.ALL:
        return True
    if facet.kind is FacetKind.CUSTOM:
        return facet.slug in site.feeds.channels
    return facet.kind.value in site.feeds.by


def sync_custom_feeds(connection: Connection, site: Site) -> None:
    """Update the custom feeds and the archives whose settings changed."""
    facets.add_facets(connection, [ALL])
    for key in facts.facts_with_prefix(connection, "custom_feed:"):
        if key.removeprefix("custom_feed:") not in site.feeds.channels:
            # Articles that arrive until the feed is configured again are not added to it, so it has to be rebuilt then.
            facts.delete_fact(connection, key)
    for slug, channel in site.feeds.channels.items():
        definition = hashlib.sha256(
            channel.model_dump_json(exclude={"title", "description", "limit"}).encode()
        ).hexdigest()
        if facts.get_fact(connection, f"custom_feed:{slug}") == definition:
            continue
        number = facets.add_facets(connection, [(FacetKind.CUSTOM, slug)])[FacetKind.CUSTOM, slug]
        members: list[int] = []
        facets.empty_facet(connection, number)
        for page in store.iterate_articles(connection, site.base_url, site.tz):
            rows = [
                {"facet_id": number, "changed_at": int(article.changed.timestamp()), "article_seq": article.seq}
                for article in page
                if matches_query(channel.query, article)
            ]
            members += [row["article_seq"] for row in rows]
            facets.add_memberships(connection, rows)
        if FacetKind.CUSTOM in site.feeds.archived_kinds:
            archives.replace_archived_articles(connection, number, members)
        table.mark_dirty(connection, [number])
        facts.set_fact(connection, f"custom_feed:{slug}", definition)
    _sync_archives(connection, site)


def _sync_archives(connection: Connection, site: Site) -> None:
    """Create the archives of newly configured kinds, and delete those of removed kinds."""
    wanted = " ".join(sorted(site.feeds.archived_kinds))
    current = facts.get_fact(connection, "archive_kinds")
    if current == wanted:
        return
    before = set((current or "").split())
    for kind in sorted(before - site.feeds.archived_kinds):
        archives.delete_archives(connection, FacetKind(kind))
    for kind in sorted(site.feeds.archived_kinds - before):
        archives.start_archives(connection, FacetKind(kind))
    table.mark_all_dirty(connection)
    facts.set_fact(connection, "archive_kinds", wanted)
