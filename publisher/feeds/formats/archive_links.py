"""Where a document stands in its feed's history (RFC 5005 §4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from publisher.model.feeds import FeedDefinition

__all__ = ["NO_ARCHIVE", "ArchiveLinks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLinks:
    """The subscription document, or an archive page: each leads to the next older page."""

    #: The archive page's number, 1 for the oldest; None for the subscription document.
    page: int | None = None
    #: The number of the next older page; None where there is none.
    previous: int | None = None

    def address(self, channel: FeedDefinition, suffix: str) -> str:
        """Return the document's own address."""
        if self.page is None:
            return f"{channel.address}.{suffix}"
        return f"{channel.archive}/{self.page}.{suffix}"

    def previous_url(self, channel: FeedDefinition, suffix: str) -> str | None:
        """Return the address of the next older page, or None where there is none."""
        return None if self.previous is None else f"{channel.archive}/{self.previous}.{suffix}"


#: A feed without a history.
NO_ARCHIVE: Final = ArchiveLinks()
