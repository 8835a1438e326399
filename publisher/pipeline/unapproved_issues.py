"""Issues of older versions that were made and never approved: the newest ones become drafts."""

from __future__ import annotations

from datetime import timedelta

from publisher.context import Context
from publisher.delivery.issue_life.fixed_issue import unfix_issue
from publisher.digests import approval_store as approvals
from publisher.digests import store as issues
from publisher.model.digests import SendPolicy
from publisher.model.problems import Problem


def return_unapproved_issues(context: Context) -> list[Problem]:
    """Return the articles of recent issues that were never approved, sent or public to the drafts of their digests.

    Automatic issues that are on the web go on being sent. Issues that are too old to be sent keep number and folder, and
    are never mailed. The caller holds the site's lock.

    Returns:
        A warning for each issue that became a draft.
    """
    site, db = context.site, context.db
    warnings = []
    with db.read() as connection:
        rows = issues.unapproved_issues(connection)
    since = context.now - timedelta(days=site.delivery.retry_days)
    for row in rows:
        settings = site.digests.get(row.digest)
        is_public = settings is not None and settings.send is SendPolicy.AUTO and row.may_be_sent and row.is_staged
        with db.write() as connection:
            if is_public:
                approvals.mark_opened(connection, row.id, int(row.slot.timestamp()))
            elif row.slot >= since:
                unfix_issue(connection, row)
            else:
                approvals.mark_cancelled(connection, row.id, int(row.slot.timestamp()))
        if not is_public and row.slot >= since:
            reason = "it was not approved: its articles are in the draft, which follows them until it is approved"
            warnings.append(Problem(where=row.path, is_rejected=False, reason=reason))
    return warnings
