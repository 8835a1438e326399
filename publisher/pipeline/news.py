"""Decide which new and edited articles wait for which digests, and which are too old to be news."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from publisher.digests import store as issues
from publisher.model.articles import Record
from publisher.model.digests import Digest
from publisher.model.query import is_news, matches_query
from publisher.settings import Site

__all__ = ["NewsFilter"]


class NewsFilter:
    """The digests, and the age of the articles of one batch."""

    def __init__(
        self, connection: Connection, site: Site, asked: Mapping[int, int], read: Mapping[int, int | None]
    ) -> None:
        """Take the state of the digests.

        Args:
            connection: to the store.
            site: the settings.
            asked: arrival number → the date that the record names.
            read: arrival number → when the record was first read; None where that was not stored.
        """
        self._connection = connection
        self._asked = asked
        self._read = read
        self._begun = issues.started_digests(connection)
        self._with_issues = issues.digests_with_issues(connection)
        self._digests = [digest for digest in site.all_digests() if digest.slug in self._begun]

    def is_quiet(self, seq: int) -> bool:
        """Return whether an article is no news to any digest that has an issue, so that nobody is notified of it."""
        digests = [digest for digest in self._digests if digest.slug in self._with_issues]
        return bool(digests) and not any(self._is_news(digest, seq) for digest in digests)

    def offer(self, fresh: Mapping[int, Record], edited: Mapping[int, Record]) -> int:
        """Add articles (by arrival number) to what waits for the digests that ask for them.

        An edited article is not sent again. One that an edit brings within a digest's query is sent for the
        first time, if it arrived after the digest began; so is a draft that is published again. A digest that
        has an issue gets news only.

        Returns:
            How many new articles are asked for by a digest to which they are no news.
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
            if seq > self._begun[digest.slug] and matches_query(digest.query, record) and self._is_news(digest, seq)
        ]
        if late:
            waiting.extend(issues.without_carried(self._connection, late))
        issues.add_pending(self._connection, waiting)
        return len(old)

    def _is_news(self, digest: Digest, seq: int) -> bool:
        return digest.slug not in self._with_issues or is_news(digest.news_days, self._asked[seq], self._read[seq])
