"""Draft fields of generators and content management systems, nested fields, embargoes and text exports."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.articles.parsers import PARSERS, DraftRecord, ParsedRecord, ParserOptions
from publisher.articles.parsers.registry import parse_file
from publisher.articles.parsers.text_export import parse_text_export
from tests.unit.articles.test_publication import DRAFTS

OPTIONS = ParserOptions(zone=ZoneInfo("Europe/Zurich"))


def from_json(fields: dict[str, Any]) -> ParsedRecord | DraftRecord:
    text = json.dumps({"title": "T", "date": "2026-11-20", **fields})
    (item,) = PARSERS[".json"](io.BytesIO(text.encode()), "x.json", OPTIONS)
    assert isinstance(item, ParsedRecord | DraftRecord)
    return item


def from_text(text: str) -> ParsedRecord | DraftRecord:
    (item,) = parse_text_export(io.BytesIO(text.encode()), "x.txt", OPTIONS)
    return item


@pytest.mark.parametrize(
    "fields",
    [
        {"hidden": True},
        {"wip": "yes"},
        {"archived": 1},
        {"deleted": True},
        {"deleted_at": "2026-01-01"},
        {"do_not_publish": True},
        {"entwurf": True},
        {"live": False},
        {"is_public": "no"},
        {"visible": 0},
        {"approved": False},
        {"enabled": "off"},
        {"workflow_state": "In review"},
        {"editorial-status": "pending"},
        {"state": "draft"},
        {"stage": "Unpublished"},
        {"type": "draft"},
        {"published_at": None},
        {"publishedAt": ""},
        {"published_at": "0000-00-00 00:00:00"},
        {"date_published": "0001-01-01T00:00:00Z"},
    ],
)
def test_draft_fields_of_other_programs_are_recognised(fields: dict[str, Any]) -> None:
    """Their values are unambiguous, so there is no warning."""
    item = from_json(fields)
    assert isinstance(item, DraftRecord) and item.warnings == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"published": "0000-00-00"},
        {"published": "0000-00-00 00:00:00"},
        {"hidden": "sometimes"},
        {"deleted_at": 1700000000},
        {"embargo": True},
        {"embargo": "until the minister has spoken"},
        {"publish_at": ["2026-11-20"]},
        {"params": {"draft": "maybe"}},
    ],
)
def test_unclear_values_of_these_fields_make_a_draft_with_a_warning(fields: dict[str, Any]) -> None:
    """An unknown value means unpublished, and the warning names the field."""
    item = from_json(fields)
    assert isinstance(item, DraftRecord)
    (warning,) = item.warnings
    assert "is not understood, so the article counts as a draft" in warning


@pytest.mark.parametrize(
    "fields",
    [
        {"hidden": False},
        {"hidden": ""},
        {"deleted_at": None},
        {"deleted_at": "0000-00-00"},
        {"archived": "no"},
        {"live": True},
        {"public": "students"},
        {"approved": None},
        {"workflow_state": "published"},
        {"state": "Ohio"},
        {"state": "pending"},
        {"type": "review"},
        {"type": "post"},
        {"published_at": "2026-01-05"},
        {"publishedAt": True},
        {"embargo": False},
        {"embargo": None},
        {"cover": {"hidden": True}},
        {"comments": {"enabled": False}},
        {"book": {"status": "draft"}},
        {"book": {"published": 2019}},
        {"params": {"draft": False}},
        {"image": {"url": "/a.png", "published": False}},
        {"author": {"name": "A", "private": True}},
    ],
)
def test_other_values_of_these_fields_make_no_draft(fields: dict[str, Any]) -> None:
    """They mean published, nothing, or something else."""
    assert isinstance(from_json(fields), ParsedRecord)


@given(
    st.sampled_from(DRAFTS),
    st.lists(
        st.sampled_from(["params", "extra", "meta", "attributes", "post", "Custom_Fields"]), min_size=1, max_size=4
    ),
)
def test_one_nested_draft_field_is_enough(statement: tuple[str, Any], tables: list[str]) -> None:
    """Tables in which other programs keep fields count like the record itself."""
    fields: dict[str, Any] = dict([statement])
    for table in tables:
        fields = {table: fields}
    item = from_json(fields)
    assert isinstance(item, DraftRecord) and item.statement.startswith(f"{tables[-1]}.")


def test_an_unambiguous_draft_field_in_any_table_counts() -> None:
    """In unknown tables only an unambiguous ``draft`` or ``published`` counts."""
    assert isinstance(from_json({"cascade": {"draft": True}}), DraftRecord)
    assert isinstance(from_json({"site": {"published": "no"}}), DraftRecord)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"embargo": "2027-01-01"}, date(2027, 1, 1)),
        ({"embargo_until": "2026-11-20T09:00:00+01:00"}, datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ({"publishDate": "2025-01-01"}, date(2026, 11, 20)),
        ({"publish_at": "2026-12-01", "scheduled_for": "2026-12-03"}, date(2026, 12, 3)),
        ({"params": {"embargo": "2027-01-01T06:00:00Z"}}, datetime(2027, 1, 1, 6, tzinfo=UTC)),
    ],
)
def test_an_embargo_delays_publication(fields: dict[str, Any], expected: date) -> None:
    """The latest of all dates counts."""
    item = from_json(fields)
    assert isinstance(item, ParsedRecord) and item.record.date == expected


@pytest.mark.parametrize(
    "text",
    [
        "Title\n\nApril 1, 2022 Topic: Water Status: Draft\n\nBody.",
        "Title\n\nApril 1, 2022 STATUS:\u00a0pending Region: Europe\n\nBody.",
        "Title\n\nApril 1, 2022 Published: no Topic: Water\n\nBody.",
        "Title\n\nApril 1, 2022 Draft: Topic: Water\n\nBody.",
        "Status: Draft\n\nTitle\n\nApril 1, 2022 Topic: Water\n\nBody.",
        "Title\n\nApril 1, 2022 Topic: Water\n\nVisibility: private\n\nBody.",
        "Title\nDraft: yes\nApril 1, 2022\n\nBody.",
        "Title\n\nApril 1, 2022 Topic: Water\n\nBody.\n\nMore.\n\nStatus: trash",
        "Status: Draft\n\nA text without a date line.",
    ],
)
def test_a_label_makes_a_text_export_a_draft(text: str) -> None:
    """The label is on the date line or on a line of its own."""
    assert isinstance(from_text(text), DraftRecord)


def test_a_text_export_with_other_words_is_published() -> None:
    """A title with a colon is a title, and status labels do not end up in other labels."""
    item = from_text("Draft: how a law is made\n\nApril 1, 2022 Topic: Law Status: Published Region: Europe\n\nBody.")
    assert isinstance(item, ParsedRecord) and item.warnings == ()
    assert (item.record.title, item.record.topic, item.record.region) == ("Draft: how a law is made", "Law", "Europe")
    item = from_text("Title\n\nApril 1, 2022 Embargo until: 2022-04-03 Topic: Law\n\nBody.")
    assert isinstance(item, ParsedRecord) and item.record.date == date(2022, 4, 3)


def test_a_link_to_a_file_in_a_drafts_folder_is_a_draft(tmp_path: Path) -> None:
    """The folder of the target counts as well as that of the link."""
    (tmp_path / "_drafts").mkdir()
    (tmp_path / "_drafts" / "a.md").write_text("---\ntitle: A\ndate: 2026-11-20\n---\nText.\n")
    (tmp_path / "a.md").symlink_to("_drafts/a.md")
    (tmp_path / "b.md").symlink_to(tmp_path / "_drafts" / "a.md")
    (item,) = parse_file(tmp_path, "a.md", OPTIONS)
    assert isinstance(item, DraftRecord) and item.statement == "in a _drafts folder"
    (item,) = parse_file(tmp_path, "b.md", OPTIONS)
    assert not isinstance(item, ParsedRecord)
