"""Subscription states, sources of their changes, and kinds of confirmation emails."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

#: Stands for all other digests, later ones included.
ALL_DIGESTS: Final = "*"


class SubscriptionState(StrEnum):
    """State of a subscription. Only ``active`` is mailed; later states are more restrictive."""

    #: Subscribed.
    ACTIVE = "active"
    #: Requested a subscription, or was added, and has not confirmed it.
    UNCONFIRMED = "unconfirmed"
    #: Unsubscribed, was removed, or never agreed.
    UNSUBSCRIBED = "unsubscribed"
    #: The address must not be mailed, because of a bounce, a complaint or a block.
    SUPPRESSED = "suppressed"

    def for_digest(self, digest: str) -> str:
        """Return the state in a digest as words, such as ``unsubscribed from morning``."""
        return f"{self.value} {'from' if self is SubscriptionState.UNSUBSCRIBED else 'for'} {digest}"


class ConfirmationKind(StrEnum):
    """Kinds of emails to one person that are not newsletters."""

    #: Asks to confirm a subscription (double opt-in).
    SUBSCRIBE = "subscribe"
    #: Answers a request of a subscriber who has the newsletters already.
    ALREADY_SUBSCRIBED = "already subscribed"
    #: The newest issue, after a confirmed subscription.
    WELCOME = "welcome"
    #: Asks to confirm an address change, at the old address.
    OLD_ADDRESS = "old address"
    #: Asks to confirm an address change, at the new address.
    NEW_ADDRESS = "new address"
    #: Asks to confirm an export of the person's data.
    DOWNLOAD = "download"
    #: Asks to confirm the erasure of the person's data.
    ERASE = "erase"


class ChangeSource(StrEnum):
    """The source of a change of subscription state."""

    #: The link in a delivery, or the one-click button of a mail client (RFC 8058).
    LINK = "link"
    #: A confirmed subscribe form.
    FORM = "form"
    PREFERENCES = "preferences"
    #: A request to unsubscribe by mail.
    MAIL = "mail"
    IMPORT = "import"
    OPERATOR = "operator"
    COMPLAINT = "complaint"
    ERASURE = "erasure"
    BOUNCE = "bounce"
    #: Derived by an upgrade from the data of an older version.
    MIGRATION = "migration"
