"""Fields, folders and values that make a record a draft."""

from __future__ import annotations

import io
import json
import unicodedata
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.articles.parsers import PARSERS, DraftRecord, ParsedRecord, ParserOptions, is_in_drafts_folder
from publisher.articles.parsers.publication import parse_publication

OPTIONS = ParserOptions(zone=ZoneInfo("UTC"))
LEAST: dict[str, Any] = {"title": "T", "date": "2026-11-20"}


def parsed(suffix: str, text: str) -> ParsedRecord | DraftRecord:
    (item,) = PARSERS[suffix](io.BytesIO(text.encode()), f"x{suffix}", OPTIONS)
    assert isinstance(item, ParsedRecord | DraftRecord)
    return item


def from_json(**fields: Any) -> ParsedRecord | DraftRecord:
    return parsed(".json", json.dumps({**LEAST, **fields}))


def from_markdown(head: str) -> ParsedRecord | DraftRecord:
    return parsed(".md", f"---\ntitle: T\ndate: 2026-11-20\n{head}\n---\nText.\n")


DRAFTS: list[tuple[str, Any]] = [
    ("draft", True),
    ("draft", 1),
    ("draft", 1.0),
    ("draft", "TRUE"),
    ("Draft", "Yes"),
    ("DRAFT", "on"),
    ("draft", " t "),
    ("draft", "“true”"),
    ("draft", "ｔｒｕｅ"),
    ("draft", "true\u200b"),
    ("draft", "draft"),
    ("isDraft", True),
    ("is_draft", "y"),
    ("is-draft", "1"),
    ("unpublished", True),
    ("private", True),
    ("unlisted", "yes"),
    ("published", False),
    ("published", 0),
    ("Published", "No"),
    ("published", "OFF"),
    ("published", "never"),
    ("publish", False),
    ("publish", "n"),
    ("isPublished", "f"),
    ("is_published", "0"),
    ("status", "draft"),
    ("STATUS", "Draft"),
    ("status", "private"),
    ("status", "pending"),
    ("status", "Pending-Review"),
    ("status", "trash"),
    ("status", "scheduled"),
    ("status", "future"),
    ("status", "auto-draft"),
    ("status", "In_Review"),
    ("status", "not  published"),
    ("status", "archived"),
    ("status", False),
    ("status", 0),
    ("post_status", "DRAFT"),
    ("visibility", "private"),
    ("visibility", "Password"),
]


@pytest.mark.parametrize(("name", "value"), DRAFTS)
def test_a_draft_is_recognised_in_every_spelling(name: str, value: Any) -> None:
    """Case, hyphens, width and invisible characters are ignored, without a warning."""
    item = from_json(**{name: value})
    assert isinstance(item, DraftRecord) and item.warnings == ()
    assert item.statement.startswith(f"{name}: ")


@pytest.mark.parametrize(
    "head",
    [
        "draft: true",
        "draft: True",
        "draft: yes",
        "DRAFT: 1",
        "draft : true  # not yet",
        "published: false",
        "publish: no",
        "status: Draft",
        "status: 'private'",
        "Status: PENDING",
    ],
)
def test_front_matter_makes_an_article_a_draft(head: str) -> None:
    """Booleans and text of YAML mean the same."""
    item = from_markdown(head)
    assert isinstance(item, DraftRecord) and item.warnings == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("draft", "maybe"),
        ("draft", 2),
        ("draft", -1),
        ("draft", "-1"),
        ("draft", "published"),
        ("draft", None),
        ("draft", ""),
        ("draft", []),
        ("draft", {"value": False}),
        ("draft", "nein"),
        ("draft", "!false"),
        ("draft", "false" * 100),
        ("draft", "2026-01-01"),
        ("published", "soon"),
        ("published", None),
        ("published", " "),
        ("published", 20260105),
        ("published", "-1"),
        ("published", [True]),
        ("published", "not before 2027"),
        ("publish", "true?"),
        ("status", "future-ish"),
        ("status", 1),
        ("status", "1"),
        ("status", 4),
        ("status", "2026-01-01"),
        ("status", "published?"),
        ("status", ["published"]),
        ("status", "Entwurf"),
        ("visibility", "members"),
    ],
)
def test_an_unknown_value_makes_a_draft_with_a_warning(name: str, value: Any) -> None:
    """The warning names the field, the value and the fix."""
    item = from_json(**{name: value})
    assert isinstance(item, DraftRecord)
    (warning,) = item.warnings
    assert warning.startswith(f"{name}: ") and "counts as a draft. Write " in warning


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("draft", False),
        ("draft", "No"),
        ("draft", 0),
        ("draft", "off"),
        ("published", True),
        ("published", "YES"),
        ("published", 1),
        ("published", "live"),
        ("publish", "true"),
        ("status", "published"),
        ("status", "Publish"),
        ("status", "LIVE"),
        ("status", True),
        ("status", None),
        ("status", ""),
        ("status", "null"),
        ("visibility", "public"),
        ("private", False),
        ("unpublished", "no"),
        ("published", "2026-01-05"),
        ("published", "2026-01-05T10:00:00Z"),
        ("published", "January 5, 2026"),
        ("drafted", True),
        ("republished", False),
    ],
)
def test_fields_that_mean_published_make_no_draft(name: str, value: Any) -> None:
    """Unrelated values are ignored."""
    assert isinstance(from_json(**{name: value}), ParsedRecord)


