"""The public API: a site that is open, and one module for each subject of it.

Its methods are use cases of the packages below, called with a context; it decides nothing itself. The command line and
the web server call nothing else.
"""

from publisher.api.site import Publisher

__all__ = ["Publisher"]
