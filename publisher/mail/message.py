"""Build RFC 5322 messages.

`email.message.EmailMessage` is not used: it encodes a long List-Unsubscribe header, which mail clients then ignore, and
it chooses boundaries at random.
"""

from __future__ import annotations

import hashlib
import quopri
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.charset import QP, Charset
from email.header import Header
from email.utils import format_datetime
from typing import Final

from publisher.model.mailbox import parse_mailbox

_CHARSET: Final = Charset("utf-8")
_CHARSET.header_encoding = QP


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The values of a message's headers."""

    #: ``The Review <news@example.org>``
    sender: str
    reply_to: str | None
    #: The name of the list, for To and List-Id.
    list_name: str
    #: The list's identifier below the sender's domain (RFC 2919), as in ``morning``.
    list_slug: str
    subject: str
    date: datetime
    #: The part of the Message-ID before the @; always the same for one issue.
    message_key: str
    #: https and mailto URLs to unsubscribe, in order of preference.
    unsubscribe: tuple[str, ...]
    #: True if the first of them accepts the one-click POST of mail clients (RFC 8058).
    one_click: bool = False
    #: URL of help with the list (RFC 2369 §3.1).
    help: str | None = None
    #: URL of the list's archive (RFC 2369 §3.6).
    archive: str | None = None
    #: ``issue:digest:newsletter``, for the complaint reports of large receivers. It identifies no subscriber.
    feedback_id: str | None = None
    #: False for a message that belongs to no list; it has no list headers.
    is_list: bool = True


def _encoded(text: str) -> str:
    """Return text for a header: as it is, or in encoded words (RFC 2047)."""
    if text.isascii() and len(text) <= 60:
        return text
    return Header(text, _CHARSET, maxlinelen=74, header_name="Subject").encode(linesep="\r\n")


def _phrase(name: str) -> str:
    """Return a display name: a quoted string if it is short ASCII, otherwise encoded words."""
    if name.isascii() and len(name) <= 60:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return _encoded(name)


def _mailbox(value: str) -> tuple[str, str]:
    """Return the header text and the bare address of an address with or without a name."""
    mailbox = parse_mailbox(value)
    text = f"{_phrase(mailbox.name)} <{mailbox.address}>" if mailbox.name else mailbox.address
    return text, mailbox.address


def quoted_printable(text: str) -> bytes:
    """Return text as quoted-printable (RFC 2045 §6.7) with CRLF line ends."""
    encoded = quopri.encodestring(text.replace("\r\n", "\n").encode())
    # SMTP doubles a leading dot (RFC 5321 §4.5.2), and mbox changes "From " at the start of a line.
    encoded = re.sub(rb"(?m)^\.", b"=2E", encoded)
    encoded = re.sub(rb"(?m)^From ", b"=46rom ", encoded)
    return encoded.replace(b"\n", b"\r\n")


def _require_single_lines(envelope: Envelope) -> None:
    values = (
        envelope.sender,
        envelope.reply_to,
        envelope.list_name,
        envelope.subject,
        envelope.help,
        envelope.archive,
    )
    for value in (*values, *envelope.unsubscribe):
        if value is not None and re.search(r"[\x00-\x1f\x7f]", value):
            raise ValueError(f"a header must be one line: {value!r}")


def message_headers(envelope: Envelope) -> list[tuple[str, str]]:
    """Return the headers of a message, without Content-Type.

    Raises:
        ValueError: a value contains a line end or a control character.
    """
    _require_single_lines(envelope)
    sender, address = _mailbox(envelope.sender)
    domain = address.rpartition("@")[2]
    return [
        ("From", sender),
        ("To", f"{_phrase(envelope.list_name)} <{address}>"),
        *([("Reply-To", _mailbox(envelope.reply_to)[0])] if envelope.reply_to else []),
        ("Subject", _encoded(envelope.subject)),
        ("Date", format_datetime(envelope.date)),
        ("Message-ID", f"<{envelope.message_key}@{domain}>"),
        *(_list_headers(envelope, domain) if envelope.is_list else []),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
    ]


def _list_headers(envelope: Envelope, domain: str) -> list[tuple[str, str]]:
    return [
        ("List-Id", f"{_phrase(envelope.list_name)} <{envelope.list_slug}.{domain}>"),
        # Not encoded, and folded between URLs only: mail clients ignore an encoded value.
        ("List-Unsubscribe", ",\r\n ".join(f"<{url}>" for url in envelope.unsubscribe)),
        *([("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")] if envelope.one_click else []),
        *([("List-Help", f"<{envelope.help}>")] if envelope.help else []),
        *([("List-Archive", f"<{envelope.archive}>")] if envelope.archive else []),
        *([("Feedback-ID", f"{envelope.feedback_id}:{domain}")] if envelope.feedback_id else []),
        ("Precedence", "bulk"),
    ]


def build_message(envelope: Envelope, *, text: str, html: str) -> bytes:
    """Return a multipart/alternative message (RFC 2046 §5.1.4): plain text, then HTML.

    The same envelope and parts give the same bytes.

    Raises:
        ValueError: a header contains a line end or a control character.
    """
    headers, body = assemble(message_headers(envelope), text=quoted_printable(text), html=quoted_printable(html))
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in headers) + b"\r\n" + body


def assemble(headers: Sequence[tuple[str, str]], *, text: bytes, html: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """Return all headers and the body of a message whose parts are quoted-printable already."""
    parts = (("text/plain", text), ("text/html", html))
    # "=_" does not occur in quoted-printable, so no part can contain the boundary (RFC 2045 §6.7).
    boundary = "=_" + hashlib.sha256(text + html).hexdigest()[:32]
    body = b"\r\n".join(
        b"--" + boundary.encode() + b"\r\n"
        b"Content-Type: " + kind.encode() + b"; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + data
        for kind, data in parts
    )
    kind = ("Content-Type", f'multipart/alternative; boundary="{boundary}"')
    return [*headers, kind], body + b"\r\n--" + boundary.encode() + b"--\r\n"
