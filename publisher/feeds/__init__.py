"""RSS, Atom and JSON feeds, their archive pages, the feed directory and the sitemap, and the checks of feeds.

It never parses articles, and never sends mail or notifications.
"""
