"""The file ``_headers`` with the HTTP headers of feeds, for Netlify, Cloudflare Pages and other static hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from publisher.html.urls import url_path
from publisher.model.media_types import TYPES_BY_SUFFIX
from publisher.websub.link_header import link_header

#: Cache lifetime of a feed, in seconds.
FEED_AGE: Final = 300
#: Cache lifetime of an archive page, which only changes when one of its articles is corrected or withdrawn.
ARCHIVE_AGE: Final = 3600


def render_headers(paths: Sequence[str], feeds_url: str, hubs: Sequence[str]) -> bytes:
    """Return the content of ``_headers``.

    Args:
        paths: the files of all feeds, relative to feeds/.
        feeds_url: the URL of feeds/, without a slash at the end.
    """
    prefix = urlsplit(feeds_url).path
    lines = [f"{prefix}/archive/*", f"  Cache-Control: public, max-age={ARCHIVE_AGE}"]
    for path in paths:
        quoted = url_path(path)
        lines += [
            f"{prefix}/{quoted}",
            f"  Content-Type: {TYPES_BY_SUFFIX[path.rpartition('.')[2]]}",
            f"  Cache-Control: public, max-age={FEED_AGE}",
            f"  Link: {link_header(f'{feeds_url}/{quoted}', hubs)}",
        ]
    return ("\n".join(lines) + "\n").encode()
