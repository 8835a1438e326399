"""Load a site's own images for rendering without network access."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote, urlsplit

from publisher.settings import Site
from publisher.staging.beneath import read_beneath

#: Larger images are not shown in previews.
_MAX_IMAGE_BYTES: Final = 50_000_000


def local_media_loader(site: Site) -> Callable[[str], tuple[bytes, str] | None]:
    """Return a function that loads an image of the site by its URL: (bytes, media type), or None."""

    def load(url: str) -> tuple[bytes, str] | None:
        if not url.startswith(site.base_url + "/"):
            return None
        name = unquote(urlsplit(url).path).lstrip("/")
        data = read_beneath(site.media_dir, name, _MAX_IMAGE_BYTES)
        return (data, mimetypes.guess_type(name)[0] or "application/octet-stream") if data is not None else None

    return load
