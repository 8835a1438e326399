"""The YAML subset of front matter."""

from __future__ import annotations

import io
import json
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from publisher.articles.parsers.front_matter import MAX_DEPTH, MAX_NODES, parse_front_matter, split_front_matter
from publisher.articles.parsers.json_files import MAX_FILE_VALUES, MAX_VALUES, parse_json
from publisher.articles.parsers.markdown import parse_markdown
from publisher.articles.parsers.result import ParserOptions, whole_number
from publisher.errors import InvalidRecord
from publisher.model.articles import Record

OPTIONS = ParserOptions(zone=ZoneInfo("Europe/London"))


def record(head: str, body: str = "Text.") -> Record:
    (parsed,) = parse_markdown(io.BytesIO(f"---\n{head}\n---\n{body}\n".encode()), "x.md", OPTIONS)
    return parsed.record


def rejection(head: str) -> str:
    with pytest.raises(InvalidRecord) as caught:
        record(head)
    return caught.value.reason


def test_scalars_stay_text_in_text_fields() -> None:
    """Numbers, booleans and dates of YAML stay text in titles, tags and names."""
    parsed = record(
        "title: 2024\ndate: 2026-03-05\ndek: 1.10\ntags: [no, 1984, true, on, 2026-01-01, 0x10, 1_000]\n"
        "author: No\ntopic: NO\nregion: Null\nlanguage: no"
    )
    assert parsed.title == "2024"
    assert parsed.dek == "1.10"
    assert parsed.tags == ("no", "1984", "true", "on", "2026-01-01", "0x10", "1_000")
    assert [author.name for author in parsed.authors] == ["No"]
    assert (parsed.topic, parsed.region, parsed.language) == ("NO", "Null", "no")


@pytest.mark.parametrize("nothing", ["", "~", "null"])
def test_a_field_without_a_value_is_missing(nothing: str) -> None:
    """An empty scalar, ``~`` and ``null`` are no values; quoted they are text."""
    parsed = record(f"title: T\ndate: 2026-03-05\ndek: {nothing}\nslug: '{nothing}'")
    assert (parsed.dek, parsed.slug) == (None, nothing or None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-05", date(2026, 3, 5)),
        ("2026-03-05 15:30:00", datetime(2026, 3, 5, 15, 30, tzinfo=OPTIONS.zone)),
        ("2026-3-5 7:30:00", datetime(2026, 3, 5, 7, 30, tzinfo=OPTIONS.zone)),
        ("2026-03-05 15:30", datetime(2026, 3, 5, 15, 30, tzinfo=OPTIONS.zone)),
        ("2026-03-05 15:30:00 -0500", datetime.fromisoformat("2026-03-05T15:30:00-05:00")),
        ("2026-03-05 15:30:00 +01:00", datetime.fromisoformat("2026-03-05T15:30:00+01:00")),
        ("2026-03-05t15:30:00.25-5", datetime.fromisoformat("2026-03-05T15:30:00-05:00")),
        ("2026-03-05T15:30:00Z", datetime.fromisoformat("2026-03-05T15:30:00+00:00")),
        ("'March 5, 2026'", date(2026, 3, 5)),
    ],
)
def test_date_fields_parse_dates(written: str, meant: date) -> None:
    """All time formats of YAML and of common generators are parsed."""
    assert record(f"title: T\ndate: {written}").date == meant


@pytest.mark.parametrize("written", ["2026-03-05 25:00:00", "2026-02-30 10:00:00", "2026-03-05 10:00:00 +99"])
def test_an_invalid_time_is_rejected(written: str) -> None:
    """A time that does not exist is not replaced by its date."""
    assert "impossible date" in rejection(f"title: T\ndate: {written}")


def test_number_fields_parse_numbers() -> None:
    """An image width may be quoted or not."""
    image = record("title: T\ndate: 2026-03-05\nimage: {url: /a.jpg, width: 800, height: '600'}").image
    assert image is not None
    assert (image.width, image.height) == (800, 600)


@pytest.mark.parametrize(("written", "meant"), [("17", "17"), ("0123", "83"), ("0x1F", "31"), ("'0123'", "0123")])
def test_an_unquoted_numeric_id_keeps_its_yaml_value(written: str, meant: str) -> None:
    """With another ID, the article would be published again."""
    assert record(f"title: T\ndate: 2026-03-05\nid: {written}").external_id == meant


@given(st.from_regex(r"[-+]?(0b[01_]{1,9}|0x[0-9a-f_]{1,9}|[0-9_]{1,12})", fullmatch=True))
def test_whole_numbers_match_pyyaml(text: str) -> None:
    """All notations but base 60 give the same number as PyYAML."""
    try:
        theirs = yaml.safe_load(text)
    except ValueError:
        theirs = None  # "0x_" has no digits, and PyYAML raises
    assert whole_number(text) == (theirs if isinstance(theirs, int) else None)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("x: !!bool foo", "line 2: the YAML tag 'tag:yaml.org,2002:bool' is not supported. Remove it."),
        ('x: !!int ""', "tag:yaml.org,2002:int"),
        ("date: !!timestamp foo", "tag:yaml.org,2002:timestamp"),
        ("x: !!python/object:os.system {}", "python/object"),
        ("x: !own [a]", "'!own' is not supported"),
        ("title: a\ndate: b\ntitle: c", "line 4: the key 'title' is there twice, first in line 2. Remove one."),
        ("a: {b: 1, b: 2}", "the key 'b' is there twice"),
        ("? [a]\n: b", "a key must be text"),
        ("a: *nowhere", "names no anchor"),
        ("a: &a [*a]", "names no anchor that is complete"),
        ("<<: text", "a merge (<<) needs a mapping"),
        ("title: A: b", "line 2: the front matter is not YAML: a value contains ': '. Put the value in quotes."),
        ("title: a\n...\nb: c", "not YAML"),
        ("title: a\n--- !x\nb: c", "a second YAML document"),
        ("[a, b]", "names no fields"),
    ],
)
def test_unsupported_yaml_is_rejected_with_its_line(head: str, reason: str) -> None:
    """The message names the line and the fix."""
    assert reason in rejection(head)


