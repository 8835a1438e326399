"""Embargo and release fields delay publication."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.conftest import NOW, SiteKit, titles

LATER = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "field",
    [
        "published: 2026-12-01",
        "publish: 2026-12-01T09:00:00Z",
        "publishDate: 2026-12-01",
        "publish_date: December 1, 2026",
        "Scheduled-At: 2026-12-01 08:00",
        "embargo_until: 2026-12-01",
        "publish_on: 2026-12-01",
    ],
)
def test_an_article_is_published_at_the_latest_of_its_dates(kit: SiteKit, field: str) -> None:
    """The date is in the past and the release in the future."""
    kit.article("now.md", "Now")
    kit.write("later.md", f"---\ntitle: Later\ndate: 2026-11-20\n{field}\n---\nText.\n")
    report = kit.publish(NOW)
    assert titles(kit) == ["Now"] and b"Later" not in b"".join(kit.staged().values())
    assert report.exit_status == 0 and any("is published then" in one.reason for one in report.warnings)
    kit.publish(LATER)
    assert set(titles(kit)) == {"Now", "Later"}


def test_a_release_in_the_past_changes_nothing(kit: SiteKit) -> None:
    """A release before the date does not change the date."""
    kit.write("one.md", "---\ntitle: One\ndate: 2026-11-20\npublishDate: 2026-11-01\nembargo: false\n---\nText.\n")
    report = kit.publish(NOW)
    assert titles(kit) == ["One"] and not report.warnings


def test_a_release_alone_is_the_date(kit: SiteKit) -> None:
    """A record without a date is published at its release."""
    kit.write("one.md", "---\ntitle: One\npublishDate: 2026-11-19\n---\nText.\n")
    assert kit.publish(NOW).exit_status == 0
    assert titles(kit) == ["One"]


@pytest.mark.parametrize("value", ["soon", "after the board meets", "[1, 2]"])
def test_an_unknown_release_value_makes_a_draft(kit: SiteKit, value: str) -> None:
    """The intended time is not known, so the article is not published."""
    kit.write("one.md", f"---\ntitle: One\ndate: 2026-11-20\nembargo: {value}\n---\nText.\n")
    report = kit.publish(NOW)
    assert not titles(kit) and report.exit_status == 0
    assert any("not understood" in one.reason for one in report.warnings)


def test_a_numeric_release_that_is_no_date_is_rejected(kit: SiteKit) -> None:
    """It may be a date in the future, so the article is not published."""
    kit.write("one.md", "---\ntitle: One\ndate: 2026-11-20\npublished: 32/13/2026\n---\nText.\n")
    report = kit.publish(NOW)
    assert not titles(kit) and report.exit_status == 1
    assert "impossible published" in report.rejected[0].reason
