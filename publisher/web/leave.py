"""The page where a reader leaves, and the POST of her mail program's own button (RFC 8058).

A GET changes nothing: whoever looks at links in mails, a scanner or a preview, signs nobody off.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import re
import threading
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlsplit

from publisher.actions.leaving import Standing, come_back, leave, standing
from publisher.config import Site
from publisher.render.templates import render
from publisher.store.database import Database
from publisher.web.feeds import Receive, Scope, Send, say

__all__ = ["Leave"]

#: Bytes that a form may have, and seconds that it may take.
_MOST: Final = 10_000
_PATIENCE: Final = 10.0


class Leave:
    """Answers at the address that ``mail.unsubscribe`` names."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._db: Database | None = None
        self._lock = threading.Lock()
        url = site.mail.unsubscribe if site.mail is not None and site.mail.unsubscribe else ""
        parts = urlsplit(url if url.startswith("http") else "")
        before, gap, after = parts.path.partition("{copy}")
        #: What a path looks like; the pass is its first group, where it stands in the path.
        self._path = re.compile(
            f"{re.escape(before)}([a-zA-Z2-7]+){re.escape(after)}" if gap else re.escape(parts.path)
        )
        self._field = next((key for key, value in parse_qsl(parts.query) if value == "{copy}"), "copy")
        self._is_there = bool(parts.path)

    def copy_of(self, scope: Scope) -> str | None:
        """Return the pass that a request names (empty: none); None where it is for another page."""
        found = self._path.fullmatch(scope["path"]) if self._is_there else None
        if found is None:
            return None
        if found.groups():
            return str(found[1])
        query: bytes = scope.get("query_string", b"")
        return parse_qs(query.decode("latin-1")).get(self._field, [""])[0]

    async def answer(self, scope: Scope, receive: Receive, send: Send, copy: str) -> None:
        """Answer a request of ours."""
        method = scope["method"]
        if method not in ("GET", "HEAD", "POST"):
            await say(send, 405, [(b"allow", b"GET, HEAD, POST")], b"")
            return
        fields: dict[str, list[str]] = {}
        if method == "POST":
            try:
                body = await asyncio.wait_for(_read(receive), _PATIENCE)
            except TimeoutError:
                await say(send, 408, [(b"connection", b"close")], b"")
                return
            if body is None:
                await say(send, 413, [(b"connection", b"close")], b"")
                return
            with contextlib.suppress(ValueError):
                fields = parse_qs(body.decode("latin-1"), max_num_fields=20)
        status, page = await asyncio.to_thread(self._do, method == "POST", fields, copy)
        await say(send, status, _headers(page), page.encode(), is_head=method == "HEAD")

    def _do(self, is_post: bool, fields: dict[str, list[str]], copy: str) -> tuple[int, str]:
        with self._lock:
            if self._db is None:
                self._db = Database.open(self._site.database_url)
        if not is_post:
            found = standing(self._site, self._db, copy)
        elif "back" in fields:
            found = come_back(self._site, self._db, copy)
        else:
            # Whatever else a mail program posts, she wants to be let go.
            found = leave(self._site, self._db, copy, everything="all" in fields)
        return (200, self._page(found, is_post=is_post)) if found is not None else (404, self._unknown())

    def close(self) -> None:
        """Let go of the store."""
        if self._db is not None:
            self._db.close()

    # -- pages -----------------------------------------------------------------------------------

    def _page(self, found: Standing, *, is_post: bool) -> str:
        whose = f" ({found.address})" if found.address else ""
        others = "one other newsletter" if found.others == 1 else f"{found.others} other newsletters"
        if found.follows:
            heading = "Welcome back" if is_post else f"Leave {found.title}?"
            lines = [f"You follow {found.title}{whose}."]
            buttons = [("leave", f"Leave {found.title}")]
            if found.others:
                lines.append(f"You follow {others} of ours.")
                buttons.append(("all", "Leave all of them"))
            return self._render(heading, lines, buttons)
        lines = [f"You get {found.title} no more{whose}."]
        if found.others:
            lines.append(f"You still follow {others} of ours.")
        buttons = [("back", "That was a slip: keep it coming")] if found.address else []
        if found.others:
            buttons.append(("all", "Leave the others too"))
        return self._render(f"You have left {found.title}", lines, buttons)

    def _unknown(self) -> str:
        lines = ["It may have been cut off on its way: try the link in the mail itself, or answer that mail."]
        return self._render("We do not know this link", lines, [])

    def _render(self, heading: str, lines: list[str], buttons: list[tuple[str, str]]) -> str:
        site = self._site
        values = {
            "heading": heading,
            "lines": lines,
            "buttons": buttons,
            "site_title": site.title,
            "base_url": site.base_url,
            "language": site.language,
            "light": site.theme.light_palette,
            "dark": site.theme.dark_palette,
        }
        return render(site.templates_dir, "web/leave.html.j2", values)


async def _read(receive: Receive) -> bytes | None:
    """Return a request's body; None where it is too long."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > _MOST:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return body


def _headers(page: str) -> list[tuple[bytes, bytes]]:
    """Return what stands on every page: nothing is loaded, run or framed, and its address goes nowhere."""
    style = page.partition("<style>")[2].partition("</style>")[0]
    mark = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{mark}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", policy.encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-store"),
        (b"x-robots-tag", b"noindex"),
        (b"x-content-type-options", b"nosniff"),
    ]
