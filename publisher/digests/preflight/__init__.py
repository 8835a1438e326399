"""Check issues before they are sent: message headers, HTML, plain text, contrast, client support.

It never changes an issue, and never sends anything.
"""
