"""The HTTP server: feeds, pages for subscribers, the hub, metrics.

It never renders issues or sends mail; it reads staged files and calls the public API.
"""

from publisher.web.app import Web
from publisher.web.metrics import Metrics

__all__ = ["Metrics", "Web"]
