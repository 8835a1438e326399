"""The site's UUID namespace for article IDs."""

from __future__ import annotations

import uuid

from sqlalchemy import Connection

from publisher.settings import Site
from publisher.storage import facts

__all__ = ["site_namespace"]


def site_namespace(connection: Connection, site: Site) -> uuid.UUID:
    """Return the seed of the site's ids, decided on the first run and kept for ever."""
    kept = facts.get_fact(connection, "namespace")
    if kept is None:
        kept = str(uuid.uuid5(uuid.NAMESPACE_URL, site.id or f"https://{site.host}/"))
        facts.set_fact(connection, "namespace", kept)
    return uuid.UUID(kept)