def test_published_is_a_date_or_a_state_and_never_both() -> None:
    """A date in ``published`` is the publication date, a boolean is not."""
    item = parsed(".json", '{"title": "T", "published": "2026-01-05"}')
    assert isinstance(item, ParsedRecord) and item.record.date == date(2026, 1, 5)
    item = parsed(".md", "---\ntitle: T\npublished: 2026-01-05\n---\nText.")
    assert isinstance(item, ParsedRecord) and item.record.date == date(2026, 1, 5)
    item = parsed(".md", "---\ntitle: T\npublished: true\ndate_published: 2026-01-06T10:00:00Z\n---\nText.")
    assert isinstance(item, ParsedRecord) and item.record.date == datetime(2026, 1, 6, 10, tzinfo=OPTIONS.zone)
    item = parsed(".json", '{"title": "T", "publish": "2026-01-07"}')
    assert isinstance(item, ParsedRecord) and item.record.date == date(2026, 1, 7)


def test_one_draft_field_is_enough() -> None:
    """Contradictory fields make a draft, and the warning names both."""
    item = from_json(published=True, draft=True)
    assert isinstance(item, DraftRecord)
    assert item.warnings == (
        "draft: true contradicts published: true, so the article counts as a draft. Remove one of the two.",
    )
    assert isinstance(from_json(Draft=False, draft="true"), DraftRecord)
    both = from_json(status="draft", visibility="public")
    assert isinstance(both, DraftRecord) and both.warnings == ()


def test_a_draft_needs_no_other_field() -> None:
    """A draft without title and date, or with wrong types, is not rejected."""
    for text in ('{"draft": true}', '{"status": "draft", "title": 7, "date": "never", "id": [], "url": {}}'):
        item = parsed(".json", text)
        assert isinstance(item, DraftRecord) and item.record is None
    item = parsed(".jsonl", '{"draft": true}')
    assert isinstance(item, DraftRecord) and item.shares_file
    item = from_json(draft=True, id=17, url="https://cms.example/a")
    assert isinstance(item, DraftRecord) and (item.external_id, item.url) == ("17", "https://cms.example/a")


def test_a_value_is_shown_short_and_without_control_characters() -> None:
    """Warnings are printed on terminals, and values are untrusted."""
    item = from_json(draft="\x1b[2J" + "x" * 500)
    assert isinstance(item, DraftRecord)
    assert "\x1b" not in item.warnings[0] and len(item.warnings[0]) < 250


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("_drafts/a.md", True),
        ("blog/_drafts/2026/a.md", True),
        ("_Drafts/a.txt", True),
        ("_drafts.md", False),
        ("drafts/a.md", False),
        ("my_drafts/a.md", False),
        ("a/_drafts", False),
    ],
)
def test_a_drafts_folder_counts_at_any_depth(name: str, expected: bool) -> None:
    """Only a folder named exactly ``_drafts`` counts."""
    assert is_in_drafts_folder(name) is expected


WORDS = {"", "live", "online", "posted", "public", "publish", "published", "released"}
TRUE, FALSE = {"true", "t", "yes", "y", "on", "1"}, {"false", "f", "no", "n", "off", "0"}


@given(
    st.sampled_from(["draft", "Draft", "is_draft", "published", "publish", "status", "STATUS"]),
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=80), st.lists(st.booleans())),
)
def test_only_known_words_publish(name: str, value: Any) -> None:
    """A record with a status is published only by a known word or a date."""
    result = parse_publication({name: value})
    word = "".join(one for one in unicodedata.normalize("NFKC", str(value)).casefold() if one.isalnum())
    word = word.removesuffix("0") if isinstance(value, float) and value in (0, 1) else word
    if name in ("published", "publish"):
        may_be_published = word in TRUE | WORDS or sum(one.isdigit() for one in word) >= 6
    elif name in ("status", "STATUS"):
        may_be_published = word in TRUE | WORDS | {"null"}
    else:
        may_be_published = word in FALSE
    assert may_be_published or result.draft


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, Any]:
    """A field and a value that say "draft", written in another way."""
    name, value = draw(st.sampled_from([(name, value) for name, value in DRAFTS if isinstance(value, str)]))
    separator = draw(st.sampled_from(["", "_", "-", " "]))
    written = "".join(draw(st.sampled_from([one.upper(), one.lower()])) for one in value)
    around = draw(st.sampled_from(["", " ", "\t", "\u200b", "\u00a0", '"', "'"]))
    field = draw(st.sampled_from([name, name.upper(), name.title(), f"{separator}{name}"]))
    return field, f"{around}{written.replace(' ', draw(st.sampled_from([' ', '-', '_', '  '])))}{around}"


@given(spellings())
def test_a_draft_in_another_spelling_is_a_draft(spelling: tuple[str, Any]) -> None:
    """Case, separators, quotes and invisible characters are ignored."""
    assert isinstance(from_json(**dict([spelling])), DraftRecord)
