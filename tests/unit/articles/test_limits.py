"""Limits of an article: values beyond them are left out, and the article is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.articles.parsers import ParsedRecord, ParserOptions, RejectedRecord, parse_file
from publisher.html.elements import limit_attributes, limit_depth
from publisher.html.sanitize import MAX_DEPTH, sanitize_html
from publisher.html.text import plain_text

OPTIONS = ParserOptions(zone=ZoneInfo("UTC"))


def parse(tmp_path: Path, **fields: Any) -> ParsedRecord:
    (tmp_path / "a.json").write_text(json.dumps({"title": "T", "date": "2026-03-05", **fields}))
    (found,) = parse_file(tmp_path, "a.json", OPTIONS)
    assert isinstance(found, ParsedRecord)
    return found


def test_an_article_within_the_limits_is_unchanged(tmp_path: Path) -> None:
    """A hundred tags give no warning."""
    found = parse(
        tmp_path, tags=[f"t{n}" for n in range(100)], authors=[f"A {n}" for n in range(50)], url="https://a.example/x"
    )
    assert (len(found.record.tags), len(found.record.authors), found.warnings) == (100, 50, ())


@pytest.mark.parametrize(
    ("fields", "name", "left", "warning"),
    [
        (
            {"tags": [f"t{n}" for n in range(9_000)]},
            "tags",
            100,
            "8,900 of 9,000 tags were left out: an article may have 100, of up to 200 characters",
        ),
        ({"tags": ["a", "b" * 201]}, "tags", 1, "1 of 2 tags were left out"),
        ({"authors": [f"A {n}" for n in range(60)]}, "authors", 50, "10 of 60 authors were left out"),
        (
            {"enclosures": [{"url": f"https://a.example/{n}.mp3", "length": 5} for n in range(60)]},
            "enclosures",
            50,
            "10 of 60 enclosures were left out: an article may have 50",
        ),
        ({"title": "x" * 5_000}, "title", 1_000, "the title was cut: it has more than 1,000 characters"),
        ({"dek": "x" * 50_000}, "dek", 10_000, "the dek was cut"),
        ({"id": "x" * 5_000}, "external_id", 71, "it is replaced by a hash"),
    ],
)
def test_values_beyond_a_limit_are_left_out_with_a_warning(
    tmp_path: Path, fields: dict[str, Any], name: str, left: int, warning: str
) -> None:
    """The article is published with the values within the limits."""
    found = parse(tmp_path, **fields)
    assert len(getattr(found.record, name)) == left
    assert any(warning in said for said in found.warnings)


@pytest.mark.parametrize("name", ["topic", "region", "brand", "url"])
def test_a_label_or_url_that_is_too_long_is_left_out(tmp_path: Path, name: str) -> None:
    """A truncated label or URL would be a different one."""
    found = parse(tmp_path, **{name: "https://a.example/" + "x" * 3_000})
    assert getattr(found.record, name) is None
    assert any(f"the {name} was left out" in said for said in found.warnings)


def test_long_ids_stay_distinct(tmp_path: Path) -> None:
    """IDs that differ in the last character identify two articles."""
    first, second = parse(tmp_path, id="x" * 600 + "1"), parse(tmp_path, id="x" * 600 + "2")
    assert first.record.external_id != second.record.external_id


def test_links_beyond_the_limit_become_text(tmp_path: Path) -> None:
    """The text of these links stays."""
    found = parse(tmp_path, body='<p><a href="https://a.example/">x</a>y </p>' * 6_000)
    assert found.record.body.count("<a ") == found.record.body.count("</a>") == 5_000
    assert plain_text(found.record.body).count("xy") == 6_000


@pytest.mark.parametrize("tag", ["div", "b", "ul><li", "blockquote", "em"])
def test_deep_html_keeps_its_text(tag: str) -> None:
    """Tags that are nested too deep are removed, and their text stays."""
    name = tag.partition(">")[0]
    html = f"<p>a</p>{f'<{tag}>x' * 5_000}middle{f'</{name}>' * 5_000}<p>end</p>"
    cleaned = sanitize_html(html)
    assert plain_text(cleaned).replace("\n", "") == "a" + "x" * 5_000 + "middle" + "end"
    assert cleaned.count(f"<{name}>") == MAX_DEPTH
    assert cleaned.endswith("<p>end</p>")


def test_flat_html_is_not_deep() -> None:
    """Ten thousand siblings, with or without end tags, are unchanged."""
    for text in (
        "<p>x</p>" * 10_000,
        "<p>x" * 10_000,
        "<ul>" + "<li>x" * 10_000 + "</ul>",
        "<br>" * 10_000,
        "<b>x</b>" * 10_000,
    ):
        assert limit_depth(text, 100) == (text, 0)


@given(
    st.lists(
        st.sampled_from(["<div>", "</div>", "<b>", "</b>", "<p>", "</p>", "x", "<br>", "<i>", "</i>"]), max_size=60
    )
)
def test_only_tags_that_are_too_deep_are_removed(parts: list[str]) -> None:
    """The text is the same for every limit, and an unused limit changes nothing."""
    text = "".join(parts)
    limited, cut = limit_depth(text, 2)
    assert limited.count("x") == text.count("x")
    assert (limited == text) or cut or "</" in text
    assert limit_depth(text, 100) == (text, 0)


def test_a_tag_with_too_many_attributes_loses_them() -> None:
    """A long URL alone is allowed; a thousand attributes are not."""
    long = f'<img src="data:image/png;base64,{"A" * 5_000}" alt="x">'
    assert limit_attributes(long, 500, 100) == (long, 0)
    many = "<a href=x " + " ".join(f"a{n}=1" for n in range(1_000)) + ">text</a>"
    assert limit_attributes(many, 500, 100) == ("<a>text</a>", 1)


@pytest.mark.parametrize("run", ["A" * 60_000, "AaBb" * 15_000, "NATOVladimir" * 5_000])
def test_joined_tags_of_any_length_are_split(tmp_path: Path, run: str) -> None:
    """An endless label line gives no more tags than the limit."""
    (tmp_path / "a.txt").write_text(f"T\n\nApril 1, 2022 Tags: {run}\n\nT\n\nA body.\n")
    (found,) = parse_file(tmp_path, "a.txt", OPTIONS)
    assert isinstance(found, ParsedRecord)
    assert len(found.record.tags) <= 100


def test_a_body_that_expands_beyond_the_limit_is_rejected(tmp_path: Path) -> None:
    """Link references repeat a URL for each use: 200 KB would become 20 MB in every feed."""
    head = "---\ntitle: T\ndate: 2026-03-05\n---\n"
    (tmp_path / "a.md").write_text(head + "[a]: https://a.example/" + "x" * 200_000 + "\n\n" + "[a] " * 100)
    (rejected,) = parse_file(tmp_path, "a.md", OPTIONS)
    assert isinstance(rejected, RejectedRecord)
    assert rejected.reason == (
        "the body has more than 10,000,000 characters as HTML, twice ingest.max_bytes. Shorten it."
    )
    (tmp_path / "a.md").write_text(head + "[a]: https://a.example/" + "x" * 200_000 + "\n\n" + "[a] " * 10)
    assert isinstance(parse_file(tmp_path, "a.md", OPTIONS)[0], ParsedRecord)
