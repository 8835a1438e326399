"""Somebody with a browser, short of the browser: requests to the web's own application, and letters that came."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from typing import Any
from urllib.parse import urlencode, urlsplit

FORM = "application/x-www-form-urlencoded"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def heading(self) -> str:
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.text)
        assert found is not None, self.text[:500]
        return found[1]


class Visitor:
    """Asks, from one address."""

    def __init__(self, app: Any, address: str = "198.51.100.7") -> None:
        self.app = app
        self.address = address
        #: Whether the connection ends before a body does.
        self.hangs_up = False

    def get(self, url: str, **headers: str) -> Answer:
        return self.ask("GET", url, **headers)

    def post(self, url: str, fields: Any = None, **headers: str) -> Answer:
        body = fields if isinstance(fields, bytes) else urlencode(fields or {}, doseq=True).encode()
        return self.ask("POST", url, body, **{"content_type": FORM, **headers})

    def ask(self, method: str, url: str, body: bytes = b"", **headers: str) -> Answer:
        parts = urlsplit(url)
        sent: list[dict[str, Any]] = []
        pieces = [body[at : at + 4000] for at in range(0, len(body), 4000)] or [b""]

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            if not pieces:
                return {"type": "http.disconnect"}
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces) or self.hangs_up}

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
        got = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], got, b"".join(one.get("body", b"") for one in sent[1:]))


@dataclass
class Mail:
    """A letter that came."""

    recipient: str
    message: Message

    @property
    def subject(self) -> str:
        from email.header import decode_header, make_header

        return str(make_header(decode_header(str(self.message["Subject"]))))

    @property
    def text(self) -> str:
        (part,) = [one for one in self.message.walk() if one.get_content_type() == "text/plain"]
        found = part.get_payload(decode=True)
        assert isinstance(found, bytes)
        return found.decode().replace("\r\n", "\n")

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    @property
    def link(self) -> str:
        (found,) = re.findall(r"^https?://\S+\?\S+$", self.text, re.MULTILINE)
        return str(found)


def mail_of(server: Any) -> list[Mail]:
    """Return what a recording mail server has taken, oldest first."""
    return [Mail(one.recipient, message_from_bytes(one.data)) for one in server.accepted]
