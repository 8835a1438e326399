"""Who listens: requests for feeds, counted in memory and kept by the day. No address is written down."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from publisher.reports.stats import FeedRequestRow
from publisher.web.user_agents import DIRECT, MAX_USER_AGENT_LENGTH, OTHERS, parse_user_agent

__all__ = ["FeedRequestCounter"]

#: So many readers who ask by themselves are told apart on a day, those of each feed by themselves; more are not counted.
_MARKS: Final = 250_000
#: So many pairs of a feed and a program that names itself are told apart on a day, and numbers of a program for a feed.
_PAIRS: Final = 5_000
_NUMBERS: Final = 100


@dataclass(slots=True)
class _Count:
    """One program's requests for one feed, today."""

    requests: int = 0
    unchanged: int = 0
    #: (suffix, the program's number for the feed) → how many readers it said last.
    said: dict[tuple[str, str], int] = field(default_factory=dict)
    #: Marks of readers who ask by themselves, and do so again and again.
    seen: set[int] = field(default_factory=set)


class FeedRequestCounter:
    """Counts, in one thread. Marks are made with a salt that no disk has seen, and are gone with the day.

    Whatever strangers call themselves, what is kept of them has an end.
    """

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._day = ""
        self._counts: dict[tuple[str, str], _Count] = {}
        self._marks = 0

    def count_request(self, name: str, scope: Mapping[str, Any], asked: Mapping[bytes, bytes], status: int) -> None:
        """Count a request that was answered.

        Args:
            name: the feed's file, relative to feeds/.
            scope: the request.
            asked: its headers.
            status: of the answer.
        """
        stem, _, suffix = name.rpartition(".")
        if suffix not in ("rss", "atom", "json") or name.startswith("archive/"):
            return
        raw = asked.get(b"user-agent", b"")[:MAX_USER_AGENT_LENGTH]
        agent = parse_user_agent(raw)
        if not agent.subscribers:
            return
        count = self._count(stem, agent.name)
        count.requests += 1
        count.unchanged += status == 304
        if agent.name != DIRECT:
            number = (suffix, agent.feed_id)
            if number in count.said or len(count.said) < _NUMBERS:
                count.said[number] = agent.subscribers
        elif (b"if-none-match" in asked or b"if-modified-since" in asked) and self._marks < _MARKS:
            # Who has the feed already is a reader; who asks once may be anybody.
            client = scope.get("client")
            before = len(count.seen)
            count.seen.add(hash((self._salt, client[0] if client else "", raw)))
            self._marks += len(count.seen) - before

    def _count(self, feed: str, program: str) -> _Count:
        count = self._counts.get((feed, program))
        if count is None:
            if program != DIRECT and len(self._counts) >= _PAIRS:
                program = OTHERS
            count = self._counts.setdefault((feed, program), _Count())
        return count

    def take_rows(self, now: datetime) -> list[FeedRequestRow]:
        """Return what was counted since the last call, by day; after the day's end nothing of it is left.

        Args:
            now: on the newsroom's clock.
        """
        today = now.date().isoformat()
        day = self._day or today
        rows = [
            FeedRequestRow(
                day=day,
                feed=feed,
                program=program,
                subscribers=len(count.seen) if program == DIRECT else sum(count.said.values()),
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
            self._marks = 0
            self._salt = secrets.token_bytes(16)
        self._day = today
        return rows
