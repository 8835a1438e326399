"""Build the messages of an issue: encode each variant once, then merge and sign."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from publisher.delivery.claims_store import Claim
from publisher.digests.envelope import delivery_envelope, delivery_values, return_path
from publisher.digests.store import IssueRow
from publisher.mail.dkim import Signer
from publisher.mail.message_template import MessageTemplate
from publisher.mail.placeholders import Placeholders
from publisher.mail.transport import OutgoingMessage
from publisher.model.digests import IssueVariant
from publisher.settings import Site
from publisher.signing.keyring import Keyring


def read_signers(site: Site) -> list[Signer]:
    """Return the DKIM signers of the settings, in order; empty if there is no key.

    Raises:
        SettingsError: a key cannot be read.
    """
    sender_domain = site.mail.sender_domain if site.mail else ""
    return [
        Signer.read(dkim.key.reveal(site.root), domain=dkim.domain or sender_domain, selector=dkim.selector)
        for dkim in site.dkim
    ]


class DeliveryMessages:
    """Builds the messages of one issue. Safe to use from several threads."""

    def __init__(self, site: Site, row: IssueRow, load_variant: Callable[[int], IssueVariant], ring: Keyring) -> None:
        """Prepare the messages; variants are loaded by number, and encoded, when they are first used."""
        self._site = site
        self._row = row
        self._digest = site.digest(row.digest)
        self._load_variant = load_variant
        self._ring = ring
        self._signers = read_signers(site)
        # Subscribers share few distinct sets of interests.
        self.template = lru_cache(maxsize=64)(self._template)
        # Hundreds of messages are built in one second.
        self._date_header = lru_cache(maxsize=64)(self._format_date)

    def _template(self, number: int) -> MessageTemplate:
        row, variant = self._row, self._load_variant(number)
        envelope = delivery_envelope(
            self._site, self._digest, subject=variant.subject or row.subject, slot=row.slot, number=row.number
        )
        return MessageTemplate(
            envelope,
            text=variant.text.decode(),
            html=variant.html.decode(),
            placeholders=Placeholders(hash=variant.placeholder_hash),
            values=delivery_values(self._site, self._digest, row.name),
            signers=self._signers,
        )

    def _format_date(self, seconds: int) -> str:
        return format_datetime(datetime.fromtimestamp(seconds, self._site.tz))

    def build(self, claim: Claim, date: int) -> OutgoingMessage:
        """Return the message of a delivery, with DATE (seconds since 1970) in its Date header.

        Raises:
            ValueError: the address cannot be used in a message.
        """
        token = self._ring.delivery_token(claim.issue_id, claim.subscriber_id)
        recipient = claim.recipient
        return OutgoingMessage(
            reference=claim,
            recipient=recipient,
            return_path=return_path(self._site, self._ring.return_path_token(claim.issue_id, claim.subscriber_id)),
            data=self.template(claim.variant).merge(
                address=claim.address, recipient=recipient, token=token, date=self._date_header(date)
            ),
            name=f"{int(self._row.slot.timestamp())}.{token}.{claim.domain}",
            needs_utf8=not recipient.isascii(),
            date=date,
        )
