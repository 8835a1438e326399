"""What a reader of exports gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from publisher.model import Record

__all__ = ["Found", "Options", "Refusal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What readers need to know of the site."""

    #: The newsroom's clock, for times without a zone.
    zone: ZoneInfo
    #: A record larger than this is refused.
    max_bytes: int = 5_000_000
    #: Known tags, to part run-together ones.
    tags: frozenset[str] = frozenset()
    #: The folder that is served at ``base_url``; None to look at no file but the records.
    media: Path | None = None
    #: The site's address, without a slash at the end.
    base_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A record, and what had to be mended or guessed to read it."""

    record: Record
    #: The file, relative to articles/, with ``:line`` where it holds several records.
    where: str
    warnings: tuple[str, ...] = ()
    #: True where the file may hold several records, so that its name identifies none of them.
    one_of_many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something that cannot become an article."""

    where: str
    reason: str
