"""Render entries and feeds as RSS 2.0, Atom 1.0 and JSON Feed 1.1; the only user of feedgen.

It never uses the database and never writes files.
"""
