"""What an editor is told about a draft that has changed since they looked at it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from publisher.digests.issue_drafts_store import DraftVersion, IssueDraft
from publisher.pipeline.approve import draft_changes

SEEN = DraftVersion(
    hash="aaaa0000bbbb1111",
    subject="Cables",
    note="",
    articles={"1": ("Cables", "h1"), "2": ("Harbours", "h2")},
    settings={"base_url": "https://a.example", "mail.sender": "news@a.example"},
)


def changes(seen: str = SEEN.hash, **fields: Any) -> list[str]:
    """Return what changed between the version that was seen, and one with other fields."""
    now = replace(SEEN, hash="cccc2222dddd3333", **fields)
    draft = IssueDraft(
        digest="daily",
        slot=datetime(2026, 11, 23, 7, tzinfo=UTC),
        name="2026-11-23T0700",
        number=1,
        subject=now.subject,
        articles=(),
        shortened=0,
        html_size=0,
        passed_over=(),
        left_out=(),
        findings=(),
        errors=0,
        input_hash="",
        hash=now.hash,
        versions=(SEEN, now),
    )
    return draft_changes(draft, seen)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"subject": "Harbours"}, ["subject: 'Cables' is 'Harbours' now"]),
        ({"note": "Hello."}, ["the note has changed"]),
        ({"settings": SEEN.settings | {"mail.sender": "b@a.example"}}, ["settings: mail.sender"]),
        ({"articles": SEEN.articles | {"3": ("New", "h3")}}, ["added: New"]),
        ({"articles": {"1": ("Cables", "h1")}}, ["left out: Harbours"]),
        ({"articles": SEEN.articles | {"2": ("Harbour fees", "h9")}}, ["edited: Harbour fees"]),
        ({"articles": {"2": ("Harbours", "h2"), "1": ("Cables", "h1")}}, ["the order has changed"]),
        (
            {"articles": {"3": ("New", "h3"), "2": ("Harbours", "h9")}, "note": "Hello."},
            ["the note has changed", "added: New", "left out: Cables", "edited: Harbours"],
        ),
        ({}, ["the theme or a template has changed"]),
    ],
)
def test_each_change_is_a_line(fields: dict[str, Any], expected: list[str]) -> None:
    """An editor would approve an edit that they were not shown."""
    assert changes(**fields) == expected


@pytest.mark.parametrize("seen", ["aaaa0000bbbb1111", "aaaa0000"])
def test_a_version_is_found_by_the_beginning_of_its_hash(seen: str) -> None:
    """An editor who types the first characters of a hash would be told that it is not known."""
    assert changes(seen, note="Hello.") == ["the note has changed"]


def test_a_version_that_is_not_stored_any_more_is_named() -> None:
    """An editor would take an empty list for a draft without changes."""
    assert changes("ffff9999") == ["that version is not known any more; look at the draft again"]
