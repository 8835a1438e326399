"""Preflight: rules for feeds and for mail."""

from publisher.check.feed import check_entry, check_feed
from publisher.check.finding import RULES, Finding

__all__ = ["RULES", "Finding", "check_entry", "check_feed"]
