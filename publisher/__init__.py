"""A self-hosted publisher of RSS, Atom and JSON feeds and of email newsletters.

``Publisher`` is the public API; the command ``publish`` uses it too. The package never changes the files in a site's
articles folder.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from publisher.version import __version__

if TYPE_CHECKING:
    from publisher.api import Publisher as Publisher
    from publisher.api.digests import Draft as Draft
    from publisher.delivery.bounces import BounceResult as BounceResult
    from publisher.delivery.deliver import SendResult as SendResult
    from publisher.delivery.dispatch import DeliveryCounts as DeliveryCounts
    from publisher.delivery.suppression_brake import RefusalDecision as RefusalDecision
    from publisher.digests.store import IssueRow as IssueRow
    from publisher.model.report import NotificationResult as NotificationResult
    from publisher.model.report import PublishResult as PublishResult
    from publisher.pipeline.approve import Approval as Approval
    from publisher.pipeline.approve import ApprovalPlan as ApprovalPlan
    from publisher.pipeline.approve import ApprovalTime as ApprovalTime
    from publisher.pipeline.check import CheckResult as CheckResult
    from publisher.pipeline.check import check_files as check_files
    from publisher.pipeline.correct import CorrectionResult as CorrectionResult
    from publisher.pipeline.note import NoteResult as NoteResult
    from publisher.pipeline.preview import Preview as Preview
    from publisher.pipeline.undo_issue import CancelPlan as CancelPlan
    from publisher.pipeline.undo_issue import Discarded as Discarded
    from publisher.reports.issue_drafts import ApprovedIssue as ApprovedIssue
    from publisher.reports.issue_drafts import DraftStatus as DraftStatus
    from publisher.reports.issue_drafts import UpcomingIssues as UpcomingIssues
    from publisher.reports.outbox import OutboxIssue as OutboxIssue
    from publisher.reports.stats import FeedStats as FeedStats
    from publisher.reports.stats import IssueStats as IssueStats
    from publisher.reports.stats import Stats as Stats
    from publisher.reports.status import DigestStatus as DigestStatus
    from publisher.reports.status import Status as Status
    from publisher.reports.trace import DeliveryEvent as DeliveryEvent
    from publisher.reports.trace import DeliveryHistory as DeliveryHistory
    from publisher.reports.upcoming import ScheduleDescription as ScheduleDescription
    from publisher.reports.upcoming import UpcomingRun as UpcomingRun
    from publisher.schedule.store import SlotRun as SlotRun
    from publisher.subscribers.store import Subscriber as Subscriber
    from publisher.subscriptions.import_list import ImportResult as ImportResult
    from publisher.subscriptions.review import DoubtfulSuppression as DoubtfulSuppression
    from publisher.subscriptions.review import UnclearState as UnclearState

#: Public name → the module that defines it. It is imported on first use, so that commands start fast.
_MODULES = {
    "Approval": "publisher.pipeline.approve",
    "ApprovalPlan": "publisher.pipeline.approve",
    "ApprovalTime": "publisher.pipeline.approve",
    "ApprovedIssue": "publisher.reports.issue_drafts",
    "BounceResult": "publisher.delivery.bounces",
    "CancelPlan": "publisher.pipeline.undo_issue",
    "CheckResult": "publisher.pipeline.check",
    "CorrectionResult": "publisher.pipeline.correct",
    "DeliveryCounts": "publisher.delivery.dispatch",
    "DeliveryEvent": "publisher.reports.trace",
    "DeliveryHistory": "publisher.reports.trace",
    "DigestStatus": "publisher.reports.status",
    "Discarded": "publisher.pipeline.undo_issue",
    "DoubtfulSuppression": "publisher.subscriptions.review",
    "Draft": "publisher.api.digests",
    "DraftStatus": "publisher.reports.issue_drafts",
    "FeedStats": "publisher.reports.stats",
    "ImportResult": "publisher.subscriptions.import_list",
    "IssueRow": "publisher.digests.store",
    "IssueStats": "publisher.reports.stats",
    "NoteResult": "publisher.pipeline.note",
    "NotificationResult": "publisher.model.report",
    "OutboxIssue": "publisher.reports.outbox",
    "Preview": "publisher.pipeline.preview",
    "PublishResult": "publisher.model.report",
    "Publisher": "publisher.api",
    "RefusalDecision": "publisher.delivery.suppression_brake",
    "ScheduleDescription": "publisher.reports.upcoming",
    "SendResult": "publisher.delivery.deliver",
    "SlotRun": "publisher.schedule.store",
    "Stats": "publisher.reports.stats",
    "Status": "publisher.reports.status",
    "Subscriber": "publisher.subscribers.store",
    "UnclearState": "publisher.subscriptions.review",
    "UpcomingIssues": "publisher.reports.issue_drafts",
    "UpcomingRun": "publisher.reports.upcoming",
    "check_files": "publisher.pipeline.check",
}

__all__ = [
    "Approval",
    "ApprovalPlan",
    "ApprovalTime",
    "ApprovedIssue",
    "BounceResult",
    "CancelPlan",
    "CheckResult",
    "CorrectionResult",
    "DeliveryCounts",
    "DeliveryEvent",
    "DeliveryHistory",
    "DigestStatus",
    "Discarded",
    "DoubtfulSuppression",
    "Draft",
    "DraftStatus",
    "FeedStats",
    "ImportResult",
    "IssueRow",
    "IssueStats",
    "NoteResult",
    "NotificationResult",
    "OutboxIssue",
    "Preview",
    "PublishResult",
    "Publisher",
    "RefusalDecision",
    "ScheduleDescription",
    "SendResult",
    "SlotRun",
    "Stats",
    "Status",
    "Subscriber",
    "UnclearState",
    "UpcomingIssues",
    "UpcomingRun",
    "__version__",
    "check_files",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value
