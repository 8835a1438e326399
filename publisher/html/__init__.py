"""Sanitise, convert and measure HTML, text, URLs and colours, as pure functions.

It never reads a file, a socket or a clock.
"""