def test_aliases_and_merges_are_expanded() -> None:
    """A mapping's own keys override merged ones."""
    parsed = record(
        "base: &b {topic: Water, region: Asia}\ntitle: &t T\ndek: *t\n<<: *b\nregion: Europe\ndate: 2026-03-05"
    )
    assert (parsed.topic, parsed.region, parsed.dek) == ("Water", "Europe", "T")
    parsed = record("x: [&a {topic: A}, &b {topic: B, brand: C}]\n<<: [*a, *b]\ntitle: T\ndate: 2026-03-05")
    assert (parsed.topic, parsed.brand) == ("A", "C")


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merge_bomb(levels: int) -> str:
    lines = ["a0: &a0 {" + ", ".join(f"k{n}: v" for n in range(50)) + "}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 50)}]}}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize("head", [bomb(9), merge_bomb(9), "\n".join(f"k{n}: v" for n in range(MAX_NODES))])
def test_values_are_counted_with_aliases_expanded(head: str) -> None:
    """A few bytes of YAML cannot expand beyond the limit."""
    assert f"more than {MAX_NODES:,} values" in rejection(head)


@pytest.mark.parametrize(
    "head",
    [
        "a: " + "[" * 5_000,
        "a: " + "{a: " * 5_000,
        "- " * 5_000,
        "\n".join(f"a{n}: &a{n} [{'*a' + str(n - 1) if n else 'x'}]" for n in range(MAX_DEPTH + 2)),
    ],
)
def test_depth_is_counted_with_aliases_expanded(head: str) -> None:
    """Aliases cannot exceed the nesting limit."""
    assert f"nested more than {MAX_DEPTH} levels" in rejection(head)


SCALARS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029\ufeff"), max_size=12
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCALARS, inner, max_size=4))


@given(st.dictionaries(SCALARS, VALUES, min_size=1, max_size=5))
def test_quoted_text_survives_a_round_trip(value: dict[str, Any]) -> None:
    """Text, lists and mappings that PyYAML writes are parsed unchanged."""
    written = yaml.safe_dump(value, default_style='"', allow_unicode=True)
    # PyYAML tags nothing that is a text in quotes.
    assert parse_front_matter(written, "x.md") == value


@given(st.text(st.sampled_from("ab01:-[]{},&*!|>'\"#%@` \n~<?\t"), max_size=60))
def test_any_front_matter_is_parsed_or_rejected(head: str) -> None:
    """No text raises another exception than InvalidRecord."""
    try:
        fields, where = parse_front_matter(head, "x.md"), "x.md"
    except InvalidRecord as refusal:
        fields, where = {}, refusal.where
    assert isinstance(fields, dict) and where == "x.md"


def test_the_front_matter_ends_at_the_second_line_of_dashes() -> None:
    """Dashes within a line, or in the body, do not end it."""
    assert split_front_matter("---  \na: b --- c\n----\nbody\n---\nmore", "x") == (
        "\na: b --- c\n",
        "\nbody\n---\nmore",
    )
    with pytest.raises(InvalidRecord, match="no front matter"):
        split_front_matter("text\n---\n---\n", "x")


@pytest.mark.parametrize(
    ("body", "title", "rest"),
    [
        ("# C#\nText.", "C#", "<p>Text.</p>"),
        ("\n\n#\tThe Heading ##\nText.", "The Heading", "<p>Text.</p>"),
        ("# a" + " " * 100_000 + "b", "a b", ""),
    ],
)
def test_a_first_heading_is_the_title(body: str, title: str, rest: str) -> None:
    """White space around the heading is ignored."""
    parsed = record("date: 2026-03-05", body)
    assert (parsed.title, parsed.body) == (title, rest)


@pytest.mark.parametrize("body", ["#Nothing", "## Second", "#", "# #", "Text # a"])
def test_other_first_lines_are_not_the_title(body: str) -> None:
    """Only a heading of level 1 is a title."""
    with pytest.raises(InvalidRecord, match="no title"):
        record("date: 2026-03-05", body)


def json_reason(text: str) -> str:
    with pytest.raises(InvalidRecord) as caught:
        list(parse_json(io.BytesIO(text.encode()), "x.json", OPTIONS))
    return caught.value.reason


def test_json_has_the_same_limits() -> None:
    """Duplicate keys, depth and number of values are limited as in YAML."""
    least = {"title": "T", "date": "2026-03-05"}
    assert json_reason('{"title": "T", "date": "2026-03-05", "draft": true, "draft": false}').endswith(
        "the key 'draft' is there twice. Remove one."
    )
    assert "nested too deep" in json_reason(json.dumps({**least, "x": json.loads("[" * 40 + "]" * 40)}))
    assert "nested too deep" in json_reason("[" * 100_000 + "]" * 100_000)
    assert f"more than {MAX_VALUES:,} values" in json_reason(json.dumps({**least, "x": [0] * MAX_VALUES}))
    assert f"more than {MAX_FILE_VALUES:,} values" in json_reason("[" + "{}," * MAX_FILE_VALUES + "{}]")
    body = "," * (MAX_FILE_VALUES + 1) + '\\"'
    (parsed,) = parse_json(
        io.BytesIO(('{"title": "T", "date": "2026-03-05", "body": "' + body + '"}').encode()), "x", OPTIONS
    )
    assert len(parsed.record.body) == MAX_FILE_VALUES + 2  # type: ignore[union-attr]
