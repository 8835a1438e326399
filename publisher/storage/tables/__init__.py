"""The database schema: one module per subject.

Times are seconds since 1970 in UTC. ``storage/migrations`` builds the same schema. All tables are in one package
because foreign keys cross subjects.
"""

from publisher.storage.tables import (  # noqa: F401 - each adds its tables to the metadata
    articles,
    delivery,
    digests,
    feeds,
    jobs,
    meta,
    reports,
    schedule,
    subscribers,
    websub,
)
from publisher.storage.tables.base import REVISION, metadata

__all__ = ["REVISION", "metadata"]
