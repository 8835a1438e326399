"""Personal feeds: the articles of a subscriber's newsletters, at a secret URL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from publisher.articles import store
from publisher.articles.namespace import site_namespace
from publisher.context import Context
from publisher.feeds import store as table
from publisher.feeds.changes import FeedChanges
from publisher.feeds.entries import EntryRenderer, entries_fingerprint, make_site_info
from publisher.model.feeds import FeedDefinition, FeedFormat
from publisher.model.query import matches_query
from publisher.model.taxonomy import FacetKind
from publisher.settings import Site
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.subscribers.store import Subscriber
from publisher.subscriptions.preferences import personal_feed_url
from publisher.workers.pool import Workers

#: Articles that are searched for a feed at most, and articles per query.
_MAX_SEARCHED: Final = 2_000
_PAGE: Final = 100
#: Articles in a personal feed if the site's feeds have no limit.
_DEFAULT_LIMIT: Final = 50


def render_personal_feed(context: Context, token: str, form: FeedFormat) -> bytes | None:
    """Return a personal feed; None if the token is not valid any more.

    Args:
        token: the last part of the feed's URL (``Preferences.feed``), without suffix.
    """
    from publisher.feeds.formats.xml_frame import join_feed, render_frame

    site, db, form = context.site, context.db, FeedFormat(form)
    with db.read() as connection:
        subscriber = _subscriber(site, connection, token)
        if subscriber is None:
            return None
        seqs = _article_seqs(context, connection, subscriber)
        fingerprint = entries_fingerprint(site)
        is_stale = bool(table.stale_entries(connection, seqs, fingerprint))
    if is_stale:
        # In this process: a server with many threads must not be forked.
        with db.write() as connection, Workers(1) as workers:
            site_info = make_site_info(site, site_namespace(connection, site))
            entries = EntryRenderer(
                context=replace(context, workers=workers),
                site_info=site_info,
                fingerprint=fingerprint,
                changes=FeedChanges(),
            )
            entries.update_entries(connection, seqs)
    with db.read() as connection:
        address = personal_feed_url(site, connection, subscriber)
        assert address is not None
        # Hubs must not learn a secret URL.
        site_info = replace(make_site_info(site, site_namespace(connection, site)), hubs=(), cloud=None)
        changed = table.last_change_time(connection, seqs)
        channel = FeedDefinition(
            kind=FacetKind.CUSTOM,
            slug="mine",
            title=f"{site.title}: my own",
            description="What my newsletters would bring",
            language=site.language,
            home_page_url=f"{site.base_url}/",
            url=address,
        )
        moment = None if changed is None else datetime.fromtimestamp(changed, site.tz)
        around = render_frame(channel, form, site_info, moment)
        return b"".join(join_feed(form, around, table.load_entries(connection, seqs, form.value)))


def personal_feed_state(context: Context, token: str) -> str | None:
    """Return a text that changes with the feed of a token; None for no feed.

    The cost does not depend on the archive: most feed readers that ask have the feed already.
    """
    with context.db.read() as connection:
        subscriber = _subscriber(context.site, connection, token)
        if subscriber is None:
            return None
        return repr((table.feeds_generation(connection), subscriber.digests, sorted(subscriber.follows.items())))


def _subscriber(site: Site, connection: Connection, token: str) -> Subscriber | None:
    named = keyring(site, connection).subscriber_of_feed_token(token)
    if named is None:
        return None
    number, since = named
    subscriber = subscribers.find_subscriber(connection, number)
    is_valid = subscriber is not None and not subscriber.is_suppressed and subscriber.feed_since == since
    return subscriber if is_valid else None


def _article_seqs(context: Context, connection: Connection, subscriber: Subscriber) -> Sequence[int]:
    """Return the arrival numbers of the articles in the feed, newest first."""
    site = context.site
    limit = site.feeds.limit if isinstance(site.feeds.limit, int) else _DEFAULT_LIMIT
    digests = [digest.query for digest in site.all_digests() if digest.slug in subscriber.digests]
    interests = subscribers.interest_query(subscriber)
    newest = store.newest_seqs(connection, context.seconds, _MAX_SEARCHED) if digests else []
    seqs: list[int] = []
    for at in range(0, len(newest), _PAGE):
        page = newest[at : at + _PAGE]
        records = store.records_by_seq(connection, page)
        seqs += [
            seq
            for seq in page
            if matches_query(interests, records[seq]) and any(matches_query(query, records[seq]) for query in digests)
        ]
        if len(seqs) >= limit:
            break
    return seqs[:limit]
