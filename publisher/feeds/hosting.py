"""Settings for web servers that hand feeds/ out: types, caching, compressed files, what is gone."""

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
    """Return the settings for a web server.

    Args:
        server: one of :data:`SERVERS`.
        title: the site's.
        base_url: where the articles are.
        feeds_url: where feeds/ can be reached, without a slash at the end.
        folder: feeds/ on the server's disk.
        hubs: WebSub hubs.
        moved: feeds that were renamed: path without suffix → the new one, or ``gone``.
        formats: those that are staged.
        templates: the site's own templates.

    Raises:
        TemplateError: a template of the site's own is broken.
    """
    parts = urlsplit(feeds_url)
    values = {
        "title": title,
        "host": parts.netloc,
        "site_host": urlsplit(base_url).netloc,
        "origin": f"{parts.scheme}://{parts.netloc}",
        "prefix": parts.path,
        "feeds_url": feeds_url,
        # A quote in a folder's name would end the text that it stands in.
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
    """Return the path of each file that is no more, and where it is now; None where it is nowhere."""
    return [
        (
            f"{prefix}/{url_path(old)}.{form.value}",
            None if new == "gone" else f"{feeds_url}/{url_path(new)}.{form.value}",
        )
        for old, new in moved.items()
        for form in formats
    ]
