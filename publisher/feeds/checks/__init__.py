"""Preflight: rules for feeds and for mail."""

from publisher.feeds.checks.feed import check_entry, check_feed
from publisher.findings import Finding

__all__ = ["Finding", "check_entry", "check_feed"]
