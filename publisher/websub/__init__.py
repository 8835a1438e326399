"""Notify WebSub hubs and rssCloud servers of changed feeds, and run the site's own WebSub hub.

It never writes feeds, and never decides which feeds a site has.
"""
