"""Keyed hashes of email addresses, and signed tokens of deliveries, one kind for each purpose. Pure.

Tokens are part of URLs and of email addresses. Servers change the case of both, so a token is lower-case
base 32.

Forwarded messages contain the token of links and Message-IDs, so it only opens pages and unsubscribes.
Only the envelope contains the token of a return path, so it proves that a bounce is about a delivery.
Neither can be derived from the other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

#: Matches the token of a delivery in a text.
TOKEN_PATTERN: Final = re.compile(r"(?<![a-z2-7])[a-z2-7]{32}(?![a-z2-7])")
#: Bytes of the two numbers in a delivery's token, issue and subscriber, and in a feed's, subscriber and time.
_DELIVERY: Final = (4, 5)
_FEED: Final = (5, 4)
_MAC_BYTES: Final = 11


class Keyring:
    """The tokens and hashes that are made with the site key."""

    def __init__(self, *, key: bytes) -> None:
        """Reject a key of fewer than 16 bytes."""
        if len(key) < 16:
            raise ValueError("a secret needs at least 16 characters; 'openssl rand -hex 32' makes one")
        self._key = hashlib.sha512(key).digest()

    def _mac(self, purpose: bytes, payload: bytes, length: int) -> bytes:
        # BLAKE2 has a keyed mode (RFC 7693 §2.9), three times as fast as HMAC-SHA-256 for inputs of this size.
        return hashlib.blake2b(payload, key=self._key, person=purpose.ljust(16, b"\0"), digest_size=length).digest()

    @property
    def fingerprint(self) -> str:
        """A hash that identifies the key and reveals nothing of it."""
        return self._mac(b"fingerprint", b"", 8).hex()

    @property
    def link_key(self) -> str:
        """The key of signed links."""
        return self._mac(b"links", b"", 32).hex()

    def feed_pass(self, subscriber: int, since: int) -> str:
        """Return the token of a subscriber's personal feed that was created at SINCE (Unix time)."""
        return self._sign(b"feed", _FEED, subscriber, since)

    def subscriber_of_feed_token(self, text: str) -> tuple[int, int] | None:
        """Return (subscriber, since) of a personal feed's token; None if the site did not sign it."""
        return self._verify(b"feed", _FEED, text)

    def address_hash(self, key: str) -> str:
        """Return the hash of an email address, given as its normalized KEY."""
        return self._mac(b"address", key.encode(), 20).hex()

    def delivery_token(self, issue: int, subscriber: int) -> str:
        """Return a delivery's token for its Message-ID and its links."""
        return self._sign(b"copy", _DELIVERY, issue, subscriber)

    def delivery_of_token(self, text: str) -> tuple[int, int] | None:
        """Return (issue, subscriber) of a token of links and Message-IDs; None if the site did not sign it."""
        return self._verify(b"copy", _DELIVERY, text)

    def return_path_token(self, issue: int, subscriber: int) -> str:
        """Return a delivery's token for its return path, the only one that a bounce is accepted with."""
        return self._sign(b"return path", _DELIVERY, issue, subscriber)

    def delivery_of_return_path(self, text: str) -> tuple[int, int] | None:
        """Return (issue, subscriber) of a return path's token; None if the site did not sign it."""
        return self._verify(b"return path", _DELIVERY, text)

    def _sign(self, purpose: bytes, sizes: tuple[int, int], first: int, second: int) -> str:
        payload = first.to_bytes(sizes[0]) + second.to_bytes(sizes[1])
        # Masking hides how many subscribers and issues there are.
        mac = self._mac(purpose, payload, _MAC_BYTES)
        return base64.b32encode(mac + self._masked(mac, payload)).decode().lower()

    def _verify(self, purpose: bytes, sizes: tuple[int, int], text: str) -> tuple[int, int] | None:
        try:
            data = base64.b32decode(text.strip().upper())
        except ValueError:
            return None
        if len(data) != _MAC_BYTES + sum(sizes):
            return None
        mac = data[:_MAC_BYTES]
        payload = self._masked(mac, data[_MAC_BYTES:])
        if not hmac.compare_digest(mac, self._mac(purpose, payload, _MAC_BYTES)):
            return None
        return int.from_bytes(payload[: sizes[0]]), int.from_bytes(payload[sizes[0] :])

    def _masked(self, mac: bytes, payload: bytes) -> bytes:
        mask = self._mac(b"copy mask", mac, len(payload))
        return (int.from_bytes(payload) ^ int.from_bytes(mask)).to_bytes(len(payload))
