"""Queries of the variants of issues. Variant 1 has all articles of its issue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from publisher.model.digests import IssueVariant
from publisher.storage.bulk import insert_rows
from publisher.storage.tables.digests import issue_article, issue_variant


def _variant(row: Any) -> IssueVariant:
    return IssueVariant(
        articles=tuple(json.loads(row.articles)),
        placeholder_hash=row.placeholder_hash,
        html=row.html,
        text=row.text,
        subject=row.subject,
    )


def whole_variant(connection: Connection, issue_id: int) -> IssueVariant | None:
    """Return the variant of an issue with all articles; None if the issue has no variants."""
    query = select(issue_variant).where(issue_variant.c.issue_id == issue_id, issue_variant.c.number == 1)
    row = connection.execute(query).first()
    return _variant(row) if row is not None else None


def load_variants(connection: Connection, issue_id: int) -> list[IssueVariant]:
    """Return the variants of an issue, by number."""
    query = select(issue_variant).where(issue_variant.c.issue_id == issue_id).order_by(issue_variant.c.number)
    return [_variant(row) for row in connection.execute(query)]


def add_variants(connection: Connection, issue_id: int, variants: Sequence[IssueVariant]) -> None:
    """Add variants to an issue, after those that it has."""
    query = select(func.coalesce(func.max(issue_variant.c.number), 0)).where(issue_variant.c.issue_id == issue_id)
    first = int(connection.execute(query).scalar_one()) + 1
    rows = [
        {
            "issue_id": issue_id,
            "number": number,
            "articles": json.dumps(variant.articles),
            "subject": variant.subject,
            "placeholder_hash": variant.placeholder_hash,
            "html": variant.html,
            "text": variant.text,
        }
        for number, variant in enumerate(variants, first)
    ]
    insert_rows(connection, issue_variant, rows)


def variants_with_articles(
    connection: Connection, seqs: Iterable[int], *, only_digest: str | None = None
) -> dict[int, dict[int, frozenset[int]]]:
    """Return issue ID → variant number → the articles of SEQS in it, for all variants with at least one."""
    wanted = set(seqs)
    having = select(issue_article.c.issue_id).where(issue_article.c.article_seq.in_(wanted))
    if only_digest is not None:
        having = having.where(issue_article.c.digest == only_digest)
    query = select(issue_variant.c.issue_id, issue_variant.c.number, issue_variant.c.articles).where(
        issue_variant.c.issue_id.in_(having)
    )
    result: dict[int, dict[int, frozenset[int]]] = {}
    for issue_id, number, articles in connection.execute(query):
        if common := wanted.intersection(json.loads(articles)):
            result.setdefault(issue_id, {})[number] = frozenset(common)
    return result
