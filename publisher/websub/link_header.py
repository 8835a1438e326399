"""The HTTP Link header of a feed."""

from __future__ import annotations

from collections.abc import Sequence


def link_header(url: str, hubs: Sequence[str]) -> str:
    """Return the Link header of a feed with its own URL and its hubs (https://www.w3.org/TR/websub/#discovery)."""
    return ", ".join([f'<{url}>; rel="self"', *(f'<{hub}>; rel="hub"' for hub in hubs)])
