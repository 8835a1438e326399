"""The HTTP server: feeds, pages for subscribers, the hub, metrics.

It never renders issues or sends mail; it reads staged files and calls the use cases of other packages.
"""

from publisher.web.app import Web
from publisher.web.metrics import Metrics

__all__ = ["Metrics", "Web"]
