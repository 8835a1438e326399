"""Frozen records and enums that all packages share, one module per subject, and pure functions on them.

It never reads a file, a socket, a clock or the database.
"""
