"""The site key, signed links, tokens of deliveries and keyed hashes of addresses.

It never decides what a token or a link permits, and never stores anything but the key's fingerprint.
"""
