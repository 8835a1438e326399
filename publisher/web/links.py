"""Addresses of the settings with a reader's pass in them, the other way round: a request → the pass."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

__all__ = ["DeliveryLink"]


class DeliveryLink:
    """An address as ``mail.unsubscribe`` and ``mail.preferences`` have it: {copy} in its path, in a field, or added."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if url.startswith("http") else "")
        #: The path as a route has it; empty where the address is none of the web.
        self.path = parts.path
        self._field = next((key for key, value in parse_qsl(parts.query) if value == "{copy}"), "copy")

    def token_of(self, request: Request) -> str:
        """Return the pass that a request names; empty where it names none."""
        return str(request.path_params.get("copy", "")) or request.query_params.get(self._field, "")
