"""What feeds can be about, and which articles belong to what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, func, select

from publisher.html.urls import slugify
from publisher.model.query import fold_label
from publisher.model.taxonomy import FacetKind
from publisher.storage.bulk import batches, insert_rows
from publisher.storage.tables.feeds import facet, feed, membership

__all__ = [
    "add_facets",
    "add_memberships",
    "empty_facet",
    "facet_labels",
    "memberships",
    "replace_memberships",
]


def add_facets(
    connection: Connection, facet_labels: Iterable[tuple[FacetKind, str]]
) -> dict[tuple[FacetKind, str], int]:
    """Return (kind, folded label) → facet id; those not known yet get one, and a slug of their own."""
    wanted = {(kind, fold_label(label)): label for kind, label in reversed(list(facet_labels))}
    found: dict[tuple[FacetKind, str], int] = {}
    for page in batches(wanted):
        query = select(facet.c.id, facet.c.kind, facet.c.folded).where(facet.c.folded.in_({name for _, name in page}))
        for number, kind, name in connection.execute(query):
            found[FacetKind(kind), name] = number
    missing = sorted((kind, name) for kind, name in wanted if (kind, name) not in found)
    if not missing:
        return found
    number = int(connection.execute(select(func.coalesce(func.max(facet.c.id), 0))).scalar_one())
    slugs = _slugs_taken(connection, {slugify(wanted[key]) for key in missing})
    rows = []
    for kind, name in missing:
        base = slugify(wanted[kind, name])
        slug, copy = base, 1
        while (kind, slug) in slugs:
            copy += 1
            slug = f"{base}-{copy}"
        slugs.add((kind, slug))
        number += 1
        found[kind, name] = number
        rows.append({"id": number, "kind": kind.value, "label": wanted[kind, name], "folded": name, "slug": slug})
    insert_rows(connection, facet, rows)
    return found


def _slugs_taken(connection: Connection, bases: set[str]) -> set[tuple[FacetKind, str]]:
    taken: set[tuple[FacetKind, str]] = set()
    for page in batches(bases):
        # "c", "c-2", "c-3" … are all of them copies of one base.
        for base in page:
            query = select(facet.c.kind, facet.c.slug).where(
                (facet.c.slug == base) | facet.c.slug.startswith(f"{base}-", autoescape=True)
            )
            taken.update((FacetKind(kind), slug) for kind, slug in connection.execute(query))
    return taken


def facet_labels(connection: Connection, kind: FacetKind, most: int) -> list[str]:
    """Return the labels of a kind that are on most articles, by name."""
    query = select(facet.c.label).join(feed, feed.c.facet_id == facet.c.id).where(facet.c.kind == kind.value)
    found = connection.execute(query.order_by(feed.c.articles.desc(), facet.c.id).limit(most)).scalars()
    return sorted(found, key=str.casefold)


def memberships(connection: Connection, seqs: Iterable[int]) -> set[int]:
    """Return the ids of every facet that one of the articles belongs to."""
    found: set[int] = set()
    for page in batches(seqs):
        query = select(membership.c.facet_id).where(membership.c.article_seq.in_(page)).distinct()
        found.update(connection.execute(query).scalars())
    return found


def replace_memberships(connection: Connection, seqs: Collection[int], rows: Sequence[Mapping[str, int]]) -> None:
    """Give the articles ``seqs`` these memberships (facet_id, changed_at, article_seq) and no other."""
    for page in batches(seqs):
        connection.execute(delete(membership).where(membership.c.article_seq.in_(page)))
    add_memberships(connection, rows)


def empty_facet(connection: Connection, facet_id: int) -> None:
    """Take every article out of a facet."""
    connection.execute(delete(membership).where(membership.c.facet_id == facet_id))


def add_memberships(connection: Connection, rows: Sequence[Mapping[str, int]]) -> None:
    """Put articles into facets (facet_id, changed_at, article_seq)."""
    if rows:
        insert_rows(connection, membership, rows)
