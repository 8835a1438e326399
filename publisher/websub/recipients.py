"""The hubs and rssCloud servers that are notified of a changed feed."""

from __future__ import annotations

from publisher.model.feeds import FeedFormat
from publisher.settings import Site


def recipients(site: Site, form: FeedFormat) -> tuple[str, ...]:
    """Return the recipients of notifications about a format; rssCloud supports RSS only."""
    names = [f"websub {hub}" for hub in site.hubs]
    if site.announce.cloud is not None and form is FeedFormat.RSS:
        names.append(f"rsscloud {site.announce.cloud.ping_url}")
    return tuple(names)
