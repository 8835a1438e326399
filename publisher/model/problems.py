"""Problems that a parser reported about a file."""

from __future__ import annotations

from dataclasses import dataclass, field

from publisher.model.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem(Result):
    """A rejection or a warning about a file or a record."""

    #: The file, relative to articles/, with ``:line`` or ``[number]`` if it holds several records.
    where: str
    #: True if the record was rejected, False for a warning.
    is_rejected: bool = field(metadata={"json": None})
    reason: str
