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
    from publisher.api.functions import next_slot as next_slot
    from publisher.clock import Clock as Clock
    from publisher.delivery.bounces import BounceResult as BounceResult
    from publisher.delivery.deliver import SendResult as SendResult
    from publisher.delivery.dispatch import DeliveryCounts as DeliveryCounts
    from publisher.delivery.public_issues import IssuePage as IssuePage
    from publisher.delivery.suppression_brake import RefusalDecision as RefusalDecision
    from publisher.digests.preflight.message import check_message as check_message
    from publisher.digests.run_preflight import IssueCheck as IssueCheck
    from publisher.digests.store import IssueRow as IssueRow
    from publisher.feeds.checks.feed import check_feed as check_feed
    from publisher.findings import Finding as Finding
    from publisher.mail.outcome import Outcome as Outcome
    from publisher.mail.outcome import RelayFault as RelayFault
    from publisher.mail.transport import MessageSource as MessageSource
    from publisher.mail.transport import OutgoingMessage as OutgoingMessage
    from publisher.mail.transport import Transport as Transport
    from publisher.model.articles import Article as Article
    from publisher.model.delivery import DeliveryState as DeliveryState
    from publisher.model.delivery import UncertainPolicy as UncertainPolicy
    from publisher.model.feeds import FeedFormat as FeedFormat
    from publisher.model.problems import Problem as Problem
    from publisher.model.report import NotificationResult as NotificationResult
    from publisher.model.report import PublishResult as PublishResult
    from publisher.model.subscriptions import ConfirmationKind as ConfirmationKind
    from publisher.model.subscriptions import SubscriptionState as SubscriptionState
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
    from publisher.subscribers.list_parser import RejectedRow as RejectedRow
    from publisher.subscribers.store import Subscriber as Subscriber
    from publisher.subscriptions.confirm import ConfirmationResult as ConfirmationResult
    from publisher.subscriptions.confirm import OpenedConfirmation as OpenedConfirmation
    from publisher.subscriptions.import_list import ImportResult as ImportResult
    from publisher.subscriptions.preferences import Access as Access
    from publisher.subscriptions.preferences import Preferences as Preferences
    from publisher.subscriptions.preferences import PreferencesResult as PreferencesResult
    from publisher.subscriptions.review import DoubtfulSuppression as DoubtfulSuppression
    from publisher.subscriptions.review import UnclearState as UnclearState
    from publisher.subscriptions.subscribe import SubscriptionRequest as SubscriptionRequest
    from publisher.subscriptions.unsubscribe import LinkStatus as LinkStatus
    from publisher.websub.hub import RequestRejected as RequestRejected

#: Module → its public names. It is imported when one is first used, so that commands start fast.
_NAMES = {
    "publisher.api": "Publisher",
    "publisher.api.digests": "Draft",
    "publisher.api.functions": "next_slot",
    "publisher.clock": "Clock",
    "publisher.delivery.bounces": "BounceResult",
    "publisher.delivery.deliver": "SendResult",
    "publisher.delivery.dispatch": "DeliveryCounts",
    "publisher.delivery.public_issues": "IssuePage",
    "publisher.delivery.suppression_brake": "RefusalDecision",
    "publisher.digests.preflight.message": "check_message",
    "publisher.digests.run_preflight": "IssueCheck",
    "publisher.digests.store": "IssueRow",
    "publisher.feeds.checks.feed": "check_feed",
    "publisher.findings": "Finding",
    "publisher.mail.outcome": "Outcome RelayFault",
    "publisher.mail.transport": "MessageSource OutgoingMessage Transport",
    "publisher.model.articles": "Article",
    "publisher.model.delivery": "DeliveryState UncertainPolicy",
    "publisher.model.feeds": "FeedFormat",
    "publisher.model.problems": "Problem",
    "publisher.model.report": "NotificationResult PublishResult",
    "publisher.model.subscriptions": "ConfirmationKind SubscriptionState",
    "publisher.pipeline.approve": "Approval ApprovalPlan ApprovalTime",
    "publisher.pipeline.check": "CheckResult check_files",
    "publisher.pipeline.correct": "CorrectionResult",
    "publisher.pipeline.new_site": "create_site",
    "publisher.pipeline.note": "NoteResult",
    "publisher.pipeline.preview": "Preview",
    "publisher.pipeline.undo_issue": "CancelPlan Discarded",
    "publisher.reports.figures": "SiteFigures",
    "publisher.reports.issue_drafts": "ApprovedIssue DraftStatus UpcomingIssues",
    "publisher.reports.outbox": "OutboxIssue",
    "publisher.reports.statistics_store": "FeedRequestRow",
    "publisher.reports.stats": "FeedStats IssueStats Stats",
    "publisher.reports.status": "DigestStatus Status",
    "publisher.reports.trace": "DeliveryEvent DeliveryHistory",
    "publisher.reports.upcoming": "ScheduleDescription UpcomingRun",
    "publisher.schedule.store": "SlotRun",
    "publisher.subscribers.list_parser": "RejectedRow",
    "publisher.subscribers.store": "Subscriber",
    "publisher.subscriptions.confirm": "ConfirmationResult OpenedConfirmation",
    "publisher.subscriptions.import_list": "ImportResult",
    "publisher.subscriptions.preferences": "Access Preferences PreferencesResult",
    "publisher.subscriptions.review": "DoubtfulSuppression UnclearState",
    "publisher.subscriptions.subscribe": "SubscriptionRequest",
    "publisher.subscriptions.unsubscribe": "LinkStatus",
    "publisher.websub.hub": "RequestRejected",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = ["__version__", *_MODULES]  # noqa: PLE0604 - names are strings


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value
