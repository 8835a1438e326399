"""Facets (topics, regions, tags …), and the articles that belong to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, func, select

from publisher.html.urls import slugify
from publisher.model.query import fold_label
from publisher.model.taxonomy import FacetKind
from publisher.storage.bulk import batches, insert_rows
from publisher.storage.tables.feeds import facet, feed, membership


def add_facets(
    connection: Connection, facet_labels: Iterable[tuple[FacetKind, str]]
) -> dict[tuple[FacetKind, str], int]:
    """Add the facets that do not exist, with unique slugs, and return (kind, folded label) → facet ID."""
    wanted = {(kind, fold_label(label)): label for kind, label in reversed(list(facet_labels))}
    facets: dict[tuple[FacetKind, str], int] = {}
    for page in batches(wanted):
        query = select(facet.c.id, facet.c.kind, facet.c.folded).where(facet.c.folded.in_({name for _, name in page}))
        for number, kind, name in connection.execute(query):
            facets[FacetKind(kind), name] = number
    missing = sorted((kind, name) for kind, name in wanted if (kind, name) not in facets)
    if not missing:
        return facets
    number = int(connection.execute(select(func.coalesce(func.max(facet.c.id), 0))).scalar_one())
    slugs = _slugs_taken(connection, {slugify(wanted[key]) for key in missing})
    rows = []
    for kind, name in missing:
        base = slugify(wanted[kind, name])
        slug, number_of_slug = base, 1
        while (kind, slug) in slugs:
            number_of_slug += 1
            slug = f"{base}-{number_of_slug}"
        slugs.add((kind, slug))
        number += 1
        facets[kind, name] = number
        rows.append({"id": number, "kind": kind.value, "label": wanted[kind, name], "folded": name, "slug": slug})
    insert_rows(connection, facet, rows)
    return facets


def _slugs_taken(connection: Connection, bases: set[str]) -> set[tuple[FacetKind, str]]:
    taken: set[tuple[FacetKind, str]] = set()
    # "c", "c-2", "c-3" … share the base "c".
    for base in bases:
        has_base = (facet.c.slug == base) | facet.c.slug.startswith(f"{base}-", autoescape=True)
        query = select(facet.c.kind, facet.c.slug).where(has_base)
        taken.update((FacetKind(kind), slug) for kind, slug in connection.execute(query))
    return taken


def facet_labels(connection: Connection, kind: FacetKind, limit: int) -> list[str]:
    """Return the LIMIT labels of a kind that have the most articles, by name."""
    query = select(facet.c.label).join(feed, feed.c.facet_id == facet.c.id).where(facet.c.kind == kind.value)
    facets = connection.execute(query.order_by(feed.c.articles.desc(), facet.c.id).limit(limit)).scalars()
    return sorted(facets, key=str.casefold)


def memberships(connection: Connection, seqs: Iterable[int]) -> set[int]:
    """Return the IDs of the facets that contain one of the articles."""
    facets: set[int] = set()
    for page in batches(seqs):
        query = select(membership.c.facet_id).where(membership.c.article_seq.in_(page)).distinct()
        facets.update(connection.execute(query).scalars())
    return facets


def replace_memberships(connection: Connection, seqs: Collection[int], rows: Sequence[Mapping[str, int]]) -> None:
    """Replace the memberships of the articles SEQS by ROWS (facet_id, changed_at, article_seq)."""
    for page in batches(seqs):
        connection.execute(delete(membership).where(membership.c.article_seq.in_(page)))
    add_memberships(connection, rows)


def empty_facet(connection: Connection, facet_id: int) -> None:
    """Remove all articles from a facet."""
    connection.execute(delete(membership).where(membership.c.facet_id == facet_id))


def add_memberships(connection: Connection, rows: Sequence[Mapping[str, int]]) -> None:
    """Add articles to facets (facet_id, changed_at, article_seq)."""
    insert_rows(connection, membership, rows)
