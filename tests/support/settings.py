"""The settings of a site that has no files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from publisher.settings import Site


def make_site(root: Path = Path("/nowhere"), **settings: Any) -> Site:
    """Return a site with these settings beside the required ones."""
    required = {"title": "The Review", "base_url": "https://review.example"}
    return Site.model_validate(required | settings, context={"root": root})
