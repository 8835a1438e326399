"""Check feeds and entries against the specifications and the W3C feed validator's rules.

It never changes a feed, and never reads files or URLs.
"""

from publisher.feeds.checks.feed import check_entry, check_feed
from publisher.findings import Finding

__all__ = ["Finding", "check_entry", "check_feed"]
