"""Assign articles to facets, and mark the changed feeds for staging."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from publisher.feeds import archives_store as archives
from publisher.feeds import facets_store as facets
from publisher.feeds import store as feeds
from publisher.model.articles import Record
from publisher.model.query import fold_label, matches_query
from publisher.model.taxonomy import ALL, FacetKind
from publisher.settings import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPlacement:
    """An article to add to feeds."""

    seq: int
    record: Record
    changed_at: int
    #: True for an old article, about which hubs are not notified.
    is_quiet: bool = False


def add_to_feeds(connection: Connection, site: Site, articles: Sequence[FeedPlacement], known: Collection[int]) -> None:
    """Set the facets of articles, and mark the feeds of the old and the new facets.

    KNOWN has the arrival numbers of the articles that may be in feeds already.
    """
    if not articles:
        return
    before = facets.memberships(connection, known)
    labels = {placement.seq: _facets_of(site, placement.record) for placement in articles}
    numbers = facets.add_facets(connection, [label for own in labels.values() for label in own])
    rows, waiting = [], []
    for placement in articles:
        own = dict.fromkeys((numbers[kind, fold_label(label)], kind) for kind, label in labels[placement.seq])
        rows += [
            {"facet_id": number, "changed_at": placement.changed_at, "article_seq": placement.seq} for number, _ in own
        ]
        waiting += [(number, placement.seq) for number, kind in own if kind in site.feeds.archived_kinds]
    # Mark the pages first: the pages that lose an article must be staged, too.
    archives.mark_pages_dirty(connection, known)
    facets.replace_memberships(connection, known, rows)
    archives.remove_from_archives(connection, known, set(waiting))
    archives.add_to_archives(connection, waiting, known)
    quiet = {placement.seq for placement in articles if placement.is_quiet}
    feeds.mark_dirty(connection, before | {row["facet_id"] for row in rows if row["article_seq"] not in quiet})
    feeds.mark_dirty(connection, {row["facet_id"] for row in rows if row["article_seq"] in quiet}, is_quiet=True)


def remove_from_feeds(connection: Connection, seqs: Collection[int]) -> None:
    """Remove articles from all feeds and archive pages, and mark those for staging."""
    before = facets.memberships(connection, seqs)
    archives.mark_pages_dirty(connection, seqs)
    facets.replace_memberships(connection, seqs, [])
    archives.remove_from_archives(connection, seqs)
    feeds.mark_dirty(connection, before)


def _facets_of(site: Site, record: Record) -> list[tuple[FacetKind, str]]:
    channels = [(FacetKind.CUSTOM, slug) for slug, query in site.custom_feed_queries if matches_query(query, record)]
    return [ALL, *record.facets(), *channels]
