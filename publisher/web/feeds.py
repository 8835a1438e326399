"""Serve feeds/ over HTTP. A bare ASGI application, because feeds are most of the requests.

Bytes, types and headers are the same as those of a web server configured by ``publish hosting``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from publisher.feeds.headers_file import ARCHIVE_AGE, FEED_AGE
from publisher.html.urls import url_path
from publisher.model.media_types import FEED_TYPES, TYPES_BY_SUFFIX
from publisher.settings import Site
from publisher.templating.environment import render_template
from publisher.web.context import shared_values
from publisher.web.csp import content_security_policy, strict_transport
from publisher.web.etags import MAX_HEADER_BYTES, is_not_modified
from publisher.web.file_cache import CachedFile, FileCache
from publisher.web.openapi import ApiPath, Operation
from publisher.websub.link_header import link_header

_Headers = list[tuple[bytes, bytes]]
OnResponse = Callable[[str, Scope, Mapping[bytes, bytes], int], None]

_OTHER_TYPES: Final = {"html": "text/html; charset=utf-8", "xml": "application/xml"}
#: stale-while-revalidate: how long caches may serve an old response while they fetch the new one (RFC 5861).
_STALE_SECONDS: Final = 600
#: Encodings from the smallest to the largest; the first of equally preferred ones is used.
_ENCODING_ORDER: Final = ("br", "gzip", "identity")


class Feeds:
    """The ASGI application for all paths below ``feeds.url``."""

    def __init__(self, site: Site, on_response: OnResponse = lambda name, scope, request_headers, status: None) -> None:
        """Create the application; ON_RESPONSE gets file, request, headers and status of each feed."""
        self._cache = FileCache(site.feeds_dir)
        self._on_response = on_response
        self._site = site
        self._url = site.feeds_url
        #: The path of all feeds.
        self.prefix = urlsplit(site.feeds_url).path.rstrip("/") + "/"
        #: The description of the feeds.
        self.api = ApiPath(self.prefix + "{path:path}", _OPERATIONS, {"path": "Its file, such as all.rss"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
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
        request_headers = _request_headers(scope["headers"])
        if request_headers.get(b"sec-fetch-dest") == b"document" and _is_browser_navigation(scope, name):
            await self._send_feed_page(send, name, is_head=method == "HEAD")
        else:
            await self._send_file(scope, request_headers, send, name, staged, is_head=method == "HEAD")

    async def _send_missing(self, send: Send, name: str | None, path: str, *, is_head: bool) -> None:
        """Respond to a path without a staged file: a moved feed, a withdrawn article, or 404."""
        stem, dot, suffix = (name or "").rpartition(".")
        moved = self._site.feeds.moved.get(stem) if dot and suffix in TYPES_BY_SUFFIX else None
        if moved == "gone":
            await send_response(send, 410, [*_TEXT, *_CORS, _CACHED_A_DAY], b"Gone\n", is_head=is_head)
        elif moved is not None:
            where = f"{self._url}/{url_path(moved)}.{suffix}"
            await send_response(send, 301, [(b"location", where.encode()), *_CORS, _CACHED_A_DAY], b"", is_head=is_head)
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
        """Send a page that explains feeds to a person who has opened one in a browser."""
        site, suffix = self._site, name.rpartition(".")[2]
        values = {
            "heading": "This is a feed",
            "address": f"{self._url}/{url_path(name)}",
            "kind": {"rss": "RSS", "atom": "Atom", "json": "JSON"}[suffix],
            "media_type": TYPES_BY_SUFFIX[suffix],
            **shared_values(site, is_private=True),
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
        """Return the file of a path, relative to feeds/; None for a path outside."""
        if not path.startswith(self.prefix):
            return None
        name = path[len(self.prefix) :]
        return name + "index.html" if not name or name.endswith("/") else name

    def withdrawal_page(self, path: str) -> bytes | None:
        """Return the page of the withdrawn article at a path; None without one."""
        name = path.removeprefix("/")
        page = self._cache.find(f"gone/{name}index.html" if name.endswith("/") else f"gone/{name}.html")
        return page.encodings["identity"].body if page is not None else None

    # -- responses ---------------------------------------------------------------------------------

    async def _send_file(
        self,
        scope: Scope,
        request_headers: Mapping[bytes, bytes],
        send: Send,
        name: str,
        staged: CachedFile,
        *,
        is_head: bool,
    ) -> None:
        coding = _choose_encoding(
            request_headers.get(b"accept-encoding", b"")[:MAX_HEADER_BYTES], tuple(staged.encodings)
        )
        if coding is None:
            await send_response(send, 406, [(b"vary", b"Accept-Encoding")], b"", is_head=is_head)
            return
        full_headers, short_headers = self._headers(name, staged)[coding]
        encoded = staged.encodings[coding]
        if is_not_modified(request_headers, encoded.etag, staged.seconds):
            await send({"type": "http.response.start", "status": 304, "headers": short_headers})
            await send(_EMPTY_BODY)
            self._on_response(name, scope, request_headers, 304)
            return
        await send({"type": "http.response.start", "status": 200, "headers": full_headers})
        await send({"type": "http.response.body", "body": b"" if is_head else encoded.body})
        self._on_response(name, scope, request_headers, 200)

    def _headers(self, name: str, staged: CachedFile) -> dict[str, tuple[_Headers, _Headers]]:
        """Return encoding → headers of a 200 and of a 304; cached for each version of a file."""
        if staged.headers:
            return staged.headers
        by_encoding: dict[str, tuple[_Headers, _Headers]] = {}
        # Two changes within a second date a file in the future; a server must not send that (RFC 9110 §8.8.2.1).
        is_ahead = staged.seconds > time.time()
        suffix = name.rpartition(".")[2]
        is_archive = name.startswith("archive/")
        age = ARCHIVE_AGE if is_archive else FEED_AGE
        common: _Headers = [
            (b"cache-control", f"public, max-age={age}, stale-while-revalidate={_STALE_SECONDS}".encode()),
            *([] if is_ahead else [(b"last-modified", staged.modified)]),
            *([(b"strict-transport-security", hsts.encode())] if (hsts := strict_transport(self._site)) else []),
            (b"vary", _VARY if suffix in _FEED_SUFFIXES else b"Accept-Encoding"),
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
            hubs = () if is_archive else self._site.hubs
            common.append((b"link", link_header(f"{self._url}/{url_path(name)}", hubs).encode()))
        kind = _type(suffix).encode()
        for coding, encoded in staged.encodings.items():
            full_headers = [
                (b"content-type", kind),
                (b"content-length", b"%d" % len(encoded.body)),
                (b"etag", encoded.etag),
                *common,
            ]
            # A 304 repeats only some headers (RFC 9110 §15.4.5).
            short_headers = [
                (b"etag", encoded.etag),
                *(header for header in common if header[0] in _NOT_MODIFIED_HEADERS),
            ]
            if coding != "identity":
                full_headers.append((b"content-encoding", coding.encode()))
            by_encoding[coding] = (full_headers, short_headers)
        if not is_ahead:
            staged.headers.update(by_encoding)
        return by_encoding


#: Headers of a 304 besides its ETag.
_NOT_MODIFIED_HEADERS: Final = (b"cache-control", b"vary", b"access-control-allow-origin")
#: Scripts of any origin may read feeds.
_CORS: Final[_Headers] = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Link"),
    (b"x-content-type-options", b"nosniff"),
]


_OPERATIONS: Final = {
    "get": Operation(
        "A staged feed",
        (200, 301, 304, 404, 406, 410),
        (*FEED_TYPES.values(), "text/html", "text/x-opml"),
        ("text/plain", "text/html"),
    ),
    "options": Operation("Allow scripts of any origin to read feeds (CORS)", (204,)),
}
_CACHED_A_DAY: Final = (b"cache-control", b"public, max-age=86400")
_TEXT: Final[_Headers] = [(b"content-type", b"text/plain; charset=utf-8")]
_EMPTY_BODY: Final = {"type": "http.response.body", "body": b""}
#: Formats that people may open in a browser.
_FEED_SUFFIXES: Final = ("rss", "atom", "json")
_VARY: Final = b"Accept-Encoding, Sec-Fetch-Dest"


def _is_browser_navigation(scope: Scope, name: str) -> bool:
    """Return whether a browser opens the feed as a document; ``?raw`` gets the feed itself.

    Browsers send Sec-Fetch-Dest (https://www.w3.org/TR/fetch-metadata/) and feed readers do not. The Accept header
    is no help, because feed readers send a browser's.
    """
    return name.endswith(_FEED_SUFFIXES) and scope.get("query_string") != b"raw"


def _request_headers(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return a request's headers with repeated ones joined (RFC 9110 §5.3)."""
    joined = dict(headers)
    if len(joined) != len(headers):
        joined.clear()
        for key, value in headers:
            joined[key] = joined[key] + b", " + value if key in joined else value
    return joined


def _type(suffix: str) -> str:
    kind = TYPES_BY_SUFFIX.get(suffix) or _OTHER_TYPES.get(suffix, "application/octet-stream")
    return (
        kind if "charset" in kind or "json" in kind or not kind.endswith(("xml", "opml")) else f"{kind}; charset=utf-8"
    )


async def send_response(send: Send, status: int, headers: _Headers, body: bytes, *, is_head: bool = False) -> None:
    """Send a response; without its body for a HEAD request."""
    length = [] if status == 204 else [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": b"" if is_head else body})


# -- request headers -------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _choose_encoding(accepted: bytes, available: tuple[str, ...]) -> str | None:
    """Return the encoding of the response (RFC 9110 §12.5.3); None if the client accepts none."""
    weights: dict[str, float] = {}
    for part in accepted.decode("latin-1").lower().split(","):
        name, *parameters = (word.strip() for word in part.split(";"))
        if name:
            weights["gzip" if name == "x-gzip" else name] = _weight(parameters)
    rest = weights.get("*", 0.0)
    # An encoding that the header does not name is still acceptable.
    plain = weights.get("identity", weights["*"] if weights.get("*") == 0 else 0.0001)
    offers = {name: weights.get(name, rest) for name in available if name != "identity"} | {"identity": plain}
    wanted = [name for name in _ENCODING_ORDER if offers.get(name, 0) > 0]
    return max(wanted, key=lambda name: (offers[name], -_ENCODING_ORDER.index(name)), default=None)


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
