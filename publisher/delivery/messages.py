"""An issue → each reader's copy of it: encoded once for each edition, signed for each reader."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from publisher.delivery.store import Claim
from publisher.digests.envelope import bare_address, delivery_envelope, delivery_values, return_path
from publisher.errors import SettingsError
from publisher.mail.dkim import Signer
from publisher.mail.message_template import MessageTemplate
from publisher.mail.placeholders import Placeholders
from publisher.mail.transport import OutgoingMessage
from publisher.model.digests import Digest, IssueVariant
from publisher.settings import Site
from publisher.signing.tokens import Keyring

if TYPE_CHECKING:
    from publisher.digests.store import IssueRow

__all__ = ["DeliveryMessages", "read_signers"]


def read_signers(site: Site) -> list[Signer]:
    """Return who signs the site's mail; nobody where the settings name no key.

    Raises:
        SettingsError: a key cannot be read.
    """
    own = bare_address(site.mail.sender).rpartition("@")[2] if site.mail else ""
    return [
        Signer.read(one.key.reveal(site.root), domain=one.domain or own, selector=one.selector) for one in site.dkim
    ]


class DeliveryMessages:
    """Makes readers' copies of one issue. May be used from several threads."""

    def __init__(
        self,
        site: Site,
        row: IssueRow,
        edition: Callable[[int], IssueVariant],
        ring: Keyring,
        signers: Sequence[Signer],
    ) -> None:
        """Begin; nothing is encoded before it is asked for.

        Args:
            site: the settings.
            row: the issue.
            edition: number → what readers of it get.
            ring: the site's secret.
            signers: who signs.

        Raises:
            SettingsError: the issue's digest is not in the settings any more.
        """
        if row.digest not in site.digests:
            raise SettingsError(
                f"digests.{row.digest} is not in publisher.toml any more, and an issue of it is to be sent"
            )
        self._site = site
        self._row = row
        self._digest: Digest = site.digests[row.digest].digest(row.digest)
        self._edition = edition
        self._ring = ring
        self._signers = signers
        #: No site has readers with more different interests than that at a time.
        self.skeleton = lru_cache(maxsize=64)(self._skeleton)

    def _skeleton(self, number: int, prefix: str = "") -> MessageTemplate:
        row, edition = self._row, self._edition(number)
        envelope = delivery_envelope(
            self._site,
            self._digest,
            subject=f"{prefix}{edition.subject or row.subject}",
            slot=row.slot,
            number=row.number,
        )
        return MessageTemplate(
            envelope,
            text=edition.text.decode(),
            html=edition.html.decode(),
            placeholders=Placeholders(hash=edition.placeholder_hash),
            values=delivery_values(self._site, self._digest, row.name),
            signers=self._signers,
        )

    def make(self, one: Claim) -> OutgoingMessage:
        """Return the message of a delivery.

        Raises:
            ValueError: no message can be made for the address.
        """
        copy = self._ring.delivery_token(one.issue_id, one.subscriber_id)
        path = return_path(self._site, self._ring.return_path_token(one.issue_id, one.subscriber_id))
        return self._copy(self.skeleton(one.variant), one.address, one.domain, copy, path, reference=one)

    def test(self, address: str, domain: str, *, prefix: str, when: datetime) -> OutgoingMessage:
        """Return a test message; its token is no subscriber's."""
        said = f"{prefix}{address}{when.isoformat()}{self._row.id}"
        copy = "0" + hashlib.sha256(said.encode()).hexdigest()[:31]
        path = bare_address(self._site.mail.sender if self._site.mail else "")
        return self._copy(self.skeleton(1, prefix), address, domain, copy, path, reference=None)

    def _copy(
        self, skeleton: MessageTemplate, address: str, domain: str, copy: str, path: str, *, reference: Claim | None
    ) -> OutgoingMessage:
        local = address.rpartition("@")[0]
        recipient = f"{local}@{domain}"
        return OutgoingMessage(
            reference=reference,
            recipient=recipient,
            return_path=path,
            data=skeleton.merge(address=address, recipient=recipient, token=copy),
            name=f"{int(self._row.slot.timestamp())}.{copy}.{domain}",
            needs_utf8=not local.isascii(),
        )

    def fingerprint(self, editions: int) -> bytes:
        """Return a hash of all that copies of the issue's editions have in common, headers included."""
        parts = [self._skeleton(number).fingerprint for number in range(1, editions + 1)]
        return hashlib.sha256(b"".join(parts)).digest()
