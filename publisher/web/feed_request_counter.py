"""Count requests of feeds in memory, by day. No address of a client is stored."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from publisher import FeedRequestRow
from publisher.web.user_agents import DIRECT, MAX_USER_AGENT_LENGTH, OTHERS, parse_user_agent

#: Feed readers without a count of subscribers that are counted separately on a day, for each feed.
_MAX_CLIENTS: Final = 250_000
#: Pairs of a feed and a named program that are counted separately on a day, and feed ids of one program for one feed.
_MAX_PAIRS: Final = 5_000
_MAX_FEED_IDS: Final = 100


@dataclass(slots=True)
class _Count:
    """One program's requests for one feed, today."""

    requests: int = 0
    unchanged: int = 0
    #: (suffix, the program's id of the feed) → the subscribers that it reported last.
    reported: dict[tuple[str, str], int] = field(default_factory=dict)
    #: Salted hashes of clients that have headers for the feed more than once.
    clients: set[int] = field(default_factory=set)


class FeedRequestCounter:
    """Counts requests. Hashes of clients have a daily salt that is never stored. One thread.

    Memory is bounded whatever User-Agent headers clients send.
    """

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._day = ""
        self._counts: dict[tuple[str, str], _Count] = {}
        self._client_count = 0

    def count_request(self, name: str, scope: Mapping[str, Any], headers: Mapping[bytes, bytes], status: int) -> None:
        """Count a request of the file NAME, relative to feeds/."""
        stem, _, suffix = name.rpartition(".")
        if suffix not in ("rss", "atom", "json") or name.startswith("archive/"):
            return
        raw = headers.get(b"user-agent", b"")[:MAX_USER_AGENT_LENGTH]
        agent = parse_user_agent(raw)
        if not agent.subscribers:
            return
        count = self._count(stem, agent.name)
        count.requests += 1
        count.unchanged += status == 304
        if agent.name != DIRECT:
            feed_id = (suffix, agent.feed_id)
            if feed_id in count.reported or len(count.reported) < _MAX_FEED_IDS:
                count.reported[feed_id] = agent.subscribers
        elif (b"if-none-match" in headers or b"if-modified-since" in headers) and self._client_count < _MAX_CLIENTS:
            # A conditional request shows that the client reads the feed regularly.
            client = scope.get("client")
            before = len(count.clients)
            count.clients.add(hash((self._salt, client[0] if client else "", raw)))
            self._client_count += len(count.clients) - before

    def _count(self, feed: str, program: str) -> _Count:
        count = self._counts.get((feed, program))
        if count is None:
            if program != DIRECT and len(self._counts) >= _MAX_PAIRS:
                program = OTHERS
            count = self._counts.setdefault((feed, program), _Count())
        return count

    def take_rows(self, now: datetime) -> list[FeedRequestRow]:
        """Return the counts since the last call; a new day, in the zone of NOW, starts from zero."""
        today = now.date().isoformat()
        day = self._day or today
        rows = [
            FeedRequestRow(
                day=day,
                feed=feed,
                program=program,
                subscribers=len(count.clients) if program == DIRECT else sum(count.reported.values()),
                requests=count.requests,
                unchanged=count.unchanged,
            )
            for (feed, program), count in self._counts.items()
            if count.requests
        ]
        for count in self._counts.values():
            count.requests = count.unchanged = 0
        if day != today:
            self._counts.clear()
            self._client_count = 0
            self._salt = secrets.token_bytes(16)
        self._day = today
        return rows
