"""Read a site's own pictures for rendering without network."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote, urlsplit

from publisher.settings import Site
from publisher.staging.beneath import read_beneath

__all__ = ["local_media_loader"]
#: Bytes of a picture that is shown in a preview.
_MAX_IMAGE_BYTES: Final = 50_000_000


def local_media_loader(site: Site) -> Callable[[str], tuple[bytes, str] | None]:
    """Return how to find a picture of the site's own in its media folder."""

    def found(url: str) -> tuple[bytes, str] | None:
        if not url.startswith(site.base_url + "/"):
            return None
        name = unquote(urlsplit(url).path).lstrip("/")
        data = read_beneath(site.media_dir, name, _MAX_IMAGE_BYTES)
        return (data, mimetypes.guess_type(name)[0] or "application/octet-stream") if data is not None else None

    return found
