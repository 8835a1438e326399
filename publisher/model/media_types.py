"""Media types by file suffix. Pure: unlike ``mimetypes``, it gives the same result on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from publisher.model.feeds import FeedFormat

#: Format → the media type of its feeds, in responses and in links.
FEED_TYPES: Final[Mapping[FeedFormat, str]] = {
    FeedFormat.RSS: "application/rss+xml",
    FeedFormat.ATOM: "application/atom+xml",
    FeedFormat.JSON: "application/feed+json",
}

#: Suffix → media type (https://www.iana.org/assignments/media-types).
MEDIA_TYPES: Final = {
    "aac": "audio/aac",
    "avif": "image/avif",
    "csv": "text/csv",
    "epub": "application/epub+zip",
    "flac": "audio/flac",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "m4a": "audio/mp4",
    "m4v": "video/mp4",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
    "zip": "application/zip",
}


def media_type(url: str) -> str | None:
    """Return the media type of a URL by its suffix, or None if the suffix is unknown."""
    name = urlsplit(url).path.rpartition("/")[2]
    return MEDIA_TYPES.get(name.rpartition(".")[2].lower()) if "." in name else None


#: Suffix of a staged file → media type.
TYPES_BY_SUFFIX: Final = {**{form.value: kind for form, kind in FEED_TYPES.items()}, "opml": "text/x-opml"}
