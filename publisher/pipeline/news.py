"""Decide which new and edited articles digests send, and which are too old."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from publisher.digests import pending_store as pending
from publisher.digests import store as issues
from publisher.model.articles import Record
from publisher.model.digests import Digest
from publisher.model.query import is_news, matches_query
from publisher.settings import Site


class NewsFilter:
    """Filters the articles of one batch by query and age."""

    def __init__(
        self, connection: Connection, site: Site, asked: Mapping[int, int], read: Mapping[int, int | None]
    ) -> None:
        """Load the state of the digests.

        Args:
            asked: arrival number → date of the record.
            read: arrival number → time at which the record was first read; None if that was not stored.
        """
        self._connection = connection
        self._asked = asked
        self._read = read
        self._started = pending.started_digests(connection)
        self._with_issues = issues.digests_with_issues(connection)
        self._digests = [digest for digest in site.all_digests() if digest.slug in self._started]

    def is_quiet(self, seq: int) -> bool:
        """Return whether an article is too old for all digests, so hubs are not notified."""
        digests = [digest for digest in self._digests if digest.slug in self._with_issues]
        return bool(digests) and not any(self._is_news(digest, seq) for digest in digests)

    def offer(self, fresh: Mapping[int, Record], edited: Mapping[int, Record]) -> int:
        """Add articles to the pending ones of the digests that they match.

        An edited article is not sent again. It is sent for the first time if the edit makes it match a digest that
        started before the article arrived, or if it was a draft. A digest with issues gets news only.

        Args:
            fresh: arrival number → record of new articles.
            edited: arrival number → record of edited articles.

        Returns:
            The number of new articles that match a digest but are too old for it.
        """
        waiting: list[tuple[str, int]] = []
        old: set[int] = set()
        for seq, record in fresh.items():
            for digest in self._digests:
                if not matches_query(digest.query, record):
                    continue
                if self._is_news(digest, seq):
                    waiting.append((digest.slug, seq))
                else:
                    old.add(seq)
        late = [
            (digest.slug, seq)
            for seq, record in edited.items()
            for digest in self._digests
            if seq > self._started[digest.slug] and matches_query(digest.query, record) and self._is_news(digest, seq)
        ]
        if late:
            waiting.extend(pending.without_carried(self._connection, late))
        pending.add_pending(self._connection, waiting)
        return len(old)

    def _is_news(self, digest: Digest, seq: int) -> bool:
        return digest.slug not in self._with_issues or is_news(digest.news_days, self._asked[seq], self._read[seq])
