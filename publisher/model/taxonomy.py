"""Taxonomy: the kinds of labels that feeds and digests select articles by. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FacetKind(StrEnum):
    """Kinds of feeds. The value is the folder under ``feeds/``."""

    ALL = "all"
    CUSTOM = "custom"
    TOPIC = "topic"
    REGION = "region"
    BRAND = "brand"
    TAG = "tag"
    AUTHOR = "author"


#: The kinds of the labels of articles.
LABEL_KINDS: Final = (FacetKind.TOPIC, FacetKind.REGION, FacetKind.BRAND, FacetKind.TAG, FacetKind.AUTHOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query for articles: at least one of the labels of each kind that it names."""

    wanted: tuple[tuple[FacetKind, frozenset[str]], ...] = ()


#: The facet that every article belongs to.
ALL = (FacetKind.ALL, "all")
