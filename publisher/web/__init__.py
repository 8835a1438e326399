"""What readers touch over the web."""

from publisher.web.app import Web

__all__ = ["Web"]
