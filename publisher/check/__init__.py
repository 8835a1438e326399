"""Preflight: rules for feeds."""

from publisher.check.feed import RULES, Finding, check_entry, check_feed

__all__ = ["RULES", "Finding", "check_entry", "check_feed"]
