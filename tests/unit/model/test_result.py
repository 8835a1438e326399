"""How result records become JSON."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from publisher.model.result import Result


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Plain:
    size: int


@dataclass(frozen=True)
class OwnShape:
    def as_dict(self) -> dict[str, str]:
        return {"shape": "own"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Result):
    link: str = field(metadata={"json": "url"})
    secret: str = field(default="x", metadata={"json": None})
    at: datetime = datetime(2026, 1, 5, tzinfo=UTC)
    colour: Colour = Colour.RED
    path: Path = Path("a/b")
    parts: tuple[Plain, ...] = (Plain(1),)
    by_name: dict[Colour, OwnShape] = field(default_factory=lambda: {Colour.RED: OwnShape()})


def test_each_field_becomes_what_json_has() -> None:
    """Programs read ``--json``: times are ISO 8601, enums their value, and records objects."""
    assert Sample(link="/x").as_dict() == {
        "url": "/x",
        "at": "2026-01-05T00:00:00+00:00",
        "colour": "red",
        "path": "a/b",
        "parts": [{"size": 1}],
        "by_name": {"red": {"shape": "own"}},
    }
