"""Enclosures of articles, and the sizes of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from publisher.articles.parsers import ParserOptions
from publisher.articles.parsers.fields import build_record
from publisher.articles.parsers.media_files import local_file_size
from publisher.errors import InvalidRecord
from publisher.model.articles import Enclosure, Record

BASE = "https://review.example/magazine"


@pytest.fixture
def options(tmp_path: Path) -> ParserOptions:
    media = tmp_path / "media"
    (media / "audio").mkdir(parents=True)
    (media / "audio/talk one.mp3").write_bytes(b"12345")
    (tmp_path / "secret.mp3").write_bytes(b"1")
    return ParserOptions(zone=ZoneInfo("UTC"), media=media, base_url=BASE)


def built(options: ParserOptions, **fields: Any) -> tuple[Record, list[str]]:
    return build_record({"title": "T", "date": "2026-11-20", **fields}, "x.json", options)


@pytest.mark.parametrize(
    ("url", "length"),
    [
        ("audio/talk%20one.mp3", 5),
        ("/magazine/audio/talk%20one.mp3", 5),
        (f"{BASE}/audio/talk%20one.mp3?download=1", 5),
        ("/audio/talk%20one.mp3", None),
        (f"{BASE}/audio/other.mp3", None),
        (f"{BASE}/audio", None),
        (f"{BASE}/../secret.mp3", None),
        (f"{BASE}/audio/%2e%2e/%2e%2e/secret.mp3", None),
        (f"{BASE}/audio/talk%20one.mp3%00", 5),
        ("https://other.example/magazine/audio/talk%20one.mp3", None),
        ("http://review.example/magazine/audio/talk%20one.mp3", None),
    ],
)
def test_the_size_of_a_file_in_the_media_folder_is_measured(
    options: ParserOptions, url: str, length: int | None
) -> None:
    """Files outside the media folder or on other servers have no known size."""
    assert local_file_size(url, options) == length
    assert local_file_size(url, ParserOptions(zone=options.zone)) is None


def test_an_enclosure_may_be_an_address_or_a_table(options: ParserOptions) -> None:
    """Names of fields in JSON Feed attachments are accepted, and duplicates are removed."""
    record, warnings = built(options, enclosure="audio/talk%20one.mp3")
    assert record.enclosures == (Enclosure(url="audio/talk%20one.mp3", type="audio/mpeg", length=5),)
    assert warnings == []
    table = {
        "url": "https://cdn.example/v",
        "mime_type": "video/mp4",
        "size_in_bytes": 9,
        "duration_in_seconds": 3,
        "title": "V",
    }
    record, warnings = built(options, attachments=[table, table])
    assert record.enclosures == (
        Enclosure(url="https://cdn.example/v", type="video/mp4", length=9, duration=3, title="V"),
    )
    assert warnings == []


def test_an_incomplete_enclosure_gives_a_warning(options: ParserOptions) -> None:
    """The warning names the missing type or length, or the wrong length."""
    for fields, words, count in (
        ({"enclosures": ["https://cdn.example/a"]}, "has no valid type. Add one", 0),
        ({"enclosures": [{"url": "https://cdn.example/a", "type": "a b"}]}, "has no valid type. Add one", 0),
        ({"enclosures": ["https://cdn.example/a.mp3"]}, "is not in RSS: its length is unknown", 1),
        ({"enclosures": [{"url": "audio/talk%20one.mp3", "length": 6}]}, "has 5 bytes, not 6", 1),
        ({"enclosures": ["ftp://cdn.example/a.mp3"]}, "is not an http URL", 0),
    ):
        record, warnings = built(options, **fields)
        assert len(warnings) == 1 and words in warnings[0]
        assert len(record.enclosures) == count
    assert record.enclosures == ()


@pytest.mark.parametrize("length", [0, -1, "five", 1.5, True, 1 << 60])
def test_an_invalid_enclosure_length_is_rejected(options: ParserOptions, length: object) -> None:
    """A length is a positive whole number of bytes."""
    with pytest.raises(InvalidRecord, match="enclosure length must be a whole number of bytes"):
        built(options, enclosures=[{"url": "https://cdn.example/a.mp3", "length": length}])


def test_the_size_of_an_image_is_measured(options: ParserOptions, tmp_path: Path) -> None:
    """An image without a file has no size, and an unsafe URL is ignored."""
    (tmp_path / "media/p.jpg").write_bytes(b"123")
    record, _ = built(options, image={"url": "p.jpg"})
    assert record.image is not None and record.image.length == 3
    (tmp_path / "media/p.jpg").unlink()
    record, _ = built(options, image="p.jpg")
    assert record.image is not None and record.image.length is None
    assert built(options, image="javascript:x")[0].image is None
