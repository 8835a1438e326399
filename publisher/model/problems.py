"""Problems that a parser reported about a file."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something a reader of exports had to say about a file."""

    #: The file, relative to articles/, with ``:line`` or ``[number]`` where it holds several records.
    where: str
    #: True where the record was set aside, False for a warning.
    is_rejected: bool
    reason: str
