"""Automatic drafts that wait for their errors to be fixed."""

from __future__ import annotations

import pytest

from tests.conftest import SiteKit, issues
from tests.integration.schedule.test_slots import Newsroom, slot


@pytest.fixture
def newsroom(any_kit: SiteKit) -> Newsroom:
    """A newsletter whose draft has an error at its slot, and another one."""
    room = Newsroom(any_kit)
    room.base += '\n[digests.other]\ntitle = "The Other"\nsend = "none"\ncadence = "0 8 * * *"\n'
    room.configure()
    room.turn()
    room.kit.article("one.md", "One", date="2026-11-20", body="Lorem ipsum dolor sit amet.")
    room.clock.at = slot(23)
    assert room.ran() == [("digest:daily", 23, "its draft has 1 error")]
    return room


def test_a_draft_becomes_an_issue_once_its_errors_are_fixed(newsroom: Newsroom) -> None:
    """Under its slot, within the hours to catch up."""
    newsroom.kit.article("one.md", "One", date="2026-11-20", body="Finished text.")
    newsroom.clock.advance(minutes=10)
    report = newsroom.turn()
    assert report is not None
    assert [issue.path for issue in report.opened] == ["outbox/daily/2026-11-23T0700"]


def test_a_waiting_draft_that_cannot_be_rendered_stops_no_other_newsletter(newsroom: Newsroom) -> None:
    """The run names it; the slot of the other one has its issue, and both are staged."""
    newsroom.kit.article("one.md", "One", date="2026-11-20", body="Finished text.")
    newsroom.configure(subject='"{{ nothing.known }}"')
    newsroom.clock.at = slot(23, 8)
    report = newsroom.turn()
    assert report is not None
    assert [problem.where for problem in report.rejected] == ["digests.daily"]
    assert [issue.path for issue in report.opened] == ["outbox/other/2026-11-23T0800"]
    assert issues(newsroom.kit, "other") == [["One"]]
