"""The variant of an issue with all of its articles."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from publisher.model.digests import IssueVariant
from publisher.storage.tables.digests import issue_variant

__all__ = ["whole_variant"]


def whole_variant(connection: Connection, issue_id: int) -> IssueVariant | None:
    """Return the variant of an issue with all articles; None if the issue has no variants."""
    query = select(issue_variant).where(issue_variant.c.issue_id == issue_id, issue_variant.c.number == 1)
    row = connection.execute(query).first()
    if row is None:
        return None
    return IssueVariant(
        articles=tuple(json.loads(row.articles)),
        placeholder_hash=row.placeholder_hash,
        html=row.html,
        text=row.text,
        subject=row.subject,
    )
