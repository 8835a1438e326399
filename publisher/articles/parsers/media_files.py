"""Measure files in the site's media folder."""

from __future__ import annotations

import os
from urllib.parse import unquote, urljoin, urlsplit

from publisher.articles.parsers.result import ParserOptions
from publisher.staging.beneath import open_file_beneath


def local_file_size(url: str, options: ParserOptions) -> int | None:
    """Return the size in bytes of the file that a URL serves, absolute or relative to the site; None for other files."""
    if options.media is None:
        return None
    base = urlsplit(options.base_url + "/")
    parts = urlsplit(urljoin(options.base_url + "/", url))
    if (parts.scheme, parts.netloc) != (base.scheme, base.netloc) or not parts.path.startswith(base.path):
        return None
    name = unquote(parts.path.removeprefix(base.path)).replace("\0", "")
    try:
        with open_file_beneath(options.media, name) as file:
            return os.fstat(file.fileno()).st_size
    except (OSError, ValueError):
        return None
