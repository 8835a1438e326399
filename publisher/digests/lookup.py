"""Find an issue by its name."""

from __future__ import annotations

from sqlalchemy import Connection

from publisher.digests import store as issues
from publisher.digests.store import IssueRow
from publisher.errors import SettingsError

__all__ = ["find_issue"]


def find_issue(connection: Connection, target: str) -> IssueRow:
    """Return the issue ``DIGEST/NAME``, or the newest issue of ``DIGEST``.

    Raises:
        SettingsError: there is no such issue.
    """
    digest, _, name = target.strip("/").partition("/")
    rows = issues.list_issues(connection)
    row = next((issue for issue in rows if issue.digest == digest and name in ("", issue.name)), None)
    if row is None:
        raise SettingsError(f"there is no issue {target}: 'publish outbox' lists the issues")
    return row
