"""``_headers``: what a static host is to say of each feed (Netlify, Cloudflare Pages and others read it)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from publisher.html.urls import url_path
from publisher.model.media_types import TYPES_BY_SUFFIX
from publisher.websub.link_header import link_header

__all__ = ["ARCHIVE_AGE", "FEED_AGE", "render_headers"]
#: Seconds for which a feed may be shown without asking again.
FEED_AGE: Final = 300
#: The same for an archive page, which changes only when an article on it is corrected or withdrawn.
ARCHIVE_AGE: Final = 3600


def render_headers(paths: Sequence[str], feeds_url: str, hubs: Sequence[str]) -> bytes:
    """Return the file.

    Args:
        paths: every feed's file, relative to feeds/.
        feeds_url: where feeds/ can be reached, without a slash at the end.
        hubs: WebSub hubs.
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
