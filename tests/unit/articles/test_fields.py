"""Records from Markdown with front matter, JSON and JSON Lines, and files that are rejected."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from publisher.articles.parsers import PARSERS, ParsedRecord, ParserOptions, RejectedRecord, parse_file
from publisher.articles.parsers.dates import parse_date
from publisher.articles.parsers.json_files import parse_json, parse_json_lines
from publisher.articles.parsers.markdown import parse_markdown
from publisher.errors import InvalidRecord
from publisher.model.articles import Author, Image

OPTIONS = ParserOptions(zone=ZoneInfo("Europe/London"), max_bytes=20_000)
LEAST: dict[str, Any] = {"title": "T", "date": "2026-11-20"}


def markdown(text: str) -> ParsedRecord:
    (found,) = parse_markdown(io.BytesIO(text.encode()), "x.md", OPTIONS)
    assert isinstance(found, ParsedRecord)
    return found


def from_json(**fields: Any) -> ParsedRecord:
    data = json.dumps({**LEAST, **fields}).encode()
    (found,) = parse_json(io.BytesIO(data), "x.json", OPTIONS)
    assert isinstance(found, ParsedRecord)
    return found


def test_every_field_of_a_record_is_parsed() -> None:
    """One file has all fields that a record can have."""
    got = from_json(
        id=17,
        url="https://cms.example/a b",
        slug="the-slug",
        date="2026-11-20T06:30:00.5+01:00",
        updated="2026-11-21",
        dek="D",
        body='<p>x</p><script>bad()</script><img src="/i.png">',
        authors=["Ann Lee", {"name": "Bob Ray", "bio": "B", "url": "https://bob.example/"}],
        topic="T",
        region="R",
        blog_brand="B",
        tags=["a", "b", "a"],
        image={"url": "/i.jpg", "credit": "C", "alt": "A", "caption": "P", "width": 10, "height": 20},
        language="pt-BR",
    ).record
    assert got.external_id == "17"
    assert got.url == "https://cms.example/a%20b"
    assert got.date == datetime.fromisoformat("2026-11-20T06:30:00+01:00")
    assert got.updated == datetime(2026, 11, 21, tzinfo=OPTIONS.zone)
    assert got.body == '<p>x</p><img src="/i.png">'
    assert got.authors == (Author(name="Ann Lee"), Author(name="Bob Ray", bio="B", url="https://bob.example/"))
    assert got.tags == ("a", "b")
    assert got.image == Image(url="/i.jpg", credit="C", alt="A", caption="P", width=10, height=20)
    assert (got.topic, got.region, got.brand, got.language, got.slug) == ("T", "R", "B", "pt-BR", "the-slug")


def test_three_formats_give_the_same_record() -> None:
    """Markdown, JSON and JSON Lines differ only in syntax."""
    text = b"T\n\nNovember 20, 2026 Topic: Water\n\nT\n\nBody & soul."
    from_text = PARSERS[".txt"](io.BytesIO(text), "x", OPTIONS)
    records = [
        next(iter(from_text)).record,  # type: ignore[union-attr]
        markdown("---\ntitle: T\ndate: 2026-11-20\ntopic: Water\n---\nBody & soul.").record,
        from_json(topic="Water", body="Body & soul.", format="text").record,
    ]
    assert records[0] == records[1] == records[2]


def test_markdown_is_rendered_and_sanitised() -> None:
    """Scripts in Markdown do not reach the body."""
    body = markdown(
        "---\ntitle: T\ndate: 2026-11-20\n---\n**b** <span onclick=x>s</span>\n\n|a|b|\n|-|-|\n|1|2|\n\n~~old~~"
    ).record.body
    assert "<strong>b</strong> <span>s</span>" in body
    assert "<td>1</td>" in body
    assert "<s>old</s>" in body


def test_a_first_heading_is_used_as_the_title() -> None:
    """The heading is removed from the body."""
    got = markdown("---\ndate: 2026-11-20\n---\n# The Heading #\n\nText.").record
    assert (got.title, got.body) == ("The Heading", "<p>Text.</p>")


def test_a_shared_bio_applies_to_a_single_author() -> None:
    """Authors and tags may be plain text."""
    got = markdown("---\ntitle: T\ndate: 2026-11-20\nauthor: Ann Lee\nbio: Writes.\ntags: a, b\n---\n").record
    assert got.authors == (Author(name="Ann Lee", bio="Writes."),)
    assert got.tags == ("a", "b")


def test_times_without_a_zone_are_in_the_site_time_zone() -> None:
    """YAML times are naive."""
    got = markdown("---\ntitle: T\ndate: 2026-07-01 07:30:00\n---\n").record.date
    assert isinstance(got, datetime)
    assert got.astimezone(UTC) == datetime(2026, 7, 1, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no front matter", "no front matter"),
        ("---\ntitle: [unclosed\n---\n", "not YAML"),
        ("---\ntitle: T", "the front matter has no end"),
        ("---\n- a\n- b\n---\n", "names no fields"),
        ("---\ndate: 2026-11-20\n---\n", "no title"),
        ("---\ntitle: T\n---\n", "no date"),
        ("---\ntitle: T\ndate: soon\n---\n", "impossible date"),
        ("---\ntitle: T\ndate: 0001-01-01\n---\n", "year 1 is not between"),
        ("---\ntitle: T\ndate: 2026-11-20\nformat: rtf\n---\n", "format must be one of"),
        ("---\n" + "a: " + "[" * 5000 + "\n---\n", "nested more than 32 levels"),
    ],
)
def test_invalid_front_matter_is_rejected_with_a_reason(text: str, reason: str) -> None:
    """The reason names the missing field or the syntax error."""
    with pytest.raises(InvalidRecord, match=reason):
        markdown(text)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"title": ["T"]}, "title must be text, not a list"),
        ({"title": " \u0000 "}, "no title"),
        ({"authors": 3}, "authors must be a list"),
        ({"authors": [3]}, "author must be text or a table"),
        ({"tags": {"a": 1}}, "tag must be text"),
        ({"body": {"a": 1}}, "body must be text"),
        ({"image": {"width": "wide"}}, "image width must be a whole number"),
        ({"image": [1]}, "image must be text or a table"),
        ({"date": "2026-02-30"}, "impossible date"),
        ({"date": True}, "date must be text"),
        ({"date": "0001-01-01"}, "year 1 is not between"),
        ({"date": "9999-12-31T23:59:59-12:00"}, "year 9999 is not between"),
        ({"updated": "1599-12-31T00:00:00Z"}, "impossible updated"),
        ({"id": [1]}, "id must be text"),
    ],
)
def test_a_value_of_a_wrong_type_is_rejected_with_its_field(fields: dict[str, Any], reason: str) -> None:
    """The message says which type is expected."""
    with pytest.raises(InvalidRecord, match=reason):
        from_json(**fields)


def test_invalid_optional_values_are_repaired_or_ignored_with_a_warning() -> None:
    """The record is published without the invalid URL, image and language."""
    found = from_json(title="A\ud800B\u0000", url="javascript:x", image="file:///x", language="english!", dek="a\x07")
    assert found.record.title == "A\ufffdB"
    assert found.record.url is None and found.record.image is None and found.record.language is None
    assert found.warnings[:2] == ("dropped 2 control characters", "replaced 1 lone surrogate")
    assert len(found.warnings) == 5


def test_an_image_may_be_a_url() -> None:
    """Relative and absolute URLs are accepted."""
    assert from_json(image="pics/a.jpg").record.image == Image(url="pics/a.jpg")
    assert from_json(image="https://x.example/a.jpg").record.image == Image(url="https://x.example/a.jpg")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "not JSON: .* at line 1, column 2"),
        (b"[" * 100_000, "too deep|larger"),
        (b"[" * 19_000, "too deep"),
        (b'"text"', "must be a JSON object"),
        (b"1" * 5000, "not usable JSON"),
        (b" ", "empty"),
    ],
)
def test_invalid_json_is_rejected(data: bytes, reason: str) -> None:
    """Syntax errors, depth and huge numbers are rejected with a reason."""
    with pytest.raises(InvalidRecord, match=reason):
        list(parse_json(io.BytesIO(data), "x.json", OPTIONS))


def test_invalid_records_of_a_json_list_are_rejected_by_number() -> None:
    """The other records of the list are parsed."""
    data = json.dumps(
        [{**LEAST, "id": "a"}, {"title": "no date", "id": "b"}, LEAST, {**LEAST, "url": "https://x.example/"}]
    )
    results = list(parse_json(io.BytesIO(data.encode()), "x.json", OPTIONS))
    assert [type(one) for one in results] == [ParsedRecord, RejectedRecord, RejectedRecord, ParsedRecord]
    assert results[1] == RejectedRecord(where="x.json[2]", reason="no date. Add one, such as date: 2026-11-19")
    assert "needs an id or a url" in results[2].reason  # type: ignore[union-attr]


def test_invalid_lines_of_json_lines_are_rejected_by_number() -> None:
    """The other lines are parsed, and empty lines are skipped."""
    lines = [
        json.dumps({**LEAST, "id": "a"}),
        "",
        "{broken",
        json.dumps({**LEAST, "id": "b", "dek": "x" * 30_000}),
        json.dumps({**LEAST, "id": "c"}),
    ]
    results = list(parse_json_lines(io.BytesIO("\n".join(lines).encode()), "x.jsonl", OPTIONS))
    assert [one.where for one in results] == ["x.jsonl:1", "x.jsonl:3", "x.jsonl:4", "x.jsonl:5"]
    assert isinstance(results[0], ParsedRecord) and results[0].shares_file
    assert isinstance(results[2], RejectedRecord) and "longer than" in results[2].reason
    assert list(parse_json_lines(io.BytesIO(b""), "x.jsonl", OPTIONS)) == [
        RejectedRecord(where="x.jsonl", reason="the file is empty")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20", date(2026, 11, 20)),
        ("Nov. 20, 2026", date(2026, 11, 20)),
        ("2026-11-20T07:00:00Z", datetime(2026, 11, 20, 7, tzinfo=UTC)),
        ("Fri, 20 Nov 2026 07:00:00 +0000", datetime(2026, 11, 20, 7, tzinfo=UTC)),
    ],
)
def test_supported_date_formats_are_parsed(text: str, expected: date) -> None:
    """ISO 8601, written dates and RFC 2822 are supported."""
    assert parse_date(text, ZoneInfo("UTC")) == expected


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "Marchy 3, 2026", "31 June 2026"])
def test_an_invalid_date_raises_value_error(text: str) -> None:
    """Unknown months and dates that do not exist are not guessed."""
    with pytest.raises(ValueError, match=r"is not a|must be in|out of range"):
        parse_date(text, ZoneInfo("UTC"))


def test_binary_files_are_rejected_with_their_type(tmp_path: Path) -> None:
    """UTF-16 with a byte order mark is text."""
    (tmp_path / "a.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (tmp_path / "b.txt").write_bytes(os.urandom(1) + bytes(range(32)) * 20)
    (tmp_path / "c.md").write_bytes("---\ntitle: T\ndate: 2026-11-20\n---\n".encode("utf-16"))
    results = {name: parse_file(tmp_path, name, OPTIONS) for name in ("a.txt", "b.txt", "c.md")}
    assert results["a.txt"] == [RejectedRecord(where="a.txt", reason="the file is a PNG picture, not text")]
    assert results["b.txt"] == [RejectedRecord(where="b.txt", reason="the file is binary, not text")]
    assert isinstance(results["c.md"][0], ParsedRecord)


def test_links_out_of_the_folder_and_special_files_are_rejected(tmp_path: Path) -> None:
    """An article cannot publish another file of the server."""
    root, outside = tmp_path / "articles", tmp_path / "secret.txt"
    root.mkdir()
    outside.write_text("T\n\nApril 1, 2022\n\nSecret.")
    (root / "good.txt").write_text("T\n\nApril 1, 2022\n\nFine.")
    (root / "out.txt").symlink_to(outside)
    (root / "in.txt").symlink_to(root / "good.txt")
    (root / "lost.txt").symlink_to(root / "nowhere.txt")
    os.mkfifo(root / "pipe.txt")
    (root / "big.txt").write_bytes(b"x" * 30_000)
    reasons = {
        name: parse_file(root, name, OPTIONS)[0] for name in ("out.txt", "lost.txt", "pipe.txt", "big.txt", "x.docx")
    }
    assert "link that leads out" in reasons["out.txt"].reason  # type: ignore[union-attr]
    assert "cannot be read" in reasons["lost.txt"].reason  # type: ignore[union-attr]
    assert "not a regular file" in reasons["pipe.txt"].reason  # type: ignore[union-attr]
    assert "larger than" in reasons["big.txt"].reason  # type: ignore[union-attr]
    assert "unknown file type" in reasons["x.docx"].reason  # type: ignore[union-attr]
    assert isinstance(parse_file(root, "in.txt", OPTIONS)[0], ParsedRecord)
