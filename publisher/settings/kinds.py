"""What settings are made of: texts that are checked, and the question of which articles."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

from publisher.model.query import fold_label
from publisher.model.taxonomy import FacetKind, Query
from publisher.settings import checks

__all__ = ["Address", "Host", "Language", "Limit", "Sender", "SettingsTable", "Slug", "Text", "Url", "make_query"]

Slug = Annotated[str, AfterValidator(checks.slug)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(checks.one_line)]
Address = Annotated[str, AfterValidator(checks.address)]
Sender = Annotated[str, AfterValidator(checks.sender)]
Host = Annotated[str, AfterValidator(checks.host)]
Language = Annotated[str, AfterValidator(checks.language)]
Limit = Annotated[int | Literal["all"], BeforeValidator(checks.limit)]
Url = Annotated[str, AfterValidator(checks.http_url)]


class SettingsTable(BaseModel):
    """A table of the settings: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def make_query(*labels: tuple[str, ...]) -> Query:
    """Return the question for articles that carry one of the topics, regions, brands, tags and authors named."""
    kinds = (FacetKind.TOPIC, FacetKind.REGION, FacetKind.BRAND, FacetKind.TAG, FacetKind.AUTHOR)
    return Query(
        wanted=tuple(
            (kind, frozenset(fold_label(name) for name in names))
            for kind, names in zip(kinds, labels, strict=True)
            if names
        )
    )
