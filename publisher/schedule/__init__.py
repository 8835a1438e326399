"""Stored schedules, claims of due slots, and the registry of active runners.

The package decides which slot runs, once, on which process. It never makes an issue or a feed: `runner` does.
"""
