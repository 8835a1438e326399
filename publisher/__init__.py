"""A self-hosted publisher of RSS, Atom and JSON feeds and of email newsletters.

Its command line is ``publish``. The package never changes the files in a site's articles folder.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
