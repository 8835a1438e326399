"""Signed links that expire."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import Connection

from publisher.settings import Site
from publisher.signing.site_key import keyring


class SignedLinks:
    """Signs values for URLs, and verifies the signatures."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Create a signer with keys, the newest first. The first one signs; all of them verify."""
        self._serializer = URLSafeSerializer(
            # itsdangerous expects the newest key last.
            [key.encode() for key in reversed(keys)],
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def sign(self, purpose: str, value: str | int, until: datetime) -> str:
        """Return a URL-safe text that carries a signed VALUE and its time of expiry."""
        signed = self._serializer.dumps([value, int(until.timestamp())], salt=purpose)
        return signed if isinstance(signed, str) else signed.decode()

    def verify(self, purpose: str, text: str, now: datetime) -> tuple[Any, bool] | None:
        """Return the value and whether it has not expired; None if the signature or the purpose is wrong."""
        try:
            value, until = self._serializer.loads(text, salt=purpose)
        except (BadData, ValueError, TypeError):
            return None
        return value, now.timestamp() <= until


def signed_links(site: Site, connection: Connection) -> SignedLinks:
    """Return the signer of the site's links.

    Raises:
        SettingsError: a key cannot be read.
    """
    if site.web.keys:
        return SignedLinks([key.reveal(site.root) for key in site.web.keys])
    return SignedLinks([keyring(site, connection).link_key])
