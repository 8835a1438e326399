"""Find the issue that a name refers to."""

from __future__ import annotations

from sqlalchemy import Connection

from publisher.digests import store as issues
from publisher.digests.store import IssueRow
from publisher.errors import SettingsError

__all__ = ["find_issue"]


def find_issue(connection: Connection, target: str) -> IssueRow:
    """Return the issue that ``DIGEST/NAME`` means; the newest one for ``DIGEST``.

    Raises:
        SettingsError: there is none.
    """
    digest, _, name = target.strip("/").partition("/")
    rows = issues.list_issues(connection)
    row = next((one for one in rows if one.digest == digest and name in ("", one.name)), None)
    if row is None:
        raise SettingsError(f"there is no issue {target}: 'publish outbox' lists them")
    return row
