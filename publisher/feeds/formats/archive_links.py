"""Links between a feed and its archive pages (RFC 5005 §4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from publisher.model.feeds import FeedDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLinks:
    """The position of a document in the archive of its feed. Each document links to the next older page."""

    #: The number of the archive page, 1 for the oldest; None for the current feed.
    page: int | None = None
    #: The number of the next older page, if there is one.
    previous: int | None = None

    def url(self, definition: FeedDefinition, suffix: str) -> str:
        """Return the document's own URL."""
        if self.page is None:
            return f"{definition.url}.{suffix}"
        return f"{definition.archive_url}/{self.page}.{suffix}"

    def previous_url(self, definition: FeedDefinition, suffix: str) -> str | None:
        """Return the URL of the next older page, or None if there is none."""
        return None if self.previous is None else f"{definition.archive_url}/{self.previous}.{suffix}"


#: A feed without archive pages.
NO_ARCHIVE: Final = ArchiveLinks()
