"""Load Jinja2 templates and render them in a sandbox; a site's own templates override the shipped ones.

It never decides which template or which values are used.
"""
