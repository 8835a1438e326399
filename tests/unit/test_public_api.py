"""The names that programs may import."""

import subprocess
import sys
from pathlib import Path

import pytest

import publisher
from tests.support import api_reference


def test_the_public_names_are_pinned() -> None:
    """A name that is removed or renamed breaks programs of other people."""
    assert sorted(publisher.__all__) == [
        "Access",
        "Approval",
        "ApprovalPlan",
        "ApprovalTime",
        "ApprovedIssue",
        "Article",
        "BounceResult",
        "CancelPlan",
        "CheckResult",
        "Clock",
        "ConfirmationKind",
        "ConfirmationResult",
        "CorrectionResult",
        "DeliveryCounts",
        "DeliveryEvent",
        "DeliveryHistory",
        "DeliveryState",
        "DigestStatus",
        "Discarded",
        "DoubtfulSuppression",
        "Draft",
        "DraftStatus",
        "FeedFormat",
        "FeedRequestRow",
        "FeedStats",
        "Finding",
        "ImportResult",
        "IssueCheck",
        "IssuePage",
        "IssueRow",
        "IssueStats",
        "LinkStatus",
        "MessageSource",
        "NoteResult",
        "NotificationResult",
        "OpenedConfirmation",
        "OutboxIssue",
        "Outcome",
        "OutgoingMessage",
        "Preferences",
        "PreferencesResult",
        "Preview",
        "Problem",
        "PublishResult",
        "Publisher",
        "RefusalDecision",
        "RejectedRow",
        "RelayFault",
        "RequestRejected",
        "ScheduleDescription",
        "SendResult",
        "SiteFigures",
        "SlotRun",
        "Stats",
        "Status",
        "Subscriber",
        "SubscriptionRequest",
        "SubscriptionState",
        "Transport",
        "UncertainPolicy",
        "UnclearState",
        "UpcomingIssues",
        "UpcomingRun",
        "__version__",
        "check_feed",
        "check_files",
        "check_message",
        "create_site",
        "next_slot",
    ]


@pytest.mark.parametrize("name", publisher.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    """A name without a module would fail in the first program that uses it."""
    assert getattr(publisher, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    """``hasattr`` and ``from publisher import`` depend on it."""
    assert not hasattr(publisher, "unknown")


def test_the_package_says_that_it_is_typed() -> None:
    """Without the marker, type checkers ignore the annotations (PEP 561)."""
    assert (Path(publisher.__file__).parent / "py.typed").is_file()


def test_the_package_imports_nothing_before_a_name_is_used() -> None:
    """``publish --help`` must not pay for a database library."""
    code = "import sys, publisher; print('sqlalchemy' in sys.modules or 'jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_reference_is_made_from_the_docstrings() -> None:
    """A page that was edited or not made again describes other arguments than the package has."""
    assert api_reference.PAGE.read_text("utf-8") == api_reference.render(), "run: python -m tests.support.api_reference"


@pytest.mark.parametrize("name", [name for name in publisher.__all__ if not name.startswith("_")])
def test_every_public_name_is_in_the_reference(name: str) -> None:
    """A name that is public and not described has to be guessed."""
    assert f"# {name}" in api_reference.PAGE.read_text("utf-8")
