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
    from publisher.api.functions import check_feed as check_feed
    from publisher.api.functions import check_message as check_message
    from publisher.api.functions import next_slot as next_slot
    from publisher.delivery.bounces import BounceResult as BounceResult
    from publisher.delivery.deliver import SendResult as SendResult
    from publisher.delivery.dispatch import DeliveryCounts as DeliveryCounts
    from publisher.delivery.public_issues import IssuePage as IssuePage
    from publisher.delivery.suppression_brake import RefusalDecision as RefusalDecision
    from publisher.digests.store import IssueRow as IssueRow
    from publisher.findings import Finding as Finding
    from publisher.model.report import NotificationResult as NotificationResult
    from publisher.model.report import PublishResult as PublishResult
    from publisher.pipeline.approve import Approval as Approval
    from publisher.pipeline.approve import ApprovalPlan as ApprovalPlan
    from publisher.pipeline.approve import ApprovalTime as ApprovalTime
    from publisher.pipeline.check import CheckResult as CheckResult
    from publisher.pipeline.check import check_files as check_files
    from publisher.pipeline.correct import CorrectionResult as CorrectionResult
    from publisher.pipeline.new_site import create_site as create_site
    from publisher.pipeline.note import NoteResult as NoteResult
    from publisher.pipeline.preview import Preview as Preview
    from publisher.pipeline.undo_issue import CancelPlan as CancelPlan
    from publisher.pipeline.undo_issue import Discarded as Discarded
    from publisher.reports.figures import SiteFigures as SiteFigures
    from publisher.reports.issue_drafts import ApprovedIssue as ApprovedIssue
    from publisher.reports.issue_drafts import DraftStatus as DraftStatus
    from publisher.reports.issue_drafts import UpcomingIssues as UpcomingIssues
    from publisher.reports.outbox import OutboxIssue as OutboxIssue
    from publisher.reports.statistics_store import FeedRequestRow as FeedRequestRow
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
    from publisher.subscriptions.confirm import ConfirmationResult as ConfirmationResult
    from publisher.subscriptions.confirm import OpenedConfirmation as OpenedConfirmation
    from publisher.subscriptions.import_list import ImportResult as ImportResult
    from publisher.subscriptions.preferences import Access as Access
    from publisher.subscriptions.preferences import Preferences as Preferences
    from publisher.subscriptions.review import DoubtfulSuppression as DoubtfulSuppression
    from publisher.subscriptions.review import UnclearState as UnclearState
    from publisher.subscriptions.subscribe import SubscriptionRequest as SubscriptionRequest
    from publisher.subscriptions.unsubscribe import LinkStatus as LinkStatus
    from publisher.websub.hub import RequestRejected as RequestRejected

#: Public name → the module that defines it. It is imported on first use, so that commands start fast.
_MODULES = {
    "Access": "publisher.subscriptions.preferences",
    "Approval": "publisher.pipeline.approve",
    "ApprovalPlan": "publisher.pipeline.approve",
    "ApprovalTime": "publisher.pipeline.approve",
    "ApprovedIssue": "publisher.reports.issue_drafts",
    "BounceResult": "publisher.delivery.bounces",
    "CancelPlan": "publisher.pipeline.undo_issue",
    "CheckResult": "publisher.pipeline.check",
    "ConfirmationResult": "publisher.subscriptions.confirm",
    "CorrectionResult": "publisher.pipeline.correct",
    "DeliveryCounts": "publisher.delivery.dispatch",
    "DeliveryEvent": "publisher.reports.trace",
    "DeliveryHistory": "publisher.reports.trace",
    "DigestStatus": "publisher.reports.status",
    "Discarded": "publisher.pipeline.undo_issue",
    "DoubtfulSuppression": "publisher.subscriptions.review",
    "Draft": "publisher.api.digests",
    "DraftStatus": "publisher.reports.issue_drafts",
    "FeedRequestRow": "publisher.reports.statistics_store",
    "FeedStats": "publisher.reports.stats",
    "Finding": "publisher.findings",
    "ImportResult": "publisher.subscriptions.import_list",
    "IssuePage": "publisher.delivery.public_issues",
    "IssueRow": "publisher.digests.store",
    "IssueStats": "publisher.reports.stats",
    "LinkStatus": "publisher.subscriptions.unsubscribe",
    "NoteResult": "publisher.pipeline.note",
    "NotificationResult": "publisher.model.report",
    "OpenedConfirmation": "publisher.subscriptions.confirm",
    "OutboxIssue": "publisher.reports.outbox",
    "Preferences": "publisher.subscriptions.preferences",
    "Preview": "publisher.pipeline.preview",
    "PublishResult": "publisher.model.report",
    "Publisher": "publisher.api",
    "RefusalDecision": "publisher.delivery.suppression_brake",
    "RequestRejected": "publisher.websub.hub",
    "ScheduleDescription": "publisher.reports.upcoming",
    "SendResult": "publisher.delivery.deliver",
    "SiteFigures": "publisher.reports.figures",
    "SlotRun": "publisher.schedule.store",
    "Stats": "publisher.reports.stats",
    "Status": "publisher.reports.status",
    "Subscriber": "publisher.subscribers.store",
    "SubscriptionRequest": "publisher.subscriptions.subscribe",
    "UnclearState": "publisher.subscriptions.review",
    "UpcomingIssues": "publisher.reports.issue_drafts",
    "UpcomingRun": "publisher.reports.upcoming",
    "check_feed": "publisher.api.functions",
    "check_files": "publisher.pipeline.check",
    "create_site": "publisher.pipeline.new_site",
    "check_message": "publisher.api.functions",
    "next_slot": "publisher.api.functions",
}

__all__ = [
    "Access",
    "Approval",
    "ApprovalPlan",
    "ApprovalTime",
    "ApprovedIssue",
    "BounceResult",
    "CancelPlan",
    "CheckResult",
    "ConfirmationResult",
    "CorrectionResult",
    "DeliveryCounts",
    "DeliveryEvent",
    "DeliveryHistory",
    "DigestStatus",
    "Discarded",
    "DoubtfulSuppression",
    "Draft",
    "DraftStatus",
    "FeedRequestRow",
    "FeedStats",
    "Finding",
    "ImportResult",
    "IssuePage",
    "IssueRow",
    "IssueStats",
    "LinkStatus",
    "NoteResult",
    "NotificationResult",
    "OpenedConfirmation",
    "OutboxIssue",
    "Preferences",
    "Preview",
    "PublishResult",
    "Publisher",
    "RefusalDecision",
    "RequestRejected",
    "ScheduleDescription",
    "SendResult",
    "SiteFigures",
    "SlotRun",
    "Stats",
    "Status",
    "Subscriber",
    "SubscriptionRequest",
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


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value
