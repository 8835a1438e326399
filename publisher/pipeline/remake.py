"""Make issues with placeholder values again once the settings are complete."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from publisher.articles.failure_isolation import report_failure
from publisher.digests import store as issues
from publisher.digests.readiness import contains_sample_article, issue_blockers, setting_blockers
from publisher.digests.store import IssueRow
from publisher.errors import SettingsError, StoreError
from publisher.model.problems import Problem
from publisher.model.report import PublishResult
from publisher.pipeline.make_issues import remake_issue
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.subscribers import recipients_store as recipients

__all__ = ["remake_issues"]


class _NothingLeft(Exception):
    """Rolls the transaction back because no article is left."""


def remake_issues(db: Database, site: Site, now: datetime, report: PublishResult) -> None:
    """Make each unsent issue with placeholder values again.

    Articles, note, slot and number stay. The audience is computed again, and an approval becomes void. Issues that
    are too old to be sent stay as they are. The caller holds the site's lock.
    """
    if setting_blockers(site):
        return
    with db.read() as connection:
        rows = issues.list_issues(connection, since=now - timedelta(days=site.delivery.retry_days))
        wanted = [row for row in rows if row.digest in site.digests and _is_fixable(connection, site, row)]
    for row in sorted(wanted, key=lambda row: row.slot):
        name = f"{row.digest}/{row.name}"
        try:
            with db.write() as connection:
                if not remake_issue(connection, site, row, now, report):
                    raise _NothingLeft
        except _NothingLeft:
            continue
        except (SettingsError, StoreError):
            raise
        except Exception as error:
            report_failure(report, site, name, "the issue was not made again", error)
            continue
        reason = "made again, because it held placeholder values; an approval has to be given again"
        report.warnings.append(Problem(where=name, is_rejected=False, reason=reason))


def _is_fixable(connection: Connection, site: Site, row: IssueRow) -> bool:
    """Return whether an unsent issue has placeholder values that making it again removes."""
    # The cheapest check first: most issues were sent.
    return (
        not recipients.has_attempts(connection, row.id)
        and bool(issue_blockers(connection, site, row))
        and not contains_sample_article(connection, site, row)
    )
