"""Subscribers, subscription states, suppression list; parsers of addresses and lists.

The package stores who may be mailed, and why. It never sends mail, and never decides what an issue contains.
"""
