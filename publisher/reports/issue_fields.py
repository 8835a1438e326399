"""The fields of an issue in JSON output."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from publisher.digests.store import IssueRow


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def issue_dict(row: IssueRow) -> dict[str, Any]:
    """Return an issue as a dict for JSON."""
    return {
        "digest": row.digest,
        "number": row.number,
        "slot": row.slot.isoformat(),
        "name": row.name,
        "subject": row.subject,
        "articles": row.articles,
        "staged": row.is_staged,
        "errors": row.errors,
        "forced": row.forced,
        "paused": row.is_paused,
        "approved": row.approved,
        "approved_at": _iso(row.approved_at),
        "opened_at": _iso(row.opened_at),
        "cancelled_at": _iso(row.cancelled_at),
    }
