"""Web server configuration for feeds/: media types, caching, precompressed files, withdrawn articles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from publisher.feeds.headers_file import ARCHIVE_AGE, FEED_AGE
from publisher.html.urls import url_path
from publisher.model.feeds import FeedFormat
from publisher.model.media_types import TYPES_BY_SUFFIX
from publisher.templating.environment import render_template

__all__ = ["SERVERS", "render_hosting"]

SERVERS: Final = ("nginx", "caddy", "apache")


def render_hosting(
    server: str,
    *,
    title: str,
    base_url: str,
    feeds_url: str,
    folder: Path,
    hubs: Sequence[str],
    moved: Mapping[str, str],
    formats: Sequence[FeedFormat],
    templates: Path,
) -> str:
    """Return the configuration for a web server.

    Args:
        server: one of :data:`SERVERS`.
        title: of the site.
        base_url: the URL of the articles.
        feeds_url: the URL of feeds/, without a slash at the end.
        folder: the path of feeds/ on the server.
        hubs: WebSub hubs.
        moved: renamed feeds: path without suffix → new path, or ``gone``.
        formats: the staged formats.
        templates: the folder of the site's own templates.

    Raises:
        TemplateError: the site's own template is invalid.
    """
    parts = urlsplit(feeds_url)
    values = {
        "title": title,
        "host": parts.netloc,
        "site_host": urlsplit(base_url).netloc,
        "origin": f"{parts.scheme}://{parts.netloc}",
        "prefix": parts.path,
        "feeds_url": feeds_url,
        # Escape quotes in the folder's name.
        "folder": json.dumps(str(folder), ensure_ascii=False)[1:-1],
        "hubs": list(hubs),
        "moved": _moved_paths(parts.path, feeds_url, moved, formats),
        "types": list(TYPES_BY_SUFFIX.items()),
        "feed_age": FEED_AGE,
        "archive_age": ARCHIVE_AGE,
    }
    return render_template(templates, f"hosting/{server}.conf.j2", values)


def _moved_paths(
    prefix: str, feeds_url: str, moved: Mapping[str, str], formats: Sequence[FeedFormat]
) -> list[tuple[str, str | None]]:
    """Return (path, new URL) of each renamed file; None for a file that no longer exists."""
    return [
        (
            f"{prefix}/{url_path(old)}.{form.value}",
            None if new == "gone" else f"{feeds_url}/{url_path(new)}.{form.value}",
        )
        for old, new in moved.items()
        for form in formats
    ]
