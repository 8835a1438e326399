"""An issue → an RFC 5322 message.

Put together by hand: ``EmailMessage(policy=SMTP)`` encodes a long List-Unsubscribe and thereby
takes the button away, and it draws boundaries at random.
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

from publisher.model.mailbox import parse_mailbox

__all__ = ["Envelope", "assemble", "build_message", "message_headers", "quoted_printable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Everything of a message but its parts."""

    #: ``The Review <news@example.org>``
    sender: str
    reply_to: str | None
    #: The name of the list: it stands in To, and in List-Id.
    list_name: str
    #: The list's own identifier below the sender's domain (RFC 2919), as in ``morning``.
    list_slug: str
    subject: str
    date: datetime
    #: Left of the @ in Message-ID: the same for the same issue, for ever.
    message_key: str
    #: Where a reader leaves the list: https and mailto addresses, in the order of preference.
    unsubscribe: tuple[str, ...]
    #: Whether the first of them takes the POST of a mail program's own button (RFC 8058).
    one_click: bool = False
    #: Where a person finds help with the list (RFC 2369 §3.1).
    help: str | None = None
    #: Where the list's issues can be read (RFC 2369 §3.6).
    archive: str | None = None
    #: ``issue:digest:newsletter``, for the complaint reports of large receivers; no reader in it.
    feedback_id: str | None = None
    #: Who gets it; the list itself where nobody is named.
    recipient: str | None = None
    #: False for a mail to one person, which no list has sent: nothing of lists stands on it.
    is_list: bool = True


def _charset() -> Charset:
    charset = Charset("utf-8")
    charset.header_encoding = QP
    return charset


def _encoded(text: str) -> str:
    """Return unstructured text for a header: as it is, or in encoded words (RFC 2047)."""
    if text.isascii() and len(text) <= 60:
        return text
    return Header(text, _charset(), maxlinelen=74, header_name="Subject").encode(linesep="\r\n")


def _phrase(name: str) -> str:
    """Return a display name: a quoted string where it is plain, encoded words where it is not."""
    if name.isascii() and len(name) <= 60:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return _encoded(name)


def _mailbox(value: str) -> tuple[str, str]:
    """Return (header text, address alone) of an address with or without a name."""
    found = parse_mailbox(value)
    return (f"{_phrase(found.name)} <{found.address}>" if found.name else found.address), found.address


def quoted_printable(text: str) -> bytes:
    """Return text as quoted-printable (RFC 2045 §6.7), CRLF line ends, no line over 76."""
    encoded = quopri.encodestring(text.replace("\r\n", "\n").encode())
    # A leading dot would be doubled on the way (RFC 5321 §4.5.2), and "From " mangled by mailboxes.
    encoded = re.sub(rb"(?m)^\.", b"=2E", encoded)
    encoded = re.sub(rb"(?m)^From ", b"=46rom ", encoded)
    return encoded.replace(b"\n", b"\r\n")


def _refuse_line_ends(envelope: Envelope) -> None:
    values = (
        envelope.recipient,
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


def _headers(envelope: Envelope) -> list[tuple[str, str]]:
    sender, address = _mailbox(envelope.sender)
    domain = address.rpartition("@")[2]
    return [
        ("From", sender),
        ("To", envelope.recipient or f"{_phrase(envelope.list_name)} <{address}>"),
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
        # Literally, and folded between addresses only: encoded, it would be no button any more.
        ("List-Unsubscribe", ",\r\n ".join(f"<{one}>" for one in envelope.unsubscribe)),
        *([("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")] if envelope.one_click else []),
        *([("List-Help", f"<{envelope.help}>")] if envelope.help else []),
        *([("List-Archive", f"<{envelope.archive}>")] if envelope.archive else []),
        *([("Feedback-ID", f"{envelope.feedback_id}:{domain}")] if envelope.feedback_id else []),
        ("Precedence", "bulk"),
    ]


def message_headers(envelope: Envelope) -> list[tuple[str, str]]:
    """Return the headers of a message, but for those that say what its parts are.

    Raises:
        ValueError: one of them would break the line.
    """
    _refuse_line_ends(envelope)
    return _headers(envelope)


def build_message(envelope: Envelope, *, text: str, html: str) -> bytes:
    """Return the message: plain text first, then HTML (multipart/alternative, RFC 2046 §5.1.4).

    The same envelope and parts give the same bytes.

    Raises:
        ValueError: a header would break the line.
    """
    headers, body = assemble(message_headers(envelope), text=quoted_printable(text), html=quoted_printable(html))
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in headers) + b"\r\n" + body


def assemble(headers: Sequence[tuple[str, str]], *, text: bytes, html: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """Return all headers, and the body, of a message whose parts are quoted-printable already."""
    parts = (("text/plain", text), ("text/html", html))
    # "=_" cannot occur in quoted-printable, so no part can hold the boundary (RFC 2045 §6.7).
    boundary = "=_" + hashlib.sha256(text + html).hexdigest()[:32]
    body = b"\r\n".join(
        b"--" + boundary.encode() + b"\r\n"
        b"Content-Type: " + kind.encode() + b"; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + data
        for kind, data in parts
    )
    kind = ("Content-Type", f'multipart/alternative; boundary="{boundary}"')
    return [*headers, kind], body + b"\r\n--" + boundary.encode() + b"--\r\n"
