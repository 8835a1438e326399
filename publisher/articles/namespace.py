"""The site's UUID namespace for article IDs."""

from __future__ import annotations

import uuid

from sqlalchemy import Connection

from publisher.settings import Site
from publisher.storage import facts


def site_namespace(connection: Connection, site: Site) -> uuid.UUID:
    """Return the site's UUID namespace; it is set on the first run and never changes."""
    stored = facts.get_fact(connection, "namespace")
    if stored is None:
        stored = str(uuid.uuid5(uuid.NAMESPACE_URL, site.id or f"https://{site.host}/"))
        facts.set_fact(connection, "namespace", stored)
    return uuid.UUID(stored)
