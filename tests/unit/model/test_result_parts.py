"""Parts of a run are added up to its result."""

from publisher.model.problems import Problem
from publisher.model.report import (
    DraftSummary,
    HeldIssue,
    NotificationResult,
    PublishResult,
    WaitingDigest,
)


def draft(digest: str, number: int) -> DraftSummary:
    return DraftSummary(
        digest=digest,
        number=number,
        slot="2026-01-05T07:00:00+00:00",
        subject="One",
        articles=1,
        path=f"outbox/{digest}/next",
        send="review",
        due="",
        shortened=0,
        html_size=1,
        errors=(),
        warnings=0,
        hash="x",
        is_changed=True,
    )


def test_counts_and_lists_are_added_in_their_order() -> None:
    """Each step has its own part of the numbers that an operator sees."""
    early, late = (Problem(where=name, is_rejected=True, reason="x") for name in ("one.md", "two.md"))
    result = PublishResult(at="early", new=1, rejected=(early,)) + PublishResult(at="late", new=2, rejected=(late,))
    assert (result.at, result.new, result.rejected) == ("early", 3, (early, late))


def test_a_later_part_describes_a_draft_as_it_is_by_then() -> None:
    """The summary would name the same draft twice."""
    before = PublishResult(issue_drafts=(draft("daily", 1), draft("weekly", 1)))
    assert (before + PublishResult(issue_drafts=(draft("daily", 2),))).issue_drafts == (
        draft("weekly", 1),
        draft("daily", 2),
    )
    waiting = WaitingDigest(digest="daily", reason="nothing new", articles=0)
    assert (before + PublishResult(waiting=(waiting,))).issue_drafts == (draft("weekly", 1),)


def test_a_draft_that_became_an_issue_is_no_draft_any_more() -> None:
    """An editor would look for it in outbox/DIGEST/next/."""
    before = PublishResult(issue_drafts=(draft("daily", 1),))
    assert (before + PublishResult(approved_drafts=("daily",))).issue_drafts == ()


def test_an_issue_is_held_for_its_latest_reason() -> None:
    """Two reasons for one issue would read as two issues."""
    first, second = HeldIssue(issue="daily/1", reason="early"), HeldIssue(issue="daily/1", reason="late")
    assert (PublishResult(held=(first,)) + PublishResult(held=(second,))).held == (second,)


def test_notifications_of_both_parts_count() -> None:
    """A failure of the first part must not be forgotten."""
    first = NotificationResult(sent=1, failed=("a hub",))
    result = PublishResult(notifications=first) + PublishResult(notifications=NotificationResult(sent=2, waiting=3))
    assert result.notifications == NotificationResult(sent=3, waiting=3, failed=("a hub",))


def test_a_dry_run_stays_one() -> None:
    """The summary says that nothing was written."""
    assert (PublishResult(dry_run=True) + PublishResult(new=1)).dry_run
