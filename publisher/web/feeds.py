"""feeds/ over HTTP, by a bare ASGI application: what is asked for again and again is to cost next to nothing.

The same bytes, types and headers as any web server hands out with the settings of ``publish hosting``.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from publisher.feeds.headers_file import ARCHIVE_AGE, FEED_AGE
from publisher.html.urls import url_path
from publisher.model.media_types import TYPES_BY_SUFFIX
from publisher.settings import Site
from publisher.templating.environment import render_template
from publisher.web.csp import content_security_policy, strict_transport
from publisher.web.deltas import Deltas, asks_for_feed
from publisher.web.file_cache import CachedFile, FileCache
from publisher.websub.link_header import link_header

__all__ = ["Feeds", "Message", "OnResponse", "Receive", "Scope", "Send", "matches_etag", "send_response"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_Headers = list[tuple[bytes, bytes]]
OnResponse = Callable[[str, Scope, Mapping[bytes, bytes], int], None]

_OTHER_TYPES: Final = {"html": "text/html; charset=utf-8", "xml": "application/xml"}
#: Seconds for which an old copy may be shown while a new one is fetched (RFC 5861).
_STALE: Final = 600
#: Bytes of a header that are looked at, where what they say is kept in memory.
_KEPT: Final = 200
#: Of what is preferred equally, the smallest.
_ORDER: Final = ("br", "gzip", "identity")


class Feeds:
    """Answers for everything below the address of feeds/."""

    def __init__(
        self,
        site: Site,
        cache: FileCache | None = None,
        on_response: OnResponse = lambda name, scope, asked, status: None,
    ) -> None:
        """Begin.

        Args:
            site: the settings.
            cache: what is staged.
            on_response: told of each feed that was handed out: its file, the request, its headers, and the answer's status.
        """
        self._cache = cache or FileCache(site.feeds_dir)
        self._on_response = on_response
        self._site = site
        self._url = site.feeds_url
        #: The path below which feeds are.
        self.prefix = urlsplit(site.feeds_url).path.rstrip("/") + "/"
        self._hubs: Sequence[str] = site.hubs
        self._moved = site.feeds.moved
        self._deltas = Deltas() if site.web.deltas else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        method, path = scope["method"], scope["path"]
        if method not in ("GET", "HEAD"):
            allow = [(b"allow", b"GET, HEAD, OPTIONS"), *_CORS]
            await send_response(send, 204 if method == "OPTIONS" else 405, allow, b"")
            return
        name = self._file(path)
        staged = self._cache.find(name) if name is not None else None
        if staged is None or name is None or name.startswith("gone/"):
            await self._send_missing(send, name, path, is_head=method == "HEAD")
            return
        asked = _asked(scope["headers"])
        if asked.get(b"sec-fetch-dest") == b"document" and _is_browser_navigation(scope, name):
            await self._send_feed_page(send, name, is_head=method == "HEAD")
        else:
            await self._send_file(scope, asked, send, name, staged, is_head=method == "HEAD")

    async def _send_missing(self, send: Send, name: str | None, path: str, *, is_head: bool) -> None:
        """Answer where nothing is staged: a feed was renamed or is no more, an article was withdrawn, or nothing is."""
        stem, dot, suffix = (name or "").rpartition(".")
        moved = self._moved.get(stem) if dot and suffix in TYPES_BY_SUFFIX else None
        if moved == "gone":
            await send_response(
                send,
                410,
                [*_TEXT, *_CORS, (b"cache-control", b"public, max-age=86400")],
                b"Gone\n",
                is_head=is_head,
            )
        elif moved is not None:
            where = f"{self._url}/{url_path(moved)}.{suffix}"
            headers = [(b"location", where.encode()), *_CORS, (b"cache-control", b"public, max-age=86400")]
            await send_response(send, 301, headers, b"", is_head=is_head)
        elif (gone := self.withdrawal_page(path)) is not None:
            headers = [
                (b"content-type", _OTHER_TYPES["html"].encode()),
                (b"content-security-policy", content_security_policy(gone.decode()).encode()),
                (b"cache-control", b"public, max-age=300"),
            ]
            await send_response(send, 410, headers, gone, is_head=is_head)
        else:
            await send_response(send, 404, _TEXT, b"Not found\n", is_head=is_head)

    async def _send_feed_page(self, send: Send, name: str, *, is_head: bool) -> None:
        """Show what a feed is to somebody who has opened it by hand."""
        site, suffix = self._site, name.rpartition(".")[2]
        values = {
            "heading": "This is a feed",
            "address": f"{self._url}/{url_path(name)}",
            "kind": {"rss": "RSS", "atom": "Atom", "json": "JSON"}[suffix],
            "media_type": TYPES_BY_SUFFIX[suffix],
            "site_title": site.title,
            "base_url": site.base_url,
            "feeds_url": site.feeds_url,
            "newsletters_url": site.newsletters_url,
            "has_newsletters": bool(site.digests),
            "is_private": True,
            "language": site.language,
            "light": site.theme.light_palette,
            "dark": site.theme.dark_palette,
        }
        page = render_template(site.templates_dir, "web/feed.html.j2", values)
        headers = [
            (b"content-type", _OTHER_TYPES["html"].encode()),
            (b"content-security-policy", content_security_policy(page).encode()),
            (b"vary", _VARY),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send_response(send, 200, headers, page.encode(), is_head=is_head)

    def _file(self, path: str) -> str | None:
        """Return the file that a path stands for, relative to feeds/; None where it is none of ours."""
        if not path.startswith(self.prefix):
            return None
        name = path[len(self.prefix) :]
        return name + "index.html" if not name or name.endswith("/") else name

    def withdrawal_page(self, path: str) -> bytes | None:
        """Return the page that tells why an article was withdrawn; None where none was."""
        name = path.removeprefix("/")
        found = self._cache.find(f"gone/{name}index.html" if name.endswith("/") else f"gone/{name}.html")
        return found.encodings["identity"].body if found is not None else None

    # -- an answer -------------------------------------------------------------------------------

    async def _send_file(
        self, scope: Scope, asked: Mapping[bytes, bytes], send: Send, name: str, staged: CachedFile, *, is_head: bool
    ) -> None:
        coding = _choose(asked.get(b"accept-encoding", b"")[:_KEPT], tuple(staged.encodings))
        if coding is None:
            await send_response(send, 406, [(b"vary", b"Accept-Encoding")], b"", is_head=is_head)
            return
        whole, short = self._headers(name, staged)[coding]
        encoded = staged.encodings[coding]
        if self._deltas is not None and name.endswith(_BY_HAND) and not name.startswith("archive/"):
            self._deltas.note(name, staged)
            if await self._send_delta(self._deltas, asked, send, name, staged, is_head=is_head):
                self._on_response(name, scope, asked, 226)
                return
        if _is_known(asked, encoded.etag, staged.seconds):
            await send({"type": "http.response.start", "status": 304, "headers": short})
            await send(_NOTHING)
            self._on_response(name, scope, asked, 304)
            return
        await send({"type": "http.response.start", "status": 200, "headers": whole})
        await send({"type": "http.response.body", "body": b"" if is_head else encoded.body})
        self._on_response(name, scope, asked, 200)

    async def _send_delta(
        self, deltas: Deltas, asked: Mapping[bytes, bytes], send: Send, name: str, staged: CachedFile, *, is_head: bool
    ) -> bool:
        """Answer with new entries alone where somebody asks for that (RFC 3229 §10.4.1); return whether that was done."""
        tags = [tag.strip().removeprefix(b"W/") for tag in asked.get(b"if-none-match", b"").split(b",")]
        now = {one.etag for one in staged.encodings.values()}
        if not asks_for_feed(asked.get(b"a-im", b"")) or b"*" in tags or now & set(tags):
            return False
        offered = tuple(one for one in staged.encodings if one != "br")
        coding = _choose(asked.get(b"accept-encoding", b"")[:_KEPT], offered)
        body = deltas.since(name, staged, tags, coding) if coding is not None else None
        if body is None or coding is None:
            return False
        headers = [
            (b"content-type", _type(name.rpartition(".")[2]).encode()),
            # Of the whole feed as it is now: it is what she has when she has put both together.
            (b"etag", staged.encodings[coding].etag),
            (b"im", b"feed"),
            # A cache that does not know of this is to keep nothing (RFC 3229 §10.8.1).
            (b"cache-control", b"no-store, im"),
            (b"vary", b"A-IM, If-None-Match, Accept-Encoding"),
            *_CORS,
            *([(b"content-encoding", b"gzip")] if coding == "gzip" else []),
        ]
        await send_response(send, 226, headers, body, is_head=is_head)
        return True

    def _headers(self, name: str, staged: CachedFile) -> dict[str, tuple[_Headers, _Headers]]:
        """Return encoding → headers of an answer with the bytes, and of one without; made once a state of a file."""
        if staged.headers:
            return staged.headers
        made: dict[str, tuple[_Headers, _Headers]] = {}
        # Two changes within a second date a file ahead; a server must not send such a date (RFC 9110 §8.8.2.1).
        is_ahead = staged.seconds > time.time()
        suffix = name.rpartition(".")[2]
        is_archive = name.startswith("archive/")
        age = ARCHIVE_AGE if is_archive else FEED_AGE
        common: _Headers = [
            (b"cache-control", f"public, max-age={age}, stale-while-revalidate={_STALE}".encode()),
            *([] if is_ahead else [(b"last-modified", staged.modified)]),
            *([(b"strict-transport-security", hsts.encode())] if (hsts := strict_transport(self._site)) else []),
            (b"vary", _VARY if suffix in _BY_HAND else b"Accept-Encoding"),
            *_CORS,
        ]
        if suffix == "html":
            common.append(
                (
                    b"content-security-policy",
                    content_security_policy(staged.encodings["identity"].body.decode()).encode(),
                )
            )
        if suffix in TYPES_BY_SUFFIX and suffix != "opml":
            hubs = () if is_archive else self._hubs
            common.append((b"link", link_header(f"{self._url}/{url_path(name)}", hubs).encode()))
        kind = _type(suffix).encode()
        for coding, one in staged.encodings.items():
            whole = [
                (b"content-type", kind),
                (b"content-length", b"%d" % len(one.body)),
                (b"etag", one.etag),
                *common,
            ]
            # What who asks has already is not said again (RFC 9110 §15.4.5).
            short = [(b"etag", one.etag), *(header for header in common if header[0] in _SAID_AGAIN)]
            if coding != "identity":
                whole.append((b"content-encoding", coding.encode()))
            made[coding] = (whole, short)
        if not is_ahead:
            staged.headers.update(made)
        return made


#: What stands on an answer without the bytes.
_SAID_AGAIN: Final = (b"cache-control", b"vary", b"access-control-allow-origin")
#: Feeds are for programs on pages of any origin.
_CORS: Final[_Headers] = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Link"),
    (b"x-content-type-options", b"nosniff"),
]


_TEXT: Final[_Headers] = [(b"content-type", b"text/plain; charset=utf-8")]
_NOTHING: Final = {"type": "http.response.body", "body": b""}
#: Feeds that somebody may open by hand.
_BY_HAND: Final = ("rss", "atom", "json")
_VARY: Final = b"Accept-Encoding, Sec-Fetch-Dest"


def _is_browser_navigation(scope: Scope, name: str) -> bool:
    """Tell whether a browser that asks for a document is to see what a feed is.

    Browsers say what a request is for (https://www.w3.org/TR/fetch-metadata/), and no reader program says
    that: what Accept has is no sign, programs send a browser's. ``?raw`` has the feed itself.
    """
    return name.endswith(_BY_HAND) and scope.get("query_string") != b"raw"


def _asked(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return a request's headers; lists may stand in several lines (RFC 9110 §5.3)."""
    found = dict(headers)
    if len(found) != len(headers):
        found.clear()
        for key, value in headers:
            found[key] = found[key] + b", " + value if key in found else value
    return found


def _type(suffix: str) -> str:
    kind = TYPES_BY_SUFFIX.get(suffix) or _OTHER_TYPES.get(suffix, "application/octet-stream")
    return (
        kind if "charset" in kind or "json" in kind or not kind.endswith(("xml", "opml")) else f"{kind}; charset=utf-8"
    )


async def send_response(send: Send, status: int, headers: _Headers, body: bytes, *, is_head: bool = False) -> None:
    """Send a whole answer; to HEAD without its body."""
    length = [] if status == 204 else [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": b"" if is_head else body})


# -- what was asked --------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _choose(accepted: bytes, there: tuple[str, ...]) -> str | None:
    """Return the encoding to answer in (RFC 9110 §12.5.3); None where none is wanted."""
    weights: dict[str, float] = {}
    for part in accepted.decode("latin-1").lower().split(","):
        name, *parameters = (word.strip() for word in part.split(";"))
        if name:
            weights["gzip" if name == "x-gzip" else name] = _weight(parameters)
    rest = weights.get("*", 0.0)
    # Not to name it is no refusal.
    plain = weights.get("identity", weights["*"] if weights.get("*") == 0 else 0.0001)
    offers = {name: weights.get(name, rest) for name in there if name != "identity"} | {"identity": plain}
    wanted = [name for name in _ORDER if offers.get(name, 0) > 0]
    return max(wanted, key=lambda name: (offers[name], -_ORDER.index(name)), default=None)


def _weight(parameters: Sequence[str]) -> float:
    for one in parameters:
        if one.startswith("q="):
            try:
                return min(max(float(one[2:]), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def _is_known(asked: Mapping[bytes, bytes], etag: bytes, seconds: int) -> bool:
    """Tell whether who asks has these bytes: by ETag, and where none is named by time (RFC 9110 §13.2.2)."""
    tags = asked.get(b"if-none-match")
    if tags is not None:
        return tags == etag or matches_etag(etag, tags)
    since = asked.get(b"if-modified-since")
    return since is not None and _seconds(since[:_KEPT]) >= seconds


def matches_etag(etag: bytes, tags: bytes) -> bool:
    """Tell whether an ETag is among those of an If-None-Match header; ``*`` is any.

    The comparison is a weak one (RFC 9110 §13.1.2): a cache on the way may have marked ours so.
    """
    return any(tag.strip().removeprefix(b"W/") in (etag, b"*") for tag in tags.split(b","))


@lru_cache(maxsize=4096)
def _seconds(text: bytes) -> int:
    try:
        return int(parsedate_to_datetime(text.decode("latin-1")).timestamp())
    except (ValueError, OverflowError):
        return -1
