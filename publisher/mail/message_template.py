"""Message templates: encode and canonicalise once, then merge subscribers' values.

The values are short. Each is on a line of its own between soft line breaks, so nothing is encoded or wrapped again.
"""

from __future__ import annotations

import hashlib
import html as markup
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import format_datetime
from typing import Final

from publisher.mail.dkim import SIGNED_HEADERS, Signer, canonical_header
from publisher.mail.message import Envelope, assemble, message_headers, quoted_printable
from publisher.mail.placeholders import Placeholders, fill_placeholders

#: Slots for the delivery's token and the subscriber's address, in texts and headers. Control characters occur in no
#: article and no setting.
DELIVERY_SLOT: Final = "\x0ec\x0f"
ADDRESS_SLOT: Final = "\x0ea\x0f"
#: The address with HTML escapes, the address as mail servers use it, and the time of the Date header.
_HTML_ADDRESS_SLOT: Final = "\x0eh\x0f"
_RECIPIENT_SLOT: Final = "\x0et\x0f"
_DATE_SLOT: Final = "\x0ed\x0f"
_SLOT: Final = re.compile("(\x0e[cahtd]\x0f)")
_BYTES_SLOT: Final = re.compile(b"\x0e([cahtd])\x0f")
#: Replaces DELIVERY_SLOT while headers are built, because headers with control characters are rejected.
_DELIVERY_STAND_IN: Final = "0copy0pass0"
#: With the = of a soft line break, a line has 76 characters (RFC 2045 §6.7).
_MAX_LINE: Final = 75


@dataclass(frozen=True, slots=True)
class _TemplateSlots:
    """Bytes, split at their slots."""

    pieces: tuple[bytes, ...]
    #: Names of the slots between the pieces.
    names: tuple[str, ...]

    @classmethod
    def of(cls, data: bytes) -> _TemplateSlots:
        parts = _BYTES_SLOT.split(data)
        return cls(tuple(parts[0::2]), tuple(part.decode() for part in parts[1::2]))

    def filled(self, values: dict[str, bytes]) -> list[bytes]:
        parts = [self.pieces[0]]
        for name, piece in zip(self.names, self.pieces[1:], strict=True):
            parts.append(values[name])
            parts.append(piece)
        return parts


class MessageTemplate:
    """An encoded message with slots for the values of a subscriber."""

    def __init__(
        self,
        envelope: Envelope,
        *,
        text: str,
        html: str,
        placeholders: Placeholders,
        values: dict[str, str],
        signers: Sequence[Signer],
    ) -> None:
        """Encode a message.

        Args:
            envelope: the headers. They may contain DELIVERY_SLOT; the recipient and the date are always slots.
            text, html: the issue, with placeholders.
            placeholders: the issue's placeholders.
            values: placeholder → replacement, which may contain DELIVERY_SLOT and ADDRESS_SLOT.
            signers: DKIM signers, in the order of their signatures.

        Raises:
            ValueError: the issue contains the control characters of a slot.
        """
        if _SLOT.search(text) or _SLOT.search(html):
            raise ValueError("the issue's text contains control characters that are reserved for slots")
        headers, body = assemble(
            _headers(envelope),
            text=_with_slots(fill_placeholders(text, placeholders, values, escape=False)),
            html=_with_slots(
                fill_placeholders(html, placeholders, values, escape=True).replace(ADDRESS_SLOT, _HTML_ADDRESS_SLOT)
            ),
        )
        self._date = format_datetime(envelope.date)
        self._headers = _TemplateSlots.of(
            b"".join(f"{name}: {value}\r\n".encode() for name, value in headers) + b"\r\n"
        )
        self._body = _TemplateSlots.of(body)
        self._signers = [(signer, signer.tags([name for name, _ in headers])) for signer in signers]
        by_name = dict(headers)
        self._signed = _TemplateSlots.of(
            b"".join(canonical_header(name, by_name[name].encode()) for name in SIGNED_HEADERS if name in by_name)
        )

    def merge(self, *, address: str, recipient: str, token: str, date: str = "") -> bytes:
        """Return the message to one subscriber: signatures, headers, body.

        Args:
            address: the address as the subscriber writes it.
            recipient: the address as mail servers use it.
            token: the delivery's token.
            date: the value of the Date header; by default the date of the envelope.

        Raises:
            ValueError: the address contains a line end or a control character.
        """
        if not address.isprintable():
            raise ValueError("an address is one line without control characters")
        values = {
            "c": token.encode(),
            "t": recipient.encode(),
            "d": (date or self._date).encode(),
        }
        headers = self._headers.filled(values)
        signed = b"".join(self._signed.filled(values)) if self._signers else b""
        # quopri takes 5 µs, and does not change a plain ASCII address.
        plain = len(address) <= _MAX_LINE and address.isascii() and "=" not in address and address[0] != "."
        values["a"] = address.encode() if plain else _encoded(address)
        is_same = plain and "&" not in address and "'" not in address
        values["h"] = values["a"] if is_same else _encoded(markup.escape(address))
        body = self._body.filled(values)
        if not self._signers:
            return b"".join(headers + body)
        whole = b"".join(body)
        digest = hashlib.sha256(whole).digest()
        signatures = [signer.sign(signed, tags, digest) for signer, tags in self._signers]
        return b"".join([*signatures, *headers, whole])


def _headers(envelope: Envelope) -> list[tuple[str, str]]:
    """Return the headers with slots. Values from settings were checked for line ends before."""
    plain = replace(
        envelope,
        message_key=envelope.message_key.replace(DELIVERY_SLOT, _DELIVERY_STAND_IN),
        unsubscribe=tuple(url.replace(DELIVERY_SLOT, _DELIVERY_STAND_IN) for url in envelope.unsubscribe),
    )
    slots = {"To": _RECIPIENT_SLOT, "Date": _DATE_SLOT}
    with_token = ("Message-ID", "List-Unsubscribe")
    return [
        (
            name,
            slots[name]
            if name in slots
            else value.replace(_DELIVERY_STAND_IN, DELIVERY_SLOT)
            if name in with_token
            else value,
        )
        for name, value in message_headers(plain)
    ]


def _encoded(text: str) -> bytes:
    return _open_ended(quoted_printable(text))


def _open_ended(data: bytes) -> bytes:
    """Return quoted-printable text whose last line has room for a soft line break."""
    start = data.rfind(b"\n") + 1
    last = data[start:]
    if len(last) <= _MAX_LINE:
        return data
    cut = _MAX_LINE
    # An escape such as =C3 must not be split.
    while b"=" in last[cut - 2 : cut]:
        cut -= 1
    return data[:start] + last[:cut] + b"=\r\n" + last[cut:]


def _with_slots(text: str) -> bytes:
    """Return quoted-printable text with each slot on its own line, between soft breaks."""
    parts = _SLOT.split(text)
    encoded = [part.encode() if index % 2 else _encoded(part) for index, part in enumerate(parts)]
    return b"=\r\n".join(encoded)
