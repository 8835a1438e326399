"""Subscribe, confirm, unsubscribe, import, export, erase; preferences and personal feeds.

The package changes subscription states and sends the emails that confirm such changes. It never sends issues
to an audience: `delivery` does that.
"""
