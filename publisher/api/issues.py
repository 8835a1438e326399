"""The issues of a site and their deliveries."""

from __future__ import annotations

from publisher.api.subject import Subject, use_case
from publisher.delivery.bounces import process_mailbox, process_messages
from publisher.delivery.deliver import deliver
from publisher.delivery.issue_life.approval import finished_issue, pause, resume
from publisher.delivery.public_issues import archived_issues, issue_page, newest_issues
from publisher.delivery.suppression_brake import accept_refusals, retry_refusals
from publisher.pipeline.draft_mail import send_draft_test
from publisher.pipeline.undo_issue import cancel, plan_cancel, reopen
from publisher.reports.clicks import count_click
from publisher.reports.trace import delivery_history


class Issues(Subject):
    """The issues of a site and their deliveries.

    A target is ``DIGEST/NAME``, or ``DIGEST``: its newest issue that is not sent completely, or else its newest one.
    """

    send = use_case(deliver)
    send_test = use_case(send_draft_test)
    finished = use_case(finished_issue)
    pause = use_case(pause)
    resume = use_case(resume)
    accept_refusals = use_case(accept_refusals)
    retry_refusals = use_case(retry_refusals)
    process_mailbox = use_case(process_mailbox)
    process_messages = use_case(process_messages)
    trace = use_case(delivery_history)
    reopen = use_case(reopen)
    plan_cancel = use_case(plan_cancel)
    cancel = use_case(cancel)
    newest = use_case(newest_issues)
    archived = use_case(archived_issues)
    page = use_case(issue_page)
    count_click = use_case(count_click)
