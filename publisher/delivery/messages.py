"""Build the messages of an issue: encode each variant once, then merge and sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Protocol

from publisher.delivery.claims_store import Claim
from publisher.digests.envelope import delivery_envelope, delivery_values, return_path, sample_values
from publisher.errors import SettingsError
from publisher.mail.dkim import Signer
from publisher.mail.message_template import MessageTemplate
from publisher.mail.placeholders import Placeholders
from publisher.mail.transport import OutgoingMessage
from publisher.model.digests import Digest, IssueVariant
from publisher.settings import Site
from publisher.signing.keyring import Keyring
from publisher.signing.sample_tokens import sample_token


class MailedIssue(Protocol):
    """The data of an issue, or of a draft, that its messages contain."""

    @property
    def digest(self) -> str:
        """The slug of its newsletter."""

    @property
    def slot(self) -> datetime:
        """Its slot."""

    @property
    def name(self) -> str:
        """The name of its folder."""

    @property
    def number(self) -> int:
        """Its number."""

    @property
    def subject(self) -> str:
        """The subject of the whole issue."""


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

    def __init__(
        self,
        site: Site,
        row: MailedIssue,
        load_variant: Callable[[int], IssueVariant],
        ring: Keyring,
        signers: Sequence[Signer],
    ) -> None:
        """Prepare; variants are loaded and encoded when they are first used.

        Args:
            site: the settings.
            row: the issue.
            load_variant: number of a variant, from 1 → the variant.
            ring: the site's keys.
            signers: DKIM signers.

        Raises:
            SettingsError: the issue's digest is not in the settings.
        """
        if row.digest not in site.digests:
            raise SettingsError(
                f"digests.{row.digest} is no longer in publisher.toml. Restore it to send {row.digest}/{row.name}."
            )
        self._site = site
        self._row = row
        self._digest: Digest = site.digest(row.digest)
        self._load_variant = load_variant
        self._ring = ring
        self._signers = signers
        # Subscribers share few distinct sets of interests.
        self.template = lru_cache(maxsize=64)(self._template)
        # Hundreds of messages are built in one second.
        self._date_header = lru_cache(maxsize=64)(self._format_date)

    def _template(self, number: int, prefix: str = "") -> MessageTemplate:
        """Return the template of a variant; with PREFIX for a test message."""
        row, variant = self._row, self._load_variant(number)
        envelope = delivery_envelope(
            self._site,
            self._digest,
            subject=f"{prefix}{variant.subject or row.subject}",
            slot=row.slot,
            number=row.number,
        )
        return MessageTemplate(
            envelope,
            text=variant.text.decode(),
            html=variant.html.decode(),
            placeholders=Placeholders(hash=variant.placeholder_hash),
            values=(sample_values if prefix else delivery_values)(self._site, self._digest, row.name),
            signers=self._signers,
        )

    def _format_date(self, seconds: int) -> str:
        return format_datetime(datetime.fromtimestamp(seconds, self._site.tz))

    def build(self, claim: Claim, date: int) -> OutgoingMessage:
        """Return the message of a delivery.

        Args:
            claim: the delivery.
            date: the time of its Date header, in seconds since 1970.

        Raises:
            ValueError: the address cannot be used in a message.
        """
        token = self._ring.delivery_token(claim.issue_id, claim.subscriber_id)
        path = return_path(self._site, self._ring.return_path_token(claim.issue_id, claim.subscriber_id))
        template = self.template(claim.variant)
        return self._merge(template, claim.address, claim.domain, token, path, date=date, reference=claim)

    def build_test(self, address: str, domain: str, *, prefix: str, when: datetime) -> OutgoingMessage:
        """Return a test message. Its token belongs to no subscriber."""
        token = sample_token(f"{prefix}{address}{when.isoformat()}{self._row.digest}/{self._row.name}")
        path = self._site.mail.sender_address if self._site.mail else ""
        date = int(when.timestamp())
        return self._merge(self.template(1, prefix), address, domain, token, path, date=date, reference=None)

    def _merge(
        self,
        template: MessageTemplate,
        address: str,
        domain: str,
        token: str,
        path: str,
        *,
        date: int,
        reference: Claim | None,
    ) -> OutgoingMessage:
        local = address.rpartition("@")[0]
        recipient = f"{local}@{domain}"
        return OutgoingMessage(
            reference=reference,
            recipient=recipient,
            return_path=path,
            data=template.merge(address=address, recipient=recipient, token=token, date=self._date_header(date)),
            name=f"{int(self._row.slot.timestamp())}.{token}.{domain}",
            needs_utf8=not local.isascii(),
            date=date,
        )
