"""The database schema: one module per subject.

Times are seconds since 1970 in UTC. ``storage/migrations`` builds the same schema. All tables are in one package
because foreign keys cross subjects.
"""

from publisher.storage.tables import (
    articles,
    delivery,
    digests,
    feeds,
    jobs,
    meta,
    reports,
    schedule,
    subscribers,
    subscriptions,
    websub,
)
from publisher.storage.tables.base import REVISION, metadata

__all__ = [
    "REVISION",
    "articles",
    "delivery",
    "digests",
    "feeds",
    "jobs",
    "meta",
    "metadata",
    "reports",
    "schedule",
    "subscribers",
    "subscriptions",
    "websub",
]
