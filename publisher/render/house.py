"""What every entry and feed of a site shares. Light: a run with nothing to do imports no more."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

__all__ = ["REVISION", "House"]

#: Raise it when the same article is to give other bytes than before: every entry is made anew.
REVISION: Final = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What every entry and feed of a site shares."""

    title: str
    base_url: str
    #: Where feeds/ can be reached, without a slash at the end.
    feeds_url: str
    language: str
    #: Who signs an article that names nobody.
    author: str
    rights: str | None
    #: The seed of the feeds' own ids.
    namespace: uuid.UUID
