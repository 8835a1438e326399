"""A client of the web application without a browser, and the emails that a recording mail server has received."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from typing import Any
from urllib.parse import urlencode, urlsplit

FORM = "application/x-www-form-urlencoded"


@dataclass
class Response:
    """A response of the web application."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode()

    @property
    def heading(self) -> str:
        """Return the first heading of the page."""
        match = re.search(r"<h1[^>]*>(.*?)</h1>", self.text)
        assert match is not None, self.text[:500]
        return match[1]


class Visitor:
    """Sends requests to an ASGI application from one IP address."""

    def __init__(self, app: Any, address: str = "198.51.100.7") -> None:
        self.app = app
        self.address = address
        #: Whether the connection ends before the end of a request's body.
        self.disconnects = False

    def get(self, url: str, **headers: str) -> Response:
        """Send a GET request; in a header's name, ``_`` stands for ``-``."""
        return self.request("GET", url, **headers)

    def post(self, url: str, fields: Any = None, **headers: str) -> Response:
        """Send a form, or a body of bytes."""
        body = fields if isinstance(fields, bytes) else urlencode(fields or {}, doseq=True).encode()
        return self.request("POST", url, body, **{"content_type": FORM, **headers})

    def request(self, method: str, url: str, body: bytes = b"", **headers: str) -> Response:
        """Send a request with a body in pieces of 4,000 bytes, and return the response."""
        parts = urlsplit(url)
        sent: list[dict[str, Any]] = []
        pieces = [body[at : at + 4000] for at in range(0, len(body), 4000)] or [b""]

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            if not pieces:
                return {"type": "http.disconnect"}
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces) or self.disconnects}

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "root_path": "",
            "scheme": "https",
            "server": ("review.example", 443),
            "client": (self.address, 4711),
            "query_string": parts.query.encode(),
            "headers": [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()],
        }
        asyncio.run(self.app(scope, receive, send))
        response_headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Response(sent[0]["status"], response_headers, b"".join(message.get("body", b"") for message in sent[1:]))


@dataclass
class ReceivedEmail:
    """An email that a mail server has accepted."""

    recipient: str
    message: Message

    @property
    def subject(self) -> str:
        """Return the decoded subject."""
        return str(make_header(decode_header(str(self.message["Subject"]))))

    @property
    def text(self) -> str:
        """Return the plain-text part."""
        (part,) = [part for part in self.message.walk() if part.get_content_type() == "text/plain"]
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        return content.decode().replace("\r\n", "\n")

    @property
    def words(self) -> str:
        """Return the text with one space between words."""
        return " ".join(self.text.split())

    @property
    def link(self) -> str:
        """Return the only URL that is a line of its own and has a query."""
        (url,) = re.findall(r"^https?://\S+\?\S+$", self.text, re.MULTILINE)
        return str(url)


def received_emails(server: Any) -> list[ReceivedEmail]:
    """Return the emails that a recording mail server has accepted, oldest first."""
    return [ReceivedEmail(accepted.recipient, message_from_bytes(accepted.data)) for accepted in server.accepted]
