"""Web server configuration for feeds/: media types, caching, precompressed files, withdrawn articles."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from publisher.feeds.headers_file import ARCHIVE_AGE, FEED_AGE
from publisher.html.urls import url_path
from publisher.model.media_types import TYPES_BY_SUFFIX
from publisher.settings import Site
from publisher.templating.environment import render_template


def render_hosting(site: Site, server: str) -> str:
    """Return the configuration of a web server that serves feeds/.

    Args:
        server: ``nginx``, ``caddy`` or ``apache``.

    Raises:
        TemplateError: there is no template for this server, or the site's own one is invalid.
    """
    parts = urlsplit(site.feeds_url)
    values = {
        "title": site.title,
        "host": parts.netloc,
        "site_host": urlsplit(site.base_url).netloc,
        "origin": f"{parts.scheme}://{parts.netloc}",
        "prefix": parts.path,
        "feeds_url": site.feeds_url,
        # Escape quotes in the folder's name.
        "folder": json.dumps(str(site.feeds_dir), ensure_ascii=False)[1:-1],
        "hubs": list(site.hubs),
        "moved": _moved_paths(site, parts.path),
        "types": list(TYPES_BY_SUFFIX.items()),
        "feed_age": FEED_AGE,
        "archive_age": ARCHIVE_AGE,
    }
    return render_template(site.templates_dir, f"hosting/{server}.conf.j2", values)


def _moved_paths(site: Site, prefix: str) -> list[tuple[str, str | None]]:
    """Return (path, new URL) of each renamed file; None for a file that no longer exists."""
    return [
        (
            f"{prefix}/{url_path(old)}.{form.value}",
            None if new == "gone" else f"{site.feeds_url}/{url_path(new)}.{form.value}",
        )
        for old, new in site.feeds.moved.items()
        for form in site.feeds.formats
    ]
