"""Withdraw expired articles: they are treated as drafts."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from publisher.articles import drafts_store, expiry_store
from publisher.articles import store as articles
from publisher.articles.parsers import DraftRecord, ParsedRecord, ParseResult
from publisher.pipeline.drafts import withdraw_articles
from publisher.settings import Site


def draft_if_expired(parsed: ParseResult, site: Site, now: datetime) -> ParseResult:
    """Return a record that has expired as a draft, and every other one as it is."""
    if not isinstance(parsed, ParsedRecord) or parsed.record.expires is None or parsed.record.expires > now:
        return parsed
    return DraftRecord(
        where=parsed.where,
        statement=_statement(site, parsed.record.expires),
        warnings=parsed.warnings,
        shares_file=parsed.shares_file,
        external_id=parsed.record.external_id,
        url=parsed.record.url,
        record=parsed.record,
    )


def expire_articles(connection: Connection, site: Site, now: datetime) -> int:
    """Withdraw articles that have expired; return how many were published until now."""
    expired = expiry_store.expired_articles(connection, int(now.timestamp()))
    if not expired:
        return 0
    statements = {seq: _statement(site, datetime.fromtimestamp(at, UTC)) for seq, at in expired.items()}
    files: dict[str, list[str]] = {}
    for seq, row in articles.rows_by_seq(connection, statements).items():
        files.setdefault(row.source, []).append(statements[seq])
    drafts_store.add_drafts(connection, files)
    return len(withdraw_articles(connection, statements, now))


def _statement(site: Site, expires: datetime) -> str:
    return f"expired on {expires.astimezone(site.tz):%Y-%m-%d %H:%M}"
