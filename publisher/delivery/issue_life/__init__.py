"""The steps of an issue from its approval on: fix it, hold it, open its send, cancel it, make it a draft again.

It settles audiences. It never sends anything.
"""
