"""Unsubscribe by the link in a delivery, undo it within a day, or ask for a confirmation email later."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from publisher.digests import store as issues
from publisher.settings import Site
from publisher.signing.site_key import keyring
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers.subscriptions_store import ChangeSource, StateChange
from publisher.subscriptions.subscribe import request_resubscription

__all__ = ["UNDO_PERIOD", "LinkStatus", "link_status", "mask_address", "resubscribe_by_link", "unsubscribe_by_link"]

#: How long an act of unsubscribing by the link can be undone by the same link.
UNDO_PERIOD: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """The state of the subscription that an unsubscribe link belongs to."""

    #: The newsletter's name.
    title: str
    #: The masked address; empty where the subscriber was erased or suppressed.
    address: str
    is_subscribed: bool
    #: How many other newsletters they are subscribed to.
    others: int
    #: Whether the link undoes the unsubscribing. Later it takes a confirmation email, since deliveries get forwarded.
    can_undo: bool
    #: Whether the newsletter can be subscribed to.
    is_offered: bool
    #: Digests whose state this request has changed.
    changed: tuple[str, ...] = ()
    #: Whether a confirmation email was asked for.
    was_asked: bool = False


def _found(connection: Connection, site: Site, copy: str) -> tuple[str, int] | None:
    """Return (digest, subscriber) of a delivery's token; None where it is not one of this site."""
    numbers = keyring(site, connection).delivery_of_token(copy)
    if numbers is None:
        return None
    rows = issues.list_issues(connection, only=[numbers[0]])
    return (rows[0].digest, numbers[1]) if rows else None


def _owner(site: Site, db: Database, copy: str) -> tuple[str, int] | None:
    # Anybody may post: requests without a valid token must not wait for the write lock.
    with db.read() as connection:
        return _found(connection, site, copy)


def _status(connection: Connection, site: Site, digest: str, number: int, now: datetime) -> LinkStatus:
    title = site.digests[digest].title if digest in site.digests else digest
    reader = subscribers.find_subscriber(connection, number)
    if reader is None or reader.is_suppressed:
        return LinkStatus(title=title, address="", is_subscribed=False, others=0, can_undo=False, is_offered=False)
    state = reader.subscriptions.get(digest)
    is_offered = digest in site.digests
    return LinkStatus(
        title=title,
        address=mask_address(reader.address),
        is_subscribed=digest in reader.digests,
        others=len(set(reader.digests) - {digest}),
        can_undo=is_offered
        and state is not None
        and subscriptions.can_undo(state, _undo_since(now), int(now.timestamp())),
        is_offered=is_offered,
    )


def _undo_since(now: datetime) -> int:
    return int((now - UNDO_PERIOD).timestamp())


def mask_address(address: str) -> str:
    """Return an address so that its owner recognises it and nobody else learns it."""
    local, _, domain = address.rpartition("@")
    # One word, for a line to end before or after it.
    return f"{local[:1]}…\u2060@{domain}"


def link_status(site: Site, db: Database, copy: str, now: datetime) -> LinkStatus | None:
    """Return the state of a link's subscription; None where the token is not one of this site. Nothing is changed."""
    with db.read() as connection:
        found = _found(connection, site, copy)
        return _status(connection, site, *found, now) if found is not None else None


def unsubscribe_by_link(
    site: Site, db: Database, copy: str, now: datetime, *, everything: bool = False
) -> LinkStatus | None:
    """Unsubscribe a link's owner from its newsletter, or from everything; the token works for ever."""
    found = _owner(site, db, copy)
    if found is None:
        return None
    digest, number = found
    with db.write() as connection:
        changed: list[str] = []
        if subscribers.find_subscriber(connection, number) is not None:
            act = StateChange(ChangeSource.LINK, int(now.timestamp()))
            changed = subscriptions.unsubscribe(connection, number, act, None if everything else [digest])
        return replace(_status(connection, site, digest, number, now), changed=tuple(changed))


def resubscribe_by_link(site: Site, db: Database, copy: str, now: datetime) -> LinkStatus | None:
    """Undo the unsubscribing of the last 24 hours, or send a confirmation email for an older one.

    Erased and suppressed people stay unsubscribed.
    """
    found = _owner(site, db, copy)
    if found is None:
        return None
    digest, number = found
    with db.write() as connection:
        before = _status(connection, site, digest, number, now)
        if before.can_undo:
            act = StateChange(ChangeSource.LINK, int(now.timestamp()))
            changed = subscriptions.restore_subscriptions(connection, number, digest, act, since=_undo_since(now))
            return replace(_status(connection, site, digest, number, now), changed=tuple(changed))
        reader = subscribers.find_subscriber(connection, number)
        if reader is None or not before.is_offered or before.is_subscribed:
            return before
        request_resubscription(connection, site, reader, [digest], now)
        return replace(before, was_asked=True)
