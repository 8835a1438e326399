"""Find the delivery token in a request for a URL that the settings define."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

__all__ = ["DeliveryLink"]


class DeliveryLink:
    """A URL setting with {copy} in its path or query, or without: then a field is added."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if url.startswith("http") else "")
        #: The path for a route; empty if the URL is not http or https.
        self.path = parts.path
        self._field = next((key for key, value in parse_qsl(parts.query) if value == "{copy}"), "copy")

    def token_of(self, request: Request) -> str:
        """Return the delivery token of a request; empty if it has none."""
        return str(request.path_params.get("copy", "")) or request.query_params.get(self._field, "")
