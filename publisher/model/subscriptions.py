"""Kinds of confirmation emails and subscription states."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ConfirmationKind", "SubscriptionState"]


class SubscriptionState(StrEnum):
    """Whether a subscriber may be mailed. Only ``active`` may; the later a state, the safer it is."""

    #: Subscribed.
    ACTIVE = "active"
    #: Asked to subscribe, or was added, and has not confirmed.
    UNCONFIRMED = "unconfirmed"
    #: Left, was removed, or never agreed.
    UNSUBSCRIBED = "unsubscribed"
    #: The address must not be mailed: it bounced, complained or was blocked.
    SUPPRESSED = "suppressed"


class ConfirmationKind(StrEnum):
    """What a mail to one person is about that is no newsletter."""

    #: Somebody, perhaps she, wants newsletters to be sent to her.
    SUBSCRIBE = "subscribe"
    #: The same of somebody who has them already.
    ALREADY_SUBSCRIBED = "already subscribed"
    #: The newest issue, for who has just joined.
    WELCOME = "welcome"
    #: Her mail is to go to another address: to the old one, and to the new one.
    OLD_ADDRESS = "old address"
    NEW_ADDRESS = "new address"
    #: All that is known of her is to be shown to her.
    DOWNLOAD = "download"
    #: All that is known of her is to be erased.
    ERASE = "erase"
