"""Personal feeds: what a subscriber's newsletters would bring, at an address that is a secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from publisher.articles import store
from publisher.articles.namespace import site_namespace
from publisher.feeds import store as table
from publisher.feeds.entries import EntryRenderer, entries_fingerprint, make_site_info
from publisher.model.feeds import FeedDefinition, FeedFormat
from publisher.model.query import matches_query
from publisher.model.report import PublishResult
from publisher.model.taxonomy import FacetKind
from publisher.settings import Site
from publisher.signing.site_key import keyring
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers
from publisher.subscribers.store import Subscriber
from publisher.subscriptions.preferences import personal_feed_url
from publisher.workers.pool import Workers

__all__ = ["personal_feed_state", "render_personal_feed"]

#: Articles that are looked at for a feed at most, and at a time.
_MOST: Final = 2_000
_PAGE: Final = 100
#: Articles in it, where feeds carry every one.
_LIMIT: Final = 50


def render_personal_feed(site: Site, db: Database, text: str, form: FeedFormat, now: datetime) -> bytes | None:
    """Return the feed that a pass stands for, as it is now; None where there is none, or it was taken back."""
    from publisher.feeds.formats.xml import join_feed, render_frame

    with db.read() as connection:
        reader = _reader(site, connection, text)
        if reader is None:
            return None
        seqs = _wanted(site, connection, reader, now)
        fingerprint = entries_fingerprint(site)
        is_stale = bool(table.stale_entries(connection, seqs, fingerprint))
    if is_stale:
        with db.write() as connection, Workers(1) as workers:
            site_info = make_site_info(site, site_namespace(connection, site))
            report = PublishResult(at=now.isoformat(), dry_run=False)
            entries = EntryRenderer(
                site=site, site_info=site_info, fingerprint=fingerprint, workers=workers, report=report
            )
            entries.update_entries(connection, seqs)
    with db.read() as connection:
        address = personal_feed_url(site, connection, reader)
        assert address is not None
        # Nobody tells a hub of an address that is a secret.
        site_info = replace(make_site_info(site, site_namespace(connection, site)), hubs=(), cloud=None)
        changed = table.last_change_time(connection, seqs)
        channel = FeedDefinition(
            kind=FacetKind.CUSTOM,
            slug="mine",
            title=f"{site.title}: my own",
            description="What my newsletters would bring",
            language=site.language,
            home=f"{site.base_url}/",
            address=address,
        )
        moment = None if changed is None else datetime.fromtimestamp(changed, site.tz)
        around = render_frame(channel, form, site_info, moment)
        return b"".join(join_feed(form, around, table.load_entries(connection, seqs, form.value)))


def personal_feed_state(site: Site, db: Database, text: str) -> str | None:
    """Return what tells whether the feed that a pass stands for is as it was; None where there is none.

    It costs the same whatever the archive: most who ask have the feed already.
    """
    with db.read() as connection:
        reader = _reader(site, connection, text)
        if reader is None:
            return None
        return repr((table.feeds_generation(connection), reader.digests, sorted(reader.follows.items())))


def _reader(site: Site, connection: Connection, text: str) -> Subscriber | None:
    found = keyring(site, connection).subscriber_of_feed_token(text)
    reader = subscribers.find_subscriber(connection, found[0]) if found is not None else None
    if reader is None or found is None or reader.is_suppressed or reader.feed_since != found[1]:
        return None
    return reader


def _wanted(site: Site, connection: Connection, reader: Subscriber, now: datetime) -> Sequence[int]:
    """Return the arrival numbers of what is in the feed, newest first."""
    limit = site.feeds.limit if isinstance(site.feeds.limit, int) else _LIMIT
    digests = [one.query for one in site.all_digests() if one.slug in reader.digests]
    interests = subscribers.interest_query(reader)
    newest = store.newest_seqs(connection, int(now.timestamp()), _MOST) if digests else []
    found: list[int] = []
    for at in range(0, len(newest), _PAGE):
        some = newest[at : at + _PAGE]
        known = store.records_by_seq(connection, some)
        found += [
            seq
            for seq in some
            if matches_query(interests, known[seq]) and any(matches_query(query, known[seq]) for query in digests)
        ]
        if len(found) >= limit:
            break
    return found[:limit]
