"""Types of settings: validated text, and the base class of tables."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

from publisher.model.query import fold_label
from publisher.model.taxonomy import LABEL_KINDS, Query
from publisher.settings import validators

Slug = Annotated[str, AfterValidator(validators.slug)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(validators.one_line)]
Address = Annotated[str, AfterValidator(validators.address)]
Sender = Annotated[str, AfterValidator(validators.sender)]
Host = Annotated[str, AfterValidator(validators.host)]
Language = Annotated[str, AfterValidator(validators.language)]
Limit = Annotated[int | Literal["all"], BeforeValidator(validators.limit)]
Url = Annotated[str, AfterValidator(validators.http_url)]


class SettingsTable(BaseModel):
    """A table of the settings: frozen, unknown keys are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ArticleQuerySettings(SettingsTable):
    """Labels that select articles: one of each kind that is named."""

    topic: tuple[Text, ...] = ()
    region: tuple[Text, ...] = ()
    brand: tuple[Text, ...] = ()
    tag: tuple[Text, ...] = ()
    author: tuple[Text, ...] = ()

    @property
    def query(self) -> Query:
        """The query that selects the articles."""
        labels = [(kind, getattr(self, kind.value)) for kind in LABEL_KINDS]
        return Query(wanted=tuple((kind, frozenset(map(fold_label, names))) for kind, names in labels if names))
