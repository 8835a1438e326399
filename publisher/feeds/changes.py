"""Changes of feeds/ in one run."""

from __future__ import annotations

from dataclasses import dataclass, field

from publisher.model.problems import Problem


@dataclass(slots=True)
class FeedChanges:
    """Changes of feeds/, as staging makes them. Paths are relative to the site."""

    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    #: Files that were not updated, and articles without a feed entry.
    rejected: list[Problem] = field(default_factory=list)
