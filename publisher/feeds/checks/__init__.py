"""Check feeds and entries against the specifications and the W3C feed validator's rules.

It never changes a feed, and never reads files or URLs.
"""
