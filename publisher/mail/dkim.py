"""DKIM signatures (RFC 6376, RFC 8463) for many similar messages.

Parts that all messages share are canonicalised once. dkimpy needs 6 to 8 ms for an RSA signature; this module needs little
more than the RSA operation.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from publisher.errors import SettingsError, extra_needed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

#: Signed headers. Each is named once more than it occurs (oversigning), so that none can be added (RFC 6376 §8.15).
SIGNED_HEADERS: Final = (
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
)
_MAX_LINE: Final = 72


def canonical_header(name: str, value: bytes) -> bytes:
    """Return a header in the relaxed canonical form (RFC 6376 §3.4.2), with its line end."""
    flat = re.sub(rb"[ \t]+", b" ", re.sub(rb"\r\n(?=[ \t])", b"", value)).strip(b" ")
    return name.lower().encode() + b":" + flat + b"\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A private key, and the domain and selector under which receivers find the public key."""

    domain: str
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey

    @classmethod
    def read(cls, pem: str, *, domain: str, selector: str) -> Signer:
        """Return a signer with a private key in PEM.

        Raises:
            SettingsError: it is not a key, or of a type or size that receivers reject.
            ExtraMissing: the package that signs is not installed.
        """
        with extra_needed("dkim", "[[dkim]] in publisher.toml"):
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
            from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
            from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError) as error:
            raise SettingsError(
                f"dkim: the key of selector {selector} is not a private key in PEM without a password; "
                "'publish dkim-key' makes one"
            ) from error
        if isinstance(key, Ed25519PrivateKey) or (isinstance(key, RSAPrivateKey) and key.key_size >= 1024):
            return cls(domain=domain, selector=selector, key=key)
        raise SettingsError(f"dkim: the key of selector {selector} is neither RSA of 1,024 bits or more nor Ed25519")

    @property
    def algorithm(self) -> str:
        """Name of the algorithm in a signature."""
        return "ed25519-sha256" if not hasattr(self.key, "key_size") else "rsa-sha256"

    def tags(self, present: Sequence[str]) -> str:
        """Return the tags of the signature of a message with these headers, up to the hash of the body."""
        lower = {name.lower() for name in present}
        names = [name.lower() for name in SIGNED_HEADERS if name.lower() in lower] + [
            name.lower() for name in SIGNED_HEADERS
        ]
        return (
            f"v=1; a={self.algorithm}; c=relaxed/simple; d={self.domain}; s={self.selector};\r\n"
            f" h={':'.join(names)};\r\n bh="
        )

    def sign(self, headers: bytes, tags: str, body_hash: bytes) -> bytes:
        """Return the DKIM-Signature header of a message.

        Args:
            headers: the signed headers in canonical form, in the order of the tags.
            tags: from `tags`.
            body_hash: SHA-256 of the body as it is sent, which ends with one line end (``simple``).
        """
        unsigned = f"{tags}{base64.b64encode(body_hash).decode()};\r\n b="
        signed = headers + canonical_header("DKIM-Signature", unsigned.encode())[:-2]
        encoded = base64.b64encode(self._signature(signed)).decode()
        lines = "\r\n ".join(encoded[at : at + _MAX_LINE] for at in range(0, len(encoded), _MAX_LINE))
        return f"DKIM-Signature: {unsigned}{lines}\r\n".encode()

    def _signature(self, data: bytes) -> bytes:
        if self.algorithm == "rsa-sha256":
            from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
            from cryptography.hazmat.primitives.hashes import SHA256

            return self.key.sign(data, PKCS1v15(), SHA256())  # type: ignore[call-arg]
        # RFC 8463 §3: Ed25519 signs the hash.
        return self.key.sign(hashlib.sha256(data).digest())  # type: ignore[call-arg]


def new_key(algorithm: str) -> str:
    """Return a new private key in PEM: ``rsa`` (2,048 bits) or ``ed25519``.

    Raises:
        ExtraMissing: the package that makes keys is not installed.
    """
    with extra_needed("dkim", "publish dkim-key"):
        from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key: RSAPrivateKey | Ed25519PrivateKey = (
        ed25519.Ed25519PrivateKey.generate() if algorithm == "ed25519" else rsa.generate_private_key(65537, 2048)
    )
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def dns_record(signer: Signer) -> tuple[str, str]:
    """Return the name and the value of the DNS TXT record with the public key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = signer.key.public_key()
    if signer.algorithm == "ed25519-sha256":
        kind, data = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        kind, data = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"{signer.selector}._domainkey.{signer.domain}", f"v=DKIM1; k={kind}; p={base64.b64encode(data).decode()}"
