"""Pictures and recordings that lie on the site's own disk: how long they are."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from publisher.ingest.result import Options

__all__ = ["measured"]


def measured(url: str, options: Options) -> int | None:
    """Return the length in bytes of the file at an address, or None where it is not on the site's disk.

    Args:
        url: absolute, or relative to the site.
        options: where the site is on the web, and on the disk.
    """
    if options.media is None:
        return None
    base = urlsplit(options.base_url + "/")
    parts = urlsplit(urljoin(options.base_url + "/", url))
    if (parts.scheme, parts.netloc) != (base.scheme, base.netloc) or not parts.path.startswith(base.path):
        return None
    root = Path(os.path.normpath(options.media))
    # Normalised as text: a link inside the folder is the site's own affair, a ".." in a record is not.
    path = Path(os.path.normpath(root / unquote(parts.path.removeprefix(base.path)).replace("\0", "")))
    return path.stat().st_size if path.is_relative_to(root) and path.is_file() else None
