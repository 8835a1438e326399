"""Taxonomy: what feeds and digests select articles by. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ALL", "FacetKind", "Query"]


class FacetKind(StrEnum):
    """What a feed can be about. The value is the folder under ``feeds/``."""

    ALL = "all"
    CUSTOM = "custom"
    TOPIC = "topic"
    REGION = "region"
    BRAND = "brand"
    TAG = "tag"
    AUTHOR = "author"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which articles are asked for: any of the labels of a kind, in all kinds that are named."""

    wanted: tuple[tuple[FacetKind, frozenset[str]], ...] = ()


#: The facet that every article belongs to.
ALL = (FacetKind.ALL, "all")
