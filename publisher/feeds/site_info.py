"""The site information that all entries and feeds contain. Imports little, for runs that have nothing to do."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from publisher.model.feeds import FeedFormat

if TYPE_CHECKING:
    from publisher.findings.silence import Silence
    from publisher.settings.feeds import CloudSettings, LogoSettings

#: Increase it when the rendering of entries changes: all entries are rendered again.
REVISION: Final = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteInfo:
    """The site information that all entries and feeds contain."""

    base_url: str
    #: The URL of feeds/, without a slash at the end.
    feeds_url: str
    language: str
    #: The author of articles without authors.
    author: str
    rights: str | None
    #: The seed of the feeds' IDs.
    namespace: uuid.UUID
    #: The URL of a square image.
    icon: str | None = None
    logo: LogoSettings | None = None
    #: WebSub hubs that are notified of changes.
    hubs: tuple[str, ...] = ()
    cloud: CloudSettings | None = None
    #: The staged formats. Entries of the others are rendered, but not checked.
    formats: tuple[FeedFormat, ...] = tuple(FeedFormat)
    #: Rules that entries may violate.
    silences: tuple[Silence, ...] = ()
