"""Links that only this site can make: signed, and good for a while."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import Connection

from publisher.settings import Site
from publisher.signing.site_key import keyring

__all__ = ["SignedLinks", "signed_links"]


class SignedLinks:
    """Signs small values, and knows its signatures again."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Begin.

        Args:
            keys: the newest first: it signs; the others are only known again.
        """
        self._serializer = URLSafeSerializer(
            # The library wants the newest last.
            [key.encode() for key in reversed(keys)],
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def sign(self, purpose: str, value: str | int, until: datetime) -> str:
        """Return a text for an address that stands for the value, until then."""
        made = self._serializer.dumps([value, int(until.timestamp())], salt=purpose)
        return made if isinstance(made, str) else made.decode()

    def verify(self, purpose: str, text: str, now: datetime) -> tuple[Any, bool] | None:
        """Return the value, and whether its time is not over; None where we have not made it for this."""
        try:
            value, until = self._serializer.loads(text, salt=purpose)
        except (BadData, ValueError, TypeError):
            return None
        return value, now.timestamp() <= until


def signed_links(site: Site, connection: Connection) -> SignedLinks:
    """Return what the site signs its links with.

    Raises:
        SettingsError: a key cannot be read.
    """
    if site.web.keys:
        return SignedLinks([one.reveal(site.root) for one in site.web.keys])
    return SignedLinks([keyring(site, connection).link_key])
