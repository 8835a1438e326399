"""Unsubscribe by the link in a delivery, undo it within a day, or ask for confirmation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from publisher.context import Context
from publisher.digests import store as issues
from publisher.model.result import Result
from publisher.model.subscriptions import ChangeSource
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers.subscriptions_store import StateChange
from publisher.subscriptions.subscribe import request_resubscription

#: How long the same link can undo an unsubscription.
UNDO_PERIOD: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus(Result):
    """The state of the subscription of an unsubscribe link."""

    #: The newsletter's name.
    title: str
    #: The masked address; empty if the subscriber was erased or suppressed.
    address: str = ""
    is_subscribed: bool = False
    #: Number of other newsletters that they are subscribed to.
    others: int = 0
    #: Whether the link can undo it. Later a confirmation email is needed: deliveries get forwarded.
    can_undo: bool = False
    #: Whether the newsletter can be subscribed to.
    is_offered: bool = False
    #: Digests whose state this request has changed.
    changed: tuple[str, ...] = ()
    #: Whether a confirmation email was asked for.
    was_asked: bool = False


def _owner(context: Context, token: str) -> tuple[str, int] | None:
    """Return (digest, subscriber ID) of a delivery token; None if it is not one of this site."""
    # Anybody can post: a request without a valid token must not wait for the write lock.
    with context.db.read() as connection:
        numbers = keyring(context.site, connection).delivery_of_token(token)
        rows = issues.list_issues(connection, only=[numbers[0]]) if numbers is not None else []
    return (rows[0].digest, numbers[1]) if numbers is not None and rows else None


def _status(context: Context, connection: Connection, digest: str, number: int) -> LinkStatus:
    site = context.site
    title = site.digests[digest].title if digest in site.digests else digest
    subscriber = subscribers.find_subscriber(connection, number)
    if subscriber is None or subscriber.is_suppressed:
        return LinkStatus(title=title)
    state = subscriber.subscriptions.get(digest)
    is_offered = digest in site.digests
    return LinkStatus(
        title=title,
        address=mask_address(subscriber.address),
        is_subscribed=digest in subscriber.digests,
        others=len(set(subscriber.digests) - {digest}),
        can_undo=is_offered
        and state is not None
        and subscriptions.can_undo(state, _undo_since(context), context.seconds),
        is_offered=is_offered,
    )


def _undo_since(context: Context) -> int:
    return int((context.now - UNDO_PERIOD).timestamp())


def mask_address(address: str) -> str:
    """Return an address that only its owner recognises."""
    local, _, domain = address.rpartition("@")
    # The word joiner keeps the address on one line.
    return f"{local[:1]}…\u2060@{domain}"


def link_status(context: Context, token: str) -> LinkStatus | None:
    """Return the state of the subscription of an unsubscribe link without changing it.

    None if the token is not one of this site.

    Args:
        token: what stands for ``{copy}`` in ``mail.unsubscribe``. It never expires.
    """
    owner = _owner(context, token)
    if owner is None:
        return None
    with context.db.read() as connection:
        return _status(context, connection, *owner)


def unsubscribe_by_link(context: Context, token: str, *, everything: bool = False) -> LinkStatus | None:
    """Unsubscribe the subscriber of an unsubscribe link from its newsletter; return None like ``link_status()``.

    Call it for a POST only, also without a button: the one-click button of mail clients does (RFC 8058).

    Args:
        everything: True to unsubscribe from all newsletters, later ones included.
    """
    owner = _owner(context, token)
    if owner is None:
        return None
    digest, number = owner
    with context.db.write() as connection:
        changed: list[str] = []
        if subscribers.find_subscriber(connection, number) is not None:
            change = StateChange(ChangeSource.LINK, context.seconds)
            changed = subscriptions.unsubscribe(connection, number, change, None if everything else [digest])
        return replace(_status(context, connection, digest, number), changed=tuple(changed))


def resubscribe_by_link(context: Context, token: str) -> LinkStatus | None:
    """Undo the unsubscribing of the last 24 hours, or send a confirmation email for an older one.

    Erased and suppressed people stay unsubscribed.
    """
    owner = _owner(context, token)
    if owner is None:
        return None
    digest, number = owner
    with context.db.write() as connection:
        before = _status(context, connection, digest, number)
        if before.can_undo:
            change = StateChange(ChangeSource.LINK, context.seconds)
            changed = subscriptions.restore_subscriptions(
                connection, number, digest, change, since=_undo_since(context)
            )
            return replace(_status(context, connection, digest, number), changed=tuple(changed))
        subscriber = subscribers.find_subscriber(connection, number)
        if subscriber is None or not before.is_offered or before.is_subscribed:
            return before
        request_resubscription(context, connection, subscriber, [digest])
        return replace(before, was_asked=True)
